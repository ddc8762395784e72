"""IDLE: be told what is new while nothing is asked (RFC 2177, RFC 9051 §6.3.13)."""

from __future__ import annotations

from functools import partial

from worldmail.protocols.imap.grammar.reader import nothing
from worldmail.protocols.imap.piecemeal import Progress
from worldmail.protocols.imap.replies import BadCommand
from worldmail.protocols.imap.rows import SIGNED_IN, Command, Silence
from worldmail.protocols.imap.session import Session
from worldmail.wire.effects import FLUSH, Effects

_GO_ON = b"+ idling\r\n"
_LONGEST_DONE = 64


async def run(session: Session, argument: None) -> Silence:
    """Begin; what is new already comes at once.

    In a write of its own: IMAPClient does not look at what it read together with the continuation.
    """
    progress = Progress.of(session)
    news = await session.news(expunges=True)  # a refusal is one of IDLE, which has not begun then
    session.idling = True
    if progress.goes_on(expunges=True):
        session.wake()
    session.expect(partial(done, session), _LONGEST_DONE)
    return Silence((_GO_ON, FLUSH, *news) if news else (_GO_ON,))


async def done(session: Session, line: bytes) -> Effects:
    """The client's DONE."""
    session.idling = False
    if line.upper() != b"DONE":
        raise BadCommand("DONE is expected")
    return ()


IDLE = Command(
    word=b"IDLE",
    states=SIGNED_IN,
    parse=nothing,
    run=run,
    capability="IDLE",
    before_login=True,  # as of ENABLE
    rfc="RFC 2177 §3, RFC 9051 §6.3.13",
)
