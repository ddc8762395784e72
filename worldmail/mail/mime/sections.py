"""The octets of a section: BODY[1.2.MIME] and its like (RFC 9051 §6.4.5.1).

Content is not copied to be found: what is found are offsets in the message, and in front of them octets that were made.
"""

from __future__ import annotations

import enum
import re
from functools import lru_cache

from attrs import field, frozen

from worldmail.mail.mime.fields import Octets
from worldmail.mail.mime.part import Part


class Kind(enum.Enum):
    """What of a part is meant; section-text of the grammar."""

    WHOLE = ""
    HEADER = "HEADER"
    HEADER_FIELDS = "HEADER.FIELDS"
    HEADER_FIELDS_NOT = "HEADER.FIELDS.NOT"
    TEXT = "TEXT"
    MIME = "MIME"


@frozen
class Section:
    """What stands between "[" and "]".

    Attributes:
        path: the numbers; none for the message itself.
        names: field names in lower case, for the kinds with FIELDS.
    """

    path: tuple[int, ...] = ()
    kind: Kind = Kind.WHOLE
    names: frozenset[bytes] = frozenset()


@frozen
class Found:
    """Octets of a section: those that were made, and behind them the message's from `start` to `end`."""

    made: bytes = b""
    start: int = 0
    end: int = 0
    size: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "size", len(self.made) + self.end - self.start)

    def partial(self, origin: int, count: int) -> Found:
        """`<origin.count>` of it; empty if it begins behind the end (RFC 9051 §6.4.5)."""
        behind = origin + count
        made = len(self.made)
        start = min(self.end, self.start + max(0, origin - made))
        end = min(self.end, self.start + max(0, behind - made))
        return Found(self.made[origin:behind], start, end)

    def octets(self, data: Octets) -> bytes:
        """All of it in one piece."""
        own = data[self.start : self.end]
        return self.made + own if self.made else own


def find_part(root: Part, path: tuple[int, ...]) -> Part | None:
    """The part with these numbers, None if there is none; part 1 of a message without parts is the message.

    RFC 9051 §6.4.5.1: numbers count the parts of a multipart; behind that of a message/rfc822 part they count those of
    the message in it.
    """
    part, whole = root, True
    for number in path:
        if not whole and part.is_message:
            part, whole = part.children[0], True
        if part.is_multipart:
            if not 0 < number <= len(part.children):
                return None
            part, whole = part.children[number - 1], False
        elif whole and number == 1:
            whole = False
        else:
            return None
    return part


def find_section(data: Octets, root: Part, section: Section, prefix: bytes = b"") -> Found | None:
    """Where the octets of a section are; None if there is none: no such part, or the header of one that is no message.

    Args:
        root: the tree of `data`.
        prefix: fields that stand in front of the message without being in `data`.
    """
    part = find_part(root, section.path)
    if part is None:
        return None
    kind = section.kind
    if kind is Kind.WHOLE:
        return Found(b"", part.body, part.end) if section.path else Found(prefix, part.start, part.end)
    if kind is Kind.MIME:
        if not section.path:
            return None
    elif section.path:
        if not part.is_message:
            return None
        part = part.children[0]
    if kind is Kind.TEXT:
        return Found(b"", part.body, part.end)
    front = prefix if part is root else b""
    if kind in (Kind.HEADER, Kind.MIME):
        return Found(front, part.start, part.body)
    return Found(chosen_fields(front + data[part.start : part.body], section))


# A field is its line and those that go on with it; a line that is neither belongs to none.
_FIELD = re.compile(rb"^([!-9;-~]++)[ \t]*+:[^\n]*+(?:\n[ \t][^\n]*+)*+(?:\n|\Z)", re.MULTILINE)
_NAME = re.compile(rb"[!-9;-~]+")

_FEW = 32
_SHORT = 1024
"""So many names, of so many octets together, are looked for at once; with more of them each field is looked at."""


def chosen_fields(header: bytes, section: Section) -> bytes:
    """What HEADER.FIELDS or HEADER.FIELDS.NOT chooses, as it stands, and the empty line, if there is one."""
    names = section.names
    if section.kind is Kind.HEADER_FIELDS_NOT:
        return _FIELD.sub(lambda match: b"" if match[1].lower() in names else match[0], header)
    lines = header if header.endswith(b"\n") else header + b"\r\n"
    if len(names) > _FEW or sum(map(len, names)) > _SHORT:
        chosen = b"".join([match[0] for match in _FIELD.finditer(lines) if match[1].lower() in names])
    elif chosen := b"".join(_named(names).findall(b"\n" + lines)):
        chosen = chosen[1:] + b"\n"
    return chosen + b"\r\n" if header.endswith(_EMPTY_LINE) or header in _ONLY_EMPTY else chosen


@lru_cache(maxsize=64)
def _named(names: frozenset[bytes]) -> re.Pattern[bytes]:
    """Fields with these names, each with the line end before it: for that the search looks in C."""
    known = b"|".join([re.escape(name) for name in sorted(names) if _NAME.fullmatch(name)])
    pattern = rb"\n(?:%b)[ \t]*+:[^\n]*+(?:\n[ \t][^\n]*+)*+" % known if known else rb"(?!)"
    return re.compile(pattern, re.IGNORECASE)


_EMPTY_LINE = (b"\n\r\n", b"\n\n")
_ONLY_EMPTY = (b"\r\n", b"\n")


def numbered(root: Part) -> list[tuple[tuple[int, ...], Part]]:
    """Each part that has numbers, with them, in the order of the message."""
    found: list[tuple[tuple[int, ...], Part]] = []
    waiting = _below((), root) if root.is_multipart else [((1,), root)]
    while waiting:
        path, part = waiting.pop()
        found.append((path, part))
        if part.is_message:
            inner = part.children[0]
            waiting += _below(path, inner) if inner.is_multipart else [((*path, 1), inner)]
        elif part.is_multipart:
            waiting += _below(path, part)
    return found


def _below(path: tuple[int, ...], part: Part) -> list[tuple[tuple[int, ...], Part]]:
    """The parts of a multipart, the last one first."""
    return [((*path, number), part.children[number - 1]) for number in range(len(part.children), 0, -1)]
