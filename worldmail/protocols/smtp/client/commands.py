"""MAIL and RCPT as they are written, with the parameters that the peer takes."""

from __future__ import annotations

from worldmail.mail.address import Address
from worldmail.mail.envelope import Body, Envelope, OriginalRecipient, Recipient
from worldmail.protocols.smtp.xtext import encode_utf8_address, encode_xtext

_BODY = {Body.SEVEN_BIT: "", Body.EIGHT_BIT: " BODY=8BITMIME", Body.BINARY: " BODY=BINARYMIME"}


def mail_line(sender: Address | None, body: Body, parameters: str) -> bytes:
    """MAIL (RFC 5321 §4.1.1.2). `parameters` begins with a space, or is empty."""
    return f"MAIL FROM:<{'' if sender is None else sender}>{_BODY[body]}{parameters}\r\n".encode()


def rcpt_line(recipient: Recipient, *, dsn: bool) -> bytes:
    """RCPT (RFC 5321 §4.1.1.3), with what DSN adds if the peer has that (RFC 3461 §4.1, §4.2)."""
    text = f"RCPT TO:<{recipient.address}>"
    if dsn:
        if recipient.notify is not None:
            text += " NOTIFY=" + ",".join(sorted(wish.value for wish in recipient.notify))
        if recipient.original is not None:
            text += _original(recipient.original)
    return f"{text}\r\n".encode()


def dsn_parameters(envelope: Envelope) -> str:
    """RET and ENVID (RFC 3461 §4.3, §4.4)."""
    text = "" if envelope.returns is None else f" RET={envelope.returns.value}"
    if envelope.envelope_id is not None:
        text += f" ENVID={encode_xtext(envelope.envelope_id)}"
    return text


def _original(original: OriginalRecipient) -> str:
    """ORCPT as it came, in a form that needs no SMTPUTF8 (RFC 3461 §5.2.1, RFC 6533 §3)."""
    utf8 = original.address_type.lower() == "utf-8"
    try:
        address = encode_utf8_address(original.address) if utf8 else encode_xtext(original.address)
    except ValueError:
        return ""
    return f" ORCPT={original.address_type};{address}"
