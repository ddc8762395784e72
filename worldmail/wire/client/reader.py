"""What a server says, cut into what its protocol is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from worldmail.wire.lines import LineBuffer

MAXIMUM_PIECE = 1 << 18
"""Octets of one `Piece`."""

SHOWN = 300
"""Characters of the server's words that are kept for people."""


class Piece(NamedTuple):
    """The next octets of what comes by octets rather than lines, `finished` with the last."""

    octets: bytes
    finished: bool


class Garbage:
    """What is nothing of the protocol."""

    __slots__ = ()


GARBAGE = Garbage()


class LineReader(ABC):
    """Cuts what came from the server. After `GARBAGE` it gives nothing any more.

    Args:
        limit: octets of a line.
    """

    __slots__ = ("_lines", "_over")

    def __init__(self, limit: int) -> None:
        self._lines = LineBuffer(limit)
        self._over = False

    def receive(self, data: bytes) -> None:
        """Take bytes."""
        if not self._over:
            self._lines.append(data)

    def buffered(self) -> int:
        """Octets of which nothing has been made yet."""
        return self._lines.buffered

    def clear(self) -> None:
        """Forget all of it: what came before TLS counts for nothing (RFC 2595 §4, RFC 3207 §4.2, RFC 9051 §6.2.1)."""
        self._lines.clear()

    @abstractmethod
    def take(self) -> object | None:
        """The next one; None if it is not all there."""

    def _end(self) -> Garbage:
        """What came is garbage, and so is all behind it."""
        self._over = True
        self.clear()
        return GARBAGE


def shown(text: bytes) -> str:
    """The server's words, for people: without controls, bounded."""
    return "".join(c if c.isprintable() else "?" for c in text.decode("utf-8", "replace")[:SHOWN]).strip()
