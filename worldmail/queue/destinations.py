"""Destinations as a runner knows them: what is ready to go there, how many connections, whether it rests.

A destination is in memory while it has something ready or a connection, and for a while after, since its row's id and
what was learnt of it save work. How many connections it gets is learnt: one until the first message was taken there,
then more with each, fewer with each that fails.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator

from attrs import define, field

from worldmail.interfaces.queue import Route, Via
from worldmail.queue.jobs import Job
from worldmail.queue.linked import LinkFacts

READY = 50
"""Recipients of one destination that are leased ahead of the connections that they will go over."""

READY_UNPROVEN = 10
"""The same for one where nothing was taken yet: dead ones must not have in hand all that a runner may lease."""

REMEMBERED = 10_000
"""Destinations without work that are remembered."""

PROVEN = 5
"""Connections that a destination may have at once as soon as one message was taken there."""


@define(kw_only=True, eq=False)
class Destination:
    """One destination.

    Attributes:
        id: of its row; 0 as long as nobody looked.
        ready: what is leased and waits for a connection.
        waiting: how many recipients that are, with those that units under way lease.
        carriers: connections that are open, or being opened.
        talking: those of them that are open.
        limit: how many there may be, learnt; `most` is the bound.
        rest_until: epoch seconds before which nothing is tried.
        failures: attempts to reach it that failed, one after another.
        more: more of it is due in the database than was leased.
        free_at: when the next message may go, where the route has a rate (seconds of a clock that only grows).
        took: a message was taken there, and no connection failed since.
    """

    key: str
    domain: str
    route: Route
    most: int
    id: int = 0
    ready: deque[Job] = field(factory=deque)
    waiting: int = 0
    carriers: int = 0
    talking: int = 0
    limit: int = 1
    rest_until: int = 0
    failures: int = 0
    more: bool = False
    took: bool = False
    free_at: float = 0.0

    @property
    def room(self) -> int:
        """How many more recipients may be leased ahead; below 0 if one message had many."""
        return (READY if self.took or self.route.via is Via.LOCAL else READY_UNPROVEN) - self.waiting

    def push(self, job: Job) -> None:
        """Ready to go; what is urgent goes first (RFC 6710 §5)."""
        self.waiting += len(job.recipients)
        if self.ready and self.ready[-1].priority < job.priority:
            place = next((i for i, other in enumerate(self.ready) if other.priority < job.priority), len(self.ready))
            self.ready.insert(place, job)
        else:
            self.ready.append(job)

    def pop(self) -> Job | None:
        """The next one to go."""
        if not self.ready:
            return None
        job = self.ready.popleft()
        self.waiting -= len(job.recipients)
        return job

    def drain(self) -> list[Job]:
        """All that is ready, which will not go now."""
        jobs = list(self.ready)
        self.ready.clear()
        self.waiting -= sum(len(job.recipients) for job in jobs)  # what is reserved comes still
        return jobs

    def wants_carrier(self) -> bool:
        """Is there more to do than the connections there are will do soon? One that is being opened takes one thing."""
        return len(self.ready) > self.carriers - self.talking and self.carriers < min(self.limit, self.most)

    def succeeded(self) -> None:
        """A message was taken there."""
        self.failures, self.rest_until, self.took = 0, 0, True
        self.limit = min(self.most, max(PROVEN, self.limit + 1))

    def failed(self) -> None:
        """A connection failed, or could not be had."""
        self.took = False
        self.limit = max(1, min(self.limit, self.carriers) // 2)

    @property
    def idle(self) -> bool:
        """Nothing is ready or on its way here, nothing open."""
        return not (self.waiting or self.carriers)


@define
class Destinations:
    """Those in memory, by key."""

    _most: int
    _all: OrderedDict[str, Destination] = field(factory=OrderedDict, init=False)
    down: frozenset[str] = field(default=frozenset(), init=False)
    links: LinkFacts = field(factory=LinkFacts, init=False)

    def rests(self, destination: Destination, now: float) -> bool:
        """Is nothing to be tried there now: it could not be reached, or its link is `down`?"""
        key = destination.key
        if destination.rest_until > now or key in self.down:
            return True
        return self.links.down_since(key, destination.route.name) is not None

    def of(self, route: Route, domain: str) -> Destination:
        """The destination of this route and domain."""
        key = route.destination(domain)
        found = self._all.get(key)
        if found is None:
            found = self._all[key] = Destination(key=key, domain=domain, route=route, most=self._bound(route))
            self._forget()
        else:
            self._all.move_to_end(key)
            if found.route is not route:
                found.route, found.most = route, self._bound(route)
        return found

    def bound(self, most: int) -> None:
        """So many connections to one from now on, where its route says nothing else."""
        self._most = most
        for destination in self._all.values():
            destination.most = self._bound(destination.route)

    def known(self, key: str) -> Destination | None:
        """The destination of this key, if it is in memory."""
        return self._all.get(key)

    def __iter__(self) -> Iterator[Destination]:
        return iter(list(self._all.values()))

    def _bound(self, route: Route) -> int:
        if route.via is Via.LOCAL:
            return 1
        return route.connections or self._most

    def _forget(self) -> None:
        if len(self._all) <= REMEMBERED:
            return
        for key, destination in list(self._all.items())[: REMEMBERED // 10]:
            if destination.idle:
                del self._all[key]
