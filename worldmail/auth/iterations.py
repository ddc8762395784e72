"""Which iteration counts SCRAM shows for names that nobody has.

Once `scram_iterations` is changed, accounts keep the count of their keys until their password is seen again. Were
everybody else shown the new one, an old one would tell that there is such an account. So counts are dealt out to
unknown names as they are among the accounts.
"""

from __future__ import annotations

from itertools import accumulate

from attrs import define, field
from twisted.internet.defer import Deferred

from worldmail.auth.server_key import ServerKey
from worldmail.errors import Refusal
from worldmail.interfaces.database import Cursor, IDatabase, Row
from worldmail.interfaces.world import IClock, IJournal

REFRESH = 600.0
"""Seconds after which the accounts are counted anew, if SCRAM is asked for."""

AGAIN = 10.0
"""The same after a look that failed."""

_DRAWN_OCTETS = 8


@define(kw_only=True)
class IterationCounts:
    """The counts among the accounts, as of the last look; the setting's alone before the first.

    Args:
        setting: what new keys are made with.
    """

    _database: IDatabase
    _clock: IClock
    _journal: IJournal
    _key: ServerKey
    setting: int
    _counts: list[tuple[int, int]] = field(factory=list, init=False)
    _due: float | None = field(default=None, init=False)

    def drawn(self, account_key: str) -> int:
        """The count for a name without an account, the same for all hashes.

        It changes as accounts change theirs: to the setting's, as that spreads.
        """
        self._look_if_old()
        if not self._counts:
            return self.setting
        mac = self._key.mac("invented-iterations", account_key.encode("utf-8", "surrogatepass"))
        total = sum(accounts for _, accounts in self._counts)
        place = int.from_bytes(mac[:_DRAWN_OCTETS], "big") * total >> 8 * _DRAWN_OCTETS
        ends = accumulate(accounts for _, accounts in self._counts)
        return next(count for (count, _), end in zip(self._counts, ends, strict=True) if place < end)

    async def look(self) -> None:
        """Count the accounts. If the database cannot answer now, what was known stays."""
        self._due = self._clock.seconds() + REFRESH
        try:
            rows = await self._database.scan(_count)
        except Refusal as error:
            self._due = self._clock.seconds() + AGAIN
            self._journal.failure("login.iterations-unknown", error)
        else:
            # In an order that does not hang on the setting: that it changes is not to be seen. The setting's share
            # grows on both sides: who is drawn to it does not leave it, as long as no account does.
            self._counts = sorted((row[0], row[1]) for row in rows)

    def _look_if_old(self) -> None:
        if self._due is not None and self._clock.seconds() > self._due:
            Deferred.fromCoroutine(self.look())


def _count(cursor: Cursor) -> list[Row]:
    return cursor.all(
        "SELECT k.iterations, count(*) FROM scram_key k JOIN account a ON a.id = k.account_id"
        " WHERE k.hash = 'SHA-256' AND a.enabled = 1 GROUP BY k.iterations"
    )
