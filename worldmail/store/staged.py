"""What becomes of staged content that is not needed after all."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from worldmail.errors import Refusal
from worldmail.interfaces.database import Cursor, IDatabase, Row
from worldmail.interfaces.store import IContentStore

_log = Logger()

_AT_PLACE = "SELECT 1 FROM content WHERE place = ?"


@frozen(kw_only=True)
class Leftovers:
    """Removes places that no row refers to. Where that fails, the collector does it."""

    database: IDatabase
    contents: IContentStore

    async def discard_refused(self, places: Iterable[str | None]) -> None:
        """Remove refused content at once: who sends much to a full mailbox must not fill the disk."""
        for place in places:
            if place is None:
                continue
            with suppress(Refusal):
                if await self.database.read(partial(_at_place, place=place)) is None:
                    self.discard(place)

    def discard(self, place: str | None) -> None:
        """Remove content that nothing refers to."""
        if place is not None:
            Deferred.fromCoroutine(_remove(self.contents, place)).addErrback(_log_failure)


def _at_place(cursor: Cursor, place: str) -> Row | None:
    return cursor.one(_AT_PLACE, (place,))


async def _remove(contents: IContentStore, place: str) -> None:
    await contents.remove(place)


def _log_failure(failure: Any) -> None:
    _log.warn("superfluous content could not be removed: {reason}", reason=failure.getErrorMessage())
