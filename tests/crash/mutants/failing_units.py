"""A sound server, but for this: one acceptance in eight fails for the time being after its unit did everything."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from launch import serve

from worldmail.errors import TemporaryFailure
from worldmail.interfaces.database import Cursor
from worldmail.store.trace import Traces


def fail_some() -> None:
    record = Traces.record

    def record_or_fail(
        self: Traces, cursor: Cursor, acceptance: str, at: int, event: str, keys: Sequence[str], detail: str
    ) -> None:
        record(self, cursor, acceptance, at, event, keys, detail)
        if zlib.crc32(acceptance.encode()) % 8 == 0:
            raise TemporaryFailure(reason="a fault that is injected")

    Traces.record = record_or_fail  # type: ignore[method-assign]


if __name__ == "__main__":
    serve(fail_some)
