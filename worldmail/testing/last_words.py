"""The ends of the logs of servers, for the report of a test that failed.

Each kind of server that writes a log `remember`s itself when it is made, and is forgotten when nobody has it any more;
`tests/conftest.py` asks for the ends when a test has failed, while its servers are still there.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol
from weakref import WeakValueDictionary

MOST_SERVERS = 8
MOST_LINES = 60
MOST_COLUMNS = 400
_MOST_OCTETS = 64 * 1024
_SLACK = 2.0
"""Seconds by which the time of a file may lie before a clock that was read earlier."""


class Logging(Protocol):
    """A server with a log."""

    @property
    def log(self) -> Path:
        """Where its output goes; it may not be there yet, or not any more."""

    @property
    def place(self) -> str:
        """Its ports and its process, in words."""

    def running(self) -> bool:
        """True while its process lives."""


_SERVERS: WeakValueDictionary[int, Logging] = WeakValueDictionary()
"""By their `id`: some are like each other, and have no hash."""


def remember(server: Logging) -> None:
    """Its log is to be seen when a test fails."""
    _SERVERS[id(server)] = server


def ends_of_logs(since: float) -> list[tuple[str, str]]:
    """The ends of logs of servers that wrote something since this time: a title and lines of each.

    Those that wrote last come last. No more than `MOST_SERVERS` of `MOST_LINES` lines of `MOST_COLUMNS` characters.
    Of the others that run, only the titles: they may have had their part in it.
    """
    written: dict[Path, tuple[float, Logging]] = {}
    silent: list[tuple[str, str]] = []
    for server in list(_SERVERS.values()):
        at = _last_written(server.log)
        if at is not None and at >= since - _SLACK:
            if server.running() or server.log not in written:
                written[server.log] = (at, server)
        elif server.running():
            silent.append((f"nothing new in {server.log}: {server.place}", ""))
    newest = sorted(written.items(), key=lambda one: one[1][0])[-MOST_SERVERS:]
    return silent[-MOST_SERVERS:] + [(f"end of {path}: {server.place}", _end(path)) for path, (_, server) in newest]


def _last_written(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def _end(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - _MOST_OCTETS))
            text = stream.read(_MOST_OCTETS).decode("utf-8", "replace")
    except OSError as error:
        return f"cannot be read: {error}"
    return "\n".join(line[:MOST_COLUMNS] for line in text.splitlines()[-MOST_LINES:])
