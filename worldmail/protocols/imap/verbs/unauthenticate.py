"""UNAUTHENTICATE: be nobody again on the same connection (RFC 8437)."""

from __future__ import annotations

from collections.abc import Iterable

from worldmail.protocols.imap.grammar.reader import nothing
from worldmail.protocols.imap.replies import BadCommand
from worldmail.protocols.imap.rows import SIGNED_IN, Command, Done
from worldmail.protocols.imap.session import Session
from worldmail.wire.effects import Decompress


def capability(session: Session) -> Iterable[str]:
    """It can be switched off (RFC 8437 §8)."""
    return ("UNAUTHENTICATE",) if session.settings.unauthenticate else ()


async def run(session: Session, argument: None) -> Done:
    """Nothing stays of the login, of what was enabled and of compression; TLS does (RFC 8437 §3, §4.1)."""
    if not session.settings.unauthenticate:
        raise BadCommand("Unknown command")  # NO is not permitted (§3)
    session.leave()
    session.await_login()
    session.errors = 0
    compressed, session.compressed = session.compressed, False
    return Done(after=(Decompress(),) if compressed else ())


UNAUTHENTICATE = Command(
    word=b"UNAUTHENTICATE",
    states=SIGNED_IN,
    parse=nothing,
    run=run,
    capability=capability,
    rfc="RFC 8437 §3, §4.1",
)
