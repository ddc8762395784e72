"""From the configuration to a store."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from secrets import token_bytes
from typing import TYPE_CHECKING, Any, Protocol

from attrs import frozen
from twisted.application.service import MultiService

from worldmail.database.worker import Threads
from worldmail.interfaces.database import IChanges, IDatabase, Shared
from worldmail.interfaces.store import IAccountParticipant, IContentStore, IMaildropLocks
from worldmail.interfaces.world import IClock
from worldmail.store.acceptance import Acceptances
from worldmail.store.arrived import Arrivals
from worldmail.store.collector import Collector
from worldmail.store.folders import Folders
from worldmail.store.inflow import Inflow
from worldmail.store.mailboxes import Mailboxes
from worldmail.store.maildrop import FileLocks
from worldmail.store.messages import Messages
from worldmail.store.messages.forgetting import Forgetting
from worldmail.store.patience import PatientTime
from worldmail.store.quota import recount_domains
from worldmail.store.space import Reserve, Space
from worldmail.store.trace import Traces
from worldmail.store.upkeep import AfterChanges, Ending, TraceFiling
from worldmail.store.writer import Elsewhere
from worldmail.transport.periodic import Periodic

if TYPE_CHECKING:
    from worldmail.store.derived import Derived

DIGESTING = 2
"""Threads that digest large content."""

SUMMARISING = 0.03
"""Seconds without a change in any mailbox, before what came is summarised."""

FILING = 2.0
FILLING = 2.0
RESTORING = 60.0
SWEEPING = 24 * 3600.0
FORGETTING = 3600.0
EMPTYING = 600.0

SETTLED = 300.0
"""Seconds after the start at which work that comes round more rarely begins: servers are restarted more often."""


class StoreOptions(Protocol):
    """What is read of the section [store]. Sizes in octets, times in seconds."""

    @property
    def inline_limit(self) -> int: ...
    @property
    def orphan_grace(self) -> float: ...
    @property
    def collect_interval(self) -> float: ...
    @property
    def minimum_free(self) -> int: ...
    @property
    def reserve(self) -> int: ...
    @property
    def trace_kept(self) -> float: ...
    @property
    def summary_cache(self) -> int: ...


@frozen(kw_only=True)
class Store:
    """The store's providers, and the service that keeps it in order while a server runs.

    Args:
        collector: to collect at once, for tools and tests.
        reserve: the service sets it aside as soon as it starts.
        make_derived: gives what is derived of contents, the same each time. A command is over in a moment, and loads
            all that it takes only if it needs it.
    """

    mailboxes: Mailboxes
    messages: Messages
    folders: Folders
    acceptance: Acceptances
    trace: Traces
    collector: Collector
    reserve: Reserve
    make_derived: Callable[[], Derived]
    service: MultiService

    @property
    def derived(self) -> Derived:
        """Summaries and the search index; the service fills them."""
        return self.make_derived()

    @property
    def participants(self) -> tuple[IAccountParticipant, ...]:
        """Those who make and remove what belongs to an account, in this order."""
        return self.mailboxes, self.folders


def open_store(
    settings: StoreOptions,
    data_dir: str,
    database: IDatabase,
    contents: IContentStore,
    clock: IClock,
    reactor: Any,
    locks: IMaildropLocks | None = None,
    elsewhere: Elsewhere | None = None,
    derived: Derived | None = None,
    changes: IChanges | None = None,
) -> Store:
    """The store on a database and a content store. Touches nothing before it is used.

    Args:
        settings: the section [store].
        data_dir: where the maildrop locks and the reserve are: on the file system of an embedded database.
        reactor: for the background work.
        locks: of a database that many machines share; None for an embedded one, whose locks lie beside it.
        elsewhere: where large content is digested; None for threads of its own.
        derived: None for what lies beside the database.
        changes: tells of new mail, which is summarised soon after; without, later.
    """
    traces, inflow, shared = Traces(database), Inflow(), locks is not None
    space, reserve = _room(settings, data_dir, database, clock, shared=shared)
    make_derived = _maker(settings, data_dir, database, contents, clock, reactor, space, inflow, shared, derived)
    collector = _collector(settings, database, contents, reserve, make_derived)
    locks = locks or FileLocks(os.path.join(data_dir, "maildrops.lock"))
    messages = Messages(database=database, contents=contents, space=space, reserve=reserve, now=clock.now)
    folders = Folders(database=database, reserve=reserve, now=clock.now, sleep=clock.sleep, random=token_bytes)
    return Store(
        mailboxes=Mailboxes(database=database, contents=contents, locks=locks, messages=messages, now=clock.now),
        messages=messages,
        folders=folders,
        acceptance=Acceptances(
            database=database,
            contents=contents,
            trace=traces,
            space=space,
            inflow=inflow,
            inline_limit=settings.inline_limit,
            now=clock.now,
            elsewhere=elsewhere or Threads(reactor, "worldmail-digest", DIGESTING).run,
        ),
        trace=traces,
        collector=collector,
        reserve=reserve,
        make_derived=make_derived,
        service=_upkeep(settings, database, collector, reserve, folders, make_derived, clock, reactor, changes),
    )


def _maker(
    settings: StoreOptions,
    data_dir: str,
    database: IDatabase,
    contents: IContentStore,
    clock: IClock,
    reactor: Any,
    space: Space,
    inflow: Inflow,
    shared: bool,
    derived: Derived | None,
) -> Callable[[], Derived]:
    """See `Store.make_derived`."""

    @cache
    def make() -> Derived:
        if derived is not None:
            return derived
        from worldmail.store.derived import open_derived

        return open_derived(settings, data_dir, database, contents, clock, reactor, space, inflow=inflow, shared=shared)

    return make


def _collector(
    settings: StoreOptions,
    database: IDatabase,
    contents: IContentStore,
    reserve: Reserve,
    make_derived: Callable[[], Derived],
) -> Collector:
    """Removes contents, and what is derived of them."""

    def removed(content_ids: Sequence[int]) -> Awaitable[None]:
        return make_derived().removed(content_ids)

    grace = int(settings.orphan_grace)
    return Collector(database=database, contents=contents, reserve=reserve, grace=grace, removed=removed)


def _room(
    settings: StoreOptions, data_dir: str, database: IDatabase, clock: IClock, *, shared: bool
) -> tuple[Space, Reserve]:
    """The file system, and what is set aside on it."""
    space = Space(
        directory=data_dir,
        minimum_free=settings.minimum_free,
        inline_limit=settings.inline_limit,
        spare=database.spare,
        seconds=clock.seconds,
    )
    # Deleting takes room where the database is: a reserve on this machine helps an embedded one alone.
    aside = 0 if shared else settings.reserve
    return space, Reserve(path=os.path.join(data_dir, "reserve"), size=aside, space=space)


def _upkeep(
    settings: StoreOptions,
    database: IDatabase,
    collector: Collector,
    reserve: Reserve,
    folders: Folders,
    make_derived: Callable[[], Derived],
    clock: IClock,
    reactor: Any,
    changes: IChanges | None,
) -> MultiService:
    """The background work, each piece with its interval."""
    filing = TraceFiling(database=database, kept=int(settings.trace_kept))
    arrivals = Arrivals(database=database)
    time = PatientTime(clock, settings.orphan_grace)

    async def restore() -> None:
        reserve.restore()

    def goes_on() -> bool:
        return bool(service.running)

    def later(seconds: float, call: Callable[[], None]) -> Any:
        return reactor.callLater(seconds, call)

    service = Ending(lambda: make_derived().stop())
    reserving = Periodic(later, RESTORING, "restoring the reserve", restore, first=0)
    reserving.setServiceParent(service)  # type: ignore[no-untyped-call]  # Twisted's is untyped
    if changes is not None:

        def summarise(goes_on: Callable[[], bool]) -> Awaitable[int]:
            return make_derived().fresh.make(goes_on)

        summarising = AfterChanges(reactor, changes, "mailbox", SUMMARISING, "summarising new mail", summarise)
        summarising.setServiceParent(service)  # type: ignore[no-untyped-call]  # Twisted's is untyped
    for interval, what, work in (
        (settings.collect_interval, "collecting content", lambda: collector.collect(time.now())),
        (SWEEPING, "sweeping content", lambda: collector.sweep(time.now())),
        (FILING, "filing the trace", filing.file),
        (FILLING, "filling the search index", lambda: make_derived().filler.fill(goes_on)),
        (SWEEPING, "sweeping the search index", lambda: make_derived().sweep(goes_on)),
        (EMPTYING, "emptying deleted mailboxes", lambda: folders.empty(goes_on)),
        (FORGETTING, "forgetting old traces", lambda: filing.forget(time.now())),
        (SWEEPING, "forgetting what relays handed over long ago", lambda: arrivals.forget(int(time.now()))),
        (SWEEPING, "forgetting what was expunged long ago", Forgetting(database=database).forget),
        (SWEEPING, "counting what domains hold", lambda: database.write_long(Shared(recount_domains))),
    ):
        child = Periodic(later, interval, what, work, first=min(interval, SETTLED))
        child.setServiceParent(service)  # type: ignore[no-untyped-call]  # Twisted's is untyped
    return service
