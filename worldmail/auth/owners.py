"""Networks that an account's owner signed in from: from there nobody else's failures keep him out.

Kept in the database, refreshed at most once a day, written behind with the failures.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from attrs import define, field

from worldmail.interfaces.database import Cursor

SECONDS_OF_DAY = 86_400
KEPT_SECONDS = 90 * SECONDS_OF_DAY
_REMEMBERED = 50_000


@define
class KnownNetworks:
    """Which network is known for which account."""

    _fresh: OrderedDict[tuple[int, str], int] = field(factory=OrderedDict)
    _unwritten: dict[tuple[int, str], int] = field(factory=dict)
    _homes: OrderedDict[str, None] = field(factory=OrderedDict)

    @property
    def pending(self) -> bool:
        """True if there is something to write."""
        return bool(self._unwritten)

    def is_fresh(self, account_id: int, network: str, now: int) -> bool:
        """True if a login from there was noted today; costs no look at the database."""
        return self._fresh.get((account_id, network)) == now // SECONDS_OF_DAY

    def is_known(self, cursor: Cursor, account_id: int, network: str, now: int) -> bool:
        """Within a unit: whether the owner signed in from there lately."""
        row = cursor.one(
            "SELECT last_login FROM known_network WHERE account_id = ? AND network = ?", (account_id, network)
        )
        return (account_id, network) in self._unwritten or (row is not None and row[0] > now - KEPT_SECONDS)

    def is_home(self, network: str) -> bool:
        """True if this process met any owner there lately."""
        return network in self._homes

    def note_home(self, network: str) -> None:
        """An owner is known there."""
        self._homes[network] = None
        self._homes.move_to_end(network)
        if len(self._homes) > _REMEMBERED:
            self._homes.popitem(last=False)

    def note(self, account_id: int, network: str, now: int) -> None:
        """The owner signed in from there."""
        if self.is_fresh(account_id, network, now):
            return
        self.note_home(network)
        self._fresh[account_id, network] = now // SECONDS_OF_DAY
        if len(self._fresh) > _REMEMBERED:
            self._fresh.popitem(last=False)
        self._unwritten[account_id, network] = now

    def take(self) -> list[tuple[str, int, int]]:
        """The rows to write; forgotten here, they are no loss if they cannot be written."""
        rows = [(network, now, account_id) for (account_id, network), now in self._unwritten.items()]
        self._unwritten = {}
        return rows


def write_known(cursor: Cursor, rows: Iterable[tuple[str, int, int]]) -> None:
    """A unit of work: add or refresh the rows, those of accounts that are still there."""
    cursor.run_many(
        "INSERT INTO known_network (account_id, network, last_login) SELECT id, ?, ? FROM account WHERE id = ?"
        " ON CONFLICT (account_id, network) DO UPDATE SET last_login = excluded.last_login",
        rows,
    )


def prune_known(cursor: Cursor, now: int) -> None:
    """A unit of work: forget networks that have not been used for long."""
    cursor.run("DELETE FROM known_network WHERE last_login <= ?", (now - KEPT_SECONDS,))
