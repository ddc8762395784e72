"""ENVELOPE and BODYSTRUCTURE read back from the octets that were rendered (RFC 9051 §4.3, §4.4, §7.5.2)."""

from __future__ import annotations

import re
from typing import NamedTuple, TypeAlias

Value: TypeAlias = "bytes | int | tuple[Value, ...] | None"

_QUOTED = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_TOKEN = re.compile(rb" *+(?:(%b)|(\()|(\))|(NIL)|\{(\d{1,10})\}\r\n|(\d{1,18}))" % _QUOTED, re.DOTALL)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)
# An ENVELOPE without literals, as nearly all are.
_STRING = rb"(NIL|%b)" % _QUOTED
_LIST = rb'(NIL|\((?:\((?:[^"(){]++|%b)*+\) *+)++\))' % _QUOTED
_ENVELOPE = re.compile(rb"\(%b\)" % b" ".join([_STRING] * 2 + [_LIST] * 6 + [_STRING] * 2), re.DOTALL)

_FIELDS = 10


class EnvelopeAddress(NamedTuple):
    """An address; a group begins with one that has no host, and ends with one that has no mailbox either."""

    name: bytes | None
    route: bytes | None
    mailbox: bytes | None
    host: bytes | None


def envelope_fields(octets: bytes) -> tuple[bytes, ...]:
    """The ten fields of a rendered ENVELOPE, each still rendered: for `read_text` and `read_addresses`.

    Date, subject; from, sender, reply-to, to, cc, bcc, which are addresses; in-reply-to, message-id.

    Raises: ValueError if it is none.
    """
    match = _ENVELOPE.fullmatch(octets)
    if match is not None:
        return match.groups()
    fields = _members(octets)
    if len(fields) != _FIELDS:
        raise ValueError("this is no ENVELOPE")
    return fields


def read_text(octets: bytes) -> bytes | None:
    """A rendered string, or NIL.

    Raises: ValueError if it is neither.
    """
    return _string(read_value(octets))


def read_addresses(octets: bytes) -> tuple[EnvelopeAddress, ...]:
    """A rendered list of addresses, or NIL.

    Raises: ValueError if it is neither.
    """
    value = read_value(octets)
    if value is None:
        return ()
    if isinstance(value, tuple):
        return tuple([_address(one) for one in value])
    raise ValueError("this is no list of addresses")


def read_value(octets: bytes) -> Value:
    """The string, number, NIL or list that these octets are, lists as tuples; however deep they nest.

    Raises: ValueError if they are anything else.
    """
    waiting: list[list[Value]] = []
    inside: list[Value] = []
    position, size = 0, len(octets)
    while position < size:
        match = _TOKEN.match(octets, position)
        if match is None:
            raise ValueError("this is no rendered value")
        position = match.end()
        index = match.lastindex
        if index == 1:
            text = match[1][1:-1]
            inside.append(_QUOTED_PAIR.sub(rb"\1", text) if b"\\" in text else text)
        elif index == 2:
            waiting.append(inside)
            inside = []
        elif index == 3:
            if not waiting:
                raise ValueError("a list ends that did not begin")
            whole = tuple(inside)
            inside = waiting.pop()
            inside.append(whole)
        elif index == 5:
            behind = position + int(match[5])
            if behind > size:
                raise ValueError("a literal breaks off")
            inside.append(octets[position:behind])
            position = behind
        else:
            inside.append(None if index == 4 else int(match[6]))
    if waiting or len(inside) != 1:
        raise ValueError("this is not one rendered value")
    return inside[0]


def _members(octets: bytes) -> tuple[bytes, ...]:
    """The values in a list, as they are rendered.

    Raises: ValueError if this is no list.
    """
    found: list[bytes] = []
    depth = position = start = 0
    while position < len(octets):
        match = _TOKEN.match(octets, position)
        if match is None or (depth == 0 and (position or match.lastindex != 2)):
            raise ValueError("this is no rendered list")
        position = match.end() + int(match[5] or 0)
        depth += (match.lastindex == 2) - (match.lastindex == 3)
        if depth == 1:
            if start:
                found.append(octets[start:position].lstrip(b" "))
            start = position
    if depth or position != len(octets):
        raise ValueError("this is no rendered list")
    return tuple(found)


def _address(value: Value) -> EnvelopeAddress:
    if not isinstance(value, tuple) or len(value) != 4:
        raise ValueError("this is no address")
    name, route, mailbox, host = value
    return EnvelopeAddress(_string(name), _string(route), _string(mailbox), _string(host))


def _string(value: Value) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    raise ValueError("this is no string")
