"""Refusals and news: what the view learnt has to reach the client, whatever is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from typing import TYPE_CHECKING, Any

from attrs import evolve

from worldmail.errors import Refusal
from worldmail.protocols.imap import account_watch, completion
from worldmail.protocols.imap.piecemeal import Progress, all_of
from worldmail.protocols.imap.replies import AccountChanged
from worldmail.protocols.imap.rows import Answer, Done
from worldmail.wire.effects import Effects, Later, Stream

if TYPE_CHECKING:
    from worldmail.protocols.imap.session import Session


AGAIN = 1.0
"""Seconds after which is looked again at what could not be looked at."""


async def after_news(session: Session, answer: Coroutine[Any, Any, Answer]) -> Answer:
    """What is new first, but for what was expunged, and then the answer: it goes by numbers as they are then.

    Untagged data is sent before the tagged reply, also if that is a NO.
    """
    try:
        lines = tuple(await all_of(session, session.news, expunges=False))
    except BaseException:
        answer.close()
        raise
    try:
        given = await answer
    except Refusal as refusal:
        if not lines:
            raise
        return refused(b"".join(lines), refusal)
    if isinstance(given, Done):
        return evolve(given, effects=(*lines, *given.effects))
    return (*lines, *given)


async def unasked(session: Session) -> Effects:
    """What is new while no command is under way, or IDLE is.

    What cannot be looked at now is told after a moment: there is no command that could be refused. Of what is very much
    a part is told, and the next one in a turn of its own.
    """
    progress, notify = Progress.of(session), session.notify
    try:
        if session.revoked and session.account is not None:
            await account_watch.check(session, session.account)
        told = await (session.changes(expunges=True) if notify is None else notify.pushed(session))
    except AccountChanged as refusal:
        return completion.refuse(session, refusal)
    except Refusal:
        return (Later(AGAIN, session.wake),)
    if progress.goes_on(expunges=notify is None or notify.tells_expunges(session)):
        session.wake()
    return tuple(told)


def refused(told: bytes, refusal: Refusal) -> Effects:
    """What is told, and then the refusal."""
    return (Stream(_refused(told, refusal)),)


async def _refused(told: bytes, refusal: Refusal) -> AsyncIterator[bytes]:
    yield told
    raise refusal
