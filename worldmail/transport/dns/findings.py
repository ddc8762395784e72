"""What an answer means: the aliases in it followed, its TTLs taken together."""

from __future__ import annotations

import enum
from typing import Any

from attrs import frozen

from worldmail.transport.dns.message import Answer, Malformed, Question, Rcode

ALIASES = 16
"""Aliases (CNAME) that are followed from one name, at most."""


class Kind(enum.Enum):
    """What was found."""

    RECORDS = "records"
    NOTHING = "nothing"  # the name exists, without records of this type (RFC 2308 §2.2)
    NO_NAME = "no name"
    ALIAS = "alias"  # of a name that the answer says nothing of
    TROUBLE = "trouble"


@frozen(kw_only=True)
class Finding:
    """The answer to a question, to be kept and shared.

    Args:
        records: values, in the answer's order.
        target: the name to ask for instead, of an alias.
        reason: what went wrong, of a trouble.
        ttl: seconds that it may be kept, as servers said.
    """

    kind: Kind
    records: tuple[Any, ...] = ()
    target: str = ""
    reason: str = ""
    ttl: float = 0


def finding_of(question: Question, answer: Answer) -> Finding:
    """What an answer (NOERROR or NXDOMAIN) says to a question.

    Raises: `Malformed` for aliases in a loop, and for records of other names alone: that is no word on this one.
    """
    name, ttl, values = _follow(question, answer)
    if values:
        return Finding(kind=Kind.RECORDS, records=values, ttl=ttl)
    if answer.rcode == Rcode.NXDOMAIN:  # of the last alias, whose name is asked for (RFC 2308 §2.1)
        return Finding(kind=Kind.NO_NAME, ttl=_negative(answer, ttl))
    if name != question.name and answer.negative_ttl is None:
        return Finding(kind=Kind.ALIAS, target=name, ttl=ttl)
    if answer.negative_ttl is None and any(not record.alias for record in answer.records):
        raise Malformed("an answer about other names")
    return Finding(kind=Kind.NOTHING, ttl=_negative(answer, ttl))


def _follow(question: Question, answer: Answer) -> tuple[str, float, tuple[Any, ...]]:
    """The name at the end of the aliases, the least TTL up to it, and its records."""
    aliases = {record.owner: record for record in answer.records if record.alias}
    name, ttl = question.name, float("inf")
    passed = {name}
    while True:
        found = [record for record in answer.records if record.owner == name and not record.alias]
        if found:
            return name, min(ttl, *(record.ttl for record in found)), tuple(record.value for record in found)
        alias = aliases.get(name)
        if alias is None:
            return name, ttl, ()
        name, ttl = alias.value, min(ttl, alias.ttl)
        if name in passed or len(passed) > ALIASES:
            raise Malformed("aliases without end")
        passed.add(name)


def _negative(answer: Answer, ttl: float) -> float:
    """Without an SOA record nothing may be kept (RFC 2308 §5)."""
    return 0 if answer.negative_ttl is None else min(ttl, answer.negative_ttl)
