"""From a configuration to what agents do, for a command that tries one: no server runs here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from worldmail.app.assembly import world_of
from worldmail.app.errands import build_errands
from worldmail.app.ground import StoreParts
from worldmail.interfaces.ondemand import AgentKind, IErrand

GRACE = 1.0
"""Seconds that connections have to be closed."""


@asynccontextmanager
async def trying(parts: StoreParts) -> AsyncIterator[Mapping[AgentKind, IErrand]]:
    """What agents of each kind do, as long as it takes."""
    world, outgoing, pairing = world_of(parts)
    directory: Any = world.directory
    tables = (outgoing.routes, pairing.pairs)
    try:
        for table in tables:
            await table.start()
        yield build_errands(world, parts, outgoing).kinds
    finally:
        await outgoing.connector.shutdown(GRACE)
        for table in tables:
            table.stop()
        directory.close()
