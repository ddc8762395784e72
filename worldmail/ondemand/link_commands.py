"""Running a link's commands and probes: without a shell, for so long, with so much of what they say."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from attrs import frozen
from twisted.internet import error
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientFactory, ProcessProtocol, Protocol
from twisted.python.failure import Failure

from worldmail.ondemand.link_keys import Command, Knock

MOST = 2000
"""Octets of a command's output that are kept: the last."""

MERCY = 2.0
"""Seconds between the request to end and the end."""

LINGER = 0.2
"""Seconds after a program's end in which the rest of its output is read; what it left running may hold it open."""

SESSION = "/usr/bin/setsid"
"""Makes a program the first of its own process group, which can be ended as a whole."""


@frozen(kw_only=True)
class Done:
    """What came of a command or a probe. `words`: what it said last, or what happened; one line, printable."""

    ok: bool
    words: str = ""


def environment(link: str) -> dict[str, str]:
    """What a command finds in its environment: nothing of the server's."""
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "WORLDMAIL_LINK": link,
    }


async def perform(reactor: Any, what: Command | Knock, link: str, seconds: float) -> Done:
    """Run a command, or knock, for so many seconds at most. Cancelled, it is ended."""
    if isinstance(what, Knock):
        return await knock(reactor, what, seconds)
    return await run(reactor, what, environment(link), seconds)


# -- programs ----------------------------------------------------------------------------


class _Program(ProcessProtocol):
    """One program, from its start until nothing more of it is to be told.

    Attributes:
        ended: fires with what came of it.
    """

    def __init__(self, reactor: Any, seconds: float) -> None:
        self.ended: Deferred[Done] = Deferred(lambda deferred: self._give_up("it was cancelled"))
        self._reactor = reactor
        self._seconds = seconds
        self._said = b""
        self._why = ""
        self._timers: list[Any] = []
        self._exit: Failure | None = None

    def connectionMade(self) -> None:
        """It runs."""
        self.transport.closeStdin()  # type: ignore[union-attr]  # a process
        self._timers.append(self._reactor.callLater(self._seconds, self._give_up, f"it took over {self._seconds:g} s"))

    def outReceived(self, data: bytes) -> None:
        """It said something."""
        self._said = (self._said + data)[-MOST:]

    def errReceived(self, data: bytes) -> None:
        """It said something."""
        self.outReceived(data)

    def processExited(self, reason: Failure) -> None:
        """It ended; what it started may go on, and hold its output open."""
        self._stop_timers()
        self._exit = reason
        if self._why:
            self._signal(signal.SIGKILL)  # those of its group that did not end as they were asked to
        # Whatever it said last is read between the two.
        self._timers.append(self._reactor.callLater(LINGER, self._reactor.callLater, 0, self._finish))

    def processEnded(self, reason: Failure) -> None:
        """And so has its output."""
        self._exit = self._exit or reason
        self._finish()

    def _finish(self) -> None:
        self._stop_timers()
        if self._exit is None or self.ended.called:
            return
        self.transport.loseConnection()  # type: ignore[union-attr]  # a process
        ok = isinstance(self._exit.value, error.ProcessDone) and not self._why
        why = "" if ok else self._why or _how(self._exit)
        self.ended.callback(Done(ok=ok, words="; ".join(filter(None, (why, _last_line(self._said))))))

    def _give_up(self, why: str) -> None:
        """It and what it started are asked to end, and then ended."""
        if self._why or self._exit is not None:
            return
        self._why = why
        self._signal(signal.SIGTERM)
        self._timers.append(self._reactor.callLater(MERCY, self._signal, signal.SIGKILL))

    def _signal(self, number: signal.Signals) -> None:
        pid = getattr(self.transport, "pid", None)
        if pid is None:
            return
        try:
            os.killpg(pid, number)
        except ProcessLookupError:  # it has not come so far as to have a group, or is gone
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _stop_timers(self) -> None:
        for timer in self._timers:
            if timer.active():
                timer.cancel()
        self._timers.clear()


def run(reactor: Any, command: Command, env: Mapping[str, str], seconds: float) -> Deferred[Done]:
    """Fires when the program has ended, or was ended as it took too long. Never fails but by its cancellation."""
    program = _Program(reactor, seconds)
    try:
        reactor.spawnProcess(program, SESSION, (SESSION, *command.words), env=dict(env), path="/")
    except OSError as failed:
        program.ended.callback(Done(ok=False, words=f"it cannot be started: {failed.strerror}"))
    return program.ended


def _how(reason: Failure) -> str:
    ended = reason.value
    if isinstance(ended, error.ProcessTerminated) and ended.signal is not None:
        return f"it was ended by signal {ended.signal}"
    return f"it ended with status {getattr(ended, 'exitCode', None)}"


def _last_line(said: bytes) -> str:
    lines = [line.strip() for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    return "".join(each if each.isprintable() else "?" for each in lines[-1])[:200] if lines else ""


# -- probes ------------------------------------------------------------------------------


class _Answered(Protocol):
    """A connection that is closed as soon as it is open."""

    def connectionMade(self) -> None:
        """There is somebody."""
        self.transport.abortConnection()  # type: ignore[union-attr]  # it has one
        self.factory.end(Done(ok=True))


class _Knocking(ClientFactory):
    """One connection that is opened to be closed.

    Attributes:
        ended: fires with what came of it.
    """

    noisy = False
    protocol = _Answered

    def __init__(self) -> None:
        self.connector: Any = None
        self.ended: Deferred[Done] = Deferred(lambda deferred: self._cancel())
        self._cancelled = False

    def end(self, done: Done) -> None:
        """It is known."""
        if not (self.ended.called or self._cancelled):
            self.ended.callback(done)

    def _cancel(self) -> None:
        self._cancelled = True
        self.connector.stopConnecting()

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        """There is nobody."""
        self.end(Done(ok=False, words=_of_error(reason)))


def knock(reactor: Any, at: Knock, seconds: float) -> Deferred[Done]:
    """Fires when somebody answered there, or nobody did. Never fails but by its cancellation."""
    knocking = _Knocking()
    knocking.connector = reactor.connectTCP(at.address, at.port, knocking, timeout=seconds)
    return knocking.ended


def _of_error(reason: Failure) -> str:
    if isinstance(reason.value, error.TimeoutError):
        return "timed out"
    number = getattr(reason.value, "osError", None)
    return os.strerror(number).lower() if isinstance(number, int) else str(reason.value)
