"""DELE: mark a message as deleted (RFC 1939 §5)."""

from __future__ import annotations

from worldmail.protocols.pop3 import grammar
from worldmail.protocols.pop3.session import TRANSACTION, Session
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects


async def run(session: Session, number: int) -> Effects:
    """Mark it; QUIT removes it."""
    await session.open_maildrop.delete(number)
    return session.ok("Marked as deleted")


DELE = Command(word=b"DELE", states=TRANSACTION, parse=grammar.number, run=run, rfc="RFC 1939 §5")
