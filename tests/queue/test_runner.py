"""Connections: how many, for how long, to whom; and which way mail takes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from attrs import evolve

from worldmail.interfaces.outbound import Fate
from worldmail.interfaces.queue import Route, Selection, Via
from worldmail.queue import runner as runner_module
from worldmail.queue.destinations import READY, READY_UNPROVEN
from worldmail.testing.outbound import LATER, NO_ROOM, TAKEN, ScriptedConversation, no_connection
from worldmail.testing.queue import QueueSite
from worldmail.testing.real_store import settle

ALICE = "alice@example.test"


def site_that_sends(**settings: Any) -> QueueSite:
    site = QueueSite.make(**settings)
    site.start()
    return site


def test_messages_that_come_within_two_seconds_share_a_connection() -> None:
    site = site_that_sends()
    for _ in range(5):
        site.accept(ALICE, "bob@there.test")
        site.advance(1)
    assert len(site.elsewhere.attempts) == 1 and len(site.elsewhere.taken) == 5
    site.advance(5)
    assert site.elsewhere.open == 0


def test_a_connection_that_its_peer_closed_while_it_was_idle_costs_no_attempt() -> None:
    site = site_that_sends()
    site.accept(ALICE, "bob@there.test")
    site.elsewhere.conversations[0].gone = True
    id_ = site.accept(ALICE, "carol@there.test")
    assert len(site.elsewhere.attempts) == 2
    assert site.events(id_) == ["accepted", "delivered"]
    assert '"attempt":1' in site.details(id_, "delivered")[0]


def test_a_connection_that_is_known_to_be_closed_while_it_is_idle_costs_no_attempt() -> None:
    site = site_that_sends()
    site.accept(ALICE, "bob@there.test")
    site.elsewhere.conversations[0].usable = False
    id_ = site.accept(ALICE, "carol@there.test")
    assert len(site.elsewhere.attempts) == 2
    assert site.events(id_) == ["accepted", "delivered"]
    assert '"attempt":1' in site.details(id_, "delivered")[0]


def test_one_message_for_a_server_that_is_known_opens_one_connection() -> None:
    site = site_that_sends()
    site.accept(ALICE, "bob@there.test")
    site.advance(5)
    assert site.elsewhere.open == 0
    site.elsewhere.stalls_at_connect = True
    for messages in range(1, 4):
        site.accept(ALICE, "bob@there.test")
        assert len(site.elsewhere.attempts) == 1 + messages, "one for each that is ready"


def test_what_was_being_accepted_when_the_lock_was_lost_is_sent_when_it_is_back() -> None:
    site = site_that_sends()
    runner, parcels = site.node.queue.runner, site.node.queue.parcels

    class Losing:
        """The runner, which loses its lock before the acceptance is on the disk."""

        reserve = staticmethod(runner.reserve)

        @staticmethod
        def offer(*arguments: Any) -> None:
            runner.cease()
            runner.offer(*arguments)

    site.node.acceptance.onward = evolve(parcels, taker=Losing())
    id_ = site.accept(ALICE, "bob@there.test")
    assert site.elsewhere.taken == []
    runner.begin(runner.id)
    assert site.elsewhere.taken == [(id_, "bob@there.test")]
    assert site.queued() == []
    (destination,) = runner.destinations
    assert (destination.waiting, runner.leases.count) == (0, 0)


def test_a_lock_that_comes_back_after_another_was_taken_in_its_place_is_given_back() -> None:
    site = site_that_sends()
    site.elsewhere.stalls = True
    id_ = site.accept(ALICE, "bob@there.test")
    registration = site.node.queue.service._registration
    before, lock = registration.id, registration._lock

    class Doubtful:
        """A lock of a session that was lost, and is back only when another lock was taken."""

        def held(self) -> bool:
            return False

        interruptions = 0

        def lost(self) -> bool:
            return True

        def release(self) -> Any:
            return lock.release()

    registration._lock = Doubtful()
    site.elsewhere.stalls = False
    site.advance(60)
    assert registration.id != before and before not in site.locks.taken
    site.elsewhere.conversations[0].proceed()
    site.advance(3600)
    assert site.elsewhere.taken == [(id_, "bob@there.test")]
    assert site.queued() == []


def test_recipients_beyond_what_a_server_takes_go_in_further_transactions_over_the_same_connection() -> None:
    site = site_that_sends()
    site.elsewhere.make = lambda conversation: setattr(conversation, "recipients", 3)
    site.accept(ALICE, *(f"r{i}@there.test" for i in range(8)))
    assert [len(carried.recipients) for carried in site.elsewhere.begun] == [3, 3, 2]
    assert len(site.elsewhere.attempts) == 1 and len(site.elsewhere.taken) == 8
    assert site.queued() == []


def test_a_server_that_takes_one_transaction_a_connection_gets_one_connection_for_each() -> None:
    site = site_that_sends()

    def make(conversation: ScriptedConversation) -> None:
        conversation.recipients, conversation.transactions = 3, 1

    site.elsewhere.make = make
    site.accept(ALICE, *(f"r{i}@there.test" for i in range(8)))
    site.advance(1)
    assert len(site.elsewhere.taken) == 8 and len(site.elsewhere.attempts) == 3


def test_a_server_that_has_room_for_nobody_is_not_asked_again_at_once() -> None:
    site = site_that_sends()
    site.elsewhere.make = lambda conversation: setattr(conversation, "recipients", 0)
    site.accept(ALICE, "bob@there.test")
    assert len(site.elsewhere.begun) == 1
    assert site.queued() == [("bob@there.test", 0)]
    assert site.rows("SELECT attempts FROM recipient") == [(1,)]


def test_a_connection_that_has_no_room_any_more_is_left_for_another_one() -> None:
    site = site_that_sends()
    site.elsewhere.fates = {"carol@there.test": [NO_ROOM, TAKEN]}
    site.accept(ALICE, "bob@there.test")
    site.accept(ALICE, "carol@there.test")
    assert len(site.elsewhere.attempts) == 2 and len(site.elsewhere.taken) == 2


def test_the_next_server_is_tried_where_the_first_does_not_answer_and_it_is_final_only_if_all_are() -> None:
    site = site_that_sends()
    site.elsewhere.hosts["there.test"] = ("mx1.there.test", "mx2.there.test")
    site.elsewhere.down = {"mx1.there.test": no_connection(fate=Fate.FAILED)}
    site.accept(ALICE, "bob@there.test")
    assert site.elsewhere.attempts == ["mx1.there.test", "mx2.there.test"] and len(site.elsewhere.taken) == 1
    site.advance(5)
    site.elsewhere.down["mx2.there.test"] = no_connection()
    site.accept(ALICE, "bob@there.test")
    assert site.queued() == [("bob@there.test", 0)]
    site.elsewhere.down = {"there.test": no_connection(fate=Fate.FAILED)}
    site.advance(400)
    assert site.queued() == [] and len(site.mail()) == 1


def test_a_dead_destination_costs_one_connection_for_each_rest_however_much_waits() -> None:
    site = site_that_sends()
    site.elsewhere.down = {"dead.test": no_connection()}
    for i in range(300):
        site.accept(ALICE, f"r{i}@dead.test")
    assert len(site.elsewhere.attempts) == 1
    site.advance(3600, step=5)
    assert len(site.elsewhere.attempts) <= 6  # after 5, 10, 20 ... minutes
    site.elsewhere.down = {}
    site.advance(7200, step=5)
    assert len(site.elsewhere.taken) == 300 and site.queued() == []
    assert site.faults() == []


def test_a_destination_that_can_be_reached_again_gets_all_that_waited() -> None:
    site = site_that_sends(first_retry=1000)
    site.elsewhere.down = {"there.test": no_connection()}
    for i in range(120):
        site.accept(ALICE, f"r{i}@there.test")
    site.elsewhere.down = {}
    site.advance(2200)
    assert len(site.elsewhere.taken) == 120


def test_destinations_where_nothing_was_taken_yet_get_half_of_all_connections() -> None:
    site = site_that_sends(connections=10)
    site.elsewhere.stalls_at_connect = True
    for i in range(40):
        site.accept(ALICE, f"r@d{i}.test")
    assert len(site.elsewhere.attempts) == 5
    site.elsewhere.stalls_at_connect = False
    site.elsewhere.let_in()
    site.advance(30)
    assert len(site.elsewhere.taken) == 40 and site.queued() == []


def test_all_connections_are_no_more_than_the_setting_and_those_of_one_destination_no_more_than_its() -> None:
    site = site_that_sends(connections=8, connections_per_destination=3)
    domains = "a.test", "b.test", "c.test", "d.test"
    for domain in domains:
        site.accept(ALICE, f"first@{domain}")
    site.elsewhere.stalls = True
    for i in range(10):
        for domain in domains:
            site.accept(ALICE, f"r{i}@{domain}")
    assert site.elsewhere.open <= 8
    for domain in domains:
        hosts = [each.hop.host for each in site.elsewhere.conversations if not each.closed]
        assert hosts.count(f"mx.{domain}") <= 3
    site.elsewhere.stalls = False
    for conversation in list(site.elsewhere.conversations):
        conversation.proceed()
    site.advance(30)
    assert len(site.elsewhere.taken) == 44


def test_few_recipients_are_leased_ahead_where_nothing_was_taken_yet_and_more_where_it_was() -> None:
    site = site_that_sends(connections_per_destination=1)
    site.elsewhere.stalls = True
    for i in range(200):
        site.accept(ALICE, f"r{i}@there.test")
    assert site.node.queue.runner.leases.count == READY_UNPROVEN + 1
    site.elsewhere.conversations[0].proceed()
    site.advance(1)
    assert READY < site.node.queue.runner.leases.count <= READY + 2
    site.elsewhere.stalls = False
    site.elsewhere.conversations[0].proceed()
    site.advance(10)
    assert len(site.elsewhere.taken) == 200 and site.node.queue.runner.leases.count == 0


def test_destinations_that_never_answer_leave_room_for_those_that_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "LEASED", 100)
    site = site_that_sends(connections=10)
    site.elsewhere.stalls_at_connect = True
    for i in range(30):
        for k in range(12):
            site.accept(ALICE, f"r{k}@dead{i}.test")
    for i in range(5):
        site.accept(ALICE, f"r@good{i}.test")
    assert site.node.queue.runner.leases.count < 100
    site.elsewhere.stalls_at_connect = False
    site.elsewhere.down = {f"dead{i}.test": no_connection() for i in range(30)}
    site.elsewhere.let_in()
    site.advance(3)
    assert len([address for _, address in site.elsewhere.taken if "good" in address]) == 5
    assert site.faults() == []


def test_what_waits_for_want_of_room_is_looked_for_as_soon_as_there_is_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "LEASED", 40)
    site = QueueSite.make()
    for i in range(300):
        site.accept(ALICE, f"r@d{i}.test")
    site.start()
    site.advance(10, step=0.1)
    assert len(site.elsewhere.taken) == 300 and site.queued() == []


def test_a_thousand_destinations_that_fail_at_once_are_no_trouble() -> None:
    site = QueueSite.make(connections=4)
    site.elsewhere.down = {"test": no_connection()}
    for i in range(1000):
        site.accept(ALICE, f"r@d{i}.test")
    site.start()
    site.advance(10, step=0.1)
    assert site.journal.failures == []
    assert len(site.elsewhere.attempts) == 1000 and len(site.queued()) == 1000


def test_what_a_runner_has_in_memory_does_not_grow_with_what_waits() -> None:
    site = QueueSite.make(connections_per_destination=1)
    for i in range(50):
        site.accept(ALICE, *(f"r{i}-{k}@there.test" for k in range(1000)))
    assert len(site.queued()) == 50_000
    site.elsewhere.stalls = True
    site.start()
    site.advance(40)
    runner = site.node.queue.runner
    assert runner.leases.count <= READY + 2 and len(runner.leases.known) == runner.leases.count


def test_a_fault_of_ours_in_the_midst_of_a_transaction_leaves_nothing_leased_and_is_told_as_unknown() -> None:
    site = site_that_sends()

    no_fate: Any = None
    site.elsewhere.fates["there.test"] = [no_fate]
    id_ = site.accept(ALICE, "bob@there.test")
    assert site.queued() == [("bob@there.test", 0)]
    assert "no reply seen" in site.details(id_, "deferred")[0]
    assert [event for event, _ in site.journal.failures] == ["queue.failed"]
    assert site.node.queue.runner.leases.count == 0


# -- ways -------------------------------------------------------------------------------------------


def test_what_waits_takes_the_way_that_the_routes_say_when_it_is_tried() -> None:
    site = site_that_sends()
    site.elsewhere.down = {"there.test": no_connection()}
    site.accept(ALICE, "bob@there.test")
    site.routes.set(Route(name="isp", via=Via.HOST, host="smart.test", port=25))
    site.advance(400)
    assert site.elsewhere.begun[-1].server == "smart.test" and site.queued() == []
    assert site.faults() == []


def test_mail_of_a_route_that_is_gone_goes_by_the_next_that_fits() -> None:
    site = site_that_sends()
    site.routes.set(Route(name="isp", via=Via.HOST, host="smart.test", port=25))
    site.elsewhere.down = {"smart.test": no_connection()}
    site.accept(ALICE, "bob@there.test")
    site.routes.set()
    site.advance(400)
    assert site.elsewhere.begun[-1].server == "mx.there.test" and site.queued() == []


def test_a_route_with_a_rate_sends_no_more_messages_a_minute_whatever_the_connections() -> None:
    site = site_that_sends()
    site.routes.set(Route(name="slow", via=Via.HOST, host="smart.test", port=25, rate=6))
    for _ in range(20):
        site.accept(ALICE, "bob@there.test")
    came = []
    for _ in range(4):
        came.append(len(site.elsewhere.taken))
        site.advance(60)
    assert came[0] == 1 and all(5 <= later - before <= 7 for before, later in pairwise(came))
    site.advance(60)
    assert len(site.elsewhere.taken) == 20 and site.queued() == []


def test_what_waits_for_its_turn_by_a_rate_goes_back_when_the_server_stops() -> None:
    site = site_that_sends()
    site.routes.set(Route(name="slow", via=Via.HOST, host="smart.test", port=25, rate=1))
    for _ in range(3):
        site.accept(ALICE, "bob@there.test")
    settle(site.node.stop())
    assert len(site.elsewhere.taken) == 1
    assert site.rows("SELECT state, attempts FROM recipient") == [(0, 0), (0, 0)]


def test_a_route_that_refuses_fails_what_comes_and_the_sender_is_told_its_sentence() -> None:
    site = site_that_sends()
    site.routes.set(Route(name="no", domain="there.test", via=Via.REFUSE, text="Not from here"))
    id_ = site.accept(ALICE, "bob@there.test")
    site.advance(1)
    assert site.events(id_) == ["accepted", "failed"] and site.elsewhere.attempts == []
    assert b"Not from here" in site.mail()[0]


def test_a_route_that_holds_keeps_what_comes_until_it_is_released_though_the_route_stays() -> None:
    site = site_that_sends()
    site.elsewhere.fates["there.test"] = [LATER, TAKEN]
    before = site.accept(ALICE, "before@there.test")
    site.routes.set(Route(name="wait", domain="there.test", via=Via.HOLD, queue="q"))
    held = site.accept(ALICE, "bob@there.test")
    site.advance(400_000, step=1000)
    assert site.queued() == [("bob@there.test", 1)], "what is held neither goes nor expires"
    assert site.elsewhere.taken == [(before, "before@there.test")], "a route that holds is for what comes"
    assert settle(site.admin.release(Selection(route="q"))) == 1
    site.advance(1, step=0.1)
    assert site.elsewhere.taken[-1] == (held, "bob@there.test") and site.queued() == []
