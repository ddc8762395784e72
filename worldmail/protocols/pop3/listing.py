"""Multi-line replies of one line a message: joined in slices, so that a big mailbox neither costs memory nor stalls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import islice

from worldmail.wire.dots import END_OF_TEXT
from worldmail.wire.effects import Effects, Stream

SLICE = 2000
"""Lines in one chunk."""


def listing(first: bytes, lines: Iterator[bytes]) -> Effects:
    """The reply: its first line, the lines (CRLF included, none begins with a dot), the end."""
    start = list(islice(lines, SLICE))
    if len(start) < SLICE:
        return (b"".join((first, *start, END_OF_TEXT)),)
    return (first, Stream(_slices(start, lines)))


async def _slices(start: list[bytes], lines: Iterator[bytes]) -> AsyncIterator[bytes]:
    while start:
        yield b"".join(start)
        start = list(islice(lines, SLICE))
    yield END_OF_TEXT
