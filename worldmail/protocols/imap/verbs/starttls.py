"""STARTTLS: go on in TLS (RFC 9051 §6.2.1)."""

from __future__ import annotations

from collections.abc import Iterable

from worldmail.protocols.imap.grammar.reader import nothing
from worldmail.protocols.imap.replies import No, NotNow, tagged
from worldmail.protocols.imap.rows import NOT_AUTHENTICATED, Command, Done, Silence
from worldmail.protocols.imap.session import Session
from worldmail.wire.effects import Close, StartTls


def capability(session: Session) -> Iterable[str]:
    """Announced while the connection is in the clear and there is a certificate."""
    return ("STARTTLS",) if session.peer.tls is None and _available(session) else ()


def _available(session: Session) -> bool:
    return session.site.offers_tls and session.world.tls.available()


async def run(session: Session, argument: None) -> Done | Silence:
    """Start it. Octets that came in the clear behind the command end the connection: they are nobody's."""
    if session.peer.tls is not None:
        raise NotNow("TLS is on already")
    if session.compressed:
        raise NotNow("TLS cannot be started within compression")
    if not _available(session):
        raise No("TLS is not available", b"UNAVAILABLE")
    if session.buffered():
        bad = tagged(session.tag, b"BAD", "Nothing may follow STARTTLS")
        return Silence((bad, Close("input behind STARTTLS")))
    return Done(text="Begin TLS negotiation now", after=(StartTls(),))


STARTTLS = Command(
    word=b"STARTTLS",
    states=NOT_AUTHENTICATED,
    parse=nothing,
    run=run,
    capability=capability,
    rfc="RFC 9051 §6.2.1",
)
