"""A server that wipes content when the first of several mailboxes lets it go."""

from __future__ import annotations

from launch import serve

from worldmail.interfaces.database import Cursor
from worldmail.interfaces.messages import Uids
from worldmail.store.messages import removing
from worldmail.store.messages.asked import run_asked
from worldmail.store.messages.box import Box

_WIPE = (
    "UPDATE content SET inline = x'' WHERE inline IS NOT NULL AND id IN (SELECT m.content_id FROM asked"
    " CROSS JOIN message m WHERE m.mailbox_id = ? AND m.uid BETWEEN asked.low AND asked.high)"
)


def inject() -> None:
    take = removing.take

    def wipe_and_take(cursor: Cursor, box: Box, uids: Uids, now: int, *, orphan: bool = True) -> list[int]:
        run_asked(cursor, uids, _WIPE, (box.id,))
        return take(cursor, box, uids, now, orphan=orphan)

    removing.take = wipe_and_take


if __name__ == "__main__":
    serve(inject)
