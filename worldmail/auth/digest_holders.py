"""Whether anybody may sign in by CRAM-MD5 or APOP: a site where nobody has a secret for them offers neither."""

from __future__ import annotations

from attrs import define, field
from twisted.internet.defer import Deferred

from worldmail.errors import Refusal
from worldmail.interfaces.database import Cursor, IDatabase, Notice
from worldmail.interfaces.world import IJournal


@define(kw_only=True)
class DigestHolders:
    """Follows the feed of changes to know if any account holds a legacy secret.

    Attributes:
        any: True if one does, as far as is known; False until `look` was called once.
    """

    _database: IDatabase
    _journal: IJournal
    any: bool = field(default=False, init=False)
    _looks: int = field(default=0, init=False)

    def account_changed(self, notice: Notice) -> None:
        """An account changed: look again."""
        Deferred.fromCoroutine(self.look())

    async def look(self) -> None:
        """Ask the database. If it cannot answer now, what was known stays."""
        self._looks += 1
        look = self._looks
        try:
            found = await self._database.read(_somebody_holds_one)
            if look == self._looks:  # else a later one has begun, and may be answered before this one
                self.any = found
        except Refusal as error:
            self._journal.failure("login.legacy-unknown", error)


def _somebody_holds_one(cursor: Cursor) -> bool:
    return cursor.one("SELECT 1 FROM account WHERE legacy_secret IS NOT NULL AND enabled = 1 LIMIT 1") is not None
