"""From a configuration to an administrator's hands on unclaimed mail, and the place where it lies."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from worldmail.app.ground import StoreParts, make_directory
from worldmail.app.steering import steering
from worldmail.ondemand.unclaimed import UnclaimedAdmin
from worldmail.queue.expansion import Expansion
from worldmail.store.folders.unclaimed import UnclaimedFolders


def unclaimed_folders(parts: StoreParts) -> UnclaimedFolders:
    """The place of unclaimed mail."""
    return UnclaimedFolders(database=parts.database, folders=parts.folder_admin, acceptance=parts.store.acceptance)


@asynccontextmanager
async def unclaimed_admin(parts: StoreParts) -> AsyncIterator[UnclaimedAdmin]:
    """For commands, as long as it takes: what is given to somebody elsewhere goes to the queue."""
    foundations = parts.foundations
    settings = foundations.settings
    async with steering(parts):
        directory = make_directory(settings, foundations)
        try:
            yield UnclaimedAdmin(
                database=parts.database,
                unclaimed=unclaimed_folders(parts),
                acceptance=parts.store.acceptance,
                directory=directory,
                expansion=Expansion(folders=parts.store.folders, delimiters=settings.directory.recipient_delimiter),
                trace=parts.store.trace,
                clock=foundations.clock,
            )
        finally:
            directory.close()
