"""Which flags there are in the selected mailbox, and which of them the account may change (RFC 9051 §7.1, §7.3.5)."""

from __future__ import annotations

from collections.abc import Callable, Collection

FLAGS = b"\\Answered \\Flagged \\Deleted \\Seen \\Draft"


def flag_lines(keywords: Collection[str], may: Callable[[str], bool]) -> list[bytes]:
    """FLAGS and PERMANENTFLAGS; `may` says of a right whether it is there and can be used."""
    names = " ".join(sorted(keywords)).encode("ascii", "replace")
    permanent = permanent_flags(names, may)
    return [
        b"* FLAGS (%b)\r\n" % (FLAGS + b" " + names if names else FLAGS),
        b"* OK [PERMANENTFLAGS (%b)] Flags that are kept\r\n" % permanent,
    ]


def permanent_flags(keywords: bytes, may: Callable[[str], bool]) -> bytes:
    """What the account may change here (RFC 4314 §5.1.1)."""
    names = []
    if may("w"):
        names += [b"\\Answered", b"\\Flagged", b"\\Draft"]
    if may("t"):
        names.append(b"\\Deleted")
    if may("s"):
        names.append(b"\\Seen")
    if may("w"):
        names += [keywords, b"\\*"] if keywords else [b"\\*"]
    return b" ".join(names)
