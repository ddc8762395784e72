"""CAPABILITY: what this server can do for this session (RFC 9051 §6.1.1)."""

from __future__ import annotations

from worldmail.protocols.imap.grammar.reader import nothing
from worldmail.protocols.imap.rows import ANY_STATE, Command
from worldmail.protocols.imap.session import Session
from worldmail.wire.effects import Effects


async def run(session: Session, argument: None) -> Effects:
    """List it."""
    return (b"* CAPABILITY " + session.capabilities() + b"\r\n",)


CAPABILITY = Command(word=b"CAPABILITY", states=ANY_STATE, parse=nothing, run=run, rfc="RFC 9051 §6.1.1")
