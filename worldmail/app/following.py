"""What a server keeps of the database in memory: read before anything is served, followed while it runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred

from worldmail.interfaces.world import IJournal

AGAIN = 5.0
"""Seconds after which what could not be read at first is tried again."""

_SERVICE: Any = Service  # its methods have no annotations


class Table(Protocol):
    """Something small of the database in memory."""

    async def start(self) -> None:
        """Read it, and follow its changes."""

    def stop(self) -> None:
        """Follow no more."""


class Following(Service):
    """Has a table read and follow.

    Args:
        event: of the log, if it cannot be read.
    """

    def __init__(self, table: Table, event: str, journal: IJournal, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._table = table
        self._event = event
        self._journal = journal
        self._sleep = sleep
        self._tried: Deferred[None] = Deferred()
        self._starting: Deferred[None] | None = None

    def startService(self) -> None:
        """Begin."""
        _SERVICE.startService(self)
        self._tried = Deferred()
        self._starting = Deferred.fromCoroutine(self._start())

    def stopService(self) -> Any:
        """End."""
        _SERVICE.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    async def tried(self) -> None:
        """Wait until it was tried to read it. Where that failed who asks is told so, and it is tried again."""
        await self._tried

    async def _start(self) -> None:
        while self.running:
            try:
                await self._table.start()
            except Exception as error:  # noqa: BLE001  whatever it is, nobody can go by the table meanwhile
                self._journal.failure(self._event, error)
            else:
                break
            finally:
                self._was_tried()
            await self._sleep(AGAIN)

    def _was_tried(self) -> None:
        if not self._tried.called:
            self._tried.callback(None)

    async def _stop(self) -> None:
        try:
            if self._starting is not None:
                await self._starting
        finally:
            self._table.stop()
