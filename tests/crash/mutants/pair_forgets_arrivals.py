"""A site that does not know what its relay handed over before."""

from __future__ import annotations

from launch import serve

from worldmail.interfaces.database import Cursor
from worldmail.interfaces.store import Handover
from worldmail.store import acceptance, accepting


def inject() -> None:
    def nothing(cursor: Cursor, handover: Handover) -> frozenset[str]:
        return frozenset()

    vars(accepting)["note_arrival"] = lambda *_: None
    vars(acceptance)["have_arrived"] = nothing


if __name__ == "__main__":
    serve(inject)
