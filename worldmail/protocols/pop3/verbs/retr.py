"""RETR: the whole of a message (RFC 1939 §5)."""

from __future__ import annotations

from worldmail.protocols.pop3 import grammar
from worldmail.protocols.pop3.session import TRANSACTION, Session
from worldmail.protocols.pop3.text import text_effects
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects


async def run(session: Session, number: int) -> Effects:
    """Send it."""
    maildrop = session.open_maildrop
    message = await maildrop.message(number)
    effects = await text_effects(
        maildrop.content(message),
        octets=message.size,
        utf8=session.utf8,
        surrogates=session.settings.surrogates,
        aside=session.world.aside,
    )
    maildrop.retrieved += 1
    return effects


RETR = Command(word=b"RETR", states=TRANSACTION, parse=grammar.number, run=run, rfc="RFC 1939 §5")
