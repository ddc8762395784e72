"""The event of a dialogue that was woken, rather than spoken to."""

from __future__ import annotations


class Wake:
    """There is something to tell the peer. It is no act of the peer's: no deadline is renewed, no allowance spent."""

    __slots__ = ()


WAKE = Wake()
