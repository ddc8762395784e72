"""The end of a server, in good order and otherwise: what is leased is never lost, and never stays leased."""

from __future__ import annotations

from typing import Any

import pytest

from worldmail.errors import TemporaryFailure
from worldmail.queue.registration import UNKNOWN
from worldmail.testing.outbound import LATER, NEVER
from worldmail.testing.queue import QueueSite
from worldmail.testing.real_store import settle

ALICE = "alice@example.test"


def site_that_sends(**settings: Any) -> QueueSite:
    site = QueueSite.make(**settings)
    site.start()
    return site


def test_the_end_waits_for_what_is_under_way_and_gives_back_what_was_not_begun() -> None:
    site = site_that_sends(connections_per_destination=1)
    site.elsewhere.stalls = True
    for i in range(5):
        site.accept(ALICE, f"r{i}@there.test")
    stopped = site.node.stop()
    assert not stopped.called
    site.elsewhere.conversations[0].proceed()
    assert stopped.called and len(site.elsewhere.taken) == 1
    assert [state for _, state in site.queued()] == [0] * 4
    assert site.rows("SELECT DISTINCT attempts FROM recipient") == [(0,)], "they were not tried"
    assert not site.locks.taken and site.rows("SELECT * FROM runner") == []
    assert site.faults() == []


def test_after_the_grace_connections_are_dropped_and_what_was_sent_is_unknown() -> None:
    site = site_that_sends()
    site.elsewhere.stalls = True
    id_ = site.accept(ALICE, "bob@there.test")
    stopped = site.node.stop()
    site.advance(11)
    assert stopped.called and site.queued() == [("bob@there.test", 0)]
    assert "no reply seen" in site.details(id_, "deferred")[0]


def test_the_end_does_not_wait_for_servers_that_do_not_answer() -> None:
    site = site_that_sends()
    site.elsewhere.stalls_at_connect = True
    site.accept(ALICE, "bob@there.test")
    stopped = site.node.stop()
    assert stopped.called and site.queued() == [("bob@there.test", 0)]
    site.elsewhere.let_in()
    assert site.elsewhere.begun == [] and site.elsewhere.open == 0


def test_the_end_does_not_wait_for_ever_for_a_database_that_takes_nothing() -> None:
    site = site_that_sends()
    site.elsewhere.stalls = True
    site.accept(ALICE, "bob@there.test")
    site.node.database.locked = True
    site.elsewhere.conversations[0].proceed()
    stopped = site.node.stop()
    site.advance(16)
    assert stopped.called
    assert site.queued() == [("bob@there.test", 2)], "the next runner takes it over"


def test_no_second_server_is_looked_for_when_the_server_stops() -> None:
    site = site_that_sends()
    site.elsewhere.hosts["there.test"] = ("mx1.there.test", "mx2.there.test")
    site.elsewhere.fates["bob@there.test"] = [LATER]
    site.elsewhere.stalls = True
    site.accept(ALICE, "bob@there.test")
    stopped = site.node.stop()
    site.elsewhere.conversations[0].proceed()
    assert stopped.called and site.elsewhere.attempts == ["mx1.there.test"]
    assert site.queued() == [("bob@there.test", 0)]


def test_an_acceptance_that_is_on_its_way_to_the_disk_when_the_server_stops_is_sent_by_the_next() -> None:
    site = site_that_sends()
    acceptance = site.acceptance(ALICE, "bob@there.test")
    part = site.node.acceptance.part(acceptance)
    stopped = site.node.stop()
    assert stopped.called
    part.accepted(settle(site.base.database.write(part.write)))
    assert site.queued() == [("bob@there.test", 2)] and site.elsewhere.taken == []
    site.node.crash()
    site.restart()
    site.advance(1, step=0.1)
    assert site.elsewhere.taken == [(acceptance.id, "bob@there.test")] and site.queued() == []


def test_an_acceptance_that_failed_leaves_nothing_counted() -> None:
    site = site_that_sends()
    site.node.database.locked = True
    acceptance = site.acceptance(ALICE, "bob@there.test", "carol@there.test")
    with pytest.raises(TemporaryFailure):
        settle(site.node.acceptance.accept(acceptance))
    assert site.node.queue.runner.leases.count == 0
    assert all(destination.idle for destination in site.node.queue.runner.destinations)


# -- a runner that dies --------------------------------------------------------------------------


def test_mail_whose_server_died_between_commit_and_sending_is_sent_by_the_next() -> None:
    site = site_that_sends()
    acceptance = site.acceptance(ALICE, "bob@there.test")
    part = site.node.acceptance.part(acceptance)
    settle(site.base.database.write(part.write))
    site.node.crash()
    site.restart()
    site.advance(1, step=0.1)
    assert site.elsewhere.taken == [(acceptance.id, "bob@there.test")]
    assert site.events(acceptance.id) == ["accepted", "reclaimed", "delivered"]
    assert site.faults() == []


def test_mail_whose_server_died_between_delivery_and_settling_is_sent_twice_and_the_trace_says_why() -> None:
    site = site_that_sends()
    site.elsewhere.stalls = True
    id_ = site.accept(ALICE, "bob@there.test")
    site.node.database.locked = True
    site.elsewhere.conversations[0].proceed()
    site.node.crash()
    site.elsewhere.stalls = False
    site.restart()
    site.advance(1, step=0.1)
    assert site.elsewhere.taken == [(id_, "bob@there.test")] * 2
    assert site.events(id_) == ["accepted", "reclaimed", "delivered"] and UNKNOWN in site.details(id_, "reclaimed")[0]


def test_a_runner_that_lives_takes_over_within_some_seconds_from_one_that_died() -> None:
    site = site_that_sends()
    dead = site.node
    site.elsewhere.stalls = True
    id_ = site.accept(ALICE, "bob@there.test")
    site.restart()
    site.advance(60)
    assert len(site.elsewhere.begun) == 1, "as long as the lock is held nobody else tries"
    site.elsewhere.stalls = False
    dead.crash()
    site.advance(12)
    assert site.elsewhere.taken == [(id_, "bob@there.test")]
    assert len(site.rows("SELECT id FROM runner")) == 1


def test_a_runner_that_lost_its_lock_begins_anew_and_settles_only_what_nobody_else_took() -> None:
    site = site_that_sends()
    first = site.node
    site.elsewhere.stalls = True
    id_ = site.accept(ALICE, "bob@there.test", "carol@there.test")
    site.restart()
    site.elsewhere.stalls = False
    del site.locks.taken[first.queue.runner.id]
    settle(site.node.queue.service._registration.reclaim())
    site.advance(1, step=0.1)  # the second one has sent
    assert sorted(site.events(id_)) == ["accepted", "delivered", "reclaimed"]
    site.elsewhere.conversations[0].proceed()
    site.advance(30)
    assert sorted(site.events(id_)) == ["accepted", "delivered", "reclaimed"], "nothing ends twice"
    assert site.queued() == [] and first.queue.runner.leases.count == 0 and first.queue.runner.going
    assert site.faults() == []


def test_no_report_is_sent_by_a_runner_whose_lease_is_gone() -> None:
    site = site_that_sends()
    first = site.node
    site.elsewhere.fates["bob@there.test"] = [NEVER]
    site.elsewhere.stalls = True
    site.accept(ALICE, "bob@there.test")
    site.restart()
    del site.locks.taken[first.queue.runner.id]
    site.elsewhere.stalls = False
    settle(site.node.queue.service._registration.reclaim())
    site.advance(1, step=0.1)
    site.elsewhere.conversations[0].proceed()
    site.advance(5)
    assert len(site.mail()) == 1 and site.faults() == []


def test_what_was_accepted_though_the_commit_seemed_to_fail_does_not_stay_leased() -> None:
    site = site_that_sends()
    site.node.database.vanishing = 1
    acceptance = site.acceptance(ALICE, "bob@there.test")
    with pytest.raises(TemporaryFailure):
        settle(site.node.acceptance.accept(acceptance))
    assert site.queued() == [("bob@there.test", 2)]
    site.advance(40)
    assert site.elsewhere.taken == [(acceptance.id, "bob@there.test")] and site.queued() == []


def test_a_settlement_whose_commit_seemed_to_fail_is_not_written_twice() -> None:
    site = site_that_sends()
    site.elsewhere.fates["bob@there.test"] = [NEVER]
    site.elsewhere.stalls = True
    id_ = site.accept(ALICE, "bob@there.test")
    site.node.database.vanishing = 1
    site.elsewhere.conversations[0].proceed()
    site.advance(5)
    assert site.events(id_) == ["accepted", "failed"] and len(site.mail()) == 1
    assert site.node.queue.runner.leases.count == 0 and site.faults() == []


def test_a_server_that_cannot_take_over_from_dead_ones_at_its_start_sends_all_the_same() -> None:
    site = site_that_sends()
    site.elsewhere.stalls = True
    site.accept(ALICE, "bob@there.test")
    site.node.crash()
    site.elsewhere.stalls = False
    node = site.add_node()
    node.database.refuses = lambda unit: getattr(getattr(unit, "func", None), "__name__", "") == "_free"
    node.start()
    site.accept(ALICE, "carol@yonder.test")
    assert [address for _, address in site.elsewhere.taken] == ["carol@yonder.test"]
    node.database.refuses = lambda unit: False
    site.advance(12)
    assert [address for _, address in site.elsewhere.taken] == ["carol@yonder.test", "bob@there.test"]


def test_a_server_that_starts_while_the_database_takes_nothing_begins_when_it_does() -> None:
    site = QueueSite.make()
    id_ = site.accept(ALICE, "bob@there.test")
    site.node.database.locked = True
    site.start()
    site.advance(10)
    site.node.database.locked = False
    site.advance(3, step=0.1)
    assert site.elsewhere.taken == [(id_, "bob@there.test")]
