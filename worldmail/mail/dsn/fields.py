"""The part for programs: message/delivery-status, and message/global-delivery-status (RFC 3464 §2, RFC 6533 §4).

    delivery-status-content = per-message-fields 1*( CRLF per-recipient-fields )            RFC 3464 §2.1

The fields stand in the order of the grammar.
"""

from __future__ import annotations

import re

from worldmail.mail.dates import date_time
from worldmail.mail.dsn.values import Action, Happening, Notice
from worldmail.mail.dsn.wording import as_written, ascii_as_written, cleaned, in_ascii, utf8_xtext
from worldmail.mail.envelope import Origin
from worldmail.mail.received import literal

_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,40}")
_STATUS = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})")
_CLASSES = {Action.FAILED: "54", Action.DELAYED: "4"}
_LINE = 76
_LONGEST = 900  # octets without a space where a line could be folded

UTF8 = "utf-8"


def status_of(happening: Happening) -> str:
    """Its status code, fit for its action (RFC 3464 §2.3.4): what failed may have a temporary one (RFC 3463 X.4.7)."""
    classes = _CLASSES.get(happening.action, "2")
    found = _STATUS.fullmatch(happening.status)
    return happening.status if found is not None and found[1] in classes else f"{classes[0]}.0.0"


def needs_utf8(happening: Happening) -> bool:
    """True if an address of it has no form in ASCII but an encoded one."""
    original = happening.recipient.original
    return not happening.recipient.address.is_ascii or (original is not None and not original.address.isascii())


def status_fields(notice: Notice, *, utf8: bool) -> bytes:
    """The content of the part, with CRLFs. With `utf8` it is that of message/global-delivery-status."""
    envelope, origin = notice.original.envelope, notice.original.origin
    lines: list[str] = []
    if envelope.envelope_id:
        lines.append(
            _field("Original-Envelope-Id", ascii_as_written(envelope.envelope_id))
        )  # decoded: RFC 3461 §6.3 (a)
    # RFC 3461 §6.3 (b): what has no domain is no name of the DNS.
    kind = "dns" if "." in notice.host else "x-local-hostname"
    lines.append(_field("Reporting-MTA", f"{kind}; {notice.host}"))
    if origin is not None:
        lines.append(_field("Received-From-MTA", _received_from(origin)))
    lines.append(_field("Arrival-Date", date_time(notice.original.arrived)))
    if notice.original.deliver_by is not None:
        lines.append(_field("Deliver-By-Date", date_time(notice.original.deliver_by)))  # RFC 2852 §5
    if release := in_ascii(notice.original.release or "", 80):
        lines.append(_field("Future-Release-Request", release))  # RFC 4865 §5
    for happening in notice.happenings:
        lines += ["\r\n", *_recipient(happening, utf8=utf8)]
    return "".join(lines).encode()


def _recipient(happening: Happening, *, utf8: bool) -> list[str]:
    lines: list[str] = []
    original = happening.recipient.original
    if original is not None:
        # RFC 3461 §6.3 (d): as it was given, decoded; and never if it was not.
        kind = original.address_type if _ATOM.fullmatch(original.address_type) else "unknown"
        lines.append(_field("Original-Recipient", _typed(kind, original.address, utf8=utf8)))
    lines.append(_field("Final-Recipient", _typed("rfc822", str(happening.recipient.address), utf8=utf8)))
    lines.append(_field("Action", happening.action.value))
    lines.append(_field("Status", status_of(happening)))
    if server := in_ascii(happening.server or "", 255):
        lines.append(_field("Remote-MTA", f"dns; {server}"))
    shown = cleaned if utf8 else in_ascii
    if said := shown(happening.reply or ""):
        lines.append(_field("Diagnostic-Code", f"smtp; {said}"))
    elif reason := shown(happening.reason):
        lines.append(_field("Diagnostic-Code", f"x-worldmail; {reason}"))
    if happening.last_attempt is not None:
        lines.append(_field("Last-Attempt-Date", date_time(happening.last_attempt)))
    if log_id := in_ascii(happening.log_id or "", 200):
        lines.append(_field("Final-Log-ID", log_id))
    if happening.retry_until is not None and happening.action is Action.DELAYED:
        lines.append(_field("Will-Retry-Until", date_time(happening.retry_until)))
    return lines


def _typed(kind: str, address: str, *, utf8: bool) -> str:
    """An address with its type: what is not ASCII is of the type utf-8 (RFC 6533 §3)."""
    if address.isascii() and kind.lower() != UTF8:
        return f"{kind}; {ascii_as_written(address)}"
    return f"{UTF8}; {as_written(address) if utf8 else utf8_xtext(as_written(address))}"


def _received_from(origin: Origin) -> str:
    """RFC 3464 §2.2.4: the name in EHLO, and the address in a comment."""
    name = re.sub(r"[\s()\\;]", "?", in_ascii(origin.helo, 255)) or "unknown"
    return f"dns; {name} ({literal(origin.client)})"


def _field(name: str, value: str) -> str:
    """A field, folded at spaces; a word that is longer than any line may be is cut."""
    if len(name) + len(value) + 2 <= _LINE:
        return f"{name}: {value}\r\n"
    rows = [f"{name}:"]
    for word in value.split(" "):
        most = _LONGEST if word.isascii() else _LONGEST // 4
        pieces = [word[at : at + most] for at in range(0, len(word), most)] or [""]
        for piece in pieces:
            first = len(rows) == 1 and len(rows[0]) == len(name) + 1
            if first or not piece or len(rows[-1]) + len(piece) < _LINE:
                rows[-1] += f" {piece}"
            else:
                rows.append(f" {piece}")
    return "\r\n".join(rows) + "\r\n"
