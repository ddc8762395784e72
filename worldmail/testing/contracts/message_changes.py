"""The contract of `IMessages`, continued: what sessions are told, and what they read."""

from __future__ import annotations

import pytest

from worldmail.errors import MessageGone
from worldmail.interfaces.messages import Alike, Marked
from worldmail.store.messages import looking, news
from worldmail.testing.contracts.acceptance import prefix
from worldmail.testing.contracts.messages import ALL, FLAGGED, SEEN, MessagesCase


class ChangesContract(MessagesCase):
    """What a session is told (RFC 7162 §3.2), and what it may read."""

    async def test_nothing_that_happened_is_nothing_told(self) -> None:
        account, box = await self.filled(SEEN, 0)
        now = await self.status(account)
        told = await self.messages.changes(box, since=now.highestmodseq, uidnext=3)
        assert told is not None
        assert ([*told.arrived], [*told.changed], [*told.expunged]) == ([], [], [])
        assert (told.highestmodseq, told.uidnext, told.messages) == (now.highestmodseq, 3, 2)

    async def test_arrivals_changes_and_removals_are_told_once_each(self) -> None:
        account, box = await self.filled(SEEN, 0, 0)
        since = (await self.status(account)).highestmodseq
        await self.change(box, [(2, 2)], "add", FLAGGED)
        await self.messages.append(box, [await self.appending(b"4"), await self.appending(b"5")])
        await self.change(box, [(5, 5)], "add", 0, "word")
        await self.messages.expunge(box, [(1, 1), (4, 4)], deleted_only=False)
        told = await self.messages.changes(box, since=since, uidnext=4)
        assert told is not None
        assert told.changed == [Alike(2, 2, FLAGGED, None, since + 1)]
        assert (told.came, told.further) == (1, None)
        assert told.arrived == [Marked(5, 0, "word", since + 3)]
        assert told.expunged == [1]
        assert (told.highestmodseq, told.uidnext, told.messages) == (since + 4, 6, 3)
        assert await self.messages.vanished(box, modseq=since, uids=[(1, 3)]) == [(1, 1)]

    async def test_what_changed_since_a_MODSEQ_is_found_among_those_asked_for(self) -> None:
        account, box = await self.filled(0, 0, 0, 0)
        since = (await self.status(account)).highestmodseq
        await self.change(box, [(1, 1), (3, 3)], "add", SEEN)
        await self.messages.append(box, [await self.appending(b"5"), await self.appending(b"6")])
        found = await self.messages.since(box, modseq=since, uids=[(2, 5)])
        assert found == [Marked(3, SEEN, None, since + 1), Marked(5, 0, None, since + 2)]
        assert [mark.uid for mark in await self.messages.since(box, modseq=1, uids=ALL)] == [1, 2, 3, 4, 5, 6]
        assert await self.messages.since(box, modseq=since + 2, uids=ALL) == []

    async def test_very_many_changes_are_told_by_and_by(self) -> None:
        account, box = await self.filled(*[0] * 60)
        since = (await self.status(account)).highestmodseq
        for first in (1, 2):
            await self.change(box, [(uid, uid) for uid in range(first, 61, 2)], "add", FLAGGED, f"word{first}")
        await self.messages.append(box, [await self.appending(b"%d" % number) for number in range(50)])
        await self.messages.expunge(box, [(31, 62)], deleted_only=False)
        with pytest.MonkeyPatch.context() as patch:
            for name, most in (("FEW", 3), ("MARKS_AT_ONCE", 10), ("MOST_ARRIVED", 20)):
                patch.setattr(news, name, most)
            told = await self.messages.changes(box, since=since, uidnext=61)
            assert told is not None
            found, further = [*told.changed], told.further
            while further is not None:
                marks, further = await self.messages.changed(box, after=further, upto=told.highestmodseq, below=61)
                found += marks
            removed = await self.messages.removed(box, since=since, first_uid=30, below=50)
            gone = await self.messages.vanished(box, modseq=since, uids=[(1, 40), (61, 99)])
        told_of = [uid for mark in found for uid in range(mark.first, mark.last + 1)]
        assert sorted(uid for uid in told_of if uid <= 30) == [*range(1, 31)]
        assert {mark.keywords for mark in found[:10]} == {"word1"}
        assert (told.came, [mark.uid for mark in told.arrived]) == (48, [*range(91, 111)])
        assert [*told.expunged] == [*range(31, 61)]
        assert removed is not None
        assert ([*removed.uids], removed.highestmodseq) == ([*range(31, 50)], told.highestmodseq)
        assert gone == [(31, 40), (61, 62)]

    async def test_what_changed_since_a_MODSEQ_is_found_slice_by_slice(self) -> None:
        account, box = await self.filled(*[0] * 40)
        since = (await self.status(account)).highestmodseq
        for uid in (3, 4, 9, 20, 22, 24):
            await self.change(box, [(uid, uid)], "add", FLAGGED, f"word{uid}")
        await self.change(box, [(30, 33)], "add", SEEN)
        await self.messages.append(box, [await self.appending(b"41")])
        changed = [3, 4, 9, 20, 22, 24, 30, 31, 32, 33, 41]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(looking, "AT_ONCE", 2)
            for limit in (1, 2, 3, 99):
                found: list[int] = []
                while rows := await self.messages.since(
                    box, modseq=since, uids=[(found[-1] + 1 if found else 1, 99)], limit=limit
                ):
                    found += [row.uid for row in rows]
                assert found == changed
            some = await self.messages.since(box, modseq=since, uids=[(4, 8), (21, 31)])
        assert [row.uid for row in some] == [4, 22, 24, 30, 31]
        whole = await self.messages.since(box, modseq=since, uids=ALL)
        assert [row.uid for row in whole] == changed
        assert (whole[1].keywords, whole[-2].flags) == ("word4", SEEN)

    async def test_what_vanished_longer_ago_than_is_remembered_is_told_by_its_absence(self) -> None:
        account, box = await self.filled(*[0] * 6)
        since = (await self.status(account)).highestmodseq
        for uid in (2, 3, 5):
            await self.messages.expunge(box, [(uid, uid)], deleted_only=False)
        await self.forget_expunged(1)
        assert await self.messages.vanished(box, modseq=since, uids=[(1, 3), (5, 99)]) == [(2, 3), (5, 5)]
        assert await self.messages.vanished(box, modseq=since + 2, uids=ALL) == [(5, 5)]
        assert await self.messages.changes(box, since=since, uidnext=7) is None
        assert await self.messages.changes(box, since=since + 2, uidnext=7) is not None

    async def test_the_tail_is_the_last_so_many_below_a_UID(self) -> None:
        _, box = await self.filled(0, SEEN, 0, FLAGGED, 0)
        marks = await self.look(box)
        assert [mark.uid for mark in marks] == [1, 2, 3, 4, 5]
        assert await self.messages.tail(box, below=5, count=2) == marks[2:4]
        assert await self.messages.tail(box, below=5, first_uid=2) == marks[1:4]
        assert await self.messages.tail(box, below=5, first_uid=4, count=9) == marks[3:4]

    async def test_lasting_parts_octets_and_what_exists_are_given_by_UID_up_to_a_limit(self) -> None:
        _, box = await self.filled(*[0] * 5)
        await self.messages.append(box, [await self.appending(b"l" * 2 * self.inline_limit)])
        await self.messages.expunge(box, [(2, 2)], deleted_only=False)
        assert await self.messages.existing(box, [(1, 3), (5, 1 << 32)]) == [(1, 1), (3, 3), (5, 6)]
        assert await self.messages.existing(box, ALL) == [(1, 1), (3, 6)]
        assert [row.uid for row in await self.messages.stored(box, ALL, limit=2)] == [1, 3]
        assert await self.messages.octets(box, [(1, 3)], limit=9) == [(1, 3, b"1\r\n", False), (3, 3, b"3\r\n", False)]
        assert await self.messages.octets(box, ALL, limit=1) == [(1, 3, b"1\r\n", False)]
        assert await self.messages.octets(box, [(6, 6)]) == [(6, 2 * self.inline_limit, None, False)]

    async def test_any_part_of_a_message_is_read(self) -> None:
        account = await self.new_account()
        box = await self.box(account)
        contents = [b"0123456789", bytes(range(256)) * (self.inline_limit // 64)]
        for uid, content in enumerate(contents, 1):
            await self.accept(content, account)
            whole = prefix(account) + content
            assert await self.octets(box, uid) == whole
            length = len(prefix(account))
            for offset, count in ((0, 5), (5, 20), (length - 2, 4), (length, 7), (length + 3, 1 << 40), (1 << 40, 9)):
                assert await self.octets(box, uid, offset, count) == whole[offset : offset + count]
            assert await self.octets(box, uid, length + 5) == content[5:]
        with pytest.raises(MessageGone):
            await self.octets(box, 3)

    async def test_recent_messages_are_taken_once(self) -> None:
        account, box = await self.filled(0, 0)
        assert await self.messages.take_recent(box) == 1
        assert await self.messages.take_recent(box) == 3
        await self.messages.copy(box, [(1, 1)], box)
        assert await self.messages.take_recent(box) == 3
        assert await self.messages.take_recent(box) == 4
        assert (await self.status(account)).messages == 3

    async def test_the_first_unseen_message_is_found(self) -> None:
        _, box = await self.filled(SEEN, SEEN, 0, 0)
        reader = await self.new_account()
        await self.messages.expunge(box, [(1, 1)], deleted_only=False)
        assert await self.messages.first_unseen(box) == (2, 3)
        assert await self.messages.first_unseen(box, reader=reader) == (1, 2)
        await self.change(box, ALL, "add", SEEN)
        assert await self.messages.first_unseen(box) is None
