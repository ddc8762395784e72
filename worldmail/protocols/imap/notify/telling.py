"""What a client that gave NOTIFY is told of the selected mailbox and of others, and when (RFC 5465 §3.1)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from worldmail.errors import Refusal
from worldmail.protocols.imap.fetch.answers import Answers
from worldmail.protocols.imap.fetch.plan import make_plan
from worldmail.protocols.imap.notify.request import Event
from worldmail.protocols.imap.targets import selected_of
from worldmail.protocols.imap.view.untagged import style_of
from worldmail.wire.effects import Effects, Stream

if TYPE_CHECKING:
    from worldmail.protocols.imap.fetch.batch import Item
    from worldmail.protocols.imap.notify.watch import Watch
    from worldmail.protocols.imap.session import Session

# The answers of these are untagged data of the mailbox, whatever the client wants to be told unasked.
_ANSWERED_SO = frozenset((b"EXPUNGE", b"UID EXPUNGE", b"MOVE", b"UID MOVE", b"REPLACE", b"UID REPLACE"))
# What they add is the client's own doing: it asked for no FETCH of that (§5.2).
_ADDING = frozenset((b"APPEND", b"COPY", b"UID COPY", b"MOVE", b"UID MOVE", b"REPLACE", b"UID REPLACE"))


async def pushed(session: Session, watch: Watch) -> Effects:
    """What there is to tell though no command is under way."""
    at_once = session.idling or not watch.request.delayed  # §6.1.2
    lines = await _news(session, watch, b"", expunges=at_once)
    first, watch.unfetched = watch.unfetched, 0
    if not first or session.selected is None:
        return lines
    return (*lines, _fetched(session, watch.request.items, first))


async def within_command(session: Session, watch: Watch, *, expunges: bool) -> Sequence[bytes]:
    """What there is to tell before the tagged reply. What is fetched of new messages comes right behind it."""
    lines = await _news(session, watch, session.command.word, expunges=expunges)
    if watch.unfetched:
        session.wake()
    return lines


async def _news(session: Session, watch: Watch, word: bytes, *, expunges: bool) -> list[bytes]:
    lines = [*await _of_selected(session, watch, word, expunges=expunges)]
    return lines + await watch.news(session) if watch.busy else lines


async def _of_selected(session: Session, watch: Watch, word: bytes, *, expunges: bool) -> Sequence[bytes]:
    request = watch.request
    if session.selected is None or not (request.selected or word in _ANSWERED_SO):
        return ()
    view = selected_of(session).view
    before = view.uidnext
    told = await session.changes(expunges=expunges)
    if request.items and view.uidnext > before and word not in _ADDING:
        watch.unfetched = watch.unfetched or before
    if Event.FLAGS in request.selected:
        return told
    return [line for line in told if not _tells_flags(line)]


def _tells_flags(line: bytes) -> bool:
    """It is a FETCH response: what is told unasked of messages are their flags."""
    return line[:80].split(b" ", 3)[2:3] in ([b"FETCH"], [b"UIDFETCH"])


def _fetched(session: Session, items: Sequence[Item], first: int) -> Stream:
    """What was asked for of new messages (§5.2)."""
    selected = selected_of(session)
    plan = make_plan(items, style_of(session.enabled), uid=True, modseq=False, sees=selected.may("s"))
    slices = selected.view.by_uid(((first, selected.view.uidnext - 1),))
    answers = Answers(selected, session.world.summaries, plan, slices, True)
    return Stream(_as_far_as_it_goes(answers.chunks()))


async def _as_far_as_it_goes(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A message that cannot be read now is left out: there is no command that could be refused."""
    with suppress(Refusal):
        async for chunk in chunks:
            yield chunk
