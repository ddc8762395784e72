"""Holds that change while mail waits in them, or is on its way out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from attrs import evolve

from tests.queue.route_case import KEY
from worldmail.errors import TemporaryFailure
from worldmail.interfaces.directory import Account
from worldmail.interfaces.holds import Hold, Release
from worldmail.interfaces.outbound import Fate
from worldmail.interfaces.queue import Route, Selection, Standing, Via
from worldmail.interfaces.releases import NothingWaits, ReleaseRequest, TurnBusy, Wanted
from worldmail.mail.address import Address
from worldmail.queue.hold_admin import HoldAdmin
from worldmail.queue.releasing import SLICE
from worldmail.queue.turning import IN_FLIGHT, Turns
from worldmail.testing.outbound import LATER, no_connection
from worldmail.testing.queue import QueueSite
from worldmail.testing.real_store import settle

HELD = Standing.HELD.value
SHIP = Hold(name="ship", domains=("ship.test", "sea.test"), accounts=frozenset({"alice@example.test"}))
CAFE = Hold(name="cafe", domains=("cafe.test",), accounts=frozenset({"bob@example.test"}))
SENT = Hold(name="ship", domains=("ship.test",), release=Release.HOST, host="inner.test", port=25)


@pytest.fixture
def site() -> QueueSite:
    made = QueueSite.make()
    made.base.add_account("bob@example.test")
    made.routes.set(holds=(SHIP, CAFE))
    made.start()
    return made


def account(site: QueueSite, name: str) -> Account:
    found = settle(site.base.memory.directory.account(Address.parse(f"{name}@example.test")))
    assert found is not None
    return found


def turns_of(site: QueueSite) -> Turns:
    return site.node.queue.releases.turns


def begin(site: QueueSite, name: str = "alice", domains: Sequence[str] | None = None) -> Any:
    return settle(turns_of(site).begin(account(site, name), domains, "s"))


def ask(site: QueueSite, wanted: Wanted = Wanted.QUEUE, name: str = "ship") -> int:
    request = ReleaseRequest(wanted=wanted, name=name, session="s", client="192.0.2.7", account=account(site, "alice"))
    messages: int = settle(site.node.queue.releases.release(request)).messages
    return messages


def test_a_domain_that_moved_to_another_hold_is_not_fetched_by_who_had_it_before(site: QueueSite) -> None:
    site.accept("alice@example.test", "old@sea.test")
    site.accept("alice@example.test", "a@ship.test")
    site.routes.set(holds=(evolve(SHIP, domains=("ship.test",)), evolve(CAFE, domains=("cafe.test", "sea.test"))))
    begin(site)
    site.advance(1)
    assert [address for _, address in site.elsewhere.taken] == ["a@ship.test"]
    site.accept("alice@example.test", "new@sea.test")
    begin(site, "bob")
    site.advance(1)
    assert "new@sea.test" in [address for _, address in site.elsewhere.taken]
    assert not site.faults()


def test_a_domain_that_left_its_hold_is_still_fetched_from_it(site: QueueSite) -> None:
    site.accept("alice@example.test", "old@sea.test")
    site.routes.set(holds=(evolve(SHIP, domains=("ship.test",)), CAFE))
    site.elsewhere.stalls = True
    conversation = begin(site)
    site.accept("alice@example.test", "new@sea.test")
    site.advance(1)
    site.elsewhere.stalls = False
    site.elsewhere.fates["old@sea.test"] = [LATER]
    conversation.proceed()
    site.advance(1)
    assert site.queued() == [("old@sea.test", HELD), ("new@sea.test", Standing.LEASED.value)]


def test_where_all_is_to_be_sent_later_nothing_waits_now(site: QueueSite) -> None:
    later = int(site.clock.now()) + 3600
    site.accept("alice@example.test", "a@ship.test", not_before=later)
    with pytest.raises(NothingWaits):
        begin(site)
    site.advance(3601, 60)
    begin(site)
    site.advance(1)
    assert len(site.elsewhere.taken) == 1


def test_a_hold_that_is_removed_during_a_turn_keeps_what_was_not_taken(site: QueueSite) -> None:
    site.elsewhere.fates["b@ship.test"] = [LATER]
    for name in "abc":
        site.accept("alice@example.test", f"{name}@ship.test")
    site.elsewhere.stalls = True
    conversation = begin(site)
    site.routes.set(holds=(CAFE,))
    site.elsewhere.stalls = False
    conversation.proceed()
    site.advance(5)
    assert site.queued() == [("b@ship.test", HELD)]
    site.advance(3600, 60)
    assert site.queued() == [("b@ship.test", HELD)]
    assert not site.faults()


def test_a_release_that_breaks_off_leaves_nothing_that_nobody_finds(site: QueueSite) -> None:
    site.routes.set(holds=(evolve(SENT, accounts=SHIP.accounts),))
    for number in range(SLICE + 50):
        site.accept("bob@example.test", f"u{number}@ship.test")
    slices: list[object] = []

    def breaks(unit: Any) -> bool:
        if getattr(getattr(unit, "func", None), "__name__", "") == "_slice":
            slices.append(unit)
        return len(slices) == 2

    site.node.database.refuses = breaks
    with pytest.raises(TemporaryFailure):
        ask(site)
    site.node.database.refuses = lambda unit: False
    assert not site.faults()
    site.advance(30)
    assert len(site.elsewhere.taken) >= SLICE


def test_a_host_that_refuses_everything_loses_no_mail_that_waits_for_it(site: QueueSite) -> None:
    """Another may have the site's address today: what it says is nothing about the mail."""
    site.routes.set(holds=(evolve(SENT, accounts=SHIP.accounts),))
    for number in range(20):
        site.accept("bob@example.test", f"u{number}@ship.test")
    site.elsewhere.down["inner.test"] = no_connection(fate=Fate.FAILED)
    assert ask(site) == 20
    site.advance(60)
    assert {state for _, state in site.queued()} == {HELD}
    assert len(site.queued()) == 20
    assert not site.mail("bob@example.test")
    assert not site.faults()


def test_below_a_domain_lie_all_holds_that_the_asker_may_release(site: QueueSite) -> None:
    holds = (
        evolve(SENT, name="north", domains=("north.shop.test",), accounts=SHIP.accounts),
        evolve(SENT, name="south", domains=("south.shop.test",), accounts=SHIP.accounts),
        evolve(SENT, name="west", domains=("west.shop.test",), accounts=CAFE.accounts),
    )
    site.routes.set(holds=holds)
    for name in ("north", "south", "west"):
        site.accept("bob@example.test", f"a@{name}.shop.test")
    assert ask(site, Wanted.BELOW, "shop.test") == 2
    site.advance(2)
    assert sorted(address for _, address in site.elsewhere.taken) == ["a@north.shop.test", "a@south.shop.test"]


def test_what_waits_goes_along_with_its_domain_to_another_hold(site: QueueSite) -> None:
    admin = HoldAdmin(site.base.database, KEY.seal)
    later = int(site.clock.now()) + 3600
    settle(admin.add_hold("ship", {"domains": "ship.test,sea.test"}))
    settle(admin.add_hold("cafe", {"domains": "cafe.test"}))
    for address in ("a@ship.test", "b@sea.test", "c@sea.test", "d@cafe.test"):
        site.accept("alice@example.test", address, not_before=later if address[0] == "c" else 0)
    site.routes.set(Route(name="sea", domain="sea.test", via=Via.HOST, host="sea.test"), holds=(SHIP, CAFE))
    assert settle(site.admin.release(Selection(recipient="c@sea.test"))) == 1
    settle(admin.set_hold("ship", {"domains": "ship.test"}))
    assert ("b@sea.test", "hold ship sea.test") in places(site)
    settle(admin.set_hold("cafe", {"domains": "cafe.test,.test"}))
    site.routes.set(holds=(evolve(SHIP, domains=("ship.test",)), evolve(CAFE, domains=("cafe.test", ".test"))))
    assert places(site) == [
        ("a@ship.test", "hold ship ship.test"),
        ("b@sea.test", "hold cafe sea.test"),
        ("c@sea.test", "hold cafe sea.test"),
        ("d@cafe.test", "hold cafe cafe.test"),
    ]
    begin(site, "bob")
    site.advance(1)
    assert [address for _, address in site.elsewhere.taken] == ["d@cafe.test", "b@sea.test"]
    assert not site.faults()


def places(site: QueueSite) -> list[tuple[str, str]]:
    sql = "SELECT r.address, d.key FROM recipient r JOIN destination d ON d.id = r.destination_id ORDER BY r.address"
    return [(row[0], row[1]) for row in site.rows(sql)]


def test_while_it_is_not_known_what_became_of_mail_nobody_is_told_that_there_is_none(site: QueueSite) -> None:
    """A customer whose line broke is back before what it left is written: it must not go away for a day."""
    site.accept("bob@example.test", "a@ship.test")
    site.elsewhere.stalls = True
    conversation = begin(site)
    site.node.database.locked = True
    conversation.abort()
    site.advance(1)
    site.node.database.locked = False
    with pytest.raises(TurnBusy):
        begin(site)
    site.advance(10)
    site.elsewhere.stalls = False
    begin(site)
    site.advance(1)
    assert site.queued() == []


def test_what_was_leased_and_not_tried_is_held_again_even_if_that_cannot_be_written_at_once(site: QueueSite) -> None:
    for number in range(IN_FLIGHT + 30):
        site.accept("bob@example.test", f"u{number}@ship.test")
    site.elsewhere.stalls = True
    conversation = begin(site)
    site.node.database.locked = True
    conversation.abort()
    site.advance(5)
    site.node.database.locked = False
    site.advance(30)
    assert {state for _, state in site.queued()} == {HELD}
    assert site.node.queue.runner.leases.count == 0
    site.elsewhere.stalls = False
    begin(site)
    site.advance(10)
    assert site.queued() == []
    assert not site.faults()
