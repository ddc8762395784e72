"""A server that does not remember which messages went by MOVE and EXPUNGE."""

from __future__ import annotations

from launch import serve

from worldmail.store.messages import removing


def inject() -> None:
    removing._REMEMBER += " AND m.uid < 0"


if __name__ == "__main__":
    serve(inject)
