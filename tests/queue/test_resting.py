"""The clock of destinations whose link is down stands still."""

from __future__ import annotations

from worldmail.testing.outbound import no_connection
from worldmail.testing.queue import QueueSite
from worldmail.testing.real_store import settle

ALICE = "alice@example.test"


def test_a_week_without_a_link_warns_nobody_returns_nothing_and_costs_no_attempt() -> None:
    site = QueueSite.make()
    site.start()
    site.elsewhere.down = {"there.test": no_connection(), "yonder.test": no_connection()}
    id_ = site.accept(ALICE, "bob@there.test")
    site.accept(ALICE, "carol@yonder.test")
    (expires,) = site.rows("SELECT expires FROM recipient WHERE address = 'bob@there.test'")[0]
    resting = site.node.queue.resting
    settle(resting.rest(["mx there.test"], int(site.clock.now())))
    tries = site.elsewhere.attempts.count("mx.there.test")
    site.advance(7 * 86400, step=600)
    assert site.elsewhere.attempts.count("mx.there.test") == tries
    assert "delayed" not in site.events(id_) and site.queued() == [("bob@there.test", 0)]
    assert len(site.mail()) == 2, "of the other one the sender was told: of the delay, and of its end"
    site.elsewhere.down = {}
    settle(resting.wake(["mx there.test"]))
    (after,) = site.rows("SELECT expires FROM recipient")[0]
    assert abs(after - expires - 7 * 86400) <= 1
    site.advance(2, step=0.1)
    assert site.elsewhere.taken == [(id_, "bob@there.test")] and site.queued() == [] and site.faults() == []


def test_what_comes_for_a_destination_whose_link_is_down_waits_also_after_a_restart() -> None:
    site = QueueSite.make()
    site.start()
    site.accept(ALICE, "first@there.test")
    settle(site.node.queue.resting.rest(["mx there.test"], int(site.clock.now())))
    site.accept(ALICE, "bob@there.test")
    site.node.crash()
    site.restart()
    site.accept(ALICE, "carol@there.test")
    site.advance(100)
    assert [address for _, address in site.elsewhere.taken] == ["first@there.test"]
    settle(site.node.queue.resting.wake(["mx there.test"]))
    site.advance(2, step=0.1)
    assert len(site.elsewhere.taken) == 3 and site.queued() == []
