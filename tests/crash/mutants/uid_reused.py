"""A server that gives the UID after the highest that is there, not after the highest that ever was."""

from __future__ import annotations

from launch import serve

from worldmail.interfaces.database import Cursor
from worldmail.interfaces.messages import Uids
from worldmail.store.messages import messages


def inject() -> None:
    expunge = messages.expunge

    def expunge_and_forget(cursor: Cursor, mailbox_id: int, uids: Uids, now: int, *, deleted_only: bool) -> list[int]:
        gone = expunge(cursor, mailbox_id, uids, now, deleted_only=deleted_only)
        highest = "coalesce((SELECT max(uid) FROM message WHERE mailbox_id = ?1), 0)"
        cursor.run(f"UPDATE mailbox SET uidnext = 1 + {highest} WHERE id = ?1", (mailbox_id,))
        cursor.run(f"DELETE FROM expunged WHERE mailbox_id = ?1 AND uid > {highest}", (mailbox_id,))
        return gone

    messages.expunge = expunge_and_forget


if __name__ == "__main__":
    serve(inject)
