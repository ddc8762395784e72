"""Which flags an account may change (RFC 4314 §4)."""

from __future__ import annotations

from worldmail.interfaces.messages import Flag

_FLAGS = (("s", Flag.SEEN), ("t", Flag.DELETED), ("w", Flag.ANSWERED | Flag.FLAGGED | Flag.DRAFT))

ALL_FLAGS = sum(Flag)


def changeable(rights: str) -> tuple[int, bool]:
    """The system flags, and whether keywords too."""
    allowed = 0
    for right, flags in _FLAGS:
        if right in rights:
            allowed |= flags
    return int(allowed), "w" in rights
