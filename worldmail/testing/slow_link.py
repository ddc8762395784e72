"""A link that is slow, far away and not always there, in front of a server on the loopback.

with SlowLink(target=server.port(366), delay=0.3, rate=125_000) as link:
    connect_to(link.port)
    link.cut_after(20_000, DOWN)

The link is a process of its own, so that it takes no time from whom it connects: `slow_link_process`, which tells what
is true of it and what is not.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from types import TracebackType
from typing import Any, Literal, Self

from attrs import define, field, frozen

from worldmail.testing.process import ROOT, environment_of_tests

How = Literal["rst", "fin"]
"""The ends are told that the connection is reset, or that nothing more will come."""

Way = Literal["up", "down"]
"""From who connects to the server, and back."""


@frozen(kw_only=True)
class Counts:
    """What the link has seen since it was made.

    Args:
        up, down: octets that arrived at the server, and at who connects.
        connections: how many were made; cuts: how many were cut.
    """

    up: int
    down: int
    connections: int
    cuts: int


@frozen(kw_only=True)
class Ended:
    """A connection that is over.

    Args:
        up, down: octets that arrived by it.
        lasted: seconds from the first packet to its end, as who connected has them.
    """

    up: int
    down: int
    lasted: float


@define(kw_only=True)
class SlowLink:
    """One link; a context manager.

    Args:
        target: the server's port on the loopback.
        delay: seconds that each octet is on its way, in either direction.
        rate: octets a second, in either direction, of all connections together; 0 for no bound.
        burst: octets that may leave at once after a pause.
    """

    target: int
    delay: float = 0.0
    rate: float = 0.0
    burst: int = 4096
    port: int = field(default=0, init=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _asking: threading.Lock = field(factory=threading.Lock, init=False)

    def __enter__(self) -> Self:
        settings = (self.target, self.delay, self.rate, self.burst)
        self._process = subprocess.Popen(
            (sys.executable, "-m", "worldmail.testing.slow_link_process", *map(str, settings)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment_of_tests({}),
            cwd=ROOT,
        )
        self.port = self._heard()["port"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.communicate()

    @property
    def counts(self) -> Counts:
        """As of now."""
        return Counts(**self._ask("counts"))

    def ended(self) -> list[Ended]:
        """The connections that have ended since this was asked before."""
        return [Ended(**one) for one in self._ask("ended")["ended"]]

    def cut(self, how: How = "rst") -> int:
        """Cut all connections now; what was on its way is lost. How many they were. Later ones work."""
        return int(self._ask("cut", how=how)["cut"])

    def cut_in(self, seconds: float, how: How = "rst") -> None:
        """The same so many seconds from now."""
        self._ask("cut_in", seconds=seconds, how=how)

    def cut_after(self, octets: int, way: Way, how: How = "rst") -> None:
        """The same as soon as so many more octets have arrived, and not one more. One such cut waits for each way."""
        self._ask("cut_after", octets=octets, way=way, how=how)

    def no_cut(self) -> None:
        """Forget the cuts that wait."""
        self._ask("no_cut")

    def silence(self) -> None:
        """Nothing arrives any more at either end, and nobody is told: a dead link."""
        self._ask("silence")

    def resume(self) -> None:
        """Everything that was on its way goes on."""
        self._ask("resume")

    def _ask(self, do: str, **details: object) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdin is not None
        with self._asking:  # an answer is for who asked
            self._process.stdin.write(json.dumps({"do": do, **details}).encode() + b"\n")
            self._process.stdin.flush()
            return self._heard()

    def _heard(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ConnectionError("the link's process has ended")
        told: dict[str, Any] = json.loads(line)
        return told
