"""TOP: the header of a message and the first lines of its body (RFC 1939 §7)."""

from __future__ import annotations

from collections.abc import Iterable

from worldmail.protocols.pop3 import grammar
from worldmail.protocols.pop3.session import TRANSACTION, Session
from worldmail.protocols.pop3.text import text_effects
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects


def capability(session: Session) -> Iterable[str]:
    """Always announced (RFC 2449 §6.1)."""
    return ("TOP",)


async def run(session: Session, request: grammar.TopRequest) -> Effects:
    """Send them; no more of the message is read than is needed."""
    maildrop = session.open_maildrop
    message = await maildrop.message(request.number)
    return await text_effects(
        maildrop.content(message),
        octets=message.size,
        utf8=session.utf8,
        surrogates=session.settings.surrogates,
        aside=session.world.aside,
        lines=request.lines,
    )


TOP = Command(word=b"TOP", states=TRANSACTION, parse=grammar.top, run=run, capability=capability, rfc="RFC 1939 §7")
