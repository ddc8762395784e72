"""A site with a queue: a real store in memory, a clock that a test moves, servers elsewhere that a test scripts.

    site = QueueSite.make()
    site.start()
    id_ = site.accept("alice@example.test", "bob@there.test")
    site.advance(60)
    assert site.elsewhere.taken == [(id_, "bob@there.test")]

A `Node` is what one process has. One that crashed does nothing any more, whatever was under way: its lock is free, its
units of work are not written, nothing comes back to it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from zope.interface import implementer

from worldmail.config.delivery import QueueSettings
from worldmail.interfaces.database import IChanges, Row
from worldmail.interfaces.holds import Hold
from worldmail.interfaces.outbound import Wishes
from worldmail.interfaces.queue import IRoutes, Route
from worldmail.interfaces.store import Acceptance, Onward, StagedContent
from worldmail.mail.address import Address
from worldmail.mail.envelope import Delivery, Envelope, Notify, Origin, Recipient
from worldmail.queue.expansion import Expansion
from worldmail.queue.opening import Queue, Surroundings, make_schedule, open_queue
from worldmail.queue.reports import Reports
from worldmail.queue.routes import RouteTable
from worldmail.queue.steering import QueueAdmin
from worldmail.queue.telling import Teller
from worldmail.testing.faulty import FaultyDatabase, MemoryLocks, TurnedClock
from worldmail.testing.outbound import Elsewhere
from worldmail.testing.real_store import RealStoreWorld, settle

T = TypeVar("T")

MESSAGE = b"From: alice@example.test\r\nSubject: hello\r\n\r\nHow are you?\r\n"


@implementer(IRoutes)
@define(eq=False)
class TestRoutes:
    """Routes that a test sets."""

    __test__ = False
    table: RouteTable = field(factory=lambda: RouteTable.of(()))
    reading: Deferred[None] | None = None

    def set(self, *routes: Route, holds: Sequence[Hold] = ()) -> None:
        """These are the routes and holds from now on."""
        self.table = RouteTable.of(routes, holds)

    async def settled(self) -> None:
        """See `IRoutes.settled`. Done when the test has called back what it put into `reading`."""
        if self.reading is not None:
            await self.reading

    def __getattr__(self, name: str) -> Any:
        return getattr(self.table, name)


@implementer(IChanges)
@define(eq=False)
class _Changes:
    """The feed as a process has it, which hears nothing once it is dead."""

    _inner: Any
    _node: Node

    def subscribe(self, topic: str, listener: Callable[[Any], None], key: int | None = None) -> Callable[[], None]:
        """See `IChanges.subscribe`."""
        cancel: Callable[[], None] = self._inner.subscribe(topic, partial(self._tell, listener), key)
        return cancel

    def _tell(self, listener: Callable[[Any], None], notice: Any) -> None:
        if not self._node.database.dead:
            listener(notice)


@define(kw_only=True, eq=False, repr=False)
class Node:
    """One process on a site."""

    site: QueueSite
    database: FaultyDatabase
    acceptance: Any
    queue: Queue = field(init=False)

    def start(self) -> None:
        """Begin to send."""
        self.queue.service.startService()

    def stop(self) -> Deferred[None]:
        """End in good order."""
        stopped: Deferred[None] = self.queue.service.stopService()
        return stopped

    def crash(self) -> None:
        """The process is killed: the system takes its lock and closes its connections."""
        self.database.dead = True
        self.site.locks.taken.pop(self.queue.runner.id, None)
        self.site.locks.doubtful.discard(self.queue.runner.id)
        conversations: list[Any] = list(self.queue.runner.conversations)
        for conversation in conversations:
            conversation.aborted = True

    def later(self, seconds: float, call: Callable[..., Any], *arguments: Any) -> Any:
        """Calls back, as long as it lives."""

        def alive() -> None:
            if not self.database.dead:
                call(*arguments)

        return self.site.clock.turned.callLater(seconds, alive)


@define(kw_only=True, eq=False, repr=False)
class QueueSite:
    """A store, its clock, and the processes that send."""

    base: RealStoreWorld
    clock: TurnedClock
    elsewhere: Elsewhere
    routes: TestRoutes
    locks: MemoryLocks
    settings: QueueSettings
    journal: Any
    nodes: list[Node] = field(factory=list)

    @classmethod
    def make(cls, **settings: Any) -> QueueSite:
        """A site with one process, not started, and alice@example.test, who writes."""
        base = RealStoreWorld.make()
        site = cls(
            base=base,
            clock=TurnedClock(),
            elsewhere=Elsewhere(),
            routes=TestRoutes(),
            locks=MemoryLocks(),
            settings=QueueSettings(**settings),
            journal=base.memory.journal,
        )
        site.add_node()
        base.add_account("alice@example.test")
        return site

    def add_node(self) -> Node:
        """One more process, not started."""
        database = FaultyDatabase(self.base.database)
        acceptance = copy.copy(self.base.store.acceptance)
        acceptance._database = database
        node = Node(site=self, database=database, acceptance=acceptance)
        node.queue = open_queue(
            self.settings,
            Surroundings(
                database=database,
                changes=_Changes(self.base.database.changes, node),
                clock=self.clock,
                journal=self.journal,
                trace=self.base.store.trace,
                acceptance=acceptance,
                directory=self.base.memory.directory,
                locks=self.locks,
                host="mail.example.test",
                node=f"node {len(self.nodes)}",
                grace=10.0,
                later=node.later,
            ),
            routes=self.routes,
            expansion=self.expansion,
            ways=self.elsewhere,
            outbound=self.elsewhere,
        )
        acceptance.onward = node.queue.parcels
        self.nodes.append(node)
        return node

    @property
    def node(self) -> Node:
        """The process that was added last."""
        return self.nodes[-1]

    @property
    def expansion(self) -> Expansion:
        """How recipients are expanded."""
        return Expansion(folders=self.base.store.folders, delimiters="+")

    @property
    def admin(self) -> QueueAdmin:
        """An administrator's hands, in a process of their own."""
        acceptance = copy.copy(self.base.store.acceptance)
        acceptance.onward = evolve(self.node.queue.parcels, taker=None)
        reports = Reports(
            acceptance=acceptance,
            directory=self.base.memory.directory,
            expansion=self.expansion,
            clock=self.clock,
            journal=self.journal,
            trace=self.base.store.trace,
            host="mail.example.test",
            double_failures=self.settings.double_failures,
        )
        return QueueAdmin(
            database=self.base.database,
            clock=self.clock,
            trace=self.base.store.trace,
            acceptance=acceptance,
            routes=self.routes,
            directory=self.base.memory.directory,
            reports=reports,
            teller=Teller(database=self.base.database, clock=self.clock, journal=self.journal, reports=reports),
            lifetime=make_schedule(self.settings).lifetime,
        )

    def start(self) -> None:
        """Start the process that was added last."""
        self.node.start()

    def restart(self) -> None:
        """A process in the place of one that crashed, started."""
        self.add_node().start()

    def advance(self, seconds: float, step: float = 1.0) -> None:
        """Let time pass, not all at once."""
        while seconds > 0:
            part = min(step, seconds)
            self.base.memory.clock.advance(part)
            self.clock.turned.advance(part)
            seconds -= part

    def acceptance(
        self,
        sender: str | None,
        *recipients: str,
        node: Node | None = None,
        content: bytes = MESSAGE,
        notify: Mapping[str, frozenset[Notify]] | None = None,
        here: bool = False,
        not_before: int = 0,
        wishes: Wishes | None = None,
        more: tuple[Delivery, ...] = (),
        smtputf8: bool = False,
        **fields: Any,
    ) -> Acceptance:
        """A message for these, to go on; `more` goes to mailboxes at once."""
        acceptance = (node or self.node).acceptance
        writer = acceptance.writer()
        writer.write(content)
        staged: StagedContent = settle(writer.finish())
        given = [Recipient(address=Address.parse(each), notify=(notify or {}).get(each)) for each in recipients]
        return Acceptance(
            id=acceptance.new_id(),
            received=int(self.clock.now()),
            envelope=Envelope(
                sender=None if sender is None else Address.parse(sender), recipients=tuple(given), smtputf8=smtputf8
            ),
            origin=Origin(session="s", protocol="ESMTP", client="192.0.2.9", helo="client.test"),
            content=staged,
            deliveries=more,
            message_id=None,
            unrepeatable=True,
            onward=tuple(Onward(recipient=each, not_before=not_before, here=here) for each in given),
            wishes=wishes or Wishes(),
            **fields,
        )

    def accept(self, sender: str | None, *recipients: str, node: Node | None = None, **fields: Any) -> str:
        """Accept a message; its id. For `fields` see `acceptance`."""
        acceptance = self.acceptance(sender, *recipients, node=node, **fields)
        settle((node or self.node).acceptance.accept(acceptance))
        return acceptance.id

    # -- what is there -------------------------------------------------------------------

    def rows(self, sql: str, *parameters: Any) -> list[Row]:
        """What a query gives now."""
        found: list[Row] = settle(self.base.database.read(lambda cursor: cursor.all(sql, parameters)))
        return found

    def queued(self) -> list[tuple[str, int]]:
        """Recipients in the queue, and their states."""
        return [(row[0], row[1]) for row in self.rows("SELECT address, state FROM recipient ORDER BY id")]

    def events(self, acceptance: str) -> list[str]:
        """What the trace tells of a message, in its words."""
        return [row[0] for row in self.rows("SELECT event FROM trace WHERE acceptance = ? ORDER BY id", acceptance)]

    def details(self, acceptance: str, event: str) -> list[str]:
        """The details of one kind of event."""
        sql = "SELECT detail FROM trace WHERE acceptance = ? AND event = ? ORDER BY id"
        return [row[0] for row in self.rows(sql, acceptance, event)]

    def mail(self, address: str = "alice@example.test") -> list[bytes]:
        """What is in the INBOX of an account."""
        sql = (
            "SELECT m.prefix, c.inline FROM message m JOIN content c ON c.id = m.content_id"
            " JOIN mailbox b ON b.id = m.mailbox_id JOIN account a ON a.id = b.account_id"
            " WHERE a.address = ? AND b.name = 'INBOX' ORDER BY m.uid"
        )
        return [row[0] + row[1] for row in self.rows(sql, Address.parse(address).key)]

    def faults(self) -> list[str]:
        """What is not as it must be, whatever happened: nothing, if all is well."""
        return [f"{what}: {row}" for what, sql in _NEVER.items() for row in self.rows(sql)]


_NEVER = {
    "a message counts its recipients wrongly": (
        "SELECT q.id, q.recipients FROM queued q WHERE q.recipients <> (SELECT count(*) FROM recipient r"
        " WHERE r.queued_id = q.id) + (SELECT count(*) FROM untold u WHERE u.queued_id = q.id)"
    ),
    "a message has no recipient": "SELECT id FROM queued WHERE recipients = 0",
    "a destination is due too late": (
        "SELECT d.key, d.due, min(r.due) FROM destination d JOIN recipient r ON r.destination_id = d.id"
        " WHERE r.state = 0 GROUP BY d.id, d.key, d.due, d.rest_until"
        " HAVING d.due IS NULL OR d.due > CASE WHEN d.rest_until > min(r.due) THEN d.rest_until ELSE min(r.due) END"
    ),
    "a content of the queue is gone": (
        "SELECT q.id FROM queued q WHERE NOT EXISTS (SELECT 1 FROM content c WHERE c.id = q.content_id)"
    ),
    "a content of a mailbox is gone": (
        "SELECT m.uid FROM message m WHERE NOT EXISTS (SELECT 1 FROM content c WHERE c.id = m.content_id)"
    ),
    "a content is nobody's": (
        "SELECT c.id FROM content c WHERE NOT EXISTS (SELECT 1 FROM message m WHERE m.content_id = c.id)"
        " AND NOT EXISTS (SELECT 1 FROM queued q WHERE q.content_id = c.id)"
        " AND NOT EXISTS (SELECT 1 FROM orphan o WHERE o.content_id = c.id)"
    ),
    "who is leased has no runner, or another way round": (
        "SELECT id, state, runner_id FROM recipient WHERE (state = 2) <> (runner_id IS NOT NULL)"
    ),
    "who is not leased has a wish": "SELECT id FROM recipient WHERE state <> 2 AND wish IS NOT NULL",
}
