"""The first pass over a message that is to be converted: what each entity needs."""

from __future__ import annotations

from attrs import define, field

from worldmail.mail.mime.carriage import CannotConvert, Carriage, Treatment
from worldmail.mail.mime.flaws import Flaws
from worldmail.mail.mime.streaming import Entity, EntityStream, Event, Kind, Nature

_IDENTITIES = frozenset({None, b"8bit", b"binary"})
_READABLE = 3
"""Text of which at most one octet in so many is to be escaped stays readable in quoted-printable."""

_NAMES = {
    Nature.SEALED: "a signed or encrypted part",
    Nature.FIXED: "a part of a type that has no transfer encoding",
    Nature.UNREAD: "a part that cannot be looked into",
}


@define
class Survey:
    """Takes a message in chunks, tells what becomes of each entity, by its number.

    Raises: CannotConvert.
    """

    _carriage: Carriage
    _stream: EntityStream = field(factory=EntityStream, init=False)
    _treatments: list[Treatment] = field(factory=list, init=False)
    _frames: dict[int, tuple[Entity, Flaws]] = field(factory=dict, init=False)  # of multiparts, by number
    _parents: set[int] = field(factory=set, init=False)
    _leaf: Entity | None = field(default=None, init=False)
    _flaws: Flaws = field(factory=Flaws, init=False)

    def feed(self, chunk: bytes) -> None:
        """The next octets."""
        for event in self._stream.feed(chunk):
            self._look(event)

    def finish(self) -> tuple[Treatment, ...]:
        """That was the message."""
        for event in self._stream.finish():
            self._look(event)
        self._leave(last=True)
        for entity, flaws in self._frames.values():
            flaws.finish()
            self._check_frame(entity, flaws)
        return tuple(self._treatments)

    def _look(self, event: Event) -> None:
        kind, entity, octets = event
        if self._leaf is not None and (kind is not Kind.BODY or entity is not self._leaf):
            self._leave(last=False)
        if kind is Kind.BODY:
            self._grow(entity)
            self._leaf = entity
            self._flaws.look(octets)
        elif kind is Kind.HEADER:
            self._grow(entity)
            self._parents.add(entity.parent)
            self._enter(entity, octets)
        else:
            self._frames.setdefault(entity.number, (entity, Flaws()))[1].look(octets)

    def _grow(self, entity: Entity) -> None:
        if entity.number == len(self._treatments):
            self._treatments.append(Treatment.KEEP)

    def _enter(self, entity: Entity, header: bytes) -> None:
        if entity.nature is not Nature.SEALED and entity.encoding in self._carriage.above:
            self._treatments[entity.number] = Treatment.RELABEL
        if b"\0" in header:
            raise CannotConvert("A header holds NUL")
        if header.count(b"\r") != header.count(b"\r\n"):
            raise CannotConvert("A header holds a CR alone")  # as a space it could fold a line, as nothing end a header
        if entity.nature is Nature.SEALED and header.count(b"\n") != header.count(b"\r\n"):
            raise CannotConvert("The header of a signed or encrypted part holds a LF alone")
        boundary = entity.content.boundary or b""
        if entity.nature is Nature.MULTIPART and not (self._carriage.high or boundary.isascii()):
            raise CannotConvert("A boundary cannot be sent")

    def _leave(self, *, last: bool) -> None:
        """The body that was looked at has ended. `last` if the message has."""
        entity, flaws = self._leaf, self._flaws
        self._leaf, self._flaws = None, Flaws()
        if entity is None:
            return
        flaws.finish()
        flaw = self._carriage.flaw(flaws)
        if flaw is None and not (last and entity.encoding == b"binary" and not flaws.ended):
            return
        if entity.nature is Nature.LEAF and entity.encoding in _IDENTITIES:
            self._treatments[entity.number] = _encoding(entity, flaws)
        elif flaw is not None:
            said = (entity.encoding or b"7bit").decode("ascii", "replace")[:40]
            name = _NAMES.get(entity.nature) or f"a part that says it is {said}"
            raise CannotConvert(f"{name[0].upper()}{name[1:]} holds {flaw}")

    def _check_frame(self, entity: Entity, flaws: Flaws) -> None:
        if entity.nature is Nature.SEALED:
            flaw = self._carriage.flaw(flaws)
            if flaw is not None:
                raise CannotConvert(f"A signed or encrypted part holds {flaw}")
        elif flaws.long:
            raise CannotConvert("A line of more than 998 octets stands between the parts of a multipart")
        elif entity.number not in self._parents and self._carriage.flaw(flaws) is not None:
            raise CannotConvert(f"A multipart without parts holds {self._carriage.flaw(flaws)}")


def _encoding(entity: Entity, flaws: Flaws) -> Treatment:
    """What suits: text stays readable if it can (RFC 2045 §6.7), all else takes the least room."""
    text = entity.content.is_text or entity.content.type.lower() == b"message"
    if text and not flaws.bare and flaws.escapes * _READABLE <= flaws.octets:
        return Treatment.QUOTED
    return Treatment.BASE64
