"""The parameters of MAIL and RCPT: one row each.

    esmtp-param   = esmtp-keyword ["=" esmtp-value]                          RFC 5321 §4.1.2
    esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
    esmtp-value   = 1*(%d33-60 / %d62-126)
    esmtp-value  =/ UTF8-non-ascii                                           RFC 6531 §3.3

An extension that adds a parameter adds a row here and a field to the arguments of its command.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from attrs import frozen

from worldmail.errors import Refusal
from worldmail.mail.address import Address
from worldmail.mail.envelope import Body, Notify, OriginalRecipient, Return
from worldmail.protocols.smtp.asked import deliver_by, hold_for, hold_until, priority
from worldmail.protocols.smtp.xtext import decode_utf8_address, decode_xtext

_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~\x80-\U0010ffff]+))?")
_SIZE = re.compile(r"[0-9]{1,20}")  # size-value ::= 1*20DIGIT                RFC 1870 §3
# addr-type = atom                                                           RFC 3461 §4.2
_ORIGINAL = re.compile(r"([A-Za-z0-9!#$%&'*/?^_`{|}~-]+);(.+)")
_BODIES = {body.value: body for body in Body}
_RETURNS = {returns.value: returns for returns in Return}
_NOTIFIES = {notify.value: notify for notify in Notify}

MAXIMUM_ENVELOPE_ID = 100  # RFC 3461 §4.4, as it is encoded
MAXIMUM_ORIGINAL_RECIPIENT = 500  # RFC 3461 §4.2


@frozen
class Parameter:
    """One parameter of one command.

    Args:
        keyword: in upper case.
        field: the field of the command's arguments that it fills.
        parse: makes the field's value of the parameter's (None if it had none); ValueError if it is wrong.
    """

    keyword: str
    field: str
    parse: Callable[[str | None], Any]


def parse_parameters(text: str, table: dict[str, Parameter]) -> dict[str, Any]:
    """The values by field.

    Raises: Refusal: 555 5.5.4 for a parameter that is not in the table, 501 5.5.4 for one
        that is malformed or stands there twice (RFC 5321 §4.1.1.11).
    """
    values: dict[str, Any] = {}
    for word in text.split(" "):
        if not word:
            continue
        match = _PARAMETER.fullmatch(word)
        if match is None:
            raise Refusal("Malformed parameter", code=501, enhanced="5.5.4")
        keyword = match[1].upper()
        row = table.get(keyword)
        if row is None:
            raise Refusal("Parameter not recognized or not implemented", code=555, enhanced="5.5.4")
        if row.field in values:
            raise Refusal(f"Parameter {keyword} was given twice", code=501, enhanced="5.5.4")
        try:
            values[row.field] = row.parse(match[2])
        except ValueError:
            raise Refusal(f"Bad value of parameter {keyword}", code=501, enhanced="5.5.4") from None
    return values


def parameter_table(rows: Iterable[Parameter]) -> dict[str, Parameter]:
    """The rows by keyword."""
    return {row.keyword: row for row in rows}


def _size(value: str | None) -> int:
    if value is None or _SIZE.fullmatch(value) is None:
        raise ValueError
    return int(value)


def _choice(choices: dict[str, Any]) -> Callable[[str | None], Any]:
    """One of these words, in any case."""

    def parse(value: str | None) -> Any:
        chosen = choices.get((value or "").upper())
        if chosen is None:
            raise ValueError
        return chosen

    return parse


def _flag(value: str | None) -> bool:
    """A parameter that takes no value (RFC 6531 §3.4, RFC 8689 §2)."""
    if value is not None:
        raise ValueError
    return True


def _envelope_id(value: str | None) -> str:
    """ENVID=xtext (RFC 3461 §4.4)."""
    if value is None or len(value) > MAXIMUM_ENVELOPE_ID:
        raise ValueError
    return decode_xtext(value)


def _submitter(value: str | None) -> str:
    """AUTH=<> or AUTH=xtext of a mailbox: whom the client vouches for; "" for nobody (RFC 4954 §5)."""
    if value is None or len(value) > MAXIMUM_ORIGINAL_RECIPIENT:
        raise ValueError
    return "" if value == "<>" else str(Address.parse(decode_xtext(value)))


def _notify(value: str | None) -> frozenset[Notify]:
    """NOTIFY=NEVER, or a list of the others, each once (RFC 3461 §4.1)."""
    words = (value or "").upper().split(",")
    wishes = frozenset(_NOTIFIES[word] for word in words if word in _NOTIFIES)
    if len(wishes) != len(words) or (Notify.NEVER in wishes and len(wishes) > 1):
        raise ValueError
    return wishes


def _original_recipient(value: str | None) -> OriginalRecipient:
    """ORCPT=addr-type;xtext (RFC 3461 §4.2, RFC 6533 §3)."""
    match = _ORIGINAL.fullmatch(value or "")
    if match is None or len(match[0].encode()) > MAXIMUM_ORIGINAL_RECIPIENT:
        raise ValueError
    utf8 = match[1].lower() == "utf-8"
    return OriginalRecipient(
        address_type=match[1],
        address=decode_utf8_address(match[2]) if utf8 else decode_xtext(match[2]),
    )


MAIL_PARAMETERS = parameter_table(
    (
        Parameter("SIZE", "size", _size),  # RFC 1870 §6
        Parameter("BODY", "body", _choice(_BODIES)),  # RFC 6152 §2, RFC 3030 §3
        Parameter("SMTPUTF8", "smtputf8", _flag),  # RFC 6531 §3.4
        Parameter("RET", "returns", _choice(_RETURNS)),  # RFC 3461 §4.3
        Parameter("ENVID", "envelope_id", _envelope_id),  # RFC 3461 §4.4
        Parameter("AUTH", "submitter", _submitter),  # RFC 4954 §5
        Parameter("HOLDFOR", "hold", hold_for),  # RFC 4865 §4: one of these two
        Parameter("HOLDUNTIL", "hold", hold_until),
        Parameter("BY", "deliver_by", deliver_by),  # RFC 2852 §4
        Parameter("MT-PRIORITY", "priority", priority),  # RFC 6710 §3
        Parameter("REQUIRETLS", "require_tls", _flag),  # RFC 8689 §2
    )
)

RCPT_PARAMETERS = parameter_table(
    (
        Parameter("NOTIFY", "notify", _notify),  # RFC 3461 §4.1
        Parameter("ORCPT", "original", _original_recipient),  # RFC 3461 §4.2
    )
)
