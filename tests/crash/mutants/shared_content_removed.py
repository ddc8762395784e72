"""A server that wipes content when the first of several mailboxes lets it go."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from launch import serve

from worldmail.interfaces.database import Cursor

expunge: Any = import_module("worldmail.store.expunge")


def inject() -> None:
    release = expunge.release_content

    def release_and_wipe(cursor: Cursor, content_id: int, refs: int, now: int) -> None:
        release(cursor, content_id, refs, now)
        cursor.run("UPDATE content SET inline = x'' WHERE id = ? AND inline IS NOT NULL", (content_id,))

    expunge.release_content = release_and_wipe


if __name__ == "__main__":
    serve(inject)
