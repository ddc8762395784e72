"""DEFLATE on a connection, both ways, in bounded memory (RFC 4978).

What comes in is expanded a piece at a time, and the next piece only when the one before was acted upon: what a peer can
make of 64 KiB (a thousand times as much) is never in memory at once, and between two pieces others are served.

What goes out is compressed by a compressor that lives for one turn. Its successor knows nothing of what was sent
before, which the peer cannot tell: a block may do without. So a connection that idles keeps no compressor. What
the peer's compressor refers to must be kept: up to 40 KiB.
"""

from __future__ import annotations

import zlib
from typing import Any

PIECE = 64 * 1024
"""Octets that are expanded at once, at most."""

# 48 KiB for a turn; half as small in each takes a third more octets, and the default takes 256 KiB.
_WINDOW_BITS = 13
_MEMORY_LEVEL = 7
_LEVEL = 3

_RAW = -zlib.MAX_WBITS


LAST_BLOCK = b"\x03\x00"
"""An empty block that ends a stream."""


class CorruptDeflate(ValueError):
    """What the peer sent is no DEFLATE, or it has ended."""


class Deflate:
    """The compression of one connection."""

    __slots__ = ("_compressor", "_expander", "_pending")

    def __init__(self) -> None:
        self._compressor: Any = None
        self._expander = zlib.decompressobj(_RAW)
        self._pending: list[bytes] = []

    @property
    def pending(self) -> int:
        """Octets that came and were not expanded yet."""
        return len(self._expander.unconsumed_tail) + sum(map(len, self._pending))

    def receive(self, data: bytes) -> None:
        """Take what came from the peer."""
        self._pending.append(data)

    def expand(self) -> bytes:
        """The next octets, at most `PIECE`; b"" if more must come first. Raises `CorruptDeflate`."""
        expander = self._expander
        data = expander.unconsumed_tail
        if self._pending:
            data = b"".join((data, *self._pending))
            self._pending.clear()
        try:
            expanded = expander.decompress(data, PIECE)
        except zlib.error as error:
            raise CorruptDeflate("corrupt DEFLATE") from error
        if expander.eof and not expanded:
            raise CorruptDeflate("DEFLATE ended")
        return expanded

    def end(self) -> bytes | None:
        """What came behind the peer's stream, which has its end here or just does not go on; None if it does."""
        expander = self._expander
        data = b"".join((expander.unconsumed_tail, *self._pending))
        self._pending.clear()
        if expander.eof:
            return bytes(expander.unused_data) + data
        try:
            more = expander.decompress(data, 1)
        except zlib.error:
            return None
        return None if more or expander.unconsumed_tail else bytes(expander.unused_data)

    def compress(self, data: bytes) -> bytes:
        """All of it, so that the peer can expand it at once."""
        if self._compressor is None:
            self._compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -_WINDOW_BITS, _MEMORY_LEVEL)
        return bytes(self._compressor.compress(data) + self._compressor.flush(zlib.Z_SYNC_FLUSH))

    def rest(self) -> None:
        """A turn is over."""
        self._compressor = None
