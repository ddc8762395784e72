"""NOOP: nothing (RFC 1939 §5)."""

from __future__ import annotations

from worldmail.protocols.pop3 import grammar
from worldmail.protocols.pop3.session import TRANSACTION, Session
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects


async def run(session: Session, argument: None) -> Effects:
    """Do nothing, positively."""
    return session.ok()


NOOP = Command(word=b"NOOP", states=TRANSACTION, parse=grammar.nothing, run=run, rfc="RFC 1939 §5")
