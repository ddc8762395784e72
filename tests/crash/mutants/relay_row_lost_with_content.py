"""A relay where the first of several destinations that is done with takes the message and its content along."""

from __future__ import annotations

from launch import serve

from worldmail.interfaces.database import Cursor
from worldmail.queue import rows


def inject() -> None:
    fewer = rows.fewer

    def fewer_and_gone(cursor: Cursor, queued_id: int, ended: int, now: int) -> None:
        cursor.run("DELETE FROM recipient WHERE queued_id = ?", (queued_id,))
        cursor.run("UPDATE queued SET recipients = ? WHERE id = ?", (ended, queued_id))
        fewer(cursor, queued_id, ended, now)

    rows.fewer = fewer_and_gone


if __name__ == "__main__":
    serve(inject)
