"""What the policy says of the recipients of sites, and of what sites hand in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from attrs import evolve, frozen
from zope.interface import implementer

from tests.policy.test_policy_chain import ask, message, recipient
from worldmail.errors import MessageTooLarge, NotPermitted, OverQuota
from worldmail.interfaces.directory import Elsewhere, Resolution
from worldmail.interfaces.holds import Hold
from worldmail.interfaces.pairs import End, IPairs, Pair
from worldmail.interfaces.policy import RecipientRequest
from worldmail.mail.address import Address
from worldmail.policy.bounds import QuotaCheck, SizeCheck
from worldmail.policy.senders import SendersCheck
from worldmail.testing.world import MemoryWorld


def told(most: int | None, room: int | None, size: int | None) -> RecipientRequest:
    """For a recipient of a relay domain whose site told this of it."""
    world = MemoryWorld.make()
    made = recipient(world, "a@site.test", size=size)
    end = Elsewhere(address=Address.parse("a@site.test"), relayed=True, listed=True, most=most, room=room)
    return evolve(made, resolution=Resolution(address=end.address, destinations=(end,)))


def test_what_a_site_told_of_its_recipient_holds_as_if_the_mailbox_was_here() -> None:
    ask(SizeCheck(), told(100, None, 100))
    ask(SizeCheck(), told(100, None, None))
    with pytest.raises(MessageTooLarge):
        ask(SizeCheck(), told(100, None, 101))
    check = QuotaCheck(MemoryWorld.make().mailboxes, permanent=True)
    assert check.check(told(None, None, 10**9)) is None
    assert check.check(told(None, 100, 100)) is None
    for room, size in ((100, 101), (0, None), (0, 0)):
        with pytest.raises(OverQuota) as caught:
            ask(check, told(None, room, size))
        assert (caught.value.reply_code, caught.value.reply_enhanced) == (552, "5.2.2")


class Waiting:
    """The hold of site.test, in which so much waits for a@site.test."""

    def __init__(self, octets: int) -> None:
        self.octets, self.taken, self.loads = octets, 0, self

    def holding(self, domain: str) -> Hold | None:
        return Hold(name="site", domains=(domain,)) if domain == "site.test" else None

    async def share(self, name: str, address: str) -> int:
        assert (name, address) == ("site", "a@site.test")
        return self.octets

    def took_for(self, name: str, address: str, octets: int) -> None:
        self.octets += octets


def test_what_waits_for_it_takes_of_the_room_that_it_was_said_to_have() -> None:
    routes: Any = Waiting(60)
    check = QuotaCheck(MemoryWorld.make().mailboxes, permanent=False, routes=routes)
    ask(check, told(None, 100, 30))
    for size in (11, 40):
        with pytest.raises(OverQuota):
            ask(check, told(None, 100, size))
    ask(check, told(None, 100, 10))
    with pytest.raises(OverQuota):
        ask(check, told(None, 100, None))
    ask(check, told(None, None, 10**9))


@implementer(IPairs)
@frozen
class OneSite:
    """bob@example.test is a site that has joined."""

    def site(self, account: str) -> Pair | None:
        pair = Pair(name="shop", end=End.RELAY, account="bob@example.test", domains=("shop.test",), joined=1)
        return pair if account == pair.account else None

    def relay(self, name: str) -> Pair | None:
        return None

    def pairs(self) -> Sequence[Pair]:
        return []


def test_a_site_sends_as_its_own_users_and_forwards_what_is_not_ours() -> None:
    world = MemoryWorld.make()
    bob, alice = world.add_account("bob@example.test"), world.add_account("alice@example.test")
    check = SendersCheck(world.directory, OneSite())
    for who in (b"a@shop.test", b"bob@example.test", b"x@far.test"):
        ask(check, message(b"From: " + who + b"\r\n", bob))
    with pytest.raises(NotPermitted):
        ask(check, message(b"From: alice@example.test\r\n", bob))
    for who in (b"a@shop.test", b"x@far.test"):
        with pytest.raises(NotPermitted):
            ask(check, message(b"From: " + who + b"\r\n", alice))
