"""The reactor of a command: timers and threads, and no network.

Twisted's own reactors bring all of TLS along, which takes longer to import than most commands take to run.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
from typing import Any

from twisted.internet.base import ReactorBase
from twisted.internet.main import installReactor


class CommandReactor(ReactorBase):
    """Waits for the next timer, or for a thread or a signal to wake it up."""

    def installWaker(self) -> None:
        """Called once, before anything else. A pipe, because a signal may write to it at any point."""
        self._waked, self._waker = os.pipe()
        os.set_blocking(self._waker, False)

    def wakeUp(self) -> None:
        """See `IReactorFromThreads.callFromThread`."""
        with contextlib.suppress(BlockingIOError):  # full of reasons to wake up
            os.write(self._waker, b"\0")

    def doIteration(self, delay: float | None) -> None:
        """Wait that many seconds at most (None: for ever)."""
        readable, _, _ = select.select([self._waked], [], [], delay)
        if readable:
            os.read(self._waked, 4096)

    def removeAll(self) -> list[Any]:
        """Asked at the end, for what could still be read from and written to."""
        return []


def command_reactor() -> Any:
    """The reactor of this process, which is a `CommandReactor` unless there is one already."""
    if "twisted.internet.reactor" not in sys.modules:
        installReactor(CommandReactor())  # type: ignore[no-untyped-call]  # Twisted's is untyped
    from twisted.internet import reactor

    return reactor
