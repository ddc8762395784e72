"""A hold for all that lies below a domain takes mail for it, from everybody."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from attrs import evolve

from worldmail.errors import RelayDenied
from worldmail.interfaces.holds import Hold
from worldmail.interfaces.policy import Asker, RecipientRequest
from worldmail.mail.address import Address
from worldmail.mail.envelope import Recipient
from worldmail.policy.relay import RelayCheck
from worldmail.testing.feeding import settle
from worldmail.testing.queue import TestRoutes
from worldmail.testing.world import MemoryWorld

SHOP = Hold(name="shop", domains=("shop.test", ".shop.test"))


def is_taken(recipient: str, holds: Sequence[Hold] = (SHOP,)) -> bool:
    """From a stranger."""
    world, routes = MemoryWorld.make(), TestRoutes()
    routes.set(holds=holds)
    address = Address.parse(recipient)
    request = RecipientRequest(
        asker=Asker(session="s1", role="mx", client="192.0.2.1", helo="a.test", tls=False, account=None),
        sender=None,
        recipient=Recipient(address=address),
        resolution=settle(world.directory.resolve(address)),
        count=0,
    )
    check = RelayCheck(routes=routes)
    try:
        assert check.check(request) is None
    except RelayDenied:
        return False
    return True


@pytest.mark.parametrize("recipient", ["ann@north.shop.test", "ann@a.b.SHOP.test", "postmaster@x.shop.test"])
def test_all_below_is_taken(recipient: str) -> None:
    assert is_taken(recipient)


@pytest.mark.parametrize(
    "recipient",
    [
        "ann@shop.test",  # that one is made a relay domain, or it is not taken
        "ann@workshop.test",
        "ann@else.test",
        "ann@test",
        "user%far.test@north.shop.test",
        "far.test!user@north.shop.test",
        '"user@far.test"@north.shop.test',
    ],
)
def test_nothing_else_is(recipient: str) -> None:
    assert not is_taken(recipient)


def test_a_hold_that_is_off_or_for_single_domains_takes_nothing() -> None:
    assert not is_taken("ann@north.shop.test", [evolve(SHOP, enabled=False)])
    assert not is_taken("ann@north.shop.test", [evolve(SHOP, domains=("north.shop.test",))])
    assert not is_taken("ann@north.shop.test", [evolve(SHOP, domains=(".test",))])


def test_a_single_domain_that_another_hold_names_is_that_ones() -> None:
    other = Hold(name="north", domains=("north.shop.test",))
    assert not is_taken("ann@north.shop.test", [SHOP, other])
    assert is_taken("ann@south.shop.test", [SHOP, other])
