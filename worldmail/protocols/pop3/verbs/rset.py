"""RSET: nothing is marked as deleted any more (RFC 1939 §5)."""

from __future__ import annotations

from worldmail.protocols.pop3 import grammar
from worldmail.protocols.pop3.session import TRANSACTION, Session
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects


async def run(session: Session, argument: None) -> Effects:
    """Unmark all."""
    maildrop = session.open_maildrop
    maildrop.reset()
    return session.ok(f"Maildrop has {maildrop.count} messages ({maildrop.octets} octets)")


RSET = Command(word=b"RSET", states=TRANSACTION, parse=grammar.nothing, run=run, rfc="RFC 1939 §5")
