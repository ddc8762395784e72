"""The entities of a message while it streams: each header, each body, and what frames them (RFC 2046 §5.1).

What `scan` finds in a whole message this finds in chunks cut anywhere, with the same reading of broken ones: a
boundary is compared with the beginning of a line, the longest that fits counts, of equal ones the innermost. Memory
is bounded by one header and by what may be the beginning of a delimiter; each octet is looked at a bounded number of
times.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator

from attrs import define, field, frozen

from worldmail.mail.mime.content import MESSAGE, TEXT_PLAIN, ContentType, content_type, transfer_encoding
from worldmail.mail.mime.fields import MAXIMUM_HEADER, read_fields
from worldmail.mail.mime.scan import MAXIMUM_DEPTH, MAXIMUM_PARTS

PIECE = 1 << 14
"""Octets that are looked at in one step."""

_SEALED = frozenset({b"signed", b"encrypted"})
_GLOBAL = frozenset({b"global", b"global-headers", b"global-delivery-status", b"global-disposition-notification"})


class Nature(enum.Enum):
    """What an entity is to somebody who would change its transfer encoding."""

    LEAF = "leaf"
    MULTIPART = "multipart"
    MESSAGE = "message"  # the message in it is an entity of its own
    FIXED = "fixed"  # has no transfer encoding but the identity (RFC 2045 §6.4, RFC 2046 §5.2.2)
    SEALED = "sealed"  # signed or encrypted, or inside of what is (RFC 1847 §2.1)
    UNREAD = "unread"  # too deep or too much to be looked into


@frozen
class Entity:
    """A message, a body part, or the message in a message/rfc822 part.

    Attributes:
        number: entities are counted from 0 in the order of their headers.
        parent: the number of the entity around it; -1 for the message itself.
        encoding: its transfer encoding in lower case; None if none is given, or none that can be read.
        is_message: a whole message, with a header of its own (RFC 5322), not a body part.
    """

    number: int
    parent: int
    nature: Nature
    content: ContentType
    encoding: bytes | None
    is_message: bool


class Kind(enum.Enum):
    """What some octets are."""

    HEADER = 0  # a whole header with the empty line behind it, if it has one
    BODY = 1  # some of the body of an entity without parts
    FRAME = 2  # delimiters, preambles and epilogues: what belongs to a multipart alone


Event = tuple[Kind, Entity, bytes]


@define
class _Open:
    """An entity that is open, and its boundary (b"" for a message in a message/rfc822 part)."""

    entity: Entity
    boundary: bytes


@define
class EntityStream:
    """Takes a message in chunks, gives what it is made of; all octets come out once, in their order.

    Args:
        into_global: the message in a message/global part is an entity of its own, as that in message/rfc822 is.
    """

    into_global: bool = False
    # Begins with a line end that was given out already: bodies and headers begin behind one.
    _data: bytes = field(default=b"\n", init=False)
    _virtual: int = field(default=1, init=False)
    _open: list[_Open] = field(factory=list, init=False)
    _known: tuple[bytes, ...] = field(default=(), init=False)  # "\n--" and the boundaries that are open, innermost last
    _needle: bytes = field(default=b"", init=False)  # what all of them begin with
    _longest: int = field(default=0, init=False)
    _looked: int = field(default=0, init=False)  # octets of a header in which there is neither its end nor a delimiter
    _count: int = field(default=0, init=False)
    _current: Entity | None = field(default=None, init=False)  # whose body it is; None in a header
    _parent: int = field(default=-1, init=False)
    _default: ContentType = field(default=TEXT_PLAIN, init=False)
    _is_message: bool = field(default=True, init=False)
    _in_delimiter: bool = field(default=False, init=False)
    _closed: bool = field(default=False, init=False)  # the delimiter closes its multipart

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The next octets; what is certain by now."""
        for start in range(0, len(chunk), PIECE):
            self._data += chunk[start : start + PIECE]
            yield from self._steps(final=False)

    def finish(self) -> Iterator[Event]:
        """What was held back."""
        yield from self._steps(final=True)
        if self._current is None and not self._in_delimiter:
            yield from self._entered(len(self._data))

    def _steps(self, *, final: bool) -> Iterator[Event]:
        going = True
        while going:
            if self._in_delimiter:
                going, events = self._delimiter_line(final=final)
            elif self._current is None:
                going, events = self._header(final=final)
            else:
                going, events = self._body(self._current, final=final)
            yield from events

    def _take(self, end: int) -> bytes:
        """The octets up to there, but for the line end in front that was given out."""
        taken, self._data = self._data[self._virtual : end], self._data[end:]
        self._virtual = max(0, self._virtual - end)
        return taken

    # --- headers ---

    def _header(self, *, final: bool) -> tuple[bool, list[Event]]:
        data, looked = self._data, self._looked
        at, certain = self._search(max(0, looked - self._longest), final=final)
        empty, behind = _empty_line(data, max(0, looked - 3), len(data) if at < 0 else at)
        if empty >= 0 and (behind <= at or (at < 0 and (final or not self._may_follow(behind)))):
            events = self._entered(behind)
            # The line end of the empty line may be that of a delimiter too: it is looked at once more.
            self._data, self._virtual = b"\n" + self._data, 1
            return True, events
        if certain:
            return True, self._entered(_in_front(data, at, self._virtual))
        if len(data) > MAXIMUM_HEADER:
            return True, self._unread()
        self._looked = min(len(data), *(found for found in (at, empty, len(data)) if found >= 0))
        return False, []

    def _may_follow(self, behind: int) -> bool:
        """True if a delimiter may begin with the line end in front of that, and it takes more octets to know."""
        rest = self._data[behind - 1 : behind + self._longest]
        return any(line.startswith(rest) for line in self._known)

    def _entered(self, end: int) -> list[Event]:
        """An entity begins whose header ends there, behind its empty line, if it has one."""
        header = self._take(end)
        entity = self._read(header)
        self._count += 1
        self._looked = 0
        content, nature = entity.content, entity.nature
        if nature is Nature.MESSAGE or (nature is Nature.SEALED and content.is_message):
            self._open.append(_Open(entity, b""))
            self._parent, self._default, self._is_message = entity.number, TEXT_PLAIN, True
        else:
            self._current = entity
        if content.boundary is not None and nature in (Nature.MULTIPART, Nature.SEALED):
            self._open.append(_Open(entity, b"\n--" + content.boundary))
            self._remember()
        return [(Kind.HEADER, entity, header)]

    def _read(self, header: bytes) -> Entity:
        fields = read_fields(header, 0, len(header))
        content = content_type(fields.get(b"content-type"), self._default)
        written = fields.get(b"content-transfer-encoding")
        word = None if written is None else transfer_encoding(written).lower()
        if word == b"7bit" and b"7bit" not in (written or b"").lower():
            word = None
        sealed = bool(self._open) and self._open[-1].entity.nature is Nature.SEALED
        nature = _nature(content, sealed=sealed, into_global=self.into_global)
        last = self._count >= MAXIMUM_PARTS - 1
        if last or (nature in (Nature.MULTIPART, Nature.MESSAGE, Nature.SEALED) and len(self._open) >= MAXIMUM_DEPTH):
            nature = Nature.UNREAD
        return Entity(self._count, self._parent, nature, content, word, self._is_message)

    def _unread(self) -> list[Event]:
        """A header that is too long to be kept: it and all behind it is looked at no more."""
        entity = Entity(self._count, self._parent, Nature.UNREAD, TEXT_PLAIN, None, self._is_message)
        self._count += 1
        self._current = entity
        del self._open[:]
        self._remember()
        return [(Kind.BODY, entity, self._take(len(self._data)))]

    # --- bodies ---

    def _body(self, entity: Entity, *, final: bool) -> tuple[bool, list[Event]]:
        at, certain = self._search(0, final=final)
        data = self._data
        if at >= 0:
            end = _in_front(data, at, self._virtual)
        elif final or not self._known:
            end = len(data)
        else:
            end = self._settled()
        kind = Kind.FRAME if entity.content.is_multipart and entity.nature is not Nature.UNREAD else Kind.BODY
        # A line end that was given out is kept while it may be a delimiter's.
        octets = self._take(end) if end > self._virtual or (at >= 0 and end == self._virtual) else b""
        events: list[Event] = [(kind, entity, octets)] if octets else []
        return (True, events + self._delimiter()) if certain else (False, events)

    def _settled(self) -> int:
        """Where what may be the line end in front of a delimiter begins."""
        data = self._data
        line = data.rfind(b"\n", max(0, len(data) - self._longest - 4))
        if line >= 0 and any(known.startswith(data[line : line + len(known)]) for known in self._known):
            return _in_front(data, line, self._virtual)
        return len(data) - data.endswith(b"\r")

    # --- delimiters ---

    def _remember(self) -> None:
        self._known = tuple(one.boundary for one in self._open if one.boundary)
        self._needle = _beginning(self._known)
        self._longest = max(map(len, self._known), default=0)

    def _search(self, start: int, *, final: bool) -> tuple[int, bool]:
        """The first line end in front of a delimiter (-1 if there is none), and whether it is certain which one."""
        if not self._known or self._count >= MAXIMUM_PARTS:
            return -1, False
        data = self._data
        at = data.find(self._needle, start)
        while at >= 0:
            if data.startswith(self._known, at):
                enough = final or len(data) >= at + self._longest + 2 or data.find(b"\n", at + 1) >= 0
                return at, enough
            at = data.find(self._needle, at + 1)
        return -1, False

    def _delimiter(self) -> list[Event]:
        """A delimiter has its line end at the beginning of the data, or its CR: its multipart takes it."""
        data = self._data
        at = data.find(b"\n")
        fitting = [line for line in self._known if data.startswith(line, at)]
        line = max(fitting, key=len)
        while self._open[-1].boundary != line:
            self._open.pop()
        owner = self._open[-1].entity
        behind = at + len(line)
        self._closed = data.startswith(b"--", behind)
        if self._closed:
            self._open[-1].boundary = b""
        self._remember()
        self._current, self._in_delimiter = owner, True
        return [(Kind.FRAME, owner, self._take(behind))]

    def _delimiter_line(self, *, final: bool) -> tuple[bool, list[Event]]:
        """What stands behind a boundary, up to the line end."""
        owner = self._current
        assert owner is not None
        end = self._data.find(b"\n") + 1
        octets = self._take(end or len(self._data))
        events: list[Event] = [(Kind.FRAME, owner, octets)] if octets else []
        if not end:
            return False, events
        self._data, self._virtual = b"\n" + self._data, 1
        self._in_delimiter = False
        if not self._closed:
            self._current = None
            self._parent, self._is_message = owner.number, False
            self._default = MESSAGE if owner.content.subtype.lower() == b"digest" else TEXT_PLAIN  # RFC 2046 §5.1.5
        return True, events


def _nature(content: ContentType, *, sealed: bool, into_global: bool) -> Nature:
    subtype = content.subtype.lower()
    if sealed or (content.is_multipart and subtype in _SEALED):
        return Nature.SEALED
    if content.type.lower() == b"message" and subtype in _GLOBAL and not (into_global and content.is_message):
        return Nature.LEAF  # may be encoded as it is (RFC 6532 §3.7, RFC 6533 §4.4)
    if content.is_multipart:
        return Nature.UNREAD if content.boundary is None else Nature.MULTIPART
    if content.is_message:
        return Nature.MESSAGE
    return Nature.FIXED if content.type.lower() == b"message" else Nature.LEAF


def _in_front(data: bytes, at: int, virtual: int) -> int:
    """Where the line end begins whose LF is there: at its CR, if it has one."""
    return at - 1 if at > virtual and data[at - 1] == 13 else at


def _empty_line(data: bytes, start: int, limit: int) -> tuple[int, int]:
    """The first empty line: the LF in front of it, and the offset behind it; -1 if there is none."""
    limit = min(len(data), limit + 1)
    crlf = data.find(b"\n\r\n", start, limit)
    bare = data.find(b"\n\n", start, limit if crlf < 0 else crlf + 1)
    return (crlf, crlf + 3) if bare < 0 else (bare, bare + 2)


def _beginning(lines: tuple[bytes, ...]) -> bytes:
    """What all of them begin with."""
    if not lines:
        return b""
    first, last = min(lines), max(lines)
    alike = next((at for at, octet in enumerate(first) if last[at : at + 1] != bytes([octet])), len(first))
    return first[:alike]
