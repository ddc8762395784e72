"""How values cross to PostgreSQL and back, so that units see what SQLite would show them."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.types.bool import BoolBinaryLoader
from psycopg.types.numeric import Int8Dumper, NumericBinaryLoader
from psycopg.types.string import StrDumper


class _SwitchDumper(Int8Dumper):
    """Booleans are stored as 0 and 1."""

    def dump(self, obj: Any) -> bytes:
        return b"1" if obj else b"0"


class _SwitchLoader(BoolBinaryLoader):
    """Conditions give 0 or 1."""

    def load(self, data: Any) -> Any:
        return int(super().load(data))


class _SumLoader(NumericBinaryLoader):
    """Sums of BIGINT are NUMERIC here; there are no other numbers of that type, and none has a fraction."""

    def load(self, data: Any) -> Any:
        return int(super().load(data))


def adapt(connection: psycopg.Connection[Any]) -> None:
    """Teach a connection. One type for every int, so that a statement is prepared once whatever its numbers."""
    adapters = connection.adapters
    adapters.register_dumper(int, Int8Dumper)
    adapters.register_dumper(bool, _SwitchDumper)
    adapters.register_dumper(str, StrDumper)
    adapters.register_loader("bool", _SwitchLoader)
    adapters.register_loader("numeric", _SumLoader)


def without_nul(value: Any) -> Any:
    """PostgreSQL's text has no NUL: U+FFFD stands in its place."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value
