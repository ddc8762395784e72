"""The contract of `IMessages`, continued: what comes into a mailbox and goes from it."""

from __future__ import annotations

import pytest

from worldmail.errors import MessageGone, NoSuchMailbox, OverQuota
from worldmail.interfaces.messages import FlagChange, Marked
from worldmail.testing.contracts.acceptance import prefix
from worldmail.testing.contracts.messages import ALL, DELETED, DRAFT, FLAGGED, SEEN, MessagesCase


class CopiesContract(MessagesCase):
    """APPEND, COPY, MOVE, REPLACE, EXPUNGE (RFC 9051 §6.3.12, §6.4, RFC 6851, RFC 8508), and quotas (RFC 9208)."""

    async def test_appended_messages_have_the_next_UIDs_their_flags_and_their_octets(self) -> None:
        account, box = await self.filled(0)
        before = await self.status(account)
        large = b"large\r\n" * self.inline_limit
        messages = [
            await self.appending(b"one\r\n", SEEN, "$Junk", received=5),
            await self.appending(large),
            await self.appending(b"", DELETED),
        ]
        done = await self.messages.append(box, messages)
        assert (done.uidvalidity, done.uids) == (before.uidvalidity, [(2, 4)])
        after = await self.status(account)
        modseq = before.highestmodseq + 1
        assert (after.uidnext, after.highestmodseq, after.messages) == (5, modseq, 4)
        assert after.octets == before.octets + 5 + len(large)
        assert (await self.look(box))[1:] == [
            Marked(2, SEEN, "$Junk", modseq),
            Marked(3, 0, None, modseq),
            Marked(4, DELETED, None, modseq),
        ]
        stored = await self.messages.stored(box, [(2, 4)])
        assert stored[0].received == 5
        assert stored[1].received == stored[1].saved == stored[0].saved
        assert [row.size for row in stored] == [5, len(large), 0]
        assert [await self.octets(box, uid) for uid in (2, 3, 4)] == [b"one\r\n", large, b""]

    async def test_an_account_appends_to_its_own_mailboxes_by_name(self) -> None:
        account, box = await self.filled(0)
        done = await self.messages.append_own(account, "INBOX", [await self.appending(b"own\r\n", SEEN)])
        assert (done.mailbox_id, done.uids) == (box, [(2, 2)])
        assert await self.flags(box) == {1: 0, 2: SEEN}
        after = await self.status(account)
        assert after.messages == 2
        for name in ("Nowhere", "inbox", "\x01"):
            with pytest.raises(NoSuchMailbox):
                await self.messages.append_own(account, name, [await self.appending(b"x")])
        assert await self.status(account) == after

    async def test_the_same_octets_are_kept_once_however_they_come(self) -> None:
        account, box = await self.filled()
        large = b"same\r\n" * self.inline_limit
        await self.accept(large, account)
        await self.messages.append(box, [await self.appending(large), await self.appending(large)])
        assert len({row.content_id for row in await self.messages.stored(box, ALL)}) == 1
        assert await self.octets(box, 3) == large

    async def test_an_appender_that_is_not_the_owner_has_seen_it_for_itself(self) -> None:
        _, box = await self.filled()
        reader = await self.new_account()
        await self.messages.append(box, [await self.appending(b"x", SEEN | DRAFT, reader=reader)])
        assert await self.flags(box, reader) == {1: SEEN | DRAFT}
        assert await self.flags(box) == {1: DRAFT}

    async def test_copies_have_flags_keywords_and_date_and_the_UIDs_are_told_in_order(self) -> None:
        account, box = await self.filled(SEEN, DELETED, 0, FLAGGED)
        await self.change(box, [(4, 4)], "add", 0, "Word")
        await self.messages.expunge(box, [(2, 2)], deleted_only=False)
        target = await self.box(account, "Trash")
        await self.messages.append(target, [await self.appending(b"x", 0, "WORD")])
        before = await self.status(account)
        done = await self.messages.copy(box, [(1, 2), (4, 9)], target)
        assert await self.status(account) == before
        after = await self.status(account, "Trash")
        assert (done.uidvalidity, done.source, done.target) == (after.uidvalidity, [(1, 1), (4, 4)], [(2, 3)])
        modseq = after.highestmodseq
        assert (await self.look(target))[1:] == [Marked(2, SEEN, None, modseq), Marked(3, FLAGGED, "WORD", modseq)]
        assert [await self.octets(target, uid) for uid in (2, 3)] == [b"1\r\n", b"4\r\n"]
        sources, copies = await self.messages.stored(box, ALL), await self.messages.stored(target, ALL)
        assert [row.content_id for row in copies[1:]] == [sources[0].content_id, sources[2].content_id]
        assert [row.received for row in copies[1:]] == [sources[0].received, sources[2].received]

    async def test_a_delivered_message_is_copied_with_its_prefix(self) -> None:
        account = await self.new_account()
        await self.accept(b"x\r\n", account)
        box, target = await self.box(account), await self.box(account, "Trash")
        await self.messages.copy(box, ALL, target)
        assert await self.octets(target, 1) == prefix(account) + b"x\r\n"
        assert await self.messages.prefixes(target, ALL) == [(1, prefix(account))]

    async def test_copying_nothing_changes_nothing(self) -> None:
        account, box = await self.filled(0)
        target = await self.status(account, "Trash")
        done = await self.messages.copy(box, [(5, 9)], target.id)
        assert ([*done.source], [*done.target]) == ([], [])
        assert await self.status(account, "Trash") == target

    async def test_a_mailbox_may_be_copied_into_itself(self) -> None:
        account, box = await self.filled(SEEN, 0)
        done = await self.messages.copy(box, ALL, box)
        assert (done.source, done.target) == ([(1, 2)], [(3, 4)])
        assert await self.flags(box) == {1: SEEN, 2: 0, 3: SEEN, 4: 0}
        assert (await self.status(account)).messages == 4

    async def test_only_allowed_flags_are_copied(self) -> None:
        account, box = await self.filled(SEEN | DELETED | FLAGGED)
        await self.change(box, ALL, "add", 0, "word")
        target = await self.box(account, "Trash")
        allowed = FlagChange(how="replace", allowed=FLAGGED | SEEN, keywords_allowed=False)
        await self.messages.copy(box, ALL, target, flags=allowed)
        assert [(mark.flags, mark.keywords) for mark in await self.look(target)] == [(SEEN | FLAGGED, None)]

    async def test_a_reader_takes_its_own_seen_along_and_leaves_the_owners(self) -> None:
        _, shared = await self.filled(SEEN, 0)
        reader, own = await self.filled()
        await self.change(shared, [(2, 2)], "add", SEEN, reader=reader)
        who = FlagChange(how="replace", reader=reader)
        await self.messages.copy(shared, ALL, own, flags=who)
        assert await self.flags(own) == {1: 0, 2: SEEN}
        await self.messages.copy(own, ALL, shared, flags=who)
        assert await self.flags(shared) == {1: SEEN, 2: 0, 3: 0, 4: 0}
        assert await self.flags(shared, reader) == {1: 0, 2: SEEN, 3: 0, 4: SEEN}
        assert await self.counters(shared) == (1, 0, 0)

    async def test_what_is_moved_is_in_one_place_and_its_content_stays(self) -> None:
        account, box = await self.filled(SEEN, 0, FLAGGED)
        target = await self.box(account, "Trash")
        before = await self.status(account)
        done = await self.messages.move(box, [(2, 3)], target)
        assert (done.source, done.target) == ([(2, 3)], [(1, 2)])
        after = await self.status(account)
        assert (after.messages, after.octets, after.highestmodseq) == (1, 3, before.highestmodseq + 1)
        assert await self.messages.vanished(box, modseq=before.highestmodseq, uids=ALL) == [(2, 3)]
        assert await self.flags(target) == {1: 0, 2: FLAGGED}
        await self.collect()
        assert [await self.octets(target, uid) for uid in (1, 2)] == [b"2\r\n", b"3\r\n"]

    async def test_a_message_may_be_moved_within_its_mailbox(self) -> None:
        account, box = await self.filled(SEEN, 0)
        done = await self.messages.move(box, [(1, 1)], box)
        assert (done.source, done.target) == ([(1, 1)], [(3, 3)])
        assert await self.flags(box) == {2: 0, 3: SEEN}
        assert ((await self.status(account)).messages, await self.counters(box)) == (2, (1, 0, 0))

    async def test_expunging_takes_what_is_deleted_and_only_that(self) -> None:
        account, box = await self.filled(DELETED, 0, DELETED, SEEN | DELETED)
        before = (await self.status(account)).highestmodseq
        assert await self.messages.expunge(box, [(2, 3)], deleted_only=True) == [(3, 3)]
        assert await self.messages.expunge(box, ALL, deleted_only=True) == [(1, 1), (4, 4)]
        assert await self.messages.expunge(box, ALL, deleted_only=True) == []
        assert await self.flags(box) == {2: 0}
        after = await self.status(account)
        assert (after.highestmodseq, after.messages, after.octets) == (before + 2, 1, 3)
        await self.collect()
        assert await self.octets(box, 2) == b"2\r\n"

    async def test_a_message_is_replaced_by_another_at_once(self) -> None:
        account, box = await self.filled(SEEN, 0)
        drafts = await self.box(account, "Drafts")
        done = await self.messages.replace(box, 1, box, await self.appending(b"new\r\n", DRAFT))
        assert done.uids == [(3, 3)]
        assert await self.flags(box) == {2: 0, 3: DRAFT}
        await self.messages.replace(box, 3, drafts, await self.appending(b"newer\r\n", DRAFT))
        assert await self.flags(box) == {2: 0}
        assert await self.octets(drafts, 1) == b"newer\r\n"
        with pytest.raises(MessageGone):
            await self.messages.replace(box, 3, drafts, await self.appending(b"newest\r\n"))
        assert (await self.status(account, "Drafts")).messages == 1

    async def test_an_accounts_quota_is_kept_by_appending_and_copying(self) -> None:
        account = await self.new_account(quota=100)
        box, trash = await self.box(account), await self.box(account, "Trash")
        await self.messages.append(box, [await self.appending(b"x" * 60)])
        for attempt in (
            self.messages.append(box, [await self.appending(b"y" * 20), await self.appending(b"z" * 21)]),
            self.messages.copy(box, ALL, trash),
            self.messages.append(trash, [await self.appending(b"l" * 3 * self.inline_limit)]),
        ):
            with pytest.raises(OverQuota):
                await attempt
        assert ((await self.status(account)).messages, (await self.status(account, "Trash")).messages) == (1, 0)
        await self.messages.move(box, ALL, trash)
        await self.messages.replace(trash, 1, trash, await self.appending(b"n" * 100))
        assert (await self.status(account, "Trash")).octets == 100

    async def test_a_domains_quota_is_kept_by_all_that_adds_and_removals_make_room(self) -> None:
        one, two = await self.new_account(), await self.new_account()
        first, second = await self.box(one), await self.box(two)
        await self.messages.append(first, [await self.appending(b"x" * 600)])
        await self.set_domain_quota(1000)
        for attempt in (
            self.messages.append(second, [await self.appending(b"y" * 401)]),
            self.messages.copy(first, ALL, second),
            self.accept(b"z" * 401, two),
        ):
            with pytest.raises(OverQuota):
                await attempt
        await self.messages.move(first, ALL, second)
        await self.messages.append(first, [await self.appending(b"y" * 400)])
        await self.mailboxes.expunge(second, [1])
        await self.accept(b"z" * 401, two)
        await self.set_domain_quota(None)
        await self.messages.append(first, [await self.appending(b"x" * 600)])
        await self.set_domain_quota(1600)
        with pytest.raises(OverQuota):
            await self.accept(b"z" * 200, one)
