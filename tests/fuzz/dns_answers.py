"""Answers of name servers, behind an id and a question that fit."""

from __future__ import annotations

import random
import struct

import dns.message
import dns.rrset

from worldmail.transport.dns.findings import finding_of
from worldmail.transport.dns.message import Query, Question, RecordType, read_answer

QUERIES = [Query.make(Question(name="a.test", type=kind), chance=random.Random(1)) for kind in RecordType]


def read_as_every_type(octets: bytes) -> None:
    """Flags and counts of the header, then what follows the question: whatever it is called, names stay ASCII."""
    for query in QUERIES:
        head, rest = octets[:10].ljust(10, b"\0"), octets[10:]
        answer = struct.pack("!H", query.id) + head[:2] + b"\0\1" + head[4:] + query.asked + rest
        if not query.answered_by(answer):
            continue
        found = finding_of(query.question, read_answer(query, answer))
        assert found.ttl >= 0
        assert found.target.isascii()
        if query.question.type is RecordType.MX:
            assert all(one.host.isascii() and one.host == one.host.lower() for one in found.records)


def _seed(*answers: tuple[str, str, str], soa: bool = False) -> bytes:
    (query,) = [query for query in QUERIES if query.question.type.name == answers[-1][1]]
    message = dns.message.make_response(dns.message.from_wire(query.octets), recursion_available=True)
    message.answer = [dns.rrset.from_text(owner, 60, "IN", kind, text) for owner, kind, text in answers if text]
    if soa:
        message.authority = [dns.rrset.from_text("test.", 60, "IN", "SOA", "a. b. 1 2 3 4 5")]
    octets = message.to_wire()
    return octets[2:12] + octets[12 + len(query.asked) :]


SEEDS = (
    _seed(("a.test.", "MX", "10 mx.a.test.")),
    _seed(("a.test.", "CNAME", "b.test."), ("b.test.", "AAAA", "2001:db8::1")),
    _seed(("a.test.", "CNAME", "b.test."), ("b.test.", "A", "192.0.2.1")),
    _seed(("a.test.", "TXT", '"v=spf1" " -all"')),
    _seed(("a.test.", "MX", ""), soa=True),
)
