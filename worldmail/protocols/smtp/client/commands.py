"""MAIL and RCPT as they are written, with the parameters that the peer takes."""

from __future__ import annotations

from worldmail.mail.address import Address
from worldmail.mail.envelope import Body, Envelope, OriginalRecipient, Recipient
from worldmail.protocols.smtp.xtext import encode_utf8_address, encode_xtext

_BODY = {Body.SEVEN_BIT: "", Body.EIGHT_BIT: " BODY=8BITMIME", Body.BINARY: " BODY=BINARYMIME"}


def mail_line(sender: Address | None, body: Body, parameters: str) -> bytes:
    """MAIL (RFC 5321 §4.1.1.2). `parameters` begins with a space, or is empty."""
    return f"MAIL FROM:<{'' if sender is None else sender}>{_BODY[body]}{parameters}\r\n".encode()


def rcpt_line(recipient: Recipient, *, dsn: bool, utf8: bool) -> bytes:
    """RCPT (RFC 5321 §4.1.1.3), with what DSN adds if the peer has that (RFC 3461 §4.1, §4.2).

    `utf8`: the transaction is one with SMTPUTF8.
    """
    text = f"RCPT TO:<{recipient.address}>"
    if dsn:
        if recipient.notify is not None:
            text += " NOTIFY=" + ",".join(sorted(wish.value for wish in recipient.notify))
        if recipient.original is not None:
            text += _original(recipient.original, utf8=utf8)
    return f"{text}\r\n".encode()


def dsn_parameters(envelope: Envelope) -> str:
    """RET and ENVID (RFC 3461 §4.3, §4.4)."""
    text = "" if envelope.returns is None else f" RET={envelope.returns.value}"
    if envelope.envelope_id is not None:
        text += f" ENVID={encode_xtext(envelope.envelope_id)}"
    return text


def submitter_parameter(envelope: Envelope) -> str:
    """AUTH for a server that we signed in to: who submitted the message, or "<>" for not known (RFC 4954 §5)."""
    submitter = envelope.submitter
    if submitter is None or not submitter.is_ascii:
        return " AUTH=<>"
    return f" AUTH={encode_xtext(str(submitter))}"


def _original(original: OriginalRecipient, *, utf8: bool) -> str:
    """ORCPT as it came, in a form that needs SMTPUTF8 only where there is that (RFC 3461 §5.2.1, RFC 6533 §3)."""
    typed = original.address_type.lower() == "utf-8"
    try:
        address = encode_utf8_address(original.address, native=utf8) if typed else encode_xtext(original.address)
    except ValueError:
        return ""
    return f" ORCPT={original.address_type};{address}"
