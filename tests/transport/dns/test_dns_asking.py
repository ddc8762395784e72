"""Whom a question goes to, when, and for how long: by a clock that only the test moves."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock

from worldmail.interfaces.resolver import NameTrouble
from worldmail.transport.dns import asking
from worldmail.transport.dns.asking import Asking
from worldmail.transport.dns.exchange import NoAnswer, Waiting
from worldmail.transport.dns.message import Question, RecordType
from worldmail.transport.dns.servers import Asked, Server

QUESTION = Question(name="a.test", type=RecordType.MX)


class Silence:
    """Servers that say nothing, or (those of an even port) refuse at once."""

    def __init__(self, ports: list[int], timeout: float = 3.0, attempts: int = 3) -> None:
        self.clock = Clock()
        self.tries: list[tuple[float, int, float]] = []  # when, whom, how long
        self.fault = ""
        asked = Asked(servers=tuple(Server("192.0.2.1", port) for port in ports), timeout=timeout, attempts=attempts)
        self.asking = Asking(
            reactor=self.clock, asked=lambda: asked, seconds=self.clock.seconds, chance=random.Random(1)
        )

    def ask_by_udp(self, reactor: Any, server: Server, query: Any, seconds: float) -> Deferred[bytes]:
        self.tries.append((self.clock.seconds(), server.port, seconds))
        if server.port % 2 == 0:
            return fail(NoAnswer("refused"))
        return Waiting(reactor=self.clock, seconds=seconds, end=lambda: None).result

    def run(self, limit: float) -> float:
        """When it ends."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asking, "ask_by_udp", self.ask_by_udp)
            begun = self.clock.seconds()
            end = Deferred.fromCoroutine(self.asking.ask(QUESTION, begun + limit))
            end.addErrback(self._failed)
            while not self.fault:
                assert self.clock.getDelayedCalls(), "it waits for nothing"
                self.clock.advance(max(0.0, min(call.getTime() for call in self.clock.getDelayedCalls()) - self.now))
            return self.now - begun

    @property
    def now(self) -> float:
        return self.clock.seconds()

    def _failed(self, failure: Any) -> None:
        failure.trap(NameTrouble)
        self.fault = str(failure.value)


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=8, unique=True),
    st.floats(0.01, 12),
    st.integers(1, 30),
    st.integers(1, 5),
)
def test_it_ends_in_time_whatever_the_servers_do(ports: list[int], limit: float, timeout: int, attempts: int) -> None:
    silence = Silence(ports, timeout, attempts)
    assert silence.run(limit) <= limit + 0.001
    assert len(silence.tries) <= attempts * len(ports)
    assert not silence.clock.getDelayedCalls()
    assert all(when + seconds <= limit + 0.001 for when, _, seconds in silence.tries)


def test_each_server_has_its_share_of_the_time() -> None:
    silence = Silence([1, 3])
    assert silence.run(12) == pytest.approx(12)
    assert [(when, port) for when, port, _ in silence.tries] == [(0, 1), (2, 3), (4, 1), (6, 3), (8, 1), (10, 3)]


def test_one_server_has_no_more_than_its_timeout() -> None:
    silence = Silence([1], timeout=1)
    assert silence.run(10) == pytest.approx(3)


def test_who_refuses_at_once_is_asked_again_a_little_later() -> None:
    silence = Silence([2])
    assert silence.run(10) == pytest.approx(2)
    assert [when for when, _, _ in silence.tries] == pytest.approx([0, 1, 2])


def test_who_was_silent_comes_last_and_after_a_while_first_again() -> None:
    silence = Silence([1, 2], attempts=1)
    silence.run(2)
    del silence.asking._silent[Server("192.0.2.1", 2)]  # as if it had answered
    silence.tries.clear()
    silence.fault = ""
    silence.run(2)
    assert [port for _, port, _ in silence.tries] == [2, 1]
    silence.clock.advance(40)
    silence.tries.clear()
    silence.fault = ""
    silence.run(2)
    assert [port for _, port, _ in silence.tries] == [1, 2]
