"""A runner whose lock is in doubt, as while a database server restarts: nothing begins, and nothing is cut off."""

from __future__ import annotations

from functools import partial

import pytest

from worldmail.errors import TemporaryFailure
from worldmail.interfaces.queue import Selection
from worldmail.mail.address import Address
from worldmail.queue.registration import UNKNOWN, _bury, _started
from worldmail.testing.outbound import LATER
from worldmail.testing.queue import Node, QueueSite
from worldmail.testing.real_store import settle

ALICE = "alice@example.test"
BOB = "bob@there.test"


def site_that_stalls() -> QueueSite:
    site = QueueSite.make(connections_per_destination=1)
    site.start()
    site.elsewhere.stalls = True
    return site


def doubt(site: QueueSite, node: Node) -> None:
    site.locks.doubt(node.queue.runner.id)


def taken_for_dead(site: QueueSite) -> None:
    """Somebody reclaims from all whose lock is free; nothing is sent by them."""
    settle(site.add_node().queue.service._registration.reclaim(at_once=True))


def test_while_the_lock_is_in_doubt_what_was_begun_is_settled_and_nothing_else_begins_until_it_is_back() -> None:
    site = site_that_stalls()
    runner = site.node.queue.runner
    before = runner.id
    sent = [site.accept(ALICE, f"r{i}@there.test") for i in range(3)]
    doubt(site, site.node)
    other = site.accept(ALICE, "carol@yonder.test")
    site.advance(30)
    assert len(site.elsewhere.begun) == 1 and not site.elsewhere.conversations[0].aborted
    site.elsewhere.stalls = False
    site.elsewhere.conversations[0].proceed()
    site.advance(30)
    assert site.elsewhere.taken == [(sent[0], "r0@there.test")]
    assert site.events(sent[0]) == ["accepted", "delivered"]
    site.locks.come_back()
    site.advance(3, step=0.1)
    assert runner.id == before and site.queued() == [] and site.faults() == []
    assert sorted(site.elsewhere.taken) == sorted(
        [(id_, f"r{i}@there.test") for i, id_ in enumerate(sent)] + [(other, "carol@yonder.test")]
    )
    assert {event for id_ in [*sent, other] for event in site.events(id_)} == {"accepted", "delivered"}


def test_a_transaction_of_many_recipients_goes_no_further_while_the_lock_is_in_doubt() -> None:
    site = site_that_stalls()
    site.elsewhere.make = lambda conversation: setattr(conversation, "recipients", 2)
    site.accept(ALICE, *(f"r{i}@there.test" for i in range(6)))
    doubt(site, site.node)
    site.elsewhere.stalls = False
    site.elsewhere.conversations[0].proceed()
    site.advance(10)
    assert len(site.elsewhere.taken) == 2 and len(site.elsewhere.begun) == 1
    site.locks.come_back()
    site.advance(3)
    assert len(site.elsewhere.taken) == 6 and site.queued() == []


def test_a_database_that_takes_nothing_while_the_lock_is_in_doubt_is_waited_for() -> None:
    site = site_that_stalls()
    id_ = site.accept(ALICE, BOB)
    doubt(site, site.node)
    site.node.database.locked = True
    site.elsewhere.conversations[0].proceed()
    site.advance(5)
    site.locks.come_back()
    site.advance(5)
    assert site.queued() == [(BOB, 2)] and not site.node.queue.runner.going
    site.node.database.locked = False
    site.advance(20)
    assert site.events(id_) == ["accepted", "delivered"] and len(site.elsewhere.taken) == 1


def test_who_was_taken_for_dead_keeps_what_nobody_has_taken_up_and_its_conversations_go_on() -> None:
    site = site_that_stalls()
    first = site.node
    runner = first.queue.runner
    before = runner.id
    sent = [site.accept(ALICE, f"r{i}@there.test") for i in range(3)]
    doubt(site, first)
    taken_for_dead(site)
    assert [state for _, state in site.queued()] == [0, 0, 0]
    site.advance(2)
    assert runner.id != before and [state for _, state in site.queued()] == [2, 2, 2]
    assert not site.elsewhere.conversations[0].aborted
    site.elsewhere.stalls = False
    site.elsewhere.conversations[0].proceed()
    site.advance(10)
    assert sorted(site.elsewhere.taken) == sorted((id_, f"r{i}@there.test") for i, id_ in enumerate(sent))
    assert [site.events(id_) for id_ in sent] == [["accepted", "reclaimed", "delivered"]] * 3
    assert runner.leases.count == 0 and not runner.leases.known and site.faults() == []


def test_what_another_has_taken_up_is_let_go_and_its_conversation_ends() -> None:
    site = site_that_stalls()
    first = site.node
    sent = [site.accept(ALICE, f"r{i}@there.test") for i in range(3)]
    doubt(site, first)
    site.elsewhere.stalls = False
    site.restart()
    site.advance(5)
    assert site.elsewhere.conversations[0].aborted
    assert sorted(site.elsewhere.taken) == sorted((id_, f"r{i}@there.test") for i, id_ in enumerate(sent))
    assert [site.events(id_) for id_ in sent] == [["accepted", "reclaimed", "delivered"]] * 3
    assert first.queue.runner.leases.count == 0 and first.queue.runner.going and site.faults() == []


def test_a_reply_that_could_not_be_written_before_the_lock_was_lost_counts_if_nobody_tried_again() -> None:
    site = site_that_stalls()
    id_ = site.accept(ALICE, BOB)
    site.node.database.locked = True
    doubt(site, site.node)
    first = site.node
    site.elsewhere.conversations[0].proceed()
    taken_for_dead(site)
    first.database.locked = False
    site.advance(30)
    assert site.elsewhere.taken == [(id_, BOB)] and site.queued() == []
    assert site.events(id_) == ["accepted", "reclaimed", "delivered"]


def test_what_another_has_tried_or_an_administrator_changed_meanwhile_is_not_kept() -> None:
    site = site_that_stalls()
    first = site.node
    site.elsewhere.fates = {"there.test": [LATER]}
    for name in ("tried", "held", "redirected", "moved"):
        site.accept(ALICE, f"{name}@{name}.test")
    doubt(site, first)
    taken_for_dead(site)
    settle(site.admin.hold(Selection(recipient="held@held.test")))
    settle(site.admin.redirect(Selection(recipient="redirected@redirected.test"), Address.parse(BOB)))
    settle(
        site.base.database.write(
            lambda cursor: [
                cursor.run("UPDATE recipient SET attempts = 2 WHERE address = 'tried@tried.test'"),
                cursor.run("UPDATE recipient SET destination_id = 1 WHERE address = 'moved@moved.test'"),
            ]
        )
    )
    site.advance(1.2, step=0.1)
    assert all(conversation.aborted for conversation in site.elsewhere.conversations[:4])
    assert site.queued()[1][1] == 1


def test_who_has_its_lock_back_is_not_buried_by_who_looked_before() -> None:
    site = site_that_stalls()
    registration = site.node.queue.service._registration
    started = settle(site.base.database.read(partial(_started, registration.id)))
    site.locks.doubt(registration.id)
    with pytest.raises(TemporaryFailure):
        settle(registration.resume())
    site.locks.come_back()
    assert not registration.held(), "another may have had it meanwhile"
    assert settle(registration.resume()) and registration.held()
    assert not settle(site.base.database.write(partial(_bury, registration.id, started)))


def test_where_locks_may_come_back_they_are_looked_at_for_a_while_before_their_holder_is_taken_for_dead() -> None:
    site = site_that_stalls()
    first = site.node
    site.locks.patience = 3.0
    id_ = site.accept(ALICE, BOB)
    site.add_node().queue.service.startService()
    second = site.node
    assert site.queued() == [(BOB, 2)]
    doubt(site, first)
    site.advance(3)
    site.locks.come_back()
    site.advance(20)
    assert site.events(id_) == ["accepted"] and len(site.elsewhere.begun) == 1
    site.elsewhere.stalls = False
    first.crash()
    site.advance(2)
    assert site.events(id_) == ["accepted"]
    site.advance(6)
    assert site.events(id_) == ["accepted", "reclaimed", "delivered"]
    assert UNKNOWN in site.details(id_, "reclaimed")[0] and second.queue.runner.leases.count == 0
