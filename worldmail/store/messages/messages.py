"""`IMessages` on the database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from zope.interface import implementer

from worldmail.errors import LimitReached, MessageGone, NoSuchMailbox, OverQuota, StorageFull
from worldmail.interfaces.database import IDatabase, Shared, Unit
from worldmail.interfaces.messages import (
    Alike,
    Appended,
    Appending,
    Changed,
    Copied,
    Flag,
    FlagChange,
    FlagsChanged,
    IMessages,
    Marked,
    Place,
    Removed,
    Stored,
    There,
    Uids,
)
from worldmail.interfaces.store import IContentStore
from worldmail.store.messages import looking, news
from worldmail.store.messages.appending import Append, Replace
from worldmail.store.messages.asked import ranges, span
from worldmail.store.messages.copying import ALL, copy
from worldmail.store.messages.flagging import change_few, change_flags, counts_octets
from worldmail.store.messages.keywords import NAMES
from worldmail.store.messages.reading import read
from worldmail.store.messages.recent import take_recent
from worldmail.store.messages.removing import expunge
from worldmail.store.space import Reserve, Space
from worldmail.store.staged import Leftovers

T = TypeVar("T")

FEW = 300
"""More messages than this are changed in the database's thread, and more than ten times as many are listed in one."""

OCTETS_AT_ONCE = 1 << 20
"""Octets of messages that are read together."""

_DELETED = "SELECT deleted FROM mailbox WHERE id = ?"


@implementer(IMessages)
class Messages:
    """Provides `IMessages`.

    Args:
        contents: where large content is.
        space: asked before anything is added.
        reserve: given up when the disk is too full to remove.
        now: epoch seconds.
    """

    def __init__(
        self,
        *,
        database: IDatabase,
        contents: IContentStore,
        space: Space,
        reserve: Reserve,
        now: Callable[[], float],
    ) -> None:
        self._database = database
        self._contents = contents
        self._leftovers = Leftovers(database=database, contents=contents)
        self._space = space
        self._reserve = reserve
        self._now = now

    # --- what is there ---

    def tail(
        self, mailbox_id: int, *, below: int, count: int | None = None, first_uid: int = 1, reader: int | None = None
    ) -> Awaitable[Sequence[Marked]]:
        most = below - first_uid if count is None else count
        unit = partial(
            looking.tail, mailbox_id=mailbox_id, first_uid=first_uid, below=below, count=count, reader=reader
        )
        return self._look(unit, most)

    async def changes(self, mailbox_id: int, *, since: int, uidnext: int, reader: int | None = None) -> Changed | None:
        return await self._news(
            partial(news.changes, mailbox_id=mailbox_id, since=since, uidnext=uidnext, reader=reader)
        )

    def changed(
        self, mailbox_id: int, *, after: Place, upto: int, below: int, reader: int | None = None
    ) -> Awaitable[tuple[Sequence[Alike], Place | None]]:
        return self._database.scan(lambda cursor: news.changed(cursor, mailbox_id, after, upto, below, reader))

    async def removed(self, mailbox_id: int, *, since: int, first_uid: int, below: int) -> Removed | None:
        return await self._news(
            partial(news.removed, mailbox_id=mailbox_id, since=since, first_uid=first_uid, below=below)
        )

    def since(
        self, mailbox_id: int, *, modseq: int, uids: Uids, reader: int | None = None, limit: int | None = None
    ) -> Awaitable[Sequence[Marked]]:
        most = limit or 1 << 32
        unit = partial(looking.since, mailbox_id=mailbox_id, modseq=modseq, uids=uids, reader=reader, limit=most)
        return self._look(unit, min(most, span(uids)))

    async def vanished(self, mailbox_id: int, *, modseq: int, uids: Uids) -> Uids:
        return await self._news(partial(news.vanished, mailbox_id=mailbox_id, modseq=modseq, uids=uids))

    def stored(self, mailbox_id: int, uids: Uids, *, limit: int = 1000) -> Awaitable[Sequence[Stored]]:
        return self._look(lambda cursor: looking.stored(cursor, mailbox_id, uids, limit), limit)

    def contents(self, mailbox_id: int, uids: Uids) -> Awaitable[Sequence[tuple[int, int]]]:
        return self._look(lambda cursor: looking.contents(cursor, mailbox_id, uids), span(uids))

    def prefixes(self, mailbox_id: int, uids: Uids) -> Awaitable[Sequence[tuple[int, bytes]]]:
        return self._look(lambda cursor: looking.prefixes(cursor, mailbox_id, uids), span(uids))

    def existing(self, mailbox_id: int, uids: Uids) -> Awaitable[Uids]:
        return self._look(lambda cursor: looking.existing(cursor, mailbox_id, uids), span(uids))

    def below(
        self, mailbox_id: int, uids: Sequence[int], *, since: int, first_uid: int = 1
    ) -> Awaitable[Sequence[int] | None]:
        most = uids[-1] - first_uid if uids else 0
        return self._look(lambda cursor: looking.below(cursor, mailbox_id, uids, since, first_uid), most)

    def octets(
        self, mailbox_id: int, uids: Uids, *, limit: int = 256
    ) -> Awaitable[Sequence[tuple[int, int, bytes | None, bool]]]:
        return self._database.read(
            lambda cursor: looking.octets(cursor, mailbox_id, uids, limit, OCTETS_AT_ONCE),
        )

    def read(self, mailbox_id: int, uid: int, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        return read(self._database, self._contents, mailbox_id, uid, offset, length)

    def first_unseen(self, mailbox_id: int, *, reader: int | None = None) -> Awaitable[tuple[int, int] | None]:
        return self._database.read(lambda cursor: looking.first_unseen(cursor, mailbox_id, reader))

    def keywords(self, mailbox_id: int) -> Awaitable[Sequence[str]]:
        return self._database.read(lambda cursor: [name for (name,) in cursor.all(NAMES, (mailbox_id,))])

    # --- changes ---

    async def change_flags(
        self, mailbox_id: int, uids: Uids, change: FlagChange, there: There | None = None
    ) -> FlagsChanged:
        # \Deleted comes before EXPUNGE, so it is a part of removing.
        write = self._free if change.flags & Flag.DELETED else self._write
        most = span(uids)
        if there is not None and most > FEW >= len(uids) and not counts_octets(change):
            few = partial(change_few, mailbox_id=mailbox_id, uids=uids, change=change, there=there, most=FEW)
            changed = await self._write(few, FEW)
            if changed is not None:
                return changed
        return await write(lambda cursor: change_flags(cursor, mailbox_id, uids, change, there), most)

    def append(self, mailbox_id: int, messages: Sequence[Appending]) -> Awaitable[Appended]:
        return self._append(Append(mailbox=mailbox_id, messages=messages, now=int(self._now())))

    def append_own(self, account_id: int, name: str, messages: Sequence[Appending]) -> Awaitable[Appended]:
        return self._append(Append(mailbox=(account_id, name), messages=messages, now=int(self._now())))

    def replace(self, mailbox_id: int, uid: int, target_id: int, message: Appending) -> Awaitable[Appended]:
        now, replaced = int(self._now()), (mailbox_id, uid)
        return self._append(Replace(mailbox=target_id, messages=[message], now=now, replaced=replaced))

    def copy(
        self, mailbox_id: int, uids: Uids, target_id: int, *, flags: FlagChange | None = None
    ) -> Awaitable[Copied]:
        return self._copy(mailbox_id, uids, target_id, flags, move=False)

    def move(
        self, mailbox_id: int, uids: Uids, target_id: int, *, flags: FlagChange | None = None
    ) -> Awaitable[Copied]:
        return self._copy(mailbox_id, uids, target_id, flags, move=True)

    async def expunge(self, mailbox_id: int, uids: Uids, *, deleted_only: bool) -> Uids:
        most = span(uids)
        if deleted_only and most > FEW:
            (deleted,) = await self._database.read(lambda cursor: cursor.one(_DELETED, (mailbox_id,))) or (0,)
            most = min(most, deleted)
        now = int(self._now())

        gone = await self._free(lambda cursor: expunge(cursor, mailbox_id, uids, now, deleted_only=deleted_only), most)
        return ranges(gone)

    async def take_recent(self, mailbox_id: int) -> int:
        return await take_recent(self._database, mailbox_id)

    def _copy(
        self, mailbox_id: int, uids: Uids, target_id: int, flags: FlagChange | None, *, move: bool
    ) -> Awaitable[Copied]:
        now = int(self._now())
        return self._write(
            lambda cursor: copy(cursor, mailbox_id, uids, target_id, flags or ALL, now, move=move), span(uids)
        )

    async def _append(self, unit: Append) -> Appended:
        places = [message.content.place for message in unit.messages]
        try:
            self._space.check(unit.octets())
        except StorageFull:
            await self._leftovers.discard_refused(places)
            raise
        try:
            appended = await self._write(unit, len(unit.messages))
        except (OverQuota, NoSuchMailbox, LimitReached, MessageGone):
            # The unit itself gave up. After any other failure nobody knows what is on the disk: the collector will.
            await self._leftovers.discard_refused(places)
            raise
        for place in unit.unused:
            self._leftovers.discard(place)
        return appended

    def _look(self, unit: Unit[T], most: int) -> Awaitable[T]:
        """At once if it is about few messages."""
        return self._database.read(unit) if most <= 10 * FEW else self._database.scan(unit)

    async def _news(self, unit: Callable[..., tuple[bool, T]]) -> T:
        """At once if they are few; that is found by looking."""
        is_all, found = await self._database.read(partial(unit, few=True))
        if not is_all:
            _, found = await self._database.scan(partial(unit, few=False))
        return found

    async def _free(self, unit: Unit[T], most: int) -> T:
        """`_write` for what helps to remove: a full disk gives its reserve."""
        try:
            return await self._write(unit, most)
        except StorageFull:
            if not self._reserve.release():
                raise
            return await self._write(unit, most)

    def _write(self, unit: Unit[T], most: int) -> Awaitable[T]:
        """All units lock what they come to before they read it, so they bear others beside them."""
        shared = Shared(unit)
        return self._database.write(shared) if most <= FEW else self._database.write_long(shared)
