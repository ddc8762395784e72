"""LOGOUT: the end (RFC 9051 §6.1.3). Nothing is expunged by it."""

from __future__ import annotations

from worldmail.protocols.imap.grammar.reader import nothing
from worldmail.protocols.imap.rows import ANY_STATE, Command, Done
from worldmail.protocols.imap.session import Session
from worldmail.wire.effects import Close

_BYE = b"* BYE Goodbye\r\n"
_CLOSE = (Close("logout"),)


async def run(session: Session, argument: None) -> Done:
    """Say goodbye. Everything is given back now: the client may be back before its connection is gone."""
    session.leave()
    return Done(effects=(_BYE,), after=_CLOSE)


LOGOUT = Command(word=b"LOGOUT", states=ANY_STATE, parse=nothing, run=run, rfc="RFC 9051 §6.1.3")
