"""A server that gives the UID after the highest that is there, not after the highest that ever was."""

from __future__ import annotations

from collections.abc import Collection

from launch import serve

from worldmail.interfaces.database import Cursor
from worldmail.store import mailboxes


def inject() -> None:
    expunge = mailboxes.expunge

    def expunge_and_forget(cursor: Cursor, mailbox_id: int, uids: Collection[int], now: int) -> frozenset[int]:
        gone: frozenset[int] = expunge(cursor, mailbox_id, uids, now)
        highest = "coalesce((SELECT max(uid) FROM message WHERE mailbox_id = ?1), 0)"
        cursor.run(f"UPDATE mailbox SET uidnext = 1 + {highest} WHERE id = ?1", (mailbox_id,))
        cursor.run(f"DELETE FROM expunged WHERE mailbox_id = ?1 AND uid > {highest}", (mailbox_id,))
        return gone

    mailboxes.expunge = expunge_and_forget


if __name__ == "__main__":
    serve(inject)
