"""Getting a TCP connection to one of several addresses.

They are tried in their order. One that does not answer within a head start gets company by the next, and whichever
answers first is taken (RFC 8305 §5): an address that is dead, as IPv6 often is, costs the head start and not the whole
time limit. The head start is longer than that RFC's quarter of a second, or every connection by satellite would be
made twice.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadWriteDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

AT_ONCE = 3
"""Addresses of one host that are being connected to at the same time."""

_WORDS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.ETIMEDOUT: "timed out",
    errno.EHOSTUNREACH: "no route to host",
    errno.ENETUNREACH: "network unreachable",
    errno.EADDRNOTAVAIL: "no local address or port",
    errno.EAFNOSUPPORT: "this machine does not speak that version of IP",
    errno.EPERM: "not permitted",
    errno.EACCES: "not permitted",
}

_UNDER_WAY = frozenset({0, errno.EINPROGRESS, errno.EALREADY, errno.EINTR})
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


@frozen
class Unreached:
    """An address that was tried in vain: why, and the status (RFC 3463 §3.4, §3.5) that says whose fault it was."""

    address: str
    words: str
    status: str = "4.4.1"


class NobodyReached(Exception):
    """None of the addresses answered.

    Attributes:
        tried: what became of each; empty if there was none to try.
    """

    def __init__(self, tried: Sequence[Unreached]) -> None:
        super().__init__("; ".join(f"[{one.address}] {one.words}" for one in tried))
        self.tried = tuple(tried)


@frozen
class Reached:
    """A connected socket, not blocking, and whom it leads to."""

    connection: socket.socket
    address: str


@implementer(IReadWriteDescriptor)
class _Attempt:
    """One address, being connected to.

    Args:
        ended: called once, not from within `start`, with what came of it.
    """

    def __init__(self, address: str, reactor: Any, ended: Callable[[_Attempt, Reached | Unreached], None]) -> None:
        self.address = address
        self._reactor = reactor
        self._ended = ended
        self._socket: socket.socket | None = None
        self._descriptor = -1
        self._limit: Any = None

    def start(self, port: int, source: str | None, seconds: float) -> None:
        """Try, for so many seconds."""
        trouble = self._begin(port, source)
        if trouble is None:
            self._reactor.addWriter(self)
            self._limit = self._reactor.callLater(seconds, self._end, self._unreached("timed out"))
        else:
            self._limit = self._reactor.callLater(0, self._end, trouble)

    def _begin(self, port: int, source: str | None) -> Unreached | None:
        """Ask for the connection; what went wrong already."""
        try:
            family = socket.AF_INET6 if ipaddress.ip_address(self.address).version == 6 else socket.AF_INET
            self._socket = made = socket.socket(family, socket.SOCK_STREAM)
        except ValueError:
            return self._unreached("not an IP address", "4.4.4")
        except OSError as error:
            return self._trouble(error.errno)
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        try:
            if source is not None:
                made.bind((source, 0))
        except OSError:
            return self._unreached(f"our own address {source} cannot be used", "4.3.5")
        try:
            code = made.connect_ex((self.address, port))
        except OSError as error:
            code = error.errno or errno.EINVAL
        if code not in _UNDER_WAY:
            return self._trouble(code)
        self._descriptor = made.fileno()
        return None

    def drop(self) -> None:
        """Try no more; nobody is told."""
        self._unwatch()
        made, self._socket = self._socket, None
        if made is not None:
            made.close()

    # -- what the reactor calls -----------------------------------------------------

    def fileno(self) -> int:
        """The socket's."""
        return self._descriptor

    def logPrefix(self) -> str:
        """For Twisted's log."""
        return "connecting"

    def doRead(self) -> None:
        """Nothing is read."""

    def doWrite(self) -> None:
        """There is an answer."""
        self._look()

    def connectionLost(self, reason: Failure) -> None:
        """There is an answer: no."""
        self._look(errno.ECONNRESET)

    # -- the end -----------------------------------------------------------------------

    def _look(self, code: int = 0) -> None:
        """Is it connected now, or lost?"""
        made = self._socket
        if made is None:
            return
        code = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or code
        try:
            itself = made.getpeername() == made.getsockname()
        except OSError:
            if not code:
                return  # an event that was meant for another, which had this descriptor before
        else:
            # Where nobody listens on a port that was taken for our own end, a connection may lead to itself.
            code = code or (errno.ECONNREFUSED if itself else 0)
        self._end(self._trouble(code) if code else Reached(made, self.address))

    def _end(self, result: Reached | Unreached) -> None:
        if isinstance(result, Reached):
            self._unwatch()
            self._socket = None  # it is theirs now
        else:
            self.drop()
        self._ended(self, result)

    def _unwatch(self) -> None:
        """The reactor has nothing more to tell."""
        if self._limit is not None and self._limit.active():
            self._limit.cancel()
        if self._descriptor >= 0 and self._socket is not None:
            self._reactor.removeWriter(self)

    def _trouble(self, code: int | None) -> Unreached:
        if code in _EXHAUSTED:
            return self._unreached("this machine is out of descriptors or memory for sockets", "4.3.0")
        return self._unreached(_WORDS.get(code or 0) or os.strerror(code or 0).lower())

    def _unreached(self, words: str, status: str = "4.4.1") -> Unreached:
        return Unreached(self.address, words, status)


@define
class Dialling:
    """One connection being made to one of these addresses.

    Args:
        addresses: IP addresses in text.
        sources: our own to connect from, at most one of each IP version.
        timeout: seconds that an address has to answer.
        head_start: seconds before the next is tried beside it.

    Attributes:
        result: fires with what is `Reached`, or fails with `NobodyReached`. May be cancelled.
    """

    reactor: Any
    addresses: Sequence[str]
    port: int
    sources: Sequence[str] = ()
    timeout: float = 30.0
    head_start: float = 1.0
    result: Deferred[Reached] = field(init=False)
    _left: list[str] = field(init=False)
    _tried: list[Unreached] = field(factory=list, init=False)
    _running: set[_Attempt] = field(factory=set, init=False)
    _timer: Any = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.result = Deferred(lambda deferred: self._stop())
        self._left = list(reversed(self.addresses))

    def start(self) -> Deferred[Reached]:
        """Begin; gives `result`."""
        self._next()
        return self.result

    def _next(self) -> None:
        """It is time for the next address, or there is room for it."""
        self._stop_timer()
        if self._left and len(self._running) < AT_ONCE:
            attempt = _Attempt(self._left.pop(), self.reactor, self._ended)
            self._running.add(attempt)
            if self._left:
                self._timer = self.reactor.callLater(self.head_start, self._next)
            attempt.start(self.port, self._source(attempt.address), self.timeout)
        elif not self._running:
            self.result.errback(NobodyReached(self._tried))

    def _ended(self, attempt: _Attempt, result: Reached | Unreached) -> None:
        self._running.discard(attempt)
        if isinstance(result, Unreached):
            self._tried.append(result)
            self._next()
        else:
            self._stop()
            self.result.callback(result)

    def _source(self, address: str) -> str | None:
        """Ours of the same IP version."""
        return next((source for source in self.sources if (":" in source) == (":" in address)), None)

    def _stop(self) -> None:
        self._stop_timer()
        self._left.clear()
        while self._running:
            self._running.pop().drop()

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
