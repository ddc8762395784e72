"""The flag states of a view's messages, each kept once.

A mailbox has few different sets of flags, however many messages it has. A view keeps a number for each message; what
FETCH has to send is a look-up in `rendered`.
"""

from __future__ import annotations

from worldmail.interfaces.messages import Flag

RECENT = 1 << 30
"""\\Recent (RFC 3501 §2.3.2): a bit of a told state, never one that is stored."""

SYSTEM_FLAGS: tuple[tuple[int, bytes], ...] = (
    (Flag.ANSWERED.value, b"\\Answered"),
    (Flag.FLAGGED.value, b"\\Flagged"),
    (Flag.DELETED.value, b"\\Deleted"),
    (Flag.SEEN.value, b"\\Seen"),
    (Flag.DRAFT.value, b"\\Draft"),
    (RECENT, b"\\Recent"),
)


def render_flags(flags: int, keywords: str | None) -> bytes:
    """Flags as IMAP has them, separated by spaces, without parentheses (RFC 9051 §9 flag-fetch)."""
    names = [name for bit, name in SYSTEM_FLAGS if flags & bit]
    if keywords:
        names.append(keywords.encode("utf-8"))
    return b" ".join(names)


class FlagStates:
    """Sets of flags by number.

    Attributes:
        flags, keywords, rendered: by number, the bits, the keywords as stored, and both as IMAP octets.
    """

    __slots__ = ("_numbers", "flags", "keywords", "rendered")

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, str | None], int] = {}
        self.flags: list[int] = []
        self.keywords: list[str | None] = []
        self.rendered: list[bytes] = []

    def __len__(self) -> int:
        return len(self.flags)

    def number(self, flags: int, keywords: str | None) -> int:
        """The number of a set of flags, a new one if it was not met before."""
        key = (flags, keywords)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.flags)
            self.flags.append(flags)
            self.keywords.append(keywords)
            self.rendered.append(render_flags(flags, keywords))
        return number
