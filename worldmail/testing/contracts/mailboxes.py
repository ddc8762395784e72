"""The contract of `IMailboxStore` and of the store as `IAccountParticipant`."""

from __future__ import annotations

from zope.interface.verify import verifyObject

from worldmail.interfaces.store import IMailboxStore, MailboxStatus
from worldmail.testing.contracts.acceptance import StoreCase, prefix


class MailboxStoreContract(StoreCase):
    """Counters, UIDs and MODSEQs are what IMAP promises its clients (RFC 9051 §2.3.1, RFC 7162 §3.1)."""

    async def inbox(self, account: int) -> MailboxStatus:
        """The status of an account's INBOX."""
        status = await self.mailboxes.status(account, "INBOX")
        assert status is not None
        return status

    async def test_it_provides_its_interface(self) -> None:
        assert verifyObject(IMailboxStore, self.mailboxes)

    async def test_a_new_account_has_its_five_mailboxes(self) -> None:
        account = await self.new_account()
        found = {box.name: box.special_use for box in await self.mailboxes.mailboxes(account)}
        assert found == {"INBOX": None, "Sent": "\\Sent", "Drafts": "\\Drafts", "Trash": "\\Trash", "Junk": "\\Junk"}

    async def test_an_unknown_mailbox_has_no_status(self) -> None:
        account = await self.new_account()
        assert await self.mailboxes.status(account, "None") is None
        assert await self.mailboxes.status(999999, "INBOX") is None

    async def test_INBOX_is_found_in_any_case(self) -> None:
        account = await self.new_account()
        assert await self.mailboxes.status(account, "inBox") == await self.inbox(account)
        assert await self.mailboxes.status(account, "\u0131nbox") is None  # its capital is I as well

    async def test_an_empty_mailbox_counts_nothing(self) -> None:
        status = await self.inbox(await self.new_account())
        assert (status.messages, status.octets, status.uidnext) == (0, 0, 1)
        assert await self.mailboxes.messages(status.id) == []

    async def test_no_two_mailboxes_share_a_UIDVALIDITY(self) -> None:
        accounts = [await self.new_account() for _ in range(2)]
        boxes = [box for account in accounts for box in await self.mailboxes.mailboxes(account)]
        assert len({box.uidvalidity for box in boxes}) == len(boxes)

    async def test_messages_get_growing_UIDs_and_MODSEQs_and_are_counted(self) -> None:
        account = await self.new_account()
        before = await self.inbox(account)
        for content in (b"1", b"22", b"333"):
            await self.accept(content, account)
        status = await self.inbox(account)
        rows = await self.mailboxes.messages(status.id)
        assert [row.uid for row in rows] == [1, 2, 3]
        assert status.uidnext == 4
        assert [row.size - len(prefix(account)) for row in rows] == [1, 2, 3]
        assert (status.messages, status.octets) == (3, sum(row.size for row in rows))
        modseqs = [row.arrived for row in rows]
        assert sorted(set(modseqs)) == modseqs
        assert modseqs[0] > before.highestmodseq
        assert status.highestmodseq == modseqs[-1]

    async def test_messages_may_be_listed_from_a_UID_on(self) -> None:
        account = await self.new_account()
        for content in (b"1", b"22", b"333"):
            await self.accept(content, account)
        box = (await self.inbox(account)).id
        rows = await self.mailboxes.messages(box)
        assert await self.mailboxes.messages(box, 2) == rows[1:]

    async def test_expunging_removes_counts_and_remembers(self) -> None:
        account = await self.new_account()
        for content in (b"1", b"22", b"333"):
            await self.accept(content, account)
        before = await self.inbox(account)
        rows = await self.mailboxes.messages(before.id)
        assert await self.mailboxes.expunge(before.id, {1, 3, 77}) == frozenset({1, 3})
        after = await self.inbox(account)
        assert await self.mailboxes.messages(before.id) == rows[1:2]
        assert (after.messages, after.octets, after.uidnext) == (1, rows[1].size, before.uidnext)
        assert after.highestmodseq > before.highestmodseq
        assert await self.mailboxes.expunged_since(before.id, before.highestmodseq) == [1, 3]
        assert await self.mailboxes.expunged_since(before.id, after.highestmodseq) == []

    async def test_expunging_nothing_changes_nothing(self) -> None:
        status = await self.inbox(await self.new_account())
        assert await self.mailboxes.expunge(status.id, []) == frozenset()
        assert await self.mailboxes.expunge(status.id, [5]) == frozenset()
        assert await self.inbox(status.account_id) == status

    async def test_a_UID_is_never_given_twice(self) -> None:
        account = await self.new_account()
        await self.accept(b"1", account)
        box = (await self.inbox(account)).id
        await self.mailboxes.expunge(box, [1])
        await self.accept(b"2", account)
        assert [row.uid for row in await self.mailboxes.messages(box)] == [2]

    async def test_content_in_two_mailboxes_outlives_the_removal_from_one(self) -> None:
        first, second = await self.new_account(), await self.new_account()
        await self.accept(b"shared\r\n", first, second)
        await self.mailboxes.expunge((await self.inbox(first)).id, [1])
        assert await self.texts(second) == [prefix(second) + b"shared\r\n"]

    async def test_a_maildrop_is_locked_once_until_it_is_released(self) -> None:
        account, other = await self.new_account(), await self.new_account()
        lock = await self.mailboxes.lock_maildrop(account)
        assert lock is not None
        assert lock.held()
        assert await self.mailboxes.lock_maildrop(account) is None
        assert await self.mailboxes.lock_maildrop(other) is not None
        lock.release()
        lock.release()
        assert not lock.held()
        again = await self.mailboxes.lock_maildrop(account)
        assert again is not None
        lock.release()
        assert await self.mailboxes.lock_maildrop(account) is None, "a lock that was given back gives nothing back"
