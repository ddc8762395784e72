"""A server that changes flags under the MODSEQ that the mailbox had before."""

from __future__ import annotations

from launch import serve

from worldmail.interfaces.database import Cursor
from worldmail.store.messages import flagging
from worldmail.store.messages.box import Box


def inject() -> None:
    lock = flagging.lock

    def lock_as_before(cursor: Cursor, mailbox_id: int) -> Box:
        box = lock(cursor, mailbox_id)
        box.highest -= 1
        return box

    flagging.lock = lock_as_before


if __name__ == "__main__":
    serve(inject)
