"""The reactor that a server runs on: Twisted's epoll reactor, with less to do for each event.

Twisted names the connection in a log context around each read and write, for a log that we do not have (our records
carry the session); and it asks the system for as many events at once as there are connections, for which memory is
taken each time. What connections write is sent at the end of a round (see `held`); what comes at
once, event after event, is waited for awake (see `in_step`).
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import epollreactor, main
from twisted.logger import Logger

from worldmail.transport.held import Held
from worldmail.transport.in_step import InStep

_log = Logger()

EVENTS_AT_ONCE = 256
"""Events asked for in one call; the others come in the next, in turn."""

# Twisted's own methods have no annotations.
_EPOLL_REACTOR: Any = epollreactor.EPollReactor
_INSTALL: Any = main.installReactor


class LeanReactor(_EPOLL_REACTOR):  # type: ignore[misc]  # Twisted's is untyped
    """See the module's text.

    Attributes:
        held: what connections write in a round.
    """

    def __init__(self) -> None:
        self.held = Held()
        self._in_step = InStep()
        super().__init__()

    def doPoll(self, timeout: float | None) -> None:
        """Wait for events, for `timeout` seconds at most, and act on them."""
        self.held.send()
        selectables, act = self._selectables, self._doReadOrWrite
        most = min(max(len(selectables), 1), EVENTS_AT_ONCE)
        for descriptor, event in self._in_step.wait(self._poller.poll, -1 if timeout is None else timeout, most):
            selectable = selectables.get(descriptor)
            if selectable is None:  # one that came before has closed it
                continue
            try:
                act(selectable, descriptor, event)
            except Exception:  # noqa: BLE001 - a fault of one connection is not the next one's
                _log.failure("a connection could not be ended")
        self.held.send()

    doIteration = doPoll


def install_reactor() -> None:
    """Make it the reactor of this process, unless there is one: of twistd's `--reactor`, of a test."""
    if "twisted.internet.reactor" not in sys.modules:
        _INSTALL(LeanReactor())
