"""What routes refuse is refused at RCPT."""

from __future__ import annotations

import pytest
from zope.interface.verify import verifyObject

from worldmail.errors import Refusal
from worldmail.interfaces.policy import Asker, IPolicyCheck, RecipientRequest
from worldmail.interfaces.queue import Route, Via
from worldmail.mail.address import Address
from worldmail.mail.envelope import Recipient
from worldmail.policy.routes import RoutesCheck
from worldmail.testing.feeding import settle
from worldmail.testing.queue import TestRoutes
from worldmail.testing.world import MemoryWorld

BOSS = Route(name="boss", domain="far.test", sender="boss@example.test", via=Via.MX)
NO = Route(name="no", domain="far.test", via=Via.REFUSE, text="Not from here")


def asked(world: MemoryWorld, recipient: str, *routes: Route, sender: str | None = "bob@example.test") -> str:
    """What the check says to this recipient."""
    current = TestRoutes()
    current.set(*routes)
    address = Address.parse(recipient)
    request = RecipientRequest(
        asker=Asker(session="s1", role="mx", client="192.0.2.1", helo="a.test", tls=False, account=None),
        sender=None if sender is None else Address.parse(sender),
        recipient=Recipient(address=address),
        resolution=settle(world.directory.resolve(address)),
        count=0,
    )
    check = RoutesCheck(current)
    assert verifyObject(IPolicyCheck, check)
    try:
        assert check.check(request) is None
    except Refusal as refusal:
        return f"{refusal.reply_code} {refusal.reply_enhanced} {refusal.reply_text}"
    return ""


def site() -> MemoryWorld:
    world = MemoryWorld.make()
    world.add_account("bob@example.test")
    world.directory.relayed.append("far.test")
    return world


@pytest.mark.parametrize("address", ["x@far.test", "x@FAR.test"])
@pytest.mark.parametrize("sender", ["bob@example.test", "x@else.test", None])
def test_a_recipient_whose_route_refuses_is_refused_with_its_text(address: str, sender: str | None) -> None:
    assert asked(site(), address, NO, BOSS, sender=sender) == "550 5.7.1 Not from here"


def test_the_route_is_that_of_sender_and_domain() -> None:
    assert asked(site(), "x@far.test", NO, BOSS, sender="boss@example.test") == ""
    assert asked(site(), "x@else.test", NO) == asked(site(), "x@far.test") == ""


def test_mailboxes_here_and_aliases_that_lead_there_are_not_refused_here() -> None:
    world = site()
    world.add_alias("away@example.test", "x@far.test")
    world.add_alias("mixed@example.test", "x@far.test", "bob@example.test")
    everything = Route(name="all", via=Via.REFUSE, text="Nothing")
    for address in ("bob@example.test", "away@example.test", "mixed@example.test"):
        assert asked(world, address, NO, everything) == ""


def test_domains_of_other_letters_are_asked_for_in_A_labels() -> None:
    route = Route(name="no", domain="xn--bcher-kva.test", via=Via.REFUSE)
    assert asked(site(), "x@b\u00fccher.test", route) == "550 5.7.1 Not permitted"
