"""STLS: go on in TLS (RFC 2595 §4)."""

from __future__ import annotations

from collections.abc import Iterable

from worldmail.protocols.pop3 import grammar
from worldmail.protocols.pop3.replies import CommandRefused, err, ok
from worldmail.protocols.pop3.session import AUTHORIZATION, Session
from worldmail.wire.commands import Command
from worldmail.wire.effects import Close, Effects, StartTls


def capability(session: Session) -> Iterable[str]:
    """Announced while the connection is in the clear and there is a certificate."""
    return ("STLS",) if session.peer.tls is None and _available(session) else ()


def _available(session: Session) -> bool:
    return session.site.offers_tls and session.world.tls.available()


async def run(session: Session, argument: None) -> Effects:
    """Start it. Octets that came in the clear behind the command end the connection: they are nobody's."""
    if session.peer.tls is not None:
        raise CommandRefused("TLS is on already")
    if session.utf8:
        raise CommandRefused("STLS comes before UTF8")  # RFC 6856 §2.1
    if not _available(session):
        raise CommandRefused("TLS is not available")
    if session.buffered():
        return (err("Nothing may follow STLS"), Close("input behind STLS"))
    return (ok("Begin TLS negotiation now"), StartTls())


STLS = Command(
    word=b"STLS", states=AUTHORIZATION, parse=grammar.nothing, run=run, capability=capability, rfc="RFC 2595 §4"
)
