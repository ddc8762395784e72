"""What a client that gave NOTIFY is told of the selected mailbox and of others, and when (RFC 5465 §3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from worldmail.errors import Refusal
from worldmail.protocols.imap.fetch import unasked
from worldmail.protocols.imap.replies import AccountChanged, response_code, untagged
from worldmail.protocols.imap.targets import selected_of
from worldmail.wire.effects import Effects, Stream

if TYPE_CHECKING:
    from worldmail.protocols.imap.notify.watch import Watch
    from worldmail.protocols.imap.session import Session

# The answers of these are untagged data of the mailbox, whatever the client wants to be told unasked.
_ANSWERED_SO = frozenset((b"EXPUNGE", b"UID EXPUNGE", b"MOVE", b"UID MOVE", b"REPLACE", b"UID REPLACE"))
# What they add is the client's own doing: it asked for no FETCH of that (§5.2).
_ADDING = frozenset((b"APPEND", b"COPY", b"UID COPY", b"MOVE", b"UID MOVE", b"REPLACE", b"UID REPLACE"))


async def pushed(session: Session, watch: Watch) -> Effects:
    """What there is to tell though no command is under way."""
    lines = await _news(session, watch, b"", expunges=watch.tells_expunges(session))
    first, watch.unfetched = watch.unfetched, 0
    if not first or session.selected is None:
        return lines
    uids = ((first, selected_of(session).view.uidnext - 1),)
    return (*lines, Stream(unasked.chunks(session, watch.request.items, uids)))


async def within_command(session: Session, watch: Watch, *, expunges: bool) -> Sequence[bytes]:
    """What there is to tell before the tagged reply. What is fetched of new messages comes right behind it."""
    lines = await _news(session, watch, session.command.word, expunges=expunges)
    if watch.unfetched:
        session.wake()
    return lines


async def _news(session: Session, watch: Watch, word: bytes, *, expunges: bool) -> list[bytes]:
    lines = [*await _of_selected(session, watch, word, expunges=expunges)]
    if watch.busy:
        try:
            lines += await watch.news(session)
        except AccountChanged:
            raise
        except Refusal as refusal:  # what the view has learnt has to be told all the same
            lines += _not_now(session, watch, refusal)
    return lines


def _not_now(session: Session, watch: Watch, refusal: Refusal) -> list[bytes]:
    """Everything is looked at another time; or nothing is any more, if it has become too much (§5.8)."""
    watch.relist = True
    if response_code(refusal) != b"NOTIFICATIONOVERFLOW":
        return []
    session.watch(watch.nothing())
    return [untagged(b"OK", refusal.reply_text, b"NOTIFICATIONOVERFLOW")]


async def _of_selected(session: Session, watch: Watch, word: bytes, *, expunges: bool) -> Sequence[bytes]:
    request = watch.request
    if session.selected is None or not (request.selected or word in _ANSWERED_SO):
        return ()
    view = selected_of(session).view
    before = view.uidnext
    told = await session.changes(expunges=expunges)
    if request.items and view.uidnext > before and word not in _ADDING:
        watch.unfetched = watch.unfetched or before
    return told
