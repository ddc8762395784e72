"""ENVELOPE and BODYSTRUCTURE read back from the octets that were rendered (RFC 9051 §4.3, §4.4, §7.5.2)."""

from __future__ import annotations

import re
from typing import NamedTuple, TypeAlias

Value: TypeAlias = "bytes | int | tuple[Value, ...] | None"

_TOKEN = re.compile(rb' *+(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"|(\()|(\))|(NIL)|\{(\d{1,10})\}\r\n|(\d{1,18}))', re.DOTALL)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)


class EnvelopeAddress(NamedTuple):
    """An address; a group begins with one that has no host, and ends with one that has no mailbox either."""

    name: bytes | None
    route: bytes | None
    mailbox: bytes | None
    host: bytes | None


class Envelope(NamedTuple):
    """What ENVELOPE says, in its order; texts as they are in the message, encoded words and all."""

    date: bytes | None
    subject: bytes | None
    from_: tuple[EnvelopeAddress, ...]
    sender: tuple[EnvelopeAddress, ...]
    reply_to: tuple[EnvelopeAddress, ...]
    to: tuple[EnvelopeAddress, ...]
    cc: tuple[EnvelopeAddress, ...]
    bcc: tuple[EnvelopeAddress, ...]
    in_reply_to: bytes | None
    message_id: bytes | None


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
            text = match[1]
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


def read_envelope(octets: bytes) -> Envelope:
    """The fields of a rendered ENVELOPE.

    Raises: ValueError if it is none.
    """
    value = read_value(octets)
    if not isinstance(value, tuple) or len(value) != len(Envelope._fields):
        raise ValueError("this is no ENVELOPE")
    return Envelope(
        _text(value[0]),
        _text(value[1]),
        *(_addresses(value[2]), _addresses(value[3]), _addresses(value[4])),
        *(_addresses(value[5]), _addresses(value[6]), _addresses(value[7])),
        _text(value[8]),
        _text(value[9]),
    )


def _text(value: Value) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    raise ValueError("this is no string")


def _addresses(value: Value) -> tuple[EnvelopeAddress, ...]:
    if value is None:
        return ()
    if isinstance(value, tuple) and all(isinstance(one, tuple) and len(one) == 4 for one in value):
        return tuple([EnvelopeAddress(*map(_text, one)) for one in value if isinstance(one, tuple)])
    raise ValueError("this is no list of addresses")
