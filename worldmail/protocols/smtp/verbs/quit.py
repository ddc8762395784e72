"""QUIT ends the session (RFC 5321 §4.1.1.10)."""

from __future__ import annotations

from worldmail.protocols.smtp.grammar import parse_nothing
from worldmail.protocols.smtp.replies import CLOSING
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.states import COMMAND_STATES
from worldmail.protocols.smtp.turned import GOODBYE
from worldmail.wire.commands import Command
from worldmail.wire.effects import Close, Effects


async def run(session: Session, argument: None) -> Effects:
    """Say goodbye. A transaction under way is given up."""
    session.abandon()
    return (CLOSING, Close(GOODBYE))


QUIT = Command(word=b"QUIT", states=COMMAND_STATES, parse=parse_nothing, run=run, rfc="RFC 5321 §4.1.1.10")
