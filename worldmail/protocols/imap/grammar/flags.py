r"""Flags and keywords on the wire (RFC 9051 §2.3.2, §9: flag)."""

from __future__ import annotations

from attrs import frozen

from worldmail.interfaces.messages import Flag
from worldmail.protocols.imap.replies import BadCommand

SYSTEM = {
    b"\\ANSWERED": Flag.ANSWERED,
    b"\\FLAGGED": Flag.FLAGGED,
    b"\\DELETED": Flag.DELETED,
    b"\\SEEN": Flag.SEEN,
    b"\\DRAFT": Flag.DRAFT,
}
"""The system flags by their names in capitals."""

LONGEST_KEYWORD = 128


@frozen
class Flags:
    """What a client named: a set of `Flag`, and keywords as it spelled them, each once."""

    system: int = 0
    keywords: tuple[str, ...] = ()


NO_FLAGS = Flags()


def read_flags(words: list[bytes]) -> Flags:
    r"""Flags out of their words.

    \Recent, which clients copy from what they were told, is passed over: it cannot be set (RFC 3501 §2.3.2).

    Raises: `BadCommand` for a system flag that there is not, or a keyword that is too long.
    """
    system = 0
    keywords: dict[str, str] = {}
    for word in words:
        if word.startswith(b"\\"):
            upper = word.upper()
            if upper in SYSTEM:
                system |= SYSTEM[upper]
            elif upper != b"\\RECENT":
                raise BadCommand("There is no such system flag")
        elif len(word) > LONGEST_KEYWORD:
            raise BadCommand("The keyword is too long")
        else:
            name = word.decode("ascii")
            keywords.setdefault(name.lower(), name)
    return Flags(int(system), tuple(keywords.values()))
