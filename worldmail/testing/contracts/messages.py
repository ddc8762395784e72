"""The contract of `IMessages`: flags and keywords."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from zope.interface.verify import verifyObject

from worldmail.errors import LimitReached, NoSuchMailbox
from worldmail.interfaces.messages import (
    Alike,
    Appending,
    FlagChange,
    IMessages,
    Marked,
    There,
    Uids,
)
from worldmail.interfaces.store import MailboxStatus
from worldmail.testing.contracts.acceptance import StoreCase

How = Literal["add", "remove", "replace"]

SEEN, ANSWERED, FLAGGED, DELETED, DRAFT = 1, 2, 4, 8, 16
ALL = [(1, 1 << 32)]


class MessagesCase(StoreCase):
    """A store whose `messages` are looked at; what `set_domain_quota` and the others do is the database's matter."""

    messages: IMessages

    async def set_domain_quota(self, quota: int | None) -> None:
        """Give the domain of all accounts a quota, or take it."""
        raise AssertionError("to be overridden")

    async def counters(self, mailbox_id: int) -> tuple[int, int, int]:
        """How many messages are seen and deleted, and the octets of those, as the mailbox counts them."""
        raise AssertionError("to be overridden")

    async def forget_expunged(self, kept: int) -> None:
        """Let each mailbox remember so many expunged messages, if it has more."""
        raise AssertionError("to be overridden")

    async def close_account(self, account: int) -> None:
        """Begin to remove the account."""
        raise AssertionError("to be overridden")

    async def collect(self) -> None:
        """Remove content that nothing refers to, as if its grace were over."""
        raise AssertionError("to be overridden")

    async def box(self, account: int, name: str = "INBOX") -> int:
        """The id of a mailbox."""
        return (await self.status(account, name)).id

    async def status(self, account: int, name: str = "INBOX") -> MailboxStatus:
        """A mailbox, which is there."""
        status = await self.mailboxes.status(account, name)
        assert status is not None
        return status

    async def appending(
        self, content: bytes, flags: int = 0, *keywords: str, received: int | None = None, reader: int | None = None
    ) -> Appending:
        """What `append` takes."""
        writer = self.acceptance.writer()
        writer.write(content)
        staged = await writer.finish()
        return Appending(content=staged, flags=flags, keywords=keywords, received=received, reader=reader)

    async def filled(self, *flags: int, name: str = "INBOX", account: int | None = None) -> tuple[int, int]:
        """An account, and a mailbox of it with a message for each of these sets of flags."""
        account = await self.new_account() if account is None else account
        box = await self.box(account, name)
        if flags:
            await self.messages.append(box, [await self.appending(b"%d\r\n" % n, f) for n, f in enumerate(flags, 1)])
        return account, box

    async def look(self, box: int, reader: int | None = None) -> list[Marked]:
        """What all messages show."""
        return [*await self.messages.tail(box, below=1 << 40, reader=reader)]

    async def flags(self, box: int, reader: int | None = None) -> dict[int, int]:
        """The flags of all messages."""
        return {mark.uid: mark.flags for mark in await self.look(box, reader)}

    async def change(self, box: int, uids: Uids, how: How, flags: int = 0, *keywords: str, **more: Any) -> None:
        """`change_flags`."""
        await self.messages.change_flags(box, uids, FlagChange(how=how, flags=flags, keywords=keywords, **more))

    async def octets(self, box: int, uid: int, offset: int = 0, length: int | None = None) -> bytes:
        """What `read` gives."""
        return b"".join([chunk async for chunk in self.messages.read(box, uid, offset, length)])


class FlagsContract(MessagesCase):
    """Flags and keywords (RFC 9051 §2.3.2, §6.4.6), MODSEQs (RFC 7162 §3.1)."""

    async def test_it_provides_its_interface(self) -> None:
        assert verifyObject(IMessages, self.messages)

    async def test_flags_are_added_removed_and_replaced(self) -> None:
        _, box = await self.filled(SEEN, 0)
        await self.change(box, ALL, "add", FLAGGED)
        assert await self.flags(box) == {1: SEEN | FLAGGED, 2: FLAGGED}
        await self.change(box, [(1, 1)], "remove", FLAGGED | DRAFT)
        assert await self.flags(box) == {1: SEEN, 2: FLAGGED}
        await self.change(box, [(2, 2)], "replace", ANSWERED | DELETED)
        assert await self.flags(box) == {1: SEEN, 2: ANSWERED | DELETED}

    async def test_what_changes_shares_one_new_MODSEQ_and_what_does_not_keeps_its_own(self) -> None:
        account, box = await self.filled(SEEN, 0, 0)
        before = (await self.status(account)).highestmodseq
        done = await self.messages.change_flags(box, [(1, 2), (9, 12)], FlagChange(how="add", flags=SEEN))
        assert (done.previous, done.modseq) == (before, before + 1)
        assert done.uids == [1, 2]
        assert done.now == [Alike(1, 1, SEEN, None, before), Alike(2, 2, SEEN, None, before + 1)]
        assert done.modified == []
        assert (await self.status(account)).highestmodseq == before + 1

    async def test_a_change_that_changes_nothing_takes_no_MODSEQ(self) -> None:
        account, box = await self.filled(SEEN)
        before = await self.status(account)
        done = await self.messages.change_flags(box, ALL, FlagChange(how="add", flags=SEEN))
        assert (done.previous, done.modseq) == (before.highestmodseq, before.highestmodseq)
        assert await self.status(account) == before

    async def test_what_is_known_to_be_there_is_believed_until_something_happens(self) -> None:
        account, box = await self.filled(SEEN, 0, 0)
        known = There(modseq=(await self.status(account)).highestmodseq, uids=[1, 2, 3])
        change = FlagChange(how="add", flags=FLAGGED)
        done = await self.messages.change_flags(box, ALL, change, known)
        assert (done.previous, done.modseq, [*done.uids]) == (known.modseq, known.modseq + 1, [1, 2, 3])
        assert await self.flags(box) == {1: SEEN | FLAGGED, 2: FLAGGED, 3: FLAGGED}
        await self.messages.expunge(box, [(2, 2)], deleted_only=False)
        done = await self.messages.change_flags(box, ALL, FlagChange(how="remove", flags=FLAGGED), known)
        assert [*done.uids] == [1, 3]
        known = There(modseq=done.modseq, uids=[1, 3])
        done = await self.messages.change_flags(box, ALL, FlagChange(how="add", flags=SEEN | DELETED), known)
        assert await self.flags(box) == {1: SEEN | DELETED, 3: SEEN | DELETED}
        seen, deleted, octets = await self.counters(box)
        assert (seen, deleted) == (2, 2)
        assert octets > 0

    async def test_messages_that_changed_since_a_MODSEQ_are_left_alone_and_named(self) -> None:
        account, box = await self.filled(0, 0, 0)
        known = (await self.status(account)).highestmodseq
        await self.change(box, [(2, 2)], "add", FLAGGED)
        change = FlagChange(how="add", flags=SEEN, unchanged_since=known)
        done = await self.messages.change_flags(box, ALL, change)
        assert done.modified == [2]
        assert done.uids == [1, 3]
        assert [(alike.first, alike.last) for alike in done.now] == [(1, 1), (3, 3)]
        assert await self.flags(box) == {1: SEEN, 2: FLAGGED, 3: SEEN}

    async def test_only_allowed_flags_change(self) -> None:
        _, box = await self.filled(DELETED | SEEN)
        await self.change(box, ALL, "replace", FLAGGED | DRAFT, allowed=SEEN | FLAGGED)
        assert await self.flags(box) == {1: DELETED | FLAGGED}
        await self.change(box, ALL, "add", FLAGGED, "word", keywords_allowed=False)
        assert (await self.look(box))[0].keywords is None
        assert await self.messages.keywords(box) == []

    async def test_keywords_have_the_spelling_in_which_they_came_first(self) -> None:
        _, box = await self.filled(0, 0)
        await self.change(box, [(1, 1)], "add", 0, "$Forwarded", "Red")
        await self.change(box, [(2, 2)], "add", 0, "RED", "blue")
        assert [mark.keywords for mark in await self.look(box)] == ["$Forwarded Red", "Red blue"]
        await self.change(box, ALL, "remove", 0, "red", "unheard-of")
        assert [mark.keywords for mark in await self.look(box)] == ["$Forwarded", "blue"]
        await self.change(box, ALL, "replace", 0, "BLUE")
        assert [mark.keywords for mark in await self.look(box)] == ["blue", "blue"]
        assert await self.messages.keywords(box) == ["$Forwarded", "blue", "Red"]

    async def test_a_mailbox_has_128_keywords_of_100_octets_and_those_in_use_count(self) -> None:
        _, box = await self.filled(0, 0)
        await self.change(box, [(1, 1)], "add", 0, *(f"a{number}" for number in range(127)), "l" * 100)
        with pytest.raises(LimitReached):
            await self.change(box, [(2, 2)], "add", SEEN, "more")
        with pytest.raises(LimitReached):
            await self.change(box, [(1, 1)], "replace", 0, "l" * 101)
        assert await self.flags(box) == {1: 0, 2: 0}
        await self.change(box, [(1, 1)], "remove", 0, "a7")
        await self.change(box, [(2, 2)], "add", 0, "more")
        assert len(await self.messages.keywords(box)) == 128

    async def test_what_is_seen_and_deleted_is_counted(self) -> None:
        account, box = await self.filled(SEEN, SEEN | DELETED, 0)
        assert await self.counters(box) == (2, 1, 3)
        await self.change(box, [(2, 3)], "replace", DELETED)
        assert await self.counters(box) == (1, 2, 6)
        await self.messages.copy(box, [(1, 2)], box)
        assert await self.counters(box) == (2, 3, 9)
        await self.messages.expunge(box, ALL, deleted_only=True)
        assert await self.counters(box) == (2, 0, 0)
        await self.mailboxes.expunge(box, [1])
        assert await self.counters(box) == (1, 0, 0)
        await self.messages.move(box, ALL, await self.box(account, "Trash"))
        assert await self.counters(box) == (0, 0, 0)
        assert await self.counters(await self.box(account, "Trash")) == (1, 0, 0)

    async def test_each_reader_of_anothers_mailbox_has_its_own_seen(self) -> None:
        account, box = await self.filled(SEEN, FLAGGED)
        one, two = await self.new_account(), await self.new_account()
        before = (await self.status(account)).highestmodseq
        assert await self.flags(box, one) == {1: 0, 2: FLAGGED}
        done = await self.messages.change_flags(box, [(2, 2)], FlagChange(how="add", flags=SEEN | DRAFT, reader=one))
        assert [mark.flags for mark in done.now] == [SEEN | FLAGGED | DRAFT]
        assert await self.flags(box, one) == {1: 0, 2: SEEN | FLAGGED | DRAFT}
        assert await self.flags(box, two) == {1: 0, 2: FLAGGED | DRAFT}
        assert await self.flags(box) == {1: SEEN, 2: FLAGGED | DRAFT}
        await self.change(box, ALL, "add", SEEN, reader=two)
        await self.change(box, ALL, "remove", SEEN, reader=one)
        assert await self.flags(box, two) == {1: SEEN, 2: SEEN | FLAGGED | DRAFT}
        assert await self.flags(box, one) == {1: 0, 2: FLAGGED | DRAFT}
        assert await self.flags(box) == {1: SEEN, 2: FLAGGED | DRAFT}
        assert await self.counters(box) == (1, 0, 0)
        assert (await self.status(account)).highestmodseq == before + 3

    async def test_a_reader_is_told_when_its_own_seen_changes(self) -> None:
        account, box = await self.filled(0, 0)
        reader = await self.new_account()
        since = (await self.status(account)).highestmodseq
        await self.change(box, [(2, 2)], "add", SEEN, reader=reader)
        for who, flags in ((reader, SEEN), (None, 0)):
            changed = await self.messages.changes(box, since=since, uidnext=3, reader=who)
            assert changed is not None
            assert changed.changed == [Alike(2, 2, flags, None, since + 1)]
            told = await self.messages.since(box, modseq=since, uids=ALL, reader=who)
            assert told == [Marked(2, flags, None, since + 1)]

    async def test_thousands_of_scattered_messages_change_at_once(self) -> None:
        account, box = await self.filled(*[0] * 2600)
        odd = [(uid, uid) for uid in range(1, 2601, 2)]
        await self.change(box, odd, "add", FLAGGED)
        await self.change(box, ALL, "add", SEEN)
        assert await self.flags(box) == {uid: SEEN | FLAGGED * (uid % 2) for uid in range(1, 2601)}
        some, before = [1, 2, 3, 4, 101, 2600, 9000], [0, 1, 2, 3, 100, 2599, 2600]
        since = (await self.status(account)).highestmodseq
        assert await self.messages.below(box, some, since=since) == before
        assert await self.messages.below(box, [101, 9000], since=since, first_uid=4) == [97, 2597]
        gone = await self.messages.expunge(box, odd, deleted_only=False)
        assert gone == odd
        assert await self.messages.existing(box, ALL) == [(uid, uid) for uid in range(2, 2601, 2)]
        since = (await self.status(account)).highestmodseq
        assert await self.messages.below(box, some, since=since) == [0, 0, 1, 1, 50, 1299, 1300]
        assert await self.messages.below(box, list(range(2, 2601, 2)), since=since) == list(range(1300))
        assert await self.messages.below(box, [], since=since) == []
        assert await self.messages.below(box, [101, 2600], since=since, first_uid=4) == [49, 1298]
        assert await self.messages.below(box, some, since=since - 1) == before, "what was removed after that counts"
        assert await self.counters(box) == (1300, 0, 0)

    async def test_nothing_changes_in_a_mailbox_that_is_gone(self) -> None:
        account, box = await self.filled(0)
        other, target = await self.filled(0)
        await self.close_account(account)
        for gone in (box, 999_999):
            for attempt in (
                self.messages.append(gone, [await self.appending(b"x")]),
                self.messages.copy(target, ALL, gone),
                self.messages.move(target, ALL, gone),
                self.messages.copy(gone, ALL, target),
                self.messages.expunge(gone, ALL, deleted_only=False),
                self.messages.replace(target, 1, gone, await self.appending(b"x")),
                self.messages.change_flags(gone, ALL, FlagChange(how="add", flags=SEEN)),
            ):
                with pytest.raises(NoSuchMailbox):
                    await attempt
            assert await self.messages.changes(gone, since=1, uidnext=1) is None
        assert (await self.status(other)).messages == 1
