"""What a client wants to have fetched of messages as they arrive (RFC 5465 §5.2, §7), without a FETCH of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from worldmail.errors import Refusal
from worldmail.interfaces.messages import Uids
from worldmail.protocols.imap.fetch.answers import Answers
from worldmail.protocols.imap.fetch.batch import Item
from worldmail.protocols.imap.fetch.plan import make_plan
from worldmail.protocols.imap.fetch.surrogates import surrogates_for
from worldmail.protocols.imap.replies import untagged
from worldmail.protocols.imap.targets import selected_of
from worldmail.protocols.imap.view.untagged import style_of

if TYPE_CHECKING:
    from worldmail.protocols.imap.session import Session

MOST_OCTETS = 1 << 20
"""Of answers that are kept in memory: messages beyond are left to a FETCH of the client's."""


async def chunks(session: Session, items: Sequence[Item], uids: Uids) -> AsyncIterator[bytes]:
    """The FETCH responses, as they are taken. A message that cannot be read now is left out: no command is refused."""
    selected = selected_of(session)
    surrogates = surrogates_for(session, selected, items)
    plan = make_plan(
        items,
        style_of(session.enabled),
        uid=True,
        modseq=False,
        sees=selected.may("s"),
        utf8=session.utf8,
        surrogates=surrogates,
    )
    with suppress(Refusal):
        async for chunk in Answers(selected, session.world.summaries, plan, selected.view.by_uid(uids), True).chunks():
            yield chunk
    if surrogates is not None and (code := surrogates.code()) is not None:
        yield untagged(b"OK", "Headers were made ASCII", code)


async def lines(session: Session, items: Sequence[Item], uids: Uids) -> list[bytes]:
    """The FETCH responses of the first of these messages that come to no more than `MOST_OCTETS`."""
    told: list[bytes] = []
    size = 0
    for first, last in uids:
        for uid in range(first, last + 1):
            answer: list[bytes] = []
            async for chunk in chunks(session, items, ((uid, uid),)):
                size += len(chunk)
                if size > MOST_OCTETS:
                    return told
                answer.append(chunk)
            told.append(b"".join(answer))
    return told
