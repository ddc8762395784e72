"""The clock of destinations whose link is down stands still."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from worldmail.interfaces.outbound import Wishes
from worldmail.interfaces.queue import Route, Selection, Via
from worldmail.interfaces.resting import Behind, Waiting
from worldmail.queue.resting import in_turn
from worldmail.testing.outbound import LATER, no_connection
from worldmail.testing.queue import MESSAGE, QueueSite
from worldmail.testing.real_store import settle

ALICE = "alice@example.test"
THERE = Route(name="there", domain="there.test")
ISP = Route(name="isp", domain="*", via=Via.HOST, host="smart.test", port=25)


def a_site(*routes: Route) -> QueueSite:
    site = QueueSite.make()
    site.routes.set(*routes)
    site.start()
    return site


def follow(site: QueueSite, *down: str, up: tuple[str, ...] = (), small_first: bool = False) -> None:
    """The links of these routes are down, those of others up."""
    links = {route: Behind(since=int(site.clock.now())) for route in down}
    links |= {route: Behind(small_first=small_first) for route in up}
    settle(site.node.queue.resting.follow(links))


class Slow:
    """A database whose scans end when the test says so, with what they found before."""

    def __init__(self, database: Any) -> None:
        self._database = database
        self.waiting: list[Deferred[None]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def scan(self, unit: Any) -> Any:
        found = await self._database.scan(unit)
        self.waiting.append(waiting := Deferred())
        await waiting
        return found


def test_what_was_found_last_of_links_counts_however_long_each_look_takes() -> None:
    site = a_site(ISP)
    service: Any = site.node.queue.service
    service._database = slow = Slow(service._database)
    follow(site, "isp")
    follow(site, up=("isp",))
    while slow.waiting:
        slow.waiting.pop().callback(None)
    site.accept(ALICE, "bob@a.test")
    site.advance(2, step=0.1)
    assert len(site.elsewhere.taken) == 1 and site.queued() == []


def test_a_week_without_a_link_warns_nobody_returns_nothing_and_costs_no_attempt() -> None:
    site = a_site(THERE)
    site.elsewhere.down = {"there.test": no_connection(), "yonder.test": no_connection()}
    id_ = site.accept(ALICE, "bob@there.test")
    site.accept(ALICE, "carol@yonder.test")
    (expires,) = site.rows("SELECT expires FROM recipient WHERE address = 'bob@there.test'")[0]
    follow(site, "there")
    tries = site.elsewhere.attempts.count("mx.there.test")
    site.advance(7 * 86400, step=600)
    assert site.elsewhere.attempts.count("mx.there.test") == tries
    assert "delayed" not in site.events(id_) and site.queued() == [("bob@there.test", 0)]
    assert len(site.mail()) == 2, "of the other one the sender was told: of the delay, and of its end"
    site.elsewhere.down = {}
    follow(site, up=("there",))
    (after,) = site.rows("SELECT expires FROM recipient")[0]
    assert abs(after - expires - 7 * 86400) <= 1
    site.advance(2, step=0.1)
    assert site.elsewhere.taken == [(id_, "bob@there.test")] and site.queued() == [] and site.faults() == []


def test_what_comes_for_a_destination_whose_link_is_down_waits_also_after_a_restart() -> None:
    site = a_site(THERE)
    site.accept(ALICE, "first@there.test")
    follow(site, "there")
    site.accept(ALICE, "bob@there.test")
    site.node.crash()
    site.restart()
    site.accept(ALICE, "carol@there.test")
    site.advance(100)
    assert [address for _, address in site.elsewhere.taken] == ["first@there.test"]
    follow(site, up=("there",))
    site.advance(2, step=0.1)
    assert len(site.elsewhere.taken) == 3 and site.queued() == []


def test_a_domain_that_was_never_sent_to_is_not_tried_behind_a_link_that_is_down() -> None:
    site = a_site(ISP, Route(name="direct", domain=".direct.test"))
    follow(site, "isp", "")
    id_ = site.accept(ALICE, "bob@there.test")
    direct = site.accept(ALICE, "carol@a.direct.test")
    site.routes.set()
    other = site.accept(ALICE, "carol@new.test")
    site.advance(7 * 86400, step=600)
    assert site.elsewhere.attempts == ["mx.a.direct.test"] and site.mail() == []
    assert site.events(id_) == site.events(other) == ["accepted"]
    assert site.events(direct) == ["accepted", "delivered"]
    site.node.crash()
    site.restart()
    site.accept(ALICE, "eve@newer.test")
    site.advance(600)
    follow(site, "isp")
    site.advance(2, step=0.1)
    taken = sorted(address for _, address in site.elsewhere.taken)
    assert taken == ["carol@a.direct.test", "carol@new.test", "eve@newer.test"]
    follow(site)
    site.advance(2, step=0.1)
    assert site.queued() == [] and site.faults() == []
    assert site.rows("SELECT name FROM fact WHERE name LIKE 'link%'") == []


def test_the_link_of_all_routes_is_not_that_of_a_route_that_has_its_own() -> None:
    site = a_site(THERE)
    follow(site, "*", up=("there",))
    site.accept(ALICE, "bob@there.test")
    site.accept(ALICE, "carol@yonder.test")
    site.accept(ALICE, "alice@example.test", here=True)
    site.advance(2, step=0.1)
    assert [address for _, address in site.elsewhere.taken] == ["bob@there.test"]
    assert len(site.mail()) == 1, "what leads to a mailbox here goes over no link"
    follow(site, "there", up=("*",))
    site.accept(ALICE, "dan@there.test")
    site.advance(2, step=0.1)
    assert [address for _, address in site.elsewhere.taken] == ["bob@there.test", "carol@yonder.test"]
    follow(site)
    site.advance(2, step=0.1)
    assert site.queued() == [] and site.faults() == []


def test_a_link_that_is_up_again_holds_nothing_though_nothing_waited_behind_it() -> None:
    site = a_site(THERE)
    follow(site, "there")
    follow(site, up=("there",))
    id_ = site.accept(ALICE, "bob@there.test")
    assert site.events(id_) == ["accepted", "delivered"]


def test_who_looks_at_the_queue_sees_that_it_waits_for_its_link() -> None:
    site = a_site(THERE)
    follow(site, "there")
    site.accept(ALICE, "bob@there.test", "carol@yonder.test")
    (message,) = settle(site.admin.messages(Selection(), 5))
    assert [one.reply for one in message.recipients] == ["Its link is down"]
    assert [one.reply for one in settle(site.admin.destinations(5))] == ["Its link is down"]


def test_telling_it_again_counts_no_time_twice() -> None:
    site = a_site(THERE)
    follow(site, "there")
    site.accept(ALICE, "bob@there.test")
    (expires,) = site.rows("SELECT expires FROM recipient")[0]
    for _ in range(3):
        site.advance(3600, step=600)
        follow(site, "there")
    site.elsewhere.down = {"there.test": no_connection()}
    follow(site, up=("there",))
    follow(site, up=("there",))
    assert site.rows("SELECT expires FROM recipient") == [(expires + 3 * 3600,)]


def test_what_is_urgent_goes_first_and_then_what_is_small() -> None:
    site = a_site(Route(name="there", domain="there.test", connections=1))
    follow(site, "there")
    sizes = {"big": 90_000, "small": 0, "middle": 5_000}
    for name, size in sizes.items():
        site.accept(ALICE, f"{name}@there.test", content=MESSAGE + b"x" * size)
    site.accept(ALICE, "urgent@there.test", content=MESSAGE + b"x" * 200_000, wishes=Wishes(priority=4))
    site.accept(ALICE, "idle@there.test", wishes=Wishes(priority=-4))
    follow(site, up=("there",), small_first=True)
    site.advance(5, step=0.1)
    taken = [address.partition("@")[0] for _, address in site.elsewhere.taken]
    assert taken == ["urgent", "small", "middle", "big", "idle"]


def test_the_order_of_turns_is_that_of_urgency_then_size() -> None:
    now = 1_700_000_000
    turns = [(priority, 1 << exponent) for priority in (9, 1, 0) for exponent in range(26)]
    order = [in_turn(now, size=size, priority=priority) for priority, size in turns]
    assert order == sorted(order) and order[-1] < in_turn(now, size=1, priority=-1) <= now


def test_what_there_is_to_do_over_a_link() -> None:
    site = a_site(THERE)
    resting = site.node.queue.resting
    site.accept(ALICE, "dan@elsewhere.test")
    follow(site, "there")
    assert settle(resting.waiting(["there"], None)) == Waiting(due=False, under_way=0)
    site.accept(ALICE, "bob@there.test", content=MESSAGE + b"x" * 5000)
    assert settle(resting.waiting(["there"], None)) == Waiting(due=True, under_way=0)
    assert settle(resting.waiting(["there"], 6000)) == Waiting(due=True, under_way=0)
    assert settle(resting.waiting(["there"], 4000)) == Waiting(due=False, under_way=0)
    assert settle(resting.waiting(["*"], None)) == settle(resting.waiting([], None)) == Waiting(due=False, under_way=0)


def back(site: QueueSite, route: str) -> None:
    settle(site.node.queue.resting.is_back(route))
    site.advance(1, step=0.1)


def test_what_could_not_reach_a_host_goes_when_the_host_shows_that_it_is_back() -> None:
    site = a_site(ISP, THERE)
    site.elsewhere.down = {
        "smart.test": no_connection(),
        "mx.there.test": no_connection(),
        "there.test": no_connection(),
    }
    site.accept(ALICE, "bob@a.test")
    site.accept(ALICE, "carol@there.test")
    site.advance(5)
    site.accept(ALICE, "dora@a.test")
    assert len(site.queued()) == 3
    site.elsewhere.down = {}
    back(site, "there")
    assert [address for _, address in site.elsewhere.taken] == ["carol@there.test"]
    back(site, "isp")
    assert site.queued() == [] and len(site.elsewhere.taken) == 3 and site.faults() == []


def test_a_host_that_is_back_is_not_asked_again_for_what_it_put_off() -> None:
    site = a_site(ISP)
    site.elsewhere.fates = {"bob@a.test": [LATER]}
    site.accept(ALICE, "bob@a.test")
    site.advance(5)
    asked = len(site.elsewhere.attempts)
    back(site, "isp")
    back(site, "nowhere")
    assert len(site.elsewhere.attempts) == asked and len(site.queued()) == 1


def test_what_is_to_be_sent_later_waits_for_its_time_though_the_host_is_back() -> None:
    site = a_site(ISP)
    site.elsewhere.down = {"smart.test": no_connection()}
    later = int(site.clock.now()) + 3600
    site.accept(ALICE, "bob@a.test", not_before=later)
    site.accept(ALICE, "carol@a.test")
    site.advance(5)
    site.elsewhere.down = {}
    back(site, "isp")
    assert [address for _, address in site.elsewhere.taken] == ["carol@a.test"]
    site.advance(3700, step=60)
    assert site.queued() == []
