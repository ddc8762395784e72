"""How much waits in holds: counted when it is asked for, and not too often."""

from __future__ import annotations

from typing import Any

import pytest

from worldmail.errors import TemporaryFailure
from worldmail.interfaces.holds import Hold, HoldLoad
from worldmail.queue.hold_loads import DEAR, FRESH, HoldLoads, load_of
from worldmail.testing.queue import MESSAGE, QueueSite
from worldmail.testing.real_store import settle

SIZE = len(MESSAGE)


@pytest.fixture
def site() -> QueueSite:
    made = QueueSite.make()
    made.routes.set(holds=(Hold(name="shop", domains=("shop.test", ".shop.test")), Hold(name="s", domains=("s.test",))))
    made.start()
    return made


def loads_of(site: QueueSite) -> HoldLoads:
    return HoldLoads(site.node.database, site.clock.seconds)


def test_a_message_counts_once_with_its_octets_and_the_oldest_is_told(site: QueueSite) -> None:
    began = int(site.clock.now())
    site.accept("a@a.test", "u@shop.test", "v@shop.test", "w@north.shop.test", "x@s.test")
    site.advance(100, 10)
    site.accept("a@a.test", "u@shop.test")
    load = settle(loads_of(site).load("shop"))
    assert load == HoldLoad(messages=2, octets=2 * SIZE, oldest=began)
    assert settle(loads_of(site).load("s")).messages == 1
    assert settle(loads_of(site).load("none")) == HoldLoad(messages=0, octets=0, oldest=0)


def test_a_count_is_believed_for_a_while_with_what_was_taken_since(site: QueueSite) -> None:
    loads = loads_of(site)
    assert settle(loads.load("shop")).messages == 0
    loads.took("shop", 500)
    loads.took("other", 500)
    site.accept("a@a.test", "u@shop.test")
    assert settle(loads.load("shop")) == HoldLoad(messages=1, octets=500, oldest=0)
    site.advance(FRESH + 1)
    assert settle(loads.load("shop")).octets == SIZE


def test_what_takes_long_to_count_is_counted_less_often(site: QueueSite) -> None:
    moments = iter([0.0, 0.0, 2.0, 2.0 + DEAR, 50.0, 50.0, 51.0])
    loads = HoldLoads(site.node.database, lambda: next(moments))
    settle(loads.load("shop"))
    site.accept("a@a.test", "u@shop.test")
    assert settle(loads.load("shop")).messages == 0


def test_all_who_ask_meanwhile_wait_for_one_count_and_are_told_if_it_fails(site: QueueSite) -> None:
    loads, counts = loads_of(site), []
    scan = site.node.database.scan

    class Slow:
        def scan(self, unit: Any) -> Any:
            counts.append(unit)
            if len(counts) == 1:
                return site.clock.sleep(3)
            raise TemporaryFailure

    loads._database = Slow()  # type: ignore[assignment]
    asked = [loads.load("shop") for _ in range(5)]
    assert len(counts) == 1
    site.advance(FRESH + 5)
    assert [settle(each) for each in asked] == [None] * 5
    site.advance(100, 50)
    with pytest.raises(TemporaryFailure):
        settle(loads.load("shop"))
    loads._database = site.node.database
    assert settle(loads.load("shop")) == settle(scan(lambda cursor: load_of(cursor, "shop")))


def test_what_waits_for_a_user_with_a_detail_takes_the_user_s_room(site: QueueSite) -> None:
    loads = HoldLoads(site.node.database, site.clock.seconds, "+-")
    site.accept("a@a.test", "u+news@shop.test", "u@shop.test", "+v@shop.test", "v@shop.test")
    site.accept("a@a.test", "U-lists+x@shop.test")
    for address, octets in (("u@shop.test", 3 * SIZE), ("u+other@shop.test", 3 * SIZE), ("v@shop.test", SIZE)):
        assert settle(loads.share("shop", address)) == octets
    loads.took_for("shop", "u+more@shop.test", 500)
    assert settle(loads.share("shop", "u@shop.test")) == 3 * SIZE + 500
    assert settle(loads.share("shop", "+v@shop.test")) == SIZE


def test_what_waits_for_one_recipient_is_counted_for_all_at_once_and_not_each_time(site: QueueSite) -> None:
    loads = loads_of(site)
    site.accept("a@a.test", "U@shop.test", "v@shop.test")
    site.accept("a@a.test", "u@shop.test", "x@s.test")
    assert settle(loads.share("shop", "u@Shop.test")) == 2 * SIZE
    site.accept("a@a.test", "u@shop.test", "v@shop.test")
    assert settle(loads.share("shop", "v@shop.test")) == SIZE  # counted a moment ago
    loads.took_for("shop", "v@shop.test", 500)
    loads.took_for("shop", "new@shop.test", 500)
    loads.took_for("other", "v@shop.test", 500)
    assert settle(loads.share("shop", "V@shop.test")) == SIZE + 500
    assert settle(loads.share("shop", "new@shop.test")) == 500
    assert settle(loads.share("shop", "nobody@shop.test")) == 0
    site.advance(FRESH + 1)
    assert settle(loads.share("shop", "v@shop.test")) == 2 * SIZE
    assert settle(loads.share("s", "x@s.test")) == SIZE
