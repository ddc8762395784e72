"""The trace field that every accepted message gets in front.

Time-stamp-line = "Received:" FWS Stamp CRLF                             RFC 5321 §4.4
Stamp           = From-domain By-domain Opt-info [CFWS] ";" FWS date-time
From-domain     = "FROM" FWS Extended-Domain
Extended-Domain = Domain / ( Domain FWS "(" TCP-info ")" ) / ...
Opt-info        = [Via] [With] [ID] [For] [Additional-Registered-Clauses]
"""

from __future__ import annotations

from worldmail.mail.address import Address
from worldmail.mail.dates import date_time
from worldmail.mail.envelope import Origin, TlsFacts


def with_word(*, esmtp: bool, tls: bool, authenticated: bool, smtputf8: bool) -> str:
    """The protocol's word for `with` (RFC 3848, RFC 6531 §4.3)."""
    if not (esmtp or smtputf8):
        return "SMTP"
    word = "UTF8SMTP" if smtputf8 else "ESMTP"
    return f"{word}{'S' if tls else ''}{'A' if authenticated else ''}"


def received_field(
    origin: Origin,
    *,
    host: str,
    acceptance: str,
    at: int,
    recipient: Address | None = None,
    account: str | None = None,
    priority: int | None = None,
) -> bytes:
    """One Received field with its CRLF, folded.

    Args:
        origin: where the message came from; its `helo` is what the grammar of EHLO let pass.
        host: our own name.
        acceptance: the acceptance id.
        at: epoch seconds.
        recipient: the one recipient; None if there are several, so that none learns of another (RFC 5321 §7.6). One
            that A-labels do not make ASCII is left out: no header of ours is why a message needs SMTPUTF8 (RFC 6531
            §3.2).
        account: who had signed in, where the site wants that told.
        priority: of MT-PRIORITY as it came, None for none (RFC 6710 §4.1): a clause of its own (§7).
    """
    lines = [f"Received: from {origin.helo or 'unknown'} ({literal(origin.client)})"]
    if origin.tls is not None:
        lines.append(_tls_comment(origin.tls))
    if origin.turned is not None:
        lines.append(f"(fetched from {_quoted(origin.turned.relay)})")
    if account is not None and account.isascii():
        lines.append(f"(authenticated as {_quoted(account)})")
    lines.append(f"by {host} with {origin.protocol} id {acceptance}")
    if recipient is not None and (readable := recipient.in_a_labels()).is_ascii:
        lines.append(f"for <{readable}>")
    if priority is not None:
        lines.append(f"PRIORITY {priority}")
    folded = "\r\n\t".join(lines)
    return f"{folded}; {date_time(at)}\r\n".encode()


def literal(address: str) -> str:
    """An IP address as an address literal (RFC 5321 §4.1.3); its zone is ours alone and left out."""
    return f"[IPv6:{address.partition('%')[0]}]" if ":" in address else f"[{address}]"


def _tls_comment(tls: TlsFacts) -> str:
    return f"(using {tls.version} with cipher {tls.cipher} ({tls.bits} bits))"


def _quoted(text: str) -> str:
    """As the content of a comment (RFC 5322 §3.2.2)."""
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
