"""Whatever happens to a queue, in whatever order: every recipient ends exactly once, or is still there."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.queue.test_reports import actions
from worldmail.errors import TemporaryFailure
from worldmail.interfaces.queue import Route, Selection, Standing, Via
from worldmail.mail.address import Address
from worldmail.testing.outbound import LATER, NEVER, TAKEN, UNKNOWN, no_connection
from worldmail.testing.queue import Node, QueueSite
from worldmail.testing.real_store import settle

ALICE = "alice@example.test"
DOMAINS = "a.test", "b.test", "c.test"
ENDS = "delivered", "failed", "expired", "removed"
ROUTES = {
    "none": None,
    "hold": Route(name="r", domain="b.test", via=Via.HOLD, queue="q"),
    "host": Route(name="r", domain="b.test", via=Via.HOST, host="smart.test", port=25),
    "refuse": Route(name="r", domain="b.test", via=Via.REFUSE, text="no"),
}
domains = st.sampled_from(DOMAINS)
whichever = st.integers(0, 1)

_THERE = "SELECT q.acceptance, r.address FROM recipient r JOIN queued q ON q.id = r.queued_id"
_ENDED = (
    "SELECT t.event, t.detail FROM trace t WHERE t.event IN ('failed', 'expired', 'removed') AND EXISTS"
    " (SELECT 1 FROM trace a WHERE a.acceptance = t.acceptance AND a.event = 'accepted' AND a.detail LIKE ?)"
)


class QueueMachine(RuleBasedStateMachine):
    """Two processes at most on one store; the model is a set of recipients that were accepted."""

    @initialize()
    def begin(self) -> None:
        self.site = QueueSite.make(connections=4, connections_per_destination=2, lifetime=20_000, warn_after=3000)
        self.site.start()
        self.nodes: list[Node] = [self.site.node]
        self.number = 0
        self.accepted: dict[str, list[str]] = {}

    def some(self, which: int) -> Node:
        return self.nodes[which % len(self.nodes)]

    # -- what comes --------------------------------------------------------------------------

    @precondition(lambda self: self.nodes)
    @rule(which=whichever, wanted=st.lists(domains, min_size=1, max_size=4), sender=st.sampled_from((ALICE, None)))
    def accept(self, which: int, wanted: list[str], sender: str | None) -> None:
        addresses = []
        for domain in wanted:
            self.number += 1
            addresses.append(f"r{self.number}@{domain}")
        node = self.some(which)
        acceptance = self.site.acceptance(sender, *addresses, node=node)
        try:
            settle(node.acceptance.accept(acceptance))
        except TemporaryFailure:
            if not self.site.rows("SELECT 1 FROM queued WHERE acceptance = ?", acceptance.id):
                return
        self.accepted[acceptance.id] = addresses

    # -- other servers -----------------------------------------------------------------------

    @rule(domain=domains, fate=st.sampled_from((TAKEN, TAKEN, LATER, NEVER, UNKNOWN)))
    def answers(self, domain: str, fate: Any) -> None:
        self.site.elsewhere.fates[domain] = [fate]

    @rule(domain=domains, down=st.booleans())
    def reached_or_not(self, domain: str, down: bool) -> None:
        self.site.elsewhere.down.pop(domain, None)
        if down:
            self.site.elsewhere.down[domain] = no_connection()

    @rule(stalls=st.booleans(), at_connect=st.booleans())
    def stalls(self, stalls: bool, at_connect: bool) -> None:
        elsewhere = self.site.elsewhere
        elsewhere.stalls, elsewhere.stalls_at_connect = stalls, at_connect
        if not at_connect:
            elsewhere.let_in()
        if not stalls:
            self.proceed()

    @rule()
    def proceed(self) -> None:
        for conversation in list(self.site.elsewhere.conversations):
            conversation.proceed()

    @rule(domain=domains)
    def idle_connections_are_closed(self, domain: str) -> None:
        for conversation in self.site.elsewhere.conversations:
            conversation.gone = conversation.gone or conversation.hop.host.endswith(domain)

    # -- processes ---------------------------------------------------------------------------

    @precondition(lambda self: self.nodes)
    @rule(which=whichever)
    def crash(self, which: int) -> None:
        node = self.some(which)
        node.crash()
        self.nodes.remove(node)

    @precondition(lambda self: self.nodes)
    @rule(which=whichever)
    def stop(self, which: int) -> None:
        node = self.some(which)
        node.stop()
        self.site.advance(20)
        node.crash()  # the process is over
        self.nodes.remove(node)

    @precondition(lambda self: len(self.nodes) < 2)
    @rule()
    def another(self) -> None:
        node = self.site.add_node()
        node.start()
        self.nodes.append(node)

    @precondition(lambda self: self.nodes)
    @rule(which=whichever)
    def lock_is_lost(self, which: int) -> None:
        self.site.locks.taken.pop(self.some(which).queue.runner.id, None)
        self.site.locks.doubtful.discard(self.some(which).queue.runner.id)

    @precondition(lambda self: self.nodes)
    @rule(which=whichever)
    def lock_is_in_doubt(self, which: int) -> None:
        self.site.locks.doubt(self.some(which).queue.runner.id)

    @rule()
    def locks_come_back(self) -> None:
        self.site.locks.come_back()

    @precondition(lambda self: self.nodes)
    @rule(which=whichever, locked=st.booleans(), vanishing=st.integers(0, 2))
    def database(self, which: int, locked: bool, vanishing: int) -> None:
        database = self.some(which).database
        database.locked, database.vanishing = locked, vanishing

    @rule(seconds=st.sampled_from((1, 12, 40, 400, 4000)))
    def time_passes(self, seconds: int) -> None:
        self.site.advance(seconds, step=1 if seconds < 400 else 10)

    # -- administrators ----------------------------------------------------------------------

    @rule(domain=domains)
    def hold(self, domain: str) -> None:
        settle(self.site.admin.hold(Selection(domain=domain)))

    @rule(domain=domains)
    def release(self, domain: str) -> None:
        settle(self.site.admin.release(Selection(domain=domain)))

    @rule(domain=domains)
    def retry(self, domain: str) -> None:
        settle(self.site.admin.retry(Selection(domain=domain)))

    @rule(data=st.data(), report=st.booleans())
    def remove(self, data: st.DataObject, report: bool) -> None:
        addresses = [address for address, _ in self.site.queued()]
        if addresses:
            settle(self.site.admin.remove(Selection(recipient=data.draw(st.sampled_from(addresses))), report))

    @rule(data=st.data(), domain=domains)
    def redirect(self, data: st.DataObject, domain: str) -> None:
        rows = self.site.rows(_THERE)
        if rows:
            acceptance, address = data.draw(st.sampled_from(rows))
            self.number += 1
            target = f"r{self.number}@{domain}"
            if settle(self.site.admin.redirect(Selection(id=acceptance, recipient=address), Address.parse(target))):
                self.accepted[acceptance].remove(address)
                self.accepted[acceptance].append(target)

    @rule(name=st.sampled_from(sorted(ROUTES)))
    def routes(self, name: str) -> None:
        route = ROUTES[name]
        self.site.routes.set(*([] if route is None else [route]))

    # -- what must hold ------------------------------------------------------------------------

    @invariant()
    def rows_agree(self) -> None:
        assert self.site.faults() == []

    @invariant()
    def every_recipient_ends_once_or_is_there(self) -> None:
        there = Counter(self.site.rows(_THERE))
        ended: Counter[tuple[str, str]] = Counter()
        again: Counter[tuple[str, str]] = Counter()
        for acceptance, event, detail in self.site.rows("SELECT acceptance, event, detail FROM trace"):
            told = json.loads(detail)
            for address in told["to"]:
                if event in ENDS:
                    ended[acceptance, address] += 1
                elif event == "reclaimed" or (event == "deferred" and "no reply seen" in told["said"]):
                    again[acceptance, address] += 1
        taken = Counter(self.site.elsewhere.taken)
        for acceptance, addresses in self.accepted.items():
            for address in addresses:
                key = acceptance, address
                assert there[key] + ended[key] == 1, (key, there[key], ended[key], self.site.events(acceptance))
                assert taken[key] <= 1 + again[key], (key, self.site.events(acceptance))
        assert sum(there.values()) + sum(ended.values()) == sum(map(len, self.accepted.values()))

    def every_failure_is_told_once(self) -> None:
        told = Counter(pair for mail in self.site.mail() for pair in actions(mail))
        for event, detail in self.site.rows(_ENDED, f'%"from":"{ALICE}"%'):
            for address in json.loads(detail)["to"]:
                assert told[address, "failed"] == 1 or event == "removed", (address, told)
        assert max(told.values(), default=1) == 1 and not self.site.rows("SELECT id FROM queued")

    @invariant()
    def nothing_of_ours_went_wrong(self) -> None:
        assert self.site.journal.failures == []

    def teardown(self) -> None:
        """Once everything works, everything ends, and nothing is left of it."""
        if not hasattr(self, "site"):
            return
        site = self.site
        site.elsewhere.fates, site.elsewhere.down = {}, {}
        self.stalls(False, False)
        site.routes.set()
        site.locks.come_back()
        for node in self.nodes:
            node.database.locked, node.database.vanishing = False, 0
        if not self.nodes:
            self.another()
        site.advance(60)
        settle(site.admin.release(Selection(standing=Standing.HELD)))
        settle(site.admin.retry(Selection()))
        site.advance(8000, step=10)
        self.rows_agree()
        self.every_recipient_ends_once_or_is_there()
        assert site.queued() == [], [site.events(id_) for id_ in self.accepted]
        self.every_failure_is_told_once()
        for node in self.nodes:
            runner = node.queue.runner
            assert runner.leases.count == 0 and not runner.leases.known and runner.leases._inline == 0
            assert all(destination.idle for destination in runner.destinations)
            node.stop()
        site.advance(1)
        assert site.rows("SELECT id FROM recipient WHERE state = 2") == []
        if len(self.nodes) == 1:
            assert not site.locks.taken, "who ends in good order gives its lock back"
        if not any(node.database.dead for node in site.nodes):
            assert site.elsewhere.open == 0


TestQueueModel = QueueMachine.TestCase
TestQueueModel.settings = settings(
    max_examples=int(os.environ.get("WORLDMAIL_QUEUE_EXAMPLES", "25")),
    stateful_step_count=30,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # examples are long: to shrink one takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
