"""The contract of `IAcceptance`, `IContentWriter` and `ITrace`."""

from __future__ import annotations

import hashlib
import json

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred, DeferredList
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from worldmail.errors import OverQuota, RecipientGone, TakenElsewhere
from worldmail.interfaces.store import (
    Acceptance,
    Handover,
    IAcceptance,
    IContentWriter,
    IMailboxStore,
    ITrace,
    StagedContent,
)
from worldmail.mail.address import Address
from worldmail.mail.envelope import Delivery, Envelope, Facts, Origin, Recipient

SENDER = Address.parse("sender@example.test")
ORIGIN = Origin(session="session-1", protocol="ESMTP", client="192.0.2.1", helo="client.example")


class StoreCase(TestCase):
    """A store with accounts to deliver to. Set all attributes in `setUp`.

    `inline_limit` is the largest message that the acceptance keeps in the database.
    """

    acceptance: IAcceptance
    mailboxes: IMailboxStore
    trace: ITrace
    inline_limit: int

    async def new_account(self, quota: int | None = None) -> int:
        """Make an account with its first mailboxes; its id."""
        raise AssertionError("to be overridden")

    async def accept(
        self,
        content: bytes,
        *accounts: int,
        mailbox: str = "INBOX",
        sender: Address | None = SENDER,
        prepend: bytes = b"",
        local: str = "rcpt{}",
        about: str | None = None,
        handover: Handover | None = None,
        origin: Origin = ORIGIN,
    ) -> Acceptance:
        """Deliver a message to the INBOXes of these accounts, as rcpt<account>@example.test."""
        writer = self.acceptance.writer()
        for start in range(0, len(content), 65536):
            writer.write(content[start : start + 65536])
            if writer.behind():
                await writer.caught_up()
        recipients = tuple(
            Recipient(address=Address.parse(f"{local.format(account)}@example.test")) for account in accounts
        )
        acceptance = Acceptance(
            id=self.acceptance.new_id(),
            received=1_700_000_000,
            envelope=Envelope(sender=sender, recipients=recipients),
            origin=origin,
            content=await writer.finish(prepend),
            deliveries=tuple(
                Delivery(account_id=account, mailbox=mailbox, recipient=recipient)
                for account, recipient in zip(accounts, recipients, strict=True)
            ),
            message_id="<1@client.example>",
            about=about,
            handover=handover,
        )
        await self.acceptance.accept(acceptance)
        return acceptance

    async def texts(self, account: int, mailbox: str = "INBOX") -> list[bytes]:
        """Every message of a mailbox as a client gets it."""
        status = await self.mailboxes.status(account, mailbox)
        assert status is not None
        messages = await self.mailboxes.messages(status.id)
        return [b"".join([chunk async for chunk in self.mailboxes.content(message)]) for message in messages]


def prefix(account: int, sender: str = "sender@example.test") -> bytes:
    """What the store puts before the content."""
    return f"Return-Path: <{sender}>\r\nDelivered-To: rcpt{account}@example.test\r\n".encode()


class AcceptanceContract(StoreCase):
    """What was accepted is there, whole, for everyone it was for."""

    async def test_it_provides_its_interfaces(self) -> None:
        assert verifyObject(IAcceptance, self.acceptance)
        assert verifyObject(IContentWriter, self.acceptance.writer())
        assert verifyObject(ITrace, self.trace)

    async def test_an_accepted_message_is_in_the_mailbox_with_return_path_and_delivered_to(self) -> None:
        account = await self.new_account()
        await self.accept(b"Subject: x\r\n\r\ntext\r\n", account)
        assert await self.texts(account) == [prefix(account) + b"Subject: x\r\n\r\ntext\r\n"]

    async def test_the_null_reverse_path_is_an_empty_return_path(self) -> None:
        account = await self.new_account()
        await self.accept(b"x\r\n", account, sender=None)
        assert await self.texts(account) == [prefix(account, "") + b"x\r\n"]

    async def test_each_recipient_gets_the_content_under_its_own_address(self) -> None:
        accounts = [await self.new_account() for _ in range(3)]
        await self.accept(b"for all\r\n", *accounts)
        for account in accounts:
            assert await self.texts(account) == [prefix(account) + b"for all\r\n"]

    async def test_it_goes_into_the_mailbox_that_the_delivery_names(self) -> None:
        account = await self.new_account()
        await self.accept(b"x\r\n", account, mailbox="Junk")
        assert await self.texts(account) == []
        assert await self.texts(account, "Junk") == [prefix(account) + b"x\r\n"]

    async def test_content_of_every_size_comes_back_octet_for_octet(self) -> None:
        account = await self.new_account()
        limit = self.inline_limit
        contents = [
            bytes(range(256)) * (size // 256) + b"x" * (size % 256) for size in (0, 1, limit, limit + 1, 3 << 20)
        ]
        for content in contents:
            acceptance = await self.accept(content, account)
            assert acceptance.content.size == len(content)
            assert isinstance(acceptance.content, StagedContent)
            assert acceptance.content.digest == hashlib.sha256(content).digest()
        assert await self.texts(account) == [prefix(account) + content for content in contents]

    async def test_what_finish_prepends_is_in_front_and_counted(self) -> None:
        account = await self.new_account()
        for content in (b"small\r\n", b"large\r\n" * self.inline_limit):
            acceptance = await self.accept(content, account, prepend=b"Received: x\r\n")
            whole = b"Received: x\r\n" + content
            assert isinstance(acceptance.content, StagedContent)
            assert acceptance.content.digest == hashlib.sha256(whole).digest()
            assert (await self.texts(account))[-1] == prefix(account) + whole

    async def test_chunks_are_of_bounded_size(self) -> None:
        account = await self.new_account()
        await self.accept(b"x" * (2 << 20), account)
        status = await self.mailboxes.status(account, "INBOX")
        assert status is not None
        (message,) = await self.mailboxes.messages(status.id)
        sizes = [len(chunk) async for chunk in self.mailboxes.content(message)]
        assert max(sizes) <= 300 * 1024
        assert sum(sizes) == message.size

    async def test_an_account_over_its_quota_refuses_and_nothing_is_stored(self) -> None:
        small, other = await self.new_account(quota=1000), await self.new_account()
        await self.accept(b"x" * 500, small)
        with pytest.raises(OverQuota):
            await self.accept(b"y" * 500, other, small)
        assert len(await self.texts(small)) == 1
        assert await self.texts(other) == []

    async def test_mail_for_postmaster_is_taken_in_spite_of_a_quota(self) -> None:
        full = await self.new_account(quota=1000)
        for _ in range(2):
            await self.accept(b"x" * 900, full, local="Postmaster")
        with pytest.raises(OverQuota):
            await self.accept(b"y", full)
        assert len(await self.texts(full)) == 2

    async def test_an_account_that_is_gone_refuses_and_nothing_is_stored(self) -> None:
        account = await self.new_account()
        with pytest.raises(RecipientGone):
            await self.accept(b"x", account, 999_999)
        assert await self.texts(account) == []

    async def test_what_a_relay_hands_over_is_known_by_its_id_and_not_accepted_again(self) -> None:
        one, other = await self.new_account(), await self.new_account()
        handover, another = Handover(relay="relay.test", message="Q1"), Handover(relay="relay.test", message="Q2")
        assert await self.acceptance.arrived(handover) == frozenset()
        await self.accept(b"first\r\n", one, handover=handover)
        assert await self.acceptance.arrived(handover) == {f"rcpt{one}@example.test"}
        with pytest.raises(TakenElsewhere):
            await self.accept(b"again\r\n", other, one, handover=handover)
        assert await self.texts(other) == []
        assert await self.acceptance.arrived(handover) == {f"rcpt{one}@example.test"}
        await self.accept(b"the rest\r\n", other, handover=handover)
        await self.accept(b"another\r\n", one, other, handover=another)
        await self.accept(b"of another\r\n", one, handover=Handover(relay="relay2.test", message="Q1"))
        assert [len(await self.texts(account)) for account in (one, other)] == [3, 2]

    async def test_two_sessions_that_take_the_same_message_at_once_do_not_both_store_it(self) -> None:
        account = await self.new_account()
        handover = Handover(relay="relay.test", message="Q1")
        both = [Deferred.fromCoroutine(self.accept(b"x\r\n", account, handover=handover)) for _ in range(2)]
        results = [done for done, _ in await DeferredList(both, consumeErrors=True)]
        assert sorted(results) == [False, True]
        assert len(await self.texts(account)) == 1

    async def test_what_was_refused_did_not_arrive(self) -> None:
        full, handover = await self.new_account(quota=10), Handover(relay="relay.test", message="Q1")
        with pytest.raises(OverQuota):
            await self.accept(b"x" * 500, full, handover=handover)
        assert await self.acceptance.arrived(handover) == frozenset()

    async def test_acceptance_ids_are_16_characters_unique_and_ordered(self) -> None:
        ids = [self.acceptance.new_id() for _ in range(1000)]
        assert {len(number) for number in ids} == {16}
        assert sorted(set(ids)) == ids

    async def test_an_aborted_writer_may_be_aborted_again(self) -> None:
        for size in (10, 2 << 20):
            writer = self.acceptance.writer()
            writer.write(b"x" * size)
            writer.abort()
            writer.abort()
            writer.write(b"more")

    async def test_a_message_is_traced_by_id_addresses_and_message_id(self) -> None:
        account = await self.new_account()
        acceptance = await self.accept(b"x\r\n", account)
        other = await self.accept(b"y\r\n", await self.new_account())
        for key in (acceptance.id, f"RCPT{account}@Example.test"):
            assert [record.acceptance for record in await self.trace.find(key)] == [acceptance.id]
        for key in ("sender@example.test", "<1@client.example>", "1@client.example"):
            assert [record.acceptance for record in await self.trace.find(key)] == [acceptance.id, other.id]
        assert await self.trace.find("nobody@example.test") == []
        assert [record.acceptance for record in await self.trace.find("<1@client.example>", 1)] == [other.id]

    async def test_what_a_server_before_us_told_is_traced_and_its_id_finds_the_message(self) -> None:
        account = await self.new_account()
        told = Facts(client="192.0.2.9", helo="far.test", protocol="ESMTP", id="R1", since=1_699_999_999)
        accepted = await self.accept(b"x\r\n", account, origin=evolve(ORIGIN, told=told))
        [record] = await self.trace.find("R1")
        assert record.acceptance == accepted.id
        detail = json.loads(record.detail)
        said = {name: value for name, value in detail.items() if name.startswith("before")}
        assert said == {
            "before_id": "R1",
            "before_at": 1_699_999_999,
            "before_client": "192.0.2.9",
            "before_helo": "far.test",
            "before_protocol": "ESMTP",
        }

    async def test_mail_without_a_sender_is_traced_by_an_empty_pair_of_brackets(self) -> None:
        account = await self.new_account()
        acceptance = await self.accept(b"x\r\n", account, sender=None)
        await self.accept(b"y\r\n", account)
        assert [record.acceptance for record in await self.trace.find("<>")] == [acceptance.id]

    async def test_with_a_message_comes_the_trace_of_a_report_on_it(self) -> None:
        acceptance = await self.accept(b"x\r\n", await self.new_account())
        report = await self.accept(b"y\r\n", await self.new_account(), about=acceptance.id)
        assert [record.acceptance for record in await self.trace.find(acceptance.id)] == [acceptance.id, report.id]
        assert [record.acceptance for record in await self.trace.find(report.id)] == [report.id]
