"""QUIT: the UPDATE state, if there was a TRANSACTION state (RFC 1939 §6)."""

from __future__ import annotations

from worldmail.errors import Refusal
from worldmail.protocols.pop3 import grammar
from worldmail.protocols.pop3.replies import err, response_code
from worldmail.protocols.pop3.session import BOTH, Session, State
from worldmail.wire.commands import Command
from worldmail.wire.effects import Close, Effects


async def run(session: Session, argument: None) -> Effects:
    """Remove what is marked, let the maildrop go, then say how it went: the reply follows the commit."""
    if session.state is State.AUTHORIZATION:
        return (*session.ok("Goodbye"), Close("quit"))
    maildrop = session.open_maildrop
    try:
        removed = await maildrop.update()
    except Refusal as refusal:
        _record(session, 0)
        return (err("Some deleted messages were not removed", response_code(refusal)), Close("quit"))
    finally:
        await session.leave()
    _record(session, removed)
    return (*session.ok("Goodbye"), Close("quit"))


def _record(session: Session, removed: int) -> None:
    """One record of a session that took or removed something; a mere check for new mail leaves none."""
    maildrop, account = session.open_maildrop, session.account
    if account is None or not (removed or maildrop.retrieved):
        return
    session.world.journal.record(
        "pop3.fetched",
        session=session.peer.session,
        account=str(account.address),
        retrieved=maildrop.retrieved,
        removed=removed,
    )


QUIT = Command(word=b"QUIT", states=BOTH, parse=grammar.nothing, run=run, rfc="RFC 1939 §4, §6")
