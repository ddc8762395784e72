"""A selected mailbox's view and the store: messages are loaded and counted when they are asked for, slice by slice."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from attrs import define, field

from worldmail.interfaces.folders import Folder
from worldmail.interfaces.messages import IMessages, Marked, Uids
from worldmail.mail.numbers import without
from worldmail.protocols.imap.replies import AccountChanged
from worldmail.protocols.imap.view.view import View
from worldmail.wire.ready import Ready

LOADED_AT_ONCE = 2000
"""Messages that are loaded, or told of, before others have their turn: some milliseconds."""


class MailboxLost(AccountChanged):
    """The selected mailbox is gone, or cannot be told of truly any more: the session ends with BYE (RFC 2180 §3.1)."""

    text = "The selected mailbox is gone"


@define(kw_only=True, eq=False)
class Loading:
    """A view that loads what it needs.

    Args:
        folder: as it was when it was selected; `rights` as they were last looked at.
        reader: as `Folder.reader` says.
        messages: the store.
        view: what the client was told.
        pause: lets others have their turn.
    """

    folder: Folder
    reader: int | None
    messages: IMessages
    view: View
    pause: Callable[[], Awaitable[None]] = field(default=lambda: Ready(None))
    _counted: tuple[int, int, int] = field(default=(0, 1, 0), init=False)

    @property
    def id(self) -> int:
        """The mailbox's id."""
        return self.folder.id

    async def load_last(self, count: int) -> None:
        """Have the last `count` messages loaded."""
        await self._load(count, 1)

    async def load_from(self, uid: int) -> None:
        """Have all messages from this UID on loaded."""
        await self._load(self.view.total, uid)

    async def load_numbers(self, numbers: Uids) -> None:
        """Have the messages with these sequence numbers loaded, the lowest first in the set."""
        if numbers:
            await self.load_last(self.view.total - numbers[0][0] + 1)

    async def load_uids(self, uids: Uids) -> None:
        """Have the messages with these UIDs loaded, the lowest first in the set."""
        if uids:
            await self.load_from(uids[0][0])

    async def load_recent(self, most: int) -> None:
        """Have the messages loaded that are \\Recent; no more of them are than so many."""
        view = self.view
        if view.first_recent < view.uidnext:
            await self._load(most, view.first_recent)
            if len(view.uids) >= most:
                view.first_recent = view.uids[0]

    async def _load(self, count: int, first_uid: int) -> None:
        """Have those of the last `count` messages loaded that have this UID or a higher one."""
        view = self.view
        while len(view.uids) < count and first_uid < view.first_uid and view.before:
            if not await self._load_some(min(count - len(view.uids), LOADED_AT_ONCE), first_uid):
                break
            if view.before:
                await self.pause()

    async def _load_some(self, count: int, first_uid: int) -> bool:
        """Up to `count` messages more; False if there are no others from that UID on."""
        view = self.view
        below = view.first_uid
        rows = await self.messages.tail(self.id, below=below, count=count, first_uid=first_uid, reader=self.reader)
        start = rows[0].uid if len(rows) == count else first_uid
        # What was removed since was in the view: looked at after the rows, so that nothing slips between.
        removed = await self.messages.removed(self.id, since=view.modseq, first_uid=start, below=below)
        if removed is None:
            raise MailboxLost
        leaving = view.leaving[bisect_left(view.leaving, start) : bisect_left(view.leaving, below)]
        view.prepend(rows, {*leaving, *removed.uids})
        if view.before < 0 or (start == 1 and view.before):
            raise MailboxLost
        if removed.highestmodseq != view.modseq:
            view.dirty = True
        return len(rows) == count

    async def ahead(self, uids: Sequence[int]) -> dict[int, int]:
        """How many messages of the view are before each of these, which are ascending and before the suffix."""
        if not uids:
            return {}
        view = self.view
        modseq, first, before = self._counted
        if modseq != view.modseq or first > uids[0]:
            first, before = 1, 0
        counts = await self.messages.below(self.id, uids, since=view.modseq, first_uid=first)
        if counts is None:
            raise MailboxLost
        self._counted = (view.modseq, uids[-1], before + counts[-1])
        gone = view.leaving
        return {uid: before + count + bisect_left(gone, uid) for uid, count in zip(uids, counts, strict=True)}

    async def changed_since(self, modseq: int, uids: Uids) -> AsyncIterator[Sequence[Marked]]:
        """Messages among these with a higher MODSEQ, slice by slice, ascending."""
        while uids:
            rows = await self.messages.since(
                self.id, modseq=modseq, uids=uids, reader=self.reader, limit=LOADED_AT_ONCE
            )
            if rows:
                yield rows
            if len(rows) < LOADED_AT_ONCE:
                return
            uids = without(uids, [(1, rows[-1].uid)])
            await self.pause()
