"""UNAUTHENTICATE: be nobody again on the same connection (RFC 8437)."""

from __future__ import annotations

from worldmail.protocols.imap.grammar.reader import nothing
from worldmail.protocols.imap.rows import SIGNED_IN, Command, Done
from worldmail.protocols.imap.session import Session
from worldmail.wire.effects import Decompress


async def run(session: Session, argument: None) -> Done:
    """Nothing stays of the login, of what was enabled and of compression; TLS does (RFC 8437 §3, §4.1)."""
    session.leave()
    session.await_login()
    compressed, session.compressed = session.compressed, False
    return Done(after=(Decompress(),) if compressed else ())


UNAUTHENTICATE = Command(
    word=b"UNAUTHENTICATE",
    states=SIGNED_IN,
    parse=nothing,
    run=run,
    capability="UNAUTHENTICATE",
    rfc="RFC 8437 §3, §4.1",
)
