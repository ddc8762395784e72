"""What would wait in a hold that is full is refused for now at RCPT."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest
from attrs import define, evolve, field
from zope.interface import implementer
from zope.interface.verify import verifyObject

from worldmail.errors import Refusal, TemporaryFailure
from worldmail.interfaces.holds import Hold, HoldLoad, IHoldLoads
from worldmail.interfaces.policy import Asker, IPolicyCheck, RecipientRequest
from worldmail.mail.address import Address
from worldmail.mail.envelope import Recipient
from worldmail.policy.holds import HoldsCheck
from worldmail.queue.routes import RouteTable
from worldmail.testing.feeding import settle
from worldmail.testing.world import MemoryWorld
from worldmail.wire.ready import Ready

FULL = "452 4.2.2 Too much mail waits for this site, try again later"
SHOP = Hold(name="shop", domains=("shop.test", ".shop.test"))


@implementer(IHoldLoads)
@define
class Loads:
    """So much waits."""

    messages: int = 0
    octets: int = 0
    failure: Refusal | None = None
    taken: list[tuple[str, int]] = field(factory=list)

    def load(self, name: str) -> Awaitable[HoldLoad]:
        if self.failure is not None:
            raise self.failure
        return Ready(HoldLoad(messages=self.messages, octets=self.octets, oldest=0))

    def took(self, name: str, octets: int) -> None:
        self.taken.append((name, octets))


@define
class Routes:
    """Holds, and what waits in them."""

    table: RouteTable
    loads: Loads

    def holding(self, domain: str) -> Hold | None:
        return self.table.holding(domain)


def asked(hold: Hold, loads: Loads, recipient: str = "x@shop.test", size: int | None = None, count: int = 0) -> str:
    """What is said to this recipient."""
    world = MemoryWorld.make()
    world.directory.relayed += ["shop.test", "north.shop.test", "else.test"]
    address = Address.parse(recipient)
    request = RecipientRequest(
        asker=Asker(session="s1", role="mx", client="192.0.2.1", helo="a.test", tls=False, account=None),
        sender=None,
        recipient=Recipient(address=address),
        resolution=settle(world.directory.resolve(address)),
        count=count,
        size=size,
    )
    check = HoldsCheck(Routes(RouteTable.of((), (hold,)), loads))  # type: ignore[arg-type]
    assert verifyObject(IPolicyCheck, check)
    try:
        waiting = check.check(request)
        if waiting is not None:
            settle(waiting)
    except Refusal as refusal:
        return f"{refusal.reply_code} {refusal.reply_enhanced} {refusal.reply_text}"
    return ""


@pytest.mark.parametrize("recipient", ["x@shop.test", "x@north.shop.test"])
def test_a_hold_takes_as_many_messages_as_it_may(recipient: str) -> None:
    hold = evolve(SHOP, messages=10)
    assert asked(hold, Loads(messages=9), recipient) == ""
    assert asked(hold, Loads(messages=10), recipient) == FULL


@pytest.mark.parametrize(
    ("octets", "size", "said"), [(900, 100, ""), (900, 101, FULL), (999, None, ""), (1000, None, FULL), (2000, 0, FULL)]
)
def test_a_hold_takes_as_many_octets_as_it_may(octets: int, size: int | None, said: str) -> None:
    assert asked(evolve(SHOP, most=1000), Loads(octets=octets), size=size) == said


def test_what_is_taken_counts_at_once_and_once_for_the_message() -> None:
    loads, hold = Loads(), evolve(SHOP, most=1000)
    for count in range(5):
        assert asked(hold, loads, size=70, count=count) == ""
    assert loads.taken == [("shop", 70)]


def test_others_are_not_counted() -> None:
    loads = Loads(messages=99, octets=9999, failure=TemporaryFailure())
    for hold in (SHOP, evolve(SHOP, most=1, messages=1, enabled=False)):
        assert asked(hold, loads) == ""
    assert asked(evolve(SHOP, most=1), loads, "x@else.test") == ""


def test_while_it_cannot_be_counted_mail_waits_with_its_sender() -> None:
    assert asked(evolve(SHOP, most=1), Loads(failure=TemporaryFailure()))[:3] == "451"
