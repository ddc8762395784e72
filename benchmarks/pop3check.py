"""Checks for mail a second: connect, USER, PASS, STAT and QUIT in one segment, until the server closes."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial

from attrs import define, field

from benchmarks.figures import Figure, interleaved
from benchmarks.sides import PASSWORD, Side, mailbox_address

ACCOUNTS = 100
AT_ONCE = (1, 10, 50)
_REPLIES = 5
_PATIENCE = 30.0


class Check:
    """One connection: what it will say, and what it was told."""

    __slots__ = ("asked", "commands", "connection", "got")

    def __init__(self, connection: socket.socket, commands: bytes) -> None:
        self.connection = connection
        self.commands = commands
        self.got = b""
        self.asked = False


@define(kw_only=True)
class Checks:
    """`total` checks, `at_once` of them open at any time, over the accounts in turn. As cheap as Python can be."""

    port: int
    total: int
    at_once: int
    started: int = field(default=0, init=False)
    done: int = field(default=0, init=False)
    _poll: select.epoll = field(factory=select.epoll, init=False)
    _open: dict[int, Check] = field(factory=dict, init=False)
    _commands: list[bytes] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._commands = [
            f"USER {mailbox_address(number)}\r\nPASS {PASSWORD}\r\nSTAT\r\nQUIT\r\n".encode()
            for number in range(1, ACCOUNTS + 1)
        ]

    def run(self) -> float:
        """Checks a second. Raises if one was not answered as it should be."""
        began = time.monotonic()
        for _ in range(min(self.at_once, self.total)):
            self._start()
        while self.done < self.total:
            ready = self._poll.poll(_PATIENCE)
            if not ready:
                raise TimeoutError(f"{self.total - self.done} checks were not answered")
            for descriptor, _ in ready:
                self._step(self._open[descriptor])
        return self.total / (time.monotonic() - began)

    def _start(self) -> None:
        connection = socket.socket()
        connection.connect(("127.0.0.1", self.port))
        self._poll.register(connection, select.EPOLLIN)
        self._open[connection.fileno()] = Check(connection, self._commands[self.started % ACCOUNTS])
        self.started += 1

    def _step(self, check: Check) -> None:
        data = check.connection.recv(65536)
        if not data:
            self._finish(check)
            return
        check.got += data
        if not check.asked:
            check.asked = True
            check.connection.send(check.commands)

    def _finish(self, check: Check) -> None:
        del self._open[check.connection.fileno()]
        check.connection.close()
        if check.got.count(b"+OK") != _REPLIES:
            raise AssertionError(f"a check failed: {check.got!r}")
        self.done += 1
        if self.started < self.total:
            self._start()


def measure(
    ours: Side, theirs: Side, goal: float, totals: tuple[int, int], rounds: int, tell: Callable[[str], None]
) -> Iterator[Figure]:
    """`totals`: how many checks a round, for ours and for theirs, so that rounds take about as long."""
    for side in (ours, theirs):
        Checks(port=side.pop3_port, total=ACCOUNTS, at_once=4).run()
    for at_once in AT_ONCE:
        what = f"POP3 checks, {at_once} at once, against {theirs.name}"
        tell(what)
        one_of_ours, one_of_theirs = (
            partial(_rate, side.pop3_port, total, at_once) for side, total in zip((ours, theirs), totals, strict=True)
        )
        our_figures, their_figures = interleaved(rounds, one_of_ours, one_of_theirs, tell)
        yield Figure(what=what, unit="/s", ours=our_figures, theirs=their_figures, goal=goal)


def _rate(port: int, total: int, at_once: int) -> float:
    return Checks(port=port, total=total, at_once=at_once).run()
