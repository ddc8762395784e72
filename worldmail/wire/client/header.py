"""The header of a message that comes piece by piece."""

from __future__ import annotations

MAXIMUM_HEADER = 512 * 1024
"""Octets of it that are kept."""


class HeaderTaker:
    """Takes a message, or as much of one as comes, and keeps its header."""

    __slots__ = ("_pieces",)

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    async def take(self, octets: bytes) -> None:
        """The next octets."""
        if sum(map(len, self._pieces)) < MAXIMUM_HEADER:
            self._pieces.append(octets)

    def header(self) -> bytes:
        """As far as it came, with the line end of its last line."""
        head, end, _ = b"".join(self._pieces).partition(b"\r\n\r\n")
        return head[:MAXIMUM_HEADER] + end[:2]
