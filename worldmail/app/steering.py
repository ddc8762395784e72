"""From a configuration to an administrator's hands on the queue, for commands: nothing is sent here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from worldmail.app.ground import StoreParts, host_name, make_directory
from worldmail.config.settings import Settings
from worldmail.queue.current_routes import CurrentRoutes
from worldmail.queue.destinations import Destinations
from worldmail.queue.expansion import Expansion
from worldmail.queue.opening import make_schedule
from worldmail.queue.parcels import Parcels
from worldmail.queue.reports import Reports
from worldmail.queue.steering import QueueAdmin
from worldmail.queue.telling import Teller


@asynccontextmanager
async def steering(parts: StoreParts) -> AsyncIterator[QueueAdmin]:
    """The queue of this configuration, as long as it takes."""
    foundations = parts.foundations
    settings: Settings = foundations.settings
    clock, acceptance = foundations.clock, parts.store.acceptance
    routes = CurrentRoutes(parts.database, foundations.changes, parts.key.unseal, clock.sleep)
    await routes.start()
    schedule = make_schedule(settings.queue)
    acceptance.onward = Parcels(
        routes=routes,
        destinations=Destinations(settings.queue.connections_per_destination),
        schedule=schedule,
        now=clock.now,
        taker=None,
    )
    directory = make_directory(settings, foundations)
    expansion = Expansion(folders=parts.store.folders, delimiters=settings.directory.recipient_delimiter)
    reports = Reports(
        acceptance=acceptance,
        directory=directory,
        expansion=expansion,
        clock=clock,
        journal=foundations.journal,
        trace=parts.store.trace,
        host=host_name(settings),
        double_failures=settings.queue.double_failures,
    )
    try:
        yield QueueAdmin(
            database=parts.database,
            clock=clock,
            trace=parts.store.trace,
            acceptance=acceptance,
            routes=routes,
            directory=directory,
            reports=reports,
            teller=Teller(database=parts.database, clock=clock, journal=foundations.journal, reports=reports),
            lifetime=schedule.lifetime,
        )
    finally:
        directory.close()
        routes.stop()
