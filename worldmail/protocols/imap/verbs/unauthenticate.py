"""UNAUTHENTICATE: be nobody again on the same connection (RFC 8437)."""

from __future__ import annotations

from worldmail.protocols.imap.grammar.reader import nothing
from worldmail.protocols.imap.rows import SIGNED_IN, Command
from worldmail.protocols.imap.session import Session
from worldmail.wire.effects import Effects


async def run(session: Session, argument: None) -> Effects:
    """Nothing of the login stays, nor of what was enabled; TLS and compression do (RFC 8437 §3)."""
    session.leave()
    session.await_login()
    return ()


UNAUTHENTICATE = Command(
    word=b"UNAUTHENTICATE",
    states=SIGNED_IN,
    parse=nothing,
    run=run,
    capability="UNAUTHENTICATE",
    rfc="RFC 8437 §3",
)
