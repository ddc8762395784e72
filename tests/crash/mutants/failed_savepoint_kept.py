"""A server that keeps what a failed unit did, where every eighth acceptance fails after it did all."""

from __future__ import annotations

from typing import Any

from failing_units import fail_some
from launch import serve

from worldmail.database import group


def inject() -> None:
    def kept(connection: Any, alone: bool, error: BaseException) -> None:
        if not alone:
            connection.execute("RELEASE unit")

    group._undo = kept


if __name__ == "__main__":
    serve(fail_some, inject)
