"""Messages of the DNS: a question's octets, and what an answer's octets say (RFC 1035 §4)."""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator
from random import Random
from typing import Any

import dns.exception
import dns.name
import dns.rdata
import dns.wire
from attrs import field, frozen

from worldmail.errors import WorldMailError
from worldmail.interfaces.resolver import MailExchanger

UDP_PAYLOAD = 1232
"""Octets of an answer that pass without fragments (RFC 6891 §6.2.5; what resolvers agreed on in 2020)."""

RECORDS = 256
"""Records that are read of any section. An answer with more is useless, but of mail exchangers: of these so many are
read, in the order of their preference."""

LABELS = 3000
"""Labels of names, and strings of texts, that are read of an answer."""

MAXIMUM_TTL = 2**31 - 1  # above it stands for 0 (RFC 2181 §8)

_HEADER = struct.Struct("!HHHHHH")
_RECORD = "!HHIH"
_FIXED = struct.Struct(_RECORD)
_IN, _CNAME, _NS, _SOA, _OPT = 1, 5, 2, 6, 41
_QR, _OPCODE, _AA, _TC, _RD, _RA, _RCODE = 0x8000, 0x7800, 0x0400, 0x0200, 0x0100, 0x0080, 0x000F


class Malformed(WorldMailError):
    """Octets that are no answer anyone can use."""


class RecordType(enum.IntEnum):
    """What is asked for."""

    A = 1
    MX = 15
    TXT = 16
    AAAA = 28


class Rcode(enum.IntEnum):
    """Response codes that are told apart (RFC 1035 §4.1.1, RFC 6891 §9)."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    BADVERS = 16


_UNECHOED = frozenset({Rcode.FORMERR, Rcode.SERVFAIL, Rcode.NOTIMP, Rcode.REFUSED})
"""What servers say that did not understand the question, and so may not repeat it."""


@frozen(kw_only=True)
class Question:
    """A name in its normal form, and the type of its records."""

    name: str
    type: RecordType

    def __str__(self) -> str:
        """As troubles name it."""
        return f"{self.name} {self.type.name}"


@frozen(kw_only=True)
class Query:
    """A question on its way: octets to send, and the measure of what comes back.

    Args:
        asked: the question section as sent.
        edns: with an OPT record (RFC 6891).
    """

    id: int
    question: Question
    asked: bytes
    edns: bool

    @classmethod
    def make(cls, question: Question, *, chance: Random, edns: bool = True, mixed_case: bool = False) -> Query:
        """A query with an id by chance; in `mixed_case` the letters of the name too, which is harder to guess."""
        name = question.name
        if mixed_case:
            name = "".join(letter.upper() if chance.getrandbits(1) else letter for letter in name)
        asked = dns.name.from_text(name).to_wire() or b""
        asked += struct.pack("!HH", question.type, _IN)
        return cls(id=chance.getrandbits(16), question=question, asked=asked, edns=edns)

    @property
    def octets(self) -> bytes:
        """The message: recursion desired, and where `edns` is how large an answer may be."""
        option = b"\0" + struct.pack(_RECORD, _OPT, UDP_PAYLOAD, 0, 0) if self.edns else b""
        return _HEADER.pack(self.id, _RD, 1, 0, 0, int(self.edns)) + self.asked + option

    def answered_by(self, octets: bytes) -> bool:
        """Is this an answer to it (RFC 5452 §9.1)? The question is compared octet by octet, so case counts."""
        if len(octets) < _HEADER.size:
            return False
        number, flags, questions = struct.unpack_from("!HHH", octets)
        if number != self.id or not flags & _QR or flags & _OPCODE:
            return False
        if not questions:
            return flags & _RCODE in _UNECHOED
        return questions == 1 and octets.startswith(self.asked, _HEADER.size)


@frozen(kw_only=True)
class Record:
    """One record of the answer: an alias (its value is the target's name), or of the type that was asked for.

    Args:
        owner: the name, lower case, without final dot.
        value: a `MailExchanger`, an address, a text (an octet a character), or the target of an alias.
    """

    owner: str
    alias: bool
    ttl: int
    value: Any


@frozen(kw_only=True)
class Answer:
    """What a server said.

    Args:
        truncated: cut; nothing else of it counts.
        records: of the answer section, of use here.
        negative_ttl: seconds that the absence of more is good for (RFC 2308 §5), None without an SOA record.
        referral: points elsewhere: says nothing about the name (RFC 2308 §2.2).
    """

    rcode: int
    truncated: bool = False
    records: tuple[Record, ...] = ()
    negative_ttl: int | None = None
    referral: bool = False


def read_answer(query: Query, octets: bytes) -> Answer:
    """What octets say that `query.answered_by` holds for. Raises: `Malformed`."""
    _, flags, questions, answers, authorities, additionals = _HEADER.unpack_from(octets)
    if flags & _TC:
        return Answer(rcode=flags & _RCODE, truncated=True)
    reader = _Reader(octets, _HEADER.size + (len(query.asked) if questions else 0), query.question)
    try:
        records = reader.answers(answers)
        if any(not record.alias for record in records):
            return Answer(rcode=flags & _RCODE, records=records)
        negative_ttl, delegates = reader.authority(authorities)
        rcode = flags & _RCODE | reader.extended_rcode(additionals)
    except dns.exception.DNSException as error:
        raise Malformed(f"an answer that cannot be read ({type(error).__name__})") from None
    vague = not records and negative_ttl is None and (delegates or not flags & (_AA | _RA))
    return Answer(rcode=rcode, records=records, negative_ttl=negative_ttl, referral=vague)


@frozen
class _Reader:
    """The records of one message, from the first to the last."""

    octets: bytes
    start: int
    question: Question
    parser: Any = field(init=False)
    names: dict[int, str] = field(init=False, factory=dict)  # by the offset that a pointer gives
    labels: list[int] = field(init=False, factory=lambda: [0])

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "parser", dns.wire.Parser(self.octets, min(self.start, len(self.octets))))

    def answers(self, count: int) -> tuple[Record, ...]:
        """The answer section's records that are of use."""
        if count > RECORDS and self.question.type == RecordType.MX:
            return self._preferred(count)
        return self._useful(count)

    def _preferred(self, count: int) -> tuple[Record, ...]:
        """Of too many those that are preferred: aliases, which are in their way, and exchangers from the first on."""
        parser = self.parser
        try:
            places, end = self._ranked(count)
        except (IndexError, struct.error):
            raise Malformed("an answer that is not all there") from None
        found: list[Record] = []
        for _, place in sorted(places)[:RECORDS]:
            parser.current = parser.furthest = place  # behind a pointer it goes on at its furthest
            found += self._useful(1)
        parser.current = parser.furthest = end
        return tuple(found)

    def _ranked(self, count: int) -> tuple[list[tuple[int, int]], int]:
        """(preference, place) of each record, -1 for an alias; where they end. Reads no name: there may be thousands.

        Raises: `IndexError`, `struct.error` if they are not all there.
        """
        octets, at = self.octets, self.parser.current
        places = []
        for _ in range(count):
            place = at
            while 0 < (size := octets[at]) < 0xC0:
                at += 1 + size
            at += 2 if size else 1  # a pointer, or the root (RFC 1035 §4.1.4)
            kind, network, _, size = _FIXED.unpack_from(octets, at)
            at += _FIXED.size
            if network == _IN and kind == RecordType.MX:
                places.append((octets[at] << 8 | octets[at + 1], place))
            elif network == _IN and kind == _CNAME:
                places.append((-1, place))
            at += size
        if at > len(octets):
            raise IndexError
        return places, at

    def _useful(self, count: int) -> tuple[Record, ...]:
        """The next records, as far as they are of use."""
        found = []
        for owner, kind, ttl, size in self._records(count):
            if kind in (self.question.type, _CNAME):
                with self.parser.restrict_to(size):
                    value = self._value(kind)
                found.append(Record(owner=owner, alias=kind == _CNAME, ttl=ttl, value=value))
            else:
                self.parser.get_bytes(size)
        return tuple(found)

    def authority(self, count: int) -> tuple[int | None, bool]:
        """How long absence is good for, and whether it names servers to ask instead."""
        negative_ttl, delegates = None, False
        for _, kind, ttl, size in self._records(count):
            delegates = delegates or kind == _NS
            data = self.parser.get_bytes(size)
            if kind == _SOA and size >= 22:
                negative_ttl = min(ttl, _ttl(int.from_bytes(data[-4:], "big")))
        return negative_ttl, delegates and negative_ttl is None

    def extended_rcode(self, count: int) -> int:
        """The upper bits of the response code (RFC 6891 §6.1.3)."""
        upper = 0
        for _, kind, ttl, size in self._records(count, options=True):
            self.parser.get_bytes(size)
            if kind == _OPT:
                upper = ttl >> 24 << 4
        return upper

    def _records(self, count: int, options: bool = False) -> Any:
        """(owner, type, TTL, octets of data) of each record; the caller reads the data. Other classes are type 0."""
        if count > RECORDS:
            raise Malformed(f"an answer of {count} records")
        for _ in range(count):
            owner = self._owner()
            kind, network, ttl, size = self.parser.get_struct(_RECORD)
            if kind == _OPT and options:
                yield owner, kind, ttl, size
            else:
                yield owner, kind if network == _IN else 0, _ttl(ttl), size

    def _owner(self) -> str:
        """A name, which mostly is a pointer to one that was read before."""
        parser = self.parser
        place = parser.current
        if self.octets[place : place + 1] >= b"\xc0":
            place = int.from_bytes(self.octets[place : place + 2], "big") & 0x3FFF
            if place in self.names:
                parser.get_bytes(2)
                return self.names[place]
        name = self.names[place] = self._text(parser.get_name(decompress=True))
        return name

    def _value(self, kind: int) -> Any:
        if kind == RecordType.TXT:
            return b"".join(self._strings()).decode("latin-1")
        data: Any = dns.rdata.from_wire_parser(_IN, kind, self.parser)  # type: ignore[arg-type]  # numbers do
        match kind:
            case RecordType.A | RecordType.AAAA:
                return data.address
            case RecordType.MX:
                return MailExchanger(preference=data.preference, host=self._text(data.exchange))
            case _:
                return self._text(data.target)

    def _strings(self) -> Iterator[bytes]:
        """Of a text; the library would read 64 Ki empty ones."""
        while self.parser.remaining():
            self._count(1)
            yield self.parser.get_counted_bytes()

    def _count(self, labels: int) -> None:
        self.labels[0] += labels
        if self.labels[0] > LABELS:
            raise Malformed("an answer of endless names or texts")

    def _text(self, name: dns.name.Name) -> str:
        self._count(len(name.labels))
        return "" if name == dns.name.root else name.to_text(omit_final_dot=True).lower()


def _ttl(seconds: int) -> int:
    return seconds if seconds <= MAXIMUM_TTL else 0
