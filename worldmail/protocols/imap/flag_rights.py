"""Which flags an account may change (RFC 4314 §4)."""

from __future__ import annotations

from worldmail.interfaces.messages import Flag

# Plain numbers: those of an enumeration take ten times as long to count with.
_FLAGS = (("s", int(Flag.SEEN)), ("t", int(Flag.DELETED)), ("w", int(Flag.ANSWERED | Flag.FLAGGED | Flag.DRAFT)))

ALL_FLAGS = sum(Flag)


def changeable(rights: str) -> tuple[int, bool]:
    """The system flags, and whether keywords too."""
    allowed = 0
    for right, flags in _FLAGS:
        if right in rights:
            allowed |= flags
    return allowed, "w" in rights
