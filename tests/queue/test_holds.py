"""Mail that waits in holds: nothing is tried until it is released, its own clock counts, and who may release it may."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable

import pytest
from attrs import evolve

from worldmail.errors import Refusal
from worldmail.interfaces.holds import Hold, Release
from worldmail.interfaces.queue import Selection, Standing
from worldmail.interfaces.releases import CannotRelease, NotAllowed, ReleaseRequest, Started, Wanted
from worldmail.mail.address import Address
from worldmail.queue.releasing import OFTEN, Releasing
from worldmail.queue.routes import RouteTable
from worldmail.testing.outbound import LATER, NEVER, no_connection
from worldmail.testing.queue import QueueSite
from worldmail.testing.real_store import settle

DAY = 86400
HOLD = Hold(
    name="shop",
    domains=("shop.test", ".shop.test"),
    release=Release.HOST,
    host="inner.test",
    port=25,
    networks=(ipaddress.ip_network("192.0.2.0/24"),),
)


@pytest.fixture
def site() -> QueueSite:
    made = QueueSite.make()
    made.routes.set(holds=(HOLD,))
    made.start()
    return made


def ask(site: QueueSite, name: str = "shop.test", wanted: Wanted = Wanted.DOMAIN, client: str = "192.0.2.7") -> int:
    return started(site, name, wanted, client).messages


def started(
    site: QueueSite, name: str = "shop.test", wanted: Wanted = Wanted.DOMAIN, client: str = "192.0.2.7"
) -> Started:
    node = site.node
    releasing = Releasing(
        database=node.database,
        routes=site.routes,
        trace=site.base.store.trace,
        clock=site.clock,
        journal=site.journal,
    )
    request = ReleaseRequest(wanted=wanted, name=name, session="s", client=client, account=None)
    return _now(releasing.release(request))


def _now(awaitable: Awaitable[Started]) -> Started:
    return settle(awaitable)


def test_what_is_held_is_not_tried_and_not_told_of_and_kept_as_long_as_the_hold_says(site: QueueSite) -> None:
    id_ = site.accept("alice@example.test", "ann@shop.test")
    site.advance(29 * DAY, 3600)
    assert site.queued() == [("ann@shop.test", Standing.HELD.value)]
    assert (site.elsewhere.attempts, site.mail()) == ([], [])
    site.advance(DAY + 120, 600)
    assert site.queued() == []
    assert "expired" in site.events(id_)
    [report] = site.mail()
    assert b"Action: failed" in report
    assert b"4.4.7" in report
    assert not site.faults()


def test_senders_are_told_that_it_waits_where_the_hold_says_so(site: QueueSite) -> None:
    site.routes.set(holds=(evolve(HOLD, tell=4 * 3600.0),))
    site.accept("alice@example.test", "ann@shop.test")
    site.advance(3 * 3600, 600)
    assert not site.mail()
    site.advance(2 * 3600, 600)
    [report] = site.mail()
    assert b"Action: delayed" in report
    site.advance(3 * DAY, 3600)
    assert len(site.mail()) == 1
    assert site.queued() == [("ann@shop.test", Standing.HELD.value)]


@pytest.mark.parametrize(
    ("wanted", "name", "taken"),
    [
        (Wanted.DOMAIN, "shop.test", ["a@shop.test"]),
        (Wanted.DOMAIN, "north.shop.test", ["b@north.shop.test"]),
        (Wanted.BELOW, "shop.test", ["a@shop.test", "b@north.shop.test", "c@x.north.shop.test"]),
        (Wanted.BELOW, "north.shop.test", ["b@north.shop.test", "c@x.north.shop.test"]),
        (Wanted.QUEUE, "shop", ["a@shop.test", "b@north.shop.test", "c@x.north.shop.test"]),
    ],
)
def test_what_is_released_goes_to_the_host_at_once(
    site: QueueSite, wanted: Wanted, name: str, taken: list[str]
) -> None:
    for address in ("a@shop.test", "b@north.shop.test", "c@x.north.shop.test", "d@else.test"):
        site.accept("alice@example.test", address)
    site.advance(5)
    assert ask(site, name, wanted) == len(taken)
    site.advance(2)
    assert sorted(address for _, address in site.elsewhere.taken if "else" not in address) == sorted(taken)
    assert set(site.elsewhere.attempts) <= {"inner.test", "mx.else.test"}
    assert not site.faults()


def test_a_message_in_two_holds_is_counted_once_by_who_releases_both(site: QueueSite) -> None:
    north = evolve(HOLD, name="north", domains=("north.shop.test",))
    site.routes.set(holds=(evolve(HOLD, domains=("shop.test",)), north))
    site.accept("alice@example.test", "a@shop.test", "b@north.shop.test")
    assert ask(site, wanted=Wanted.BELOW) == 1
    site.advance(2)
    assert len(site.elsewhere.taken) == 2


def test_what_is_on_its_way_already_does_not_wait_and_is_not_nothing(site: QueueSite) -> None:
    site.accept("alice@example.test", "ann@shop.test")
    site.elsewhere.stalls = True
    assert ask(site) == 1
    site.advance(2)
    assert started(site) == Started(messages=0, under_way=True)
    site.elsewhere.conversations[0].proceed()
    site.advance(2)
    assert started(site) == Started(messages=0)


def test_the_trace_says_who_asked(site: QueueSite) -> None:
    id_ = site.accept("alice@example.test", "ann@shop.test")
    ask(site)
    site.advance(2)
    assert site.events(id_) == ["accepted", "released", "delivered"]
    assert "asked for by ETRN from 192.0.2.7" in site.details(id_, "released")[0]


def test_what_is_not_taken_waits_in_the_hold_again(site: QueueSite) -> None:
    site.elsewhere.fates["ann@shop.test"] = [LATER]
    site.elsewhere.fates["bad@shop.test"] = [NEVER]
    site.accept("alice@example.test", "ann@shop.test", "bad@shop.test")
    ask(site)
    site.advance(DAY, 600)
    assert site.queued() == [("ann@shop.test", Standing.HELD.value)]
    assert len(site.elsewhere.begun) == 1
    assert len(site.mail()) == 1
    site.elsewhere.fates.clear()
    assert ask(site) == 1
    site.advance(5)
    assert site.queued() == []
    assert not site.faults()


def test_where_nobody_answers_all_waits_in_the_hold_again_and_the_next_release_is_tried_at_once(
    site: QueueSite,
) -> None:
    site.elsewhere.down["inner.test"] = no_connection()
    for number in range(120):
        site.accept("alice@example.test", f"u{number}@shop.test")
    assert ask(site) == 120
    site.advance(3600, 60)
    assert {state for _, state in site.queued()} == {Standing.HELD.value}
    assert len(site.elsewhere.attempts) == 1
    site.elsewhere.down.clear()
    assert ask(site) == 120
    site.advance(10)
    assert site.queued() == []
    assert not site.faults()


def test_what_is_to_be_sent_later_is_not_sent_sooner_by_a_release(site: QueueSite) -> None:
    later = int(site.clock.now()) + 3600
    site.accept("alice@example.test", "ann@shop.test", not_before=later)
    ask(site)
    site.advance(3000, 60)
    assert not site.elsewhere.taken
    site.advance(700, 60)
    assert site.elsewhere.taken


def test_what_an_administrator_holds_is_not_released(site: QueueSite) -> None:
    site.accept("alice@example.test", "ann@shop.test")
    settle(site.admin.release(Selection(domain="shop.test")))
    settle(site.admin.hold(Selection(domain="shop.test")))
    assert ask(site) == 0
    site.advance(60)
    assert site.queued() == [("ann@shop.test", Standing.HELD.value)]


@pytest.mark.parametrize(
    ("name", "wanted", "client"),
    [
        ("shop.test", Wanted.DOMAIN, "198.51.100.1"),
        ("else.test", Wanted.DOMAIN, "192.0.2.7"),
        ("shop", Wanted.QUEUE, "198.51.100.1"),
        ("none", Wanted.QUEUE, "192.0.2.7"),
        ("else.test", Wanted.BELOW, "192.0.2.7"),
    ],
)
def test_others_are_refused_in_the_same_words(site: QueueSite, name: str, wanted: Wanted, client: str) -> None:
    site.accept("alice@example.test", "ann@shop.test")
    with pytest.raises(NotAllowed) as refused:
        ask(site, name, wanted, client)
    assert str(refused.value) == "459 4.7.1 Not allowed"
    site.advance(60)
    assert not site.elsewhere.taken


def test_an_account_of_the_hold_may_release_it_from_anywhere(site: QueueSite) -> None:
    site.routes.set(holds=(evolve(HOLD, networks=(), accounts=frozenset({"alice@example.test"})),))
    account = settle(site.base.memory.directory.account(Address.parse("alice@example.test")))
    node = site.node
    releasing = Releasing(
        database=node.database, routes=site.routes, trace=site.base.store.trace, clock=site.clock, journal=site.journal
    )
    request = ReleaseRequest(wanted=Wanted.QUEUE, name="shop", session="s", client="203.0.113.1", account=account)
    assert settle(releasing.release(request)).messages == 0


def test_what_is_fetched_alone_cannot_be_sent(site: QueueSite) -> None:
    site.routes.set(holds=(evolve(HOLD, release=Release.ODMR, host="", port=0),))
    site.accept("alice@example.test", "ann@shop.test")
    with pytest.raises(CannotRelease):
        ask(site)
    site.advance(60)
    assert site.queued() == [("ann@shop.test", Standing.HELD.value)]


def test_too_many_releases_are_refused_for_now(site: QueueSite) -> None:
    releasing = Releasing(
        database=site.node.database,
        routes=site.routes,
        trace=site.base.store.trace,
        clock=site.clock,
        journal=site.journal,
    )
    request = ReleaseRequest(wanted=Wanted.QUEUE, name="shop", session="s", client="192.0.2.7", account=None)
    seen: list[Refusal | Started] = []
    for _ in range(OFTEN + 5):
        try:
            seen.append(settle(releasing.release(request)))
        except Refusal as refusal:
            seen.append(refusal)
    assert sum(isinstance(one, CannotRelease) for one in seen) == 5
    site.advance(61)
    assert settle(releasing.release(request)).messages == 0


def test_a_route_for_the_same_domain_comes_behind_the_hold_and_one_that_is_off_is_not_there() -> None:
    table = RouteTable.of((), (HOLD,))
    assert table.route(None, "shop.test").holds
    assert table.route(None, "a.b.shop.test").holds
    assert table.holding("shop.test") is HOLD
    assert table.hold("shop") is HOLD
    off = RouteTable.of((), (evolve(HOLD, enabled=False),))
    assert not off.route(None, "shop.test").holds
    assert (off.hold("shop"), off.holding("shop.test")) == (None, None)
