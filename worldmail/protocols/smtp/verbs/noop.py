"""NOOP does nothing, and says so (RFC 5321 §4.1.1.9)."""

from __future__ import annotations

from worldmail.protocols.smtp.grammar import parse_anything
from worldmail.protocols.smtp.replies import OK
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.states import COMMAND_STATES
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects


async def run(session: Session, text: str) -> Effects:
    """Ok."""
    if session.turn is not None:
        session.turn.heard()
    return (OK,)


NOOP = Command(word=b"NOOP", states=COMMAND_STATES, parse=parse_anything, run=run, rfc="RFC 5321 §4.1.1.9")
