"""Octets of questions and answers."""

from __future__ import annotations

import random
import struct
from contextlib import suppress

import dns.message
import dns.name
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.interfaces.resolver import MailExchanger
from worldmail.transport.dns.findings import Finding, Kind, finding_of
from worldmail.transport.dns.message import (
    LABELS,
    RECORDS,
    UDP_PAYLOAD,
    Answer,
    Malformed,
    Query,
    Question,
    Rcode,
    Record,
    RecordType,
    read_answer,
)

CHANCE = random.Random(7)
MX = Question(name="a.test", type=RecordType.MX)
LABEL = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=63)
NAMES = st.lists(LABEL, min_size=1, max_size=4).map(".".join).filter(lambda name: len(name) <= 253)


def query(question: Question = MX, **options: bool) -> Query:
    return Query.make(question, chance=CHANCE, **options)


def said(asked: Query, octets: bytes) -> Finding | None:
    """What is made of octets that a server sent."""
    return finding_of(asked.question, read_answer(asked, octets)) if asked.answered_by(octets) else None


@given(NAMES, st.sampled_from(RecordType), st.booleans(), st.booleans())
def test_a_query_is_read_as_it_was_meant(name: str, kind: RecordType, edns: bool, mixed_case: bool) -> None:
    asked = query(Question(name=name, type=kind), edns=edns, mixed_case=mixed_case)
    read = dns.message.from_wire(asked.octets)
    (question,) = read.question
    assert question.name == dns.name.from_text(name)
    assert (question.rdtype, question.rdclass) == (kind, 1)
    assert read.id == asked.id
    assert (read.edns, read.payload) == ((0, UDP_PAYLOAD) if edns else (-1, 0))
    assert dns.flags.to_text(read.flags) == "RD"


def test_ids_and_letters_are_by_chance() -> None:
    asked = [query(mixed_case=True) for _ in range(200)]
    assert len({one.id for one in asked}) > 190
    assert len({one.asked for one in asked}) > 25


@given(NAMES, st.lists(st.tuples(st.integers(0, 65535), NAMES), min_size=1, max_size=50), st.integers(0, 2**31 - 1))
def test_an_answer_says_what_was_written(name: str, exchangers: list[tuple[int, str]], ttl: int) -> None:
    asked = query(Question(name=name, type=RecordType.MX))
    answer = dns.message.make_response(dns.message.from_wire(asked.octets))
    data = [f"{preference} {host}." for preference, host in exchangers]
    answer.answer.append(dns.rrset.from_text(f"{name}.", ttl, "IN", "MX", *data))
    found = said(asked, answer.to_wire(max_size=65535))
    assert found is not None and found.kind is Kind.RECORDS and found.ttl == ttl
    assert set(found.records) == {MailExchanger(preference=number, host=host) for number, host in exchangers}


@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=5, unique=True))
def test_a_text_is_its_octets(texts: list[bytes]) -> None:
    asked = query(Question(name="a.test", type=RecordType.TXT))
    records = b"".join(
        b"\xc0\x0c" + struct.pack("!HHIH", 16, 1, 5, len(text) + (len(text) + 254) // 255) + strings(text)
        for text in texts
    )
    found = said(asked, struct.pack("!HHHHHH", asked.id, 0x8180, 1, len(texts), 0, 0) + asked.asked + records)
    assert found is not None
    assert [text.encode("latin-1") for text in found.records] == texts


def strings(text: bytes) -> bytes:
    return b"".join(
        bytes([len(piece)]) + piece for piece in (text[start : start + 255] for start in range(0, len(text), 255))
    )


@given(st.binary(max_size=400), st.sampled_from(RecordType), st.sampled_from([0x8180, 0x8580, 0x8183, 0x8380, 0x8000]))
def test_octets_behind_the_question_are_read_or_malformed(junk: bytes, kind: RecordType, flags: int) -> None:
    asked = query(Question(name="a.test", type=kind))
    octets = struct.pack("!HHH", asked.id, flags, 1) + junk[:6].ljust(6, b"\0") + asked.asked + junk[6:]
    with suppress(Malformed):
        assert isinstance(said(asked, octets), Finding)


@given(st.binary(max_size=100))
def test_octets_without_the_question_are_no_answer(junk: bytes) -> None:
    asked = query()
    assert said(asked, junk) is None or junk[4:6] == b"\0\0"


@given(st.data())
def test_a_cut_or_changed_answer_is_read_or_malformed(data: st.DataObject) -> None:
    asked = query()
    answer = dns.message.make_response(dns.message.from_wire(asked.octets))
    answer.answer.append(dns.rrset.from_text("a.test.", 300, "IN", "CNAME", "b.test."))
    answer.answer.append(dns.rrset.from_text("b.test.", 300, "IN", "MX", "1 a.b.test.", "2 b.test."))
    answer.authority.append(dns.rrset.from_text("test.", 300, "IN", "SOA", "a. b. 1 2 3 4 5"))
    octets = bytearray(answer.to_wire())
    for place in data.draw(st.lists(st.integers(0, len(octets) - 1), max_size=4)):
        octets[place] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(octets)))
    with suppress(Malformed):
        said(asked, bytes(octets[:end]))


def mx_answer(asked: Query, record: bytes, count: int, *, authority: int = 0, additional: int = 0) -> bytes:
    octets = struct.pack("!HHHHHH", asked.id, 0x8180, 1, count, authority, additional) + asked.asked
    return octets + record * (count + authority + additional)


def test_more_records_than_anyone_needs_are_not_read() -> None:
    asked = query()
    record = b"\xc0\x0c" + struct.pack("!HHIH", 15, 1, 300, 5) + b"\0\1\1x\0"
    assert len(read_answer(asked, mx_answer(asked, record, RECORDS)).records) == RECORDS
    for more in ({"count": 0, "authority": RECORDS + 1}, {"count": 0, "additional": 65535}):
        with pytest.raises(Malformed):
            read_answer(asked, mx_answer(asked, record, **more))
    asked = query(Question(name="a.test", type=RecordType.A))
    with pytest.raises(Malformed):
        read_answer(asked, mx_answer(asked, record, RECORDS + 1))


def mx_record(preference: int, owner: bytes = b"\xc0\x0c") -> bytes:
    host = b"\6" + b"mx%04d" % preference + b"\0"
    return owner + struct.pack("!HHIHH", 15, 1, 300, 2 + len(host), preference) + host


def of_records(answer: bytes, count: int) -> bytes:
    return answer[:6] + struct.pack("!H", count) + answer[8:]


@pytest.mark.parametrize("count", [RECORDS + 1, 1000, 2500])
@pytest.mark.parametrize("owner", [b"\xc0\x0c", b"\1a\4test\0", b"\1a\xc0\x0e"])
def test_of_very_many_mail_exchangers_the_preferred_are_read(count: int, owner: bytes) -> None:
    asked = query()
    order = sorted(range(count), key=lambda number: number * 7919 % 1009)
    records = b"".join(mx_record(number, owner) for number in order)
    answer = read_answer(asked, of_records(mx_answer(asked, records, 1), count))
    assert [record.value for record in answer.records] == [
        MailExchanger(preference=number, host=f"mx{number:04}") for number in range(RECORDS)
    ]
    assert {record.owner for record in answer.records} == {"a.test"}


def test_an_alias_before_very_many_mail_exchangers_is_followed() -> None:
    asked = query()
    alias = b"\xc0\x0c" + struct.pack("!HHIH", 5, 1, 300, 3) + b"\1b\0"
    answer = mx_answer(asked, b"".join(mx_record(number, b"\1b\0") for number in range(400)) + alias, 1)
    found = said(asked, of_records(answer, 401))
    assert found is not None and found.kind is Kind.RECORDS and len(found.records) == RECORDS - 1


@pytest.mark.parametrize("cut", [1, 7, 30, 4000])
def test_very_many_records_that_are_not_all_there_are_malformed(cut: int) -> None:
    asked = query()
    answer = mx_answer(asked, mx_record(1), 400)[:-cut]
    junk = [of_records(mx_answer(asked, octet * 9000, 1), 65_000) for octet in (b"\xff", b"\1", b"\0")]
    for octets in (answer, *junk):
        with pytest.raises(Malformed):
            read_answer(asked, octets)


def test_more_labels_than_anyone_needs_are_not_read() -> None:
    asked = query()
    for host in (b"\1x" * 126 + b"\0", b"\1x" * 60 + b"\0"):
        record = b"\xc0\x0c" + struct.pack("!HHIH", 15, 1, 300, len(host) + 2) + b"\0\1" + host
        with pytest.raises(Malformed):
            read_answer(asked, mx_answer(asked, record, LABELS // (host.count(b"x") + 1) + 1))


def test_more_strings_than_anyone_needs_are_not_read() -> None:
    asked = query(Question(name="a.test", type=RecordType.TXT))
    for text in (bytes(60_000), b"\1x" * 30_000):
        with pytest.raises(Malformed):
            read_answer(asked, mx_answer(asked, b"\xc0\x0c" + struct.pack("!HHIH", 16, 1, 300, len(text)) + text, 1))


def record(owner: str, value: object, ttl: int = 300, alias: bool = False) -> Record:
    return Record(owner=owner, alias=alias, ttl=ttl, value=value)


def test_the_least_TTL_on_the_way_counts() -> None:
    answer = Answer(
        rcode=Rcode.NOERROR,
        records=(record("b.test", "x", 400), record("b.test", "y", 200), record("a.test", "b.test", 300, alias=True)),
    )
    assert finding_of(MX, answer) == Finding(kind=Kind.RECORDS, records=("x", "y"), ttl=200)


def test_what_is_not_there_is_said_of_the_last_alias() -> None:
    alias = record("a.test", "b.test", 50, alias=True)
    gone = Answer(rcode=Rcode.NXDOMAIN, records=(alias,), negative_ttl=900)
    assert finding_of(MX, gone) == Finding(kind=Kind.NO_NAME, ttl=50)
    empty = Answer(rcode=Rcode.NOERROR, records=(alias,), negative_ttl=20)
    assert finding_of(MX, empty) == Finding(kind=Kind.NOTHING, ttl=20)
    unknown = Answer(rcode=Rcode.NOERROR, records=(alias,))
    assert finding_of(MX, unknown) == Finding(kind=Kind.ALIAS, target="b.test", ttl=50)


def test_nothing_without_an_SOA_record_is_not_to_be_kept() -> None:
    assert finding_of(MX, Answer(rcode=Rcode.NOERROR)) == Finding(kind=Kind.NOTHING, ttl=0)


def test_a_TTL_with_the_highest_bit_is_none() -> None:
    asked = query()
    record = b"\xc0\x0c" + struct.pack("!HHIH", 15, 1, 2**31, 5) + b"\0\1\1x\0"
    assert read_answer(asked, mx_answer(asked, record, 1)).records[0].ttl == 0


def test_records_of_other_names_are_not_found() -> None:
    found = finding_of(MX, Answer(rcode=Rcode.NOERROR, records=(record("other.test", "x"),), negative_ttl=9))
    assert found.kind is Kind.NOTHING
