"""A server whose commits are not synced: PRAGMA synchronous=NORMAL."""

from __future__ import annotations

from launch import serve

from worldmail.database import file


def inject() -> None:
    pragmas = file._PRAGMAS
    file._PRAGMAS = pragmas.replace("synchronous=FULL", "synchronous=NORMAL")
    assert pragmas != file._PRAGMAS


if __name__ == "__main__":
    serve(inject)
