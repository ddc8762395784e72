"""Where log lines end: a file or standard error, written by a thread of its own.

A disk that is full, slow or gone, or a terminal that somebody stopped, must not
hold up mail. So the reactor only hands batches over; what cannot be written is
dropped and counted, and the count is written once writing works again.
"""

from __future__ import annotations

import os
import select
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue

PENDING_LIMIT = 4 * 1024 * 1024
STANDARD_OUTPUT, STANDARD_ERROR = 1, 2

_REOPEN = b""


def standard_error_is_nowhere() -> bool:
    """True in a daemon: twistd has pointed standard error at /dev/null."""
    try:
        mine, null = os.fstat(STANDARD_ERROR), os.stat(os.devnull)
    except OSError:
        return True
    return stat.S_ISCHR(mine.st_mode) and mine.st_rdev == null.st_rdev


class Sink:
    """Takes batches of whole lines, in order.

    Args:
        path: the file to append to (made with mode 0600), None for standard error, "-" for standard output.
        lost_line: renders the line that tells how many lines were lost.
        pending_limit: octets that may wait; beyond it batches are dropped.
    """

    def __init__(self, path: str | None, lost_line: Callable[[int], bytes], pending_limit: int = PENDING_LIMIT) -> None:
        self._path = path
        self._lost_line = lost_line
        self._limit = pending_limit
        self._batches: SimpleQueue[bytes | None] = SimpleQueue()
        self._put = self._done = 0  # octets; each is written by one thread only
        self._overflowed = self._failed = self._told = 0  # lines, likewise
        self._descriptor = -1
        self._torn = self._complained = False
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:
        """How many lines were dropped so far."""
        return self._overflowed + self._failed

    def put(self, batch: bytes) -> None:
        """Write these lines soon. Never blocks."""
        if self._put - self._done > self._limit:
            self._overflowed += batch.count(b"\n")
            return
        self._put += len(batch)
        self._batches.put(batch)

    def reopen(self) -> None:
        """Open the file anew, after whatever came before: the log was rotated."""
        self._batches.put(_REOPEN)

    def close(self, timeout: float = 2.0) -> None:
        """Write what is waiting, for so many seconds at most."""
        self._batches.put(None)
        self._thread.join(timeout)

    def _run(self) -> None:
        while (batch := self._batches.get()) is not None:
            if batch == _REOPEN:
                self._shut()
                continue
            self._write_or_lose(batch)
            self._done += len(batch)
        self._shut()

    def _write_or_lose(self, batch: bytes) -> None:
        lost = self.lost
        notice = self._lost_line(lost - self._told) if lost > self._told else b""
        try:
            self._write(notice + batch)
        except OSError as error:
            self._failed += batch.count(b"\n")
            self._shut()
            self._complain(error)
        else:
            self._told = lost
            self._complained = False

    def _complain(self, error: OSError) -> None:
        """Say once on standard error, where somebody may look, that the file cannot be written. Does not wait."""
        if self._complained or self._path in (None, "-"):
            return
        self._complained = True
        line = f"worldmail: the log {self._path} cannot be written: {error.strerror}\n"
        with suppress(OSError, ValueError):
            if select.select((), (STANDARD_ERROR,), (), 0)[1]:
                os.write(STANDARD_ERROR, line.encode("utf-8", "backslashreplace"))

    def _write(self, data: bytes) -> None:
        if self._descriptor < 0:
            self._descriptor = self._open()
        if self._torn:
            data = b"\n" + data
        view = memoryview(data)
        while view:
            try:
                written = os.write(self._descriptor, view)
            except BlockingIOError:
                select.select((), (self._descriptor,), (), 1.0)
                continue
            view = view[written:]
            self._torn = bool(view)

    def _open(self) -> int:
        if self._path is None or self._path == "-":
            return STANDARD_ERROR if self._path is None else STANDARD_OUTPUT
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _shut(self) -> None:
        if self._descriptor > STANDARD_ERROR:
            os.close(self._descriptor)
        self._descriptor = -1
