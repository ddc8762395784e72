"""NOOP: nothing, but to be told what is new (RFC 9051 §6.1.2)."""

from __future__ import annotations

from worldmail.protocols.imap.grammar.reader import nothing
from worldmail.protocols.imap.rows import ANY_STATE, Command
from worldmail.protocols.imap.session import Session
from worldmail.wire.effects import Effects


async def run(session: Session, argument: None) -> Effects:
    """What is new; a refusal if it cannot be told."""
    return tuple(await session.news(expunges=True)) if session.has_news else ()


NOOP = Command(word=b"NOOP", states=ANY_STATE, parse=nothing, run=run, rfc="RFC 9051 §6.1.2")
