"""RSET gives the transaction up (RFC 5321 §4.1.1.5)."""

from __future__ import annotations

from worldmail.protocols.smtp.grammar import parse_nothing
from worldmail.protocols.smtp.replies import OK
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.states import COMMAND_STATES
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects


async def run(session: Session, argument: None) -> Effects:
    """Forget sender, recipients and chunks."""
    session.abandon()
    return (OK,)


RSET = Command(word=b"RSET", states=COMMAND_STATES, parse=parse_nothing, run=run, rfc="RFC 5321 §4.1.1.5")
