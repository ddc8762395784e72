"""Twisted's log events, from the first one on.

twistd begins to log before anything of ours is read: the configuration that says
where the log is, the user who is to own its file. `JournalObserver` is what we give
to twistd in place of its own observer: it keeps the first events and hands them to the journal
once that stands. It pickles (as new), so that a .tap file can carry it.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable

from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent
from zope.interface import implementer

EARLY_EVENTS = 256


@implementer(ILogObserver)
class JournalObserver:
    """Passes events on to the journal, the earliest once there is one."""

    def __init__(self) -> None:
        self._early: deque[LogEvent] = deque(maxlen=EARLY_EVENTS)
        self._journal: Callable[[LogEvent], None] | None = None

    def __call__(self, event: LogEvent) -> None:
        if self._journal is None:
            self._early.append(event)
        else:
            self._journal(event)

    def hand_over(self, journal: Callable[[LogEvent], None]) -> None:
        """From now on the journal gets them."""
        self._journal = journal
        while self._early:
            journal(self._early.popleft())

    def take_back(self) -> None:
        """The journal is closed; what comes now is kept for the next."""
        self._journal = None

    def give_up(self) -> None:
        """There will be no journal: say on standard error what was kept and matters."""
        while self._early:
            event = self._early.popleft()
            if event.get("log_level", LogLevel.info) >= LogLevel.warn:
                failed = event.get("log_failure")
                print(f"worldmail: {formatEvent(event)}", file=sys.__stderr__)
                if failed is not None:
                    print(failed.getTraceback(), file=sys.__stderr__)

    def __getstate__(self) -> dict[str, object]:
        return {}

    def __setstate__(self, state: dict[str, object]) -> None:
        JournalObserver.__init__(self)
