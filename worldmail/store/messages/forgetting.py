"""What was expunged is remembered for clients that come back (RFC 7162 §3.2.5), but not for ever."""

from __future__ import annotations

from attrs import define

from worldmail.interfaces.database import Cursor, IDatabase, Shared
from worldmail.store.provision import SLICE, forget_expunged

KEPT = 50_000
"""Expunged messages that a mailbox remembers at least."""

_LONG = "SELECT mailbox_id FROM expunged GROUP BY mailbox_id HAVING count(*) > ? ORDER BY mailbox_id"
_BOUND = "SELECT modseq FROM expunged WHERE mailbox_id = ? ORDER BY modseq DESC, uid DESC LIMIT 1 OFFSET ?"
_FORGET = "UPDATE mailbox SET forgotten = ? WHERE id = ? AND forgotten < ?"


@define(kw_only=True)
class Forgetting:
    """Shortens what mailboxes remember.

    Args:
        kept: see `KEPT`.
    """

    database: IDatabase
    kept: int = KEPT

    async def forget(self) -> int:
        """In every mailbox that remembers too much; how many records were removed."""
        removed = 0
        for (mailbox_id,) in await self.database.scan(lambda cursor: cursor.all(_LONG, (self.kept,))):
            removed += await self._shorten(mailbox_id)
        return removed

    async def _shorten(self, mailbox_id: int) -> int:
        """The mailbox says up to where before the first record goes; a crash leaves some for the next time."""
        bound = await self.database.write(Shared(lambda cursor: self._set_bound(cursor, mailbox_id)))
        removed, gone = 0, SLICE
        while gone == SLICE:
            gone = await self.database.write_long(
                Shared(lambda cursor: forget_expunged(cursor, mailbox_id, SLICE, bound))
            )
            removed += gone
        return removed

    def _set_bound(self, cursor: Cursor, mailbox_id: int) -> int:
        (bound,) = cursor.one(_BOUND, (mailbox_id, self.kept)) or (0,)
        cursor.run(_FORGET, (bound, mailbox_id, bound))
        return int(bound)
