"""HELP lists the commands (RFC 5321 §4.1.1.8)."""

from __future__ import annotations

from worldmail.protocols.smtp.grammar import parse_anything
from worldmail.protocols.smtp.replies import reply
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.states import COMMAND_STATES
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects


async def run(session: Session, topic: str) -> Effects:
    """All commands of this listener, or where the one asked about is defined."""
    rows = [row for row in session.entrance.rows if row.offered(session)]
    for row in rows:
        if row.word == topic.strip().upper().encode():
            return (reply(214, "2.0.0", f"{row.word.decode()}: {row.rfc.replace('§', 'section ')}"),)
    words = " ".join(row.word.decode() for row in rows)
    return (reply(214, "2.0.0", "Commands:", words),)


HELP = Command(
    word=b"HELP",
    states=COMMAND_STATES,
    parse=parse_anything,
    run=run,
    capability=lambda session: ("HELP",),
    rfc="RFC 5321 §4.1.1.8",
)
