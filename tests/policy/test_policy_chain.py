"""The chain, and what each built-in check refuses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve, field
from zope.interface.verify import verifyObject

from worldmail.config.settings import PolicySettings, Settings
from worldmail.config.units import network
from worldmail.errors import (
    ConfigurationError,
    MailLoop,
    MessageTooLarge,
    NotPermitted,
    OverQuota,
    Refusal,
    RelayDenied,
    TemporaryFailure,
    TooManyRequests,
)
from worldmail.interfaces.directory import Account
from worldmail.interfaces.plugin import Foundations
from worldmail.interfaces.policy import (
    Asker,
    IPolicy,
    IPolicyCheck,
    MessageRequest,
    PolicyRequest,
    RecipientRequest,
    SenderRequest,
)
from worldmail.mail.address import Address
from worldmail.mail.envelope import Envelope, Recipient
from worldmail.policy.bounds import HopsCheck, QuotaCheck, SizeCheck
from worldmail.policy.chain import PolicyChain, policy_chain
from worldmail.policy.rates import RatesCheck
from worldmail.policy.relay import RelayCheck
from worldmail.policy.senders import SendersCheck
from worldmail.queue.routes import RouteTable
from worldmail.testing.feeding import settle
from worldmail.testing.world import MemoryWorld
from worldmail.wire.networks import NetworkSet
from worldmail.wire.ready import Ready


@define
class Check:
    """Notes that it was asked, then does something."""

    name: str
    act: Callable[[], Awaitable[None] | None] = field(default=lambda: None)
    requests: tuple[type[Any], ...] = (SenderRequest,)
    asked: list[PolicyRequest] = field(factory=list)

    def check(self, request: PolicyRequest) -> Awaitable[None] | None:
        """See the test."""
        self.asked.append(request)
        return self.act()


def fail(error: Exception) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


def fail_later(error: Exception) -> Callable[[], Awaitable[None]]:
    async def act() -> None:
        raise error

    return act


def asker(account: Account | None = None) -> Asker:
    return Asker(session="s1", role="mx", client="192.0.2.1", helo="a.test", tls=False, account=account)


def sender(address: str | None, account: Account | None = None) -> SenderRequest:
    parsed = None if address is None else Address.parse(address)
    return SenderRequest(asker=asker(account), sender=parsed, size=None)


def recipient(
    world: MemoryWorld, address: str, account: Account | None = None, size: int | None = None
) -> RecipientRequest:
    parsed = Address.parse(address)
    return RecipientRequest(
        asker=asker(account),
        sender=None,
        recipient=Recipient(address=parsed),
        resolution=settle(world.directory.resolve(parsed)),
        count=0,
        size=size,
    )


def message(header: bytes, account: Account | None = None) -> MessageRequest:
    return MessageRequest(asker=asker(account), envelope=Envelope(sender=None), header=header, size=100)


def ask(chain: Any, request: PolicyRequest) -> None:
    waiting = (chain.ask if hasattr(chain, "ask") else chain.check)(request)
    if waiting is not None:
        settle(waiting)


def test_a_chain_is_a_policy() -> None:
    assert verifyObject(IPolicy, PolicyChain([], MemoryWorld.make().journal))


@pytest.mark.parametrize("ready", [None, Ready(None)])
def test_checks_are_asked_in_order_about_what_they_want(ready: Awaitable[None] | None) -> None:
    first, second = Check("first", lambda: ready), Check("second", lambda: ready)
    other = Check("other", requests=(MessageRequest,))
    chain = PolicyChain([first, other, second], MemoryWorld.make().journal)
    ask(chain, sender("a@a.test"))
    assert (len(first.asked), len(second.asked), len(other.asked)) == (1, 1, 0)


def test_nothing_waits_where_every_check_settles_at_once() -> None:
    chain = PolicyChain([Check("one"), Check("two")], MemoryWorld.make().journal)
    assert chain.ask(sender("a@a.test")) is None
    assert chain.ask(message(b"")) is None


@pytest.mark.parametrize("way", [fail, fail_later])
def test_the_first_refusal_counts_and_names_its_check_in_the_reason(way: Callable[[Exception], Any]) -> None:
    last = Check("last")
    chain = PolicyChain(
        [Check("one", lambda: Ready(None)), Check("no", way(NotPermitted())), last], MemoryWorld.make().journal
    )
    with pytest.raises(NotPermitted) as caught:
        ask(chain, sender("a@a.test"))
    assert caught.value.reason == "no: Not permitted"
    assert last.asked == []


@pytest.mark.parametrize("way", [fail, fail_later])
def test_a_check_that_breaks_decides_nothing(way: Callable[[Exception], Any]) -> None:
    journal = MemoryWorld.make().journal
    chain = PolicyChain([Check("broken", way(ZeroDivisionError()))], journal)
    with pytest.raises(TemporaryFailure):
        ask(chain, sender("a@a.test"))
    assert [name for name, _ in journal.failures] == ["policy.check-failed"]


def foundations(world: MemoryWorld, **policy: Any) -> Foundations:
    return Foundations(
        settings=evolve(Settings(), policy=PolicySettings(**policy)),
        data=Path(),
        reactor=None,
        clock=world.clock,
        journal=world.journal,
        database=None,  # type: ignore[arg-type]  # no check touches it
        changes=None,  # type: ignore[arg-type]
        directory=world.directory,
        mailboxes=world.mailboxes,
        routes=RouteTable.of(()),  # type: ignore[arg-type]  # which answers as the current ones do
    )


def test_the_built_in_checks_come_by_the_plugin_door() -> None:
    world = MemoryWorld.make()
    bob = world.add_account("bob@example.test")
    chain = policy_chain(foundations(world))
    with pytest.raises(RelayDenied):
        ask(chain, recipient(world, "x@else.test"))
    with pytest.raises(NotPermitted):
        ask(chain, sender("eve@else.test", bob))
    with pytest.raises(MailLoop):
        ask(chain, message(b"Received: x\r\n" * 51))
    ask(chain, recipient(world, "bob@example.test"))


def test_a_check_can_be_switched_off() -> None:
    world = MemoryWorld.make()
    bob = world.add_account("bob@example.test")
    ask(policy_chain(foundations(world, disabled=("senders",))), sender("eve@else.test", bob))


def test_a_check_that_is_not_there_is_a_mistake_in_the_configuration() -> None:
    with pytest.raises(ConfigurationError):
        policy_chain(foundations(MemoryWorld.make(), order=("nonsense",)))


def test_every_built_in_check_is_a_check() -> None:
    world = MemoryWorld.make()
    for check in (
        RelayCheck(),
        SendersCheck(world.directory),
        SizeCheck(),
        HopsCheck(50),
        QuotaCheck(world.mailboxes, permanent=False),
        RatesCheck(world.clock, 1, 1),
    ):
        assert verifyObject(IPolicyCheck, check)


@pytest.mark.parametrize(
    "address",
    ["x@else.test", "x@EXAMPLE.test.else.test", "bob%else.test@else.test", "x@[192.0.2.1]", "x@sub.backup.test"],
)
def test_strangers_relay_nothing(address: str) -> None:
    world = MemoryWorld.make()
    bob = world.add_account("bob@example.test")
    world.directory.relayed.append("backup.test")
    for check in (RelayCheck(), RelayCheck(NetworkSet([network("198.51.100.0/24")]))):
        with pytest.raises(RelayDenied):
            ask(check, recipient(world, address))
        ask(check, recipient(world, address, bob))
    ask(RelayCheck(NetworkSet([network("192.0.2.0/28")])), recipient(world, address))


@pytest.mark.parametrize(
    "address", ["mixed@example.test", "away@example.test", "chain@example.test", "x@backup.test", "x@BACKUP.test"]
)
def test_strangers_go_where_aliases_of_ours_lead_and_to_domains_that_we_relay_for(address: str) -> None:
    world = MemoryWorld.make()
    world.add_account("bob@example.test")
    world.directory.relayed.append("backup.test")
    world.add_alias("mixed@example.test", "bob@example.test", "x@else.test")
    world.add_alias("away@example.test", "x@else.test")
    world.add_alias("chain@example.test", "away@example.test", "x@else.test")
    ask(RelayCheck(), recipient(world, address))


def test_the_networks_of_the_check_are_a_setting() -> None:
    world = MemoryWorld.make()
    chain = policy_chain(foundations(world, relay_networks=(network("192.0.2.0/28"),)))
    ask(chain, recipient(world, "x@else.test"))
    with pytest.raises(RelayDenied):
        ask(
            policy_chain(foundations(world, relay_networks=(network("192.0.2.128/28"),))),
            recipient(world, "x@else.test"),
        )


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        (None, True),
        ("bob@example.test", True),
        ("BOB@Example.Test", True),
        ("bob+tag@example.test", True),
        ("sales@example.test", True),
        ("alice@example.test", False),
        ("bob@else.test", False),
        ("nobody@example.test", False),
    ],
)
def test_users_send_as_themselves(address: str | None, allowed: bool) -> None:
    world = MemoryWorld.make()
    bob = world.add_account("bob@example.test")
    world.add_account("alice@example.test")
    world.add_alias("sales@example.test", "bob@example.test")
    check = SendersCheck(world.directory)
    ask(check, sender(address))
    if allowed:
        ask(check, sender(address, bob))
    else:
        with pytest.raises(NotPermitted):
            ask(check, sender(address, bob))


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        (b"From: bob@example.test\r\n", True),
        (b"From: Bob <bob@example.test>\r\nSender: bob+x@example.test\r\n", True),
        (b"From: bob\r\n", True),
        (b"Subject: x\r\n", True),
        (b"From: alice@example.test\r\n", False),
        (b"From: bob@example.test, alice@example.test\r\n", False),
        (b"From: bob@example.test\r\nSender: alice@example.test\r\n", False),
        (b"From: bob@example.test\r\nFrom: alice@example.test\r\n", False),
        (b"From: bob@example.test\r\nFROM : bob@example.test\r\n", False),
        (b"From : alice@example.test\r\n", False),
        (b"From:\r\n alice@example.test\r\n", False),
        (b'From: "bob@example.test" <alice@example.test>\r\n', False),
        (b"From: alice@example.test (bob@example.test)\r\n", False),
        (b"From: <bob@example.test> <alice@example.test>\r\n", False),
        (b"From: bob@example.test <alice@example.test>\r\n", False),
        (b"From: group: alice@example.test;\r\n", False),
        (b"From: <@example.test:alice@example.test>\r\n", False),
        (b"From: \xff <bob@example.test>\r\n", False),
        (b"From: bob@example.test\0\r\n", False),
        (b"Resent-From: alice@example.test\r\nFrom: bob@example.test\r\n", False),
    ],
)
def test_users_write_as_themselves(header: bytes, allowed: bool) -> None:
    world = MemoryWorld.make()
    bob = world.add_account("bob@example.test")
    world.add_account("alice@example.test")
    check = SendersCheck(world.directory)
    ask(check, message(header))
    if allowed:
        ask(check, message(header, bob))
    else:
        with pytest.raises(NotPermitted):
            ask(check, message(header, bob))


def test_a_declared_size_over_the_recipients_limit_is_refused() -> None:
    world = MemoryWorld.make()
    world.add_account("small@example.test", max_message=100)
    ask(SizeCheck(), recipient(world, "small@example.test", size=100))
    ask(SizeCheck(), recipient(world, "small@example.test"))
    with pytest.raises(MessageTooLarge):
        ask(SizeCheck(), recipient(world, "small@example.test", size=101))


def test_too_many_hops_are_a_loop() -> None:
    check = HopsCheck(10)
    ask(check, message(b"Received: x\r\n" * 10 + b"Subject: received received received\r\n"))
    with pytest.raises(MailLoop):
        ask(check, message(b"RECEIVED : x\r\n y\r\n" * 11))


@pytest.mark.parametrize(("permanent", "code"), [(False, "452 4.2.2"), (True, "552 5.2.2")])
def test_a_full_mailbox_is_refused_as_the_site_says(permanent: bool, code: str) -> None:
    world = MemoryWorld.make()
    full = world.add_account("full@example.test", quota=100)
    world.mailboxes.add(full.id, b"x" * 60)
    world.mailboxes.add(full.id, b"x" * 30, name="Sent")
    check = QuotaCheck(world.mailboxes, permanent=permanent)
    ask(check, recipient(world, "full@example.test", size=10))
    ask(check, recipient(world, "full@example.test"))
    with pytest.raises(OverQuota) as caught:
        ask(check, recipient(world, "full@example.test", size=11))
    assert f"{caught.value.reply_code} {caught.value.reply_enhanced}" == code
    world.mailboxes.add(full.id, b"x" * 10)
    with pytest.raises(OverQuota):
        ask(check, recipient(world, "full@example.test"))


def test_postmaster_is_never_full() -> None:
    world = MemoryWorld.make()
    full = world.add_account("postmaster@example.test", quota=1)
    world.mailboxes.add(full.id, b"x" * 60)
    ask(QuotaCheck(world.mailboxes, permanent=False), recipient(world, "PostMaster@example.test"))


def test_an_account_without_a_quota_costs_no_look_at_the_store() -> None:
    world = MemoryWorld.make()
    world.add_account("bob@example.test")
    world.mailboxes.fail = TemporaryFailure()
    assert QuotaCheck(world.mailboxes, permanent=False).check(recipient(world, "bob@example.test")) is None


def test_rates_of_an_account_end_and_come_back() -> None:
    world = MemoryWorld.make()
    bob, alice = world.add_account("bob@example.test"), world.add_account("alice@example.test")
    check = RatesCheck(world.clock, messages=2, recipients=3)

    def code(request: PolicyRequest) -> int:
        try:
            ask(check, request)
        except Refusal as refusal:
            assert isinstance(refusal, TooManyRequests)
            return refusal.reply_code
        return 250

    assert [code(message(b"", bob)) for _ in range(3)] == [250, 250, 450]
    assert [code(recipient(world, "bob@example.test", bob)) for _ in range(4)] == [250, 250, 250, 450]
    assert code(message(b"", alice)) == 250
    assert [code(message(b"")) for _ in range(5)] == [250] * 5
    world.clock.advance(3599)
    assert code(message(b"", bob)) == 450
    world.clock.advance(1801)
    assert [code(message(b"", bob)), code(message(b"", bob))] == [250, 450]
    world.clock.advance(7200)
    assert [code(message(b"", bob)) for _ in range(3)] == [250, 250, 450]
