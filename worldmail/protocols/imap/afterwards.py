"""A refusal that comes when something was told already: what the view learnt has to reach the client all the same."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from typing import TYPE_CHECKING

from attrs import evolve

from worldmail.errors import Refusal
from worldmail.protocols.imap.rows import Answer, Done
from worldmail.wire.effects import Effects, Stream

if TYPE_CHECKING:
    from worldmail.protocols.imap.session import Session


async def after_news(session: Session, answer: Awaitable[Answer]) -> Answer:
    """What is new first, but for what was expunged, and then the answer: it goes by numbers as they are then.

    Untagged data is sent before the tagged reply, also if that is a NO.
    """
    lines = tuple(await session.news(expunges=False))
    try:
        given = await answer
    except Refusal as refusal:
        if not lines:
            raise
        return refused(b"".join(lines), refusal)
    if isinstance(given, Done):
        return evolve(given, effects=(*lines, *given.effects))
    return (*lines, *given)


def refused(told: bytes, refusal: Refusal) -> Effects:
    """What is told, and then the refusal."""
    return (Stream(_refused(told, refusal)),)


async def _refused(told: bytes, refusal: Refusal) -> AsyncIterator[bytes]:
    yield told
    raise refusal
