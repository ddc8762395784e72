"""The exclusive right to a maildrop, over all nodes on one database (RFC 1939 §4)."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from attrs import define, field
from zope.interface import implementer

from worldmail.database.postgres.watch import Watch
from worldmail.interfaces.store import ILeaseLock, ILeaseLocks
from worldmail.wire.ready import Ready

PATIENCE = 3.0
"""Seconds in which a node whose session was lost has its locks back, if it lives and the database can be reached."""


@implementer(ILeaseLocks)
@define
class SessionLocks:
    """Provides `IMaildropLocks` and `ILeaseLocks` with the advisory locks of the watch's session.

    A session may take the same advisory lock twice, so a set says what this process has, or has asked for.
    """

    _watch: Watch
    patience: float = field(default=PATIENCE, init=False)
    _held: dict[int, MaildropLock] = field(factory=dict, init=False)
    _asked: set[int] = field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self._watch.lost = self.lost

    def lock(self, account_id: int) -> Awaitable[ILeaseLock | None]:
        if account_id in self._held or account_id in self._asked:
            return Ready(None)
        self._asked.add(account_id)
        return self._ask(account_id)

    def free(self, numbers: Sequence[int]) -> Awaitable[list[int]]:
        """See `ILeaseLocks.free`."""
        return self._watch.free(numbers)

    async def _ask(self, account_id: int) -> ILeaseLock | None:
        try:
            if not await self._watch.lock(account_id):
                return None
        except BaseException:
            self._watch.unlock(account_id)  # who asked is gone, and the lock may come all the same
            raise
        finally:
            self._asked.discard(account_id)
        lock = self._held[account_id] = MaildropLock(locks=self, account_id=account_id)
        return lock

    def unlock(self, lock: MaildropLock, account_id: int) -> Awaitable[None]:
        """Give it back; for `MaildropLock`."""
        if self._held.get(account_id) is not lock:
            return Ready(None)
        del self._held[account_id]
        return self._watch.unlock(account_id)

    def holds(self, lock: MaildropLock, account_id: int) -> bool:
        """For `MaildropLock`."""
        return self._watch.connected and self._held.get(account_id) is lock

    def gone(self, lock: MaildropLock, account_id: int) -> bool:
        """For `MaildropLock`."""
        return self._held.get(account_id) is not lock

    @property
    def sessions(self) -> int:
        """How many sessions there were: each has taken the locks of the one before again."""
        return self._watch.sessions

    def lost(self, account_id: int) -> None:
        """The session was lost, and another has the maildrop now."""
        self._held.pop(account_id, None)


@implementer(ILeaseLock)
@define(kw_only=True, eq=False)
class MaildropLock:
    """One account's maildrop."""

    _locks: SessionLocks
    _account_id: int

    def held(self) -> bool:
        return self._locks.holds(self, self._account_id)

    @property
    def interruptions(self) -> int:
        """See `ILeaseLock`: those of before it was taken are among them."""
        return self._locks.sessions

    def lost(self) -> bool:
        """See `ILeaseLock.lost`."""
        return self._locks.gone(self, self._account_id)

    def release(self) -> Awaitable[None]:
        return self._locks.unlock(self, self._account_id)
