"""Dialogues that have something to tell, over real connections on the loopback."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from worldmail.testing.meeting import Meets, reactor, read_until
from worldmail.transport.wakes import Wakes
from worldmail.wire.wakes import WAKE


class WakeTests(Meets):
    """`Peer.wake`."""

    def test_a_dialogue_that_wakes_gets_a_turn_though_its_peer_is_silent(self) -> Any:
        async def test() -> None:
            meeting = self.meet()
            connection = await self.client(self.greeted)
            meeting.dialogues[0].tell(b"news\r\n")
            assert meeting.dialogues[0].events == []  # not within the call
            assert await self.client(lambda: read_until(connection, b"\r\n")) == b"news\r\n"
            assert meeting.dialogues[0].events == [WAKE]

        return self.run_async(test())

    def test_a_wake_during_an_event_is_looked_at_after_it(self) -> Any:
        async def test() -> None:
            meeting = self.meet()
            connection = await self.client(self.greeted)
            dialogue = meeting.dialogues[0]
            connection.sendall(b"WAIT\r\n")
            await self.until(lambda: dialogue.events)
            dialogue.tell(b"news\r\n")
            dialogue.tell(b"more\r\n")
            dialogue.release.callback(None)
            assert await self.client(lambda: read_until(connection, b"more\r\n")) == b"waited\r\nnews\r\nmore\r\n"

        return self.run_async(test())

    def test_a_wake_is_no_act_of_the_peers(self) -> Any:
        async def test() -> None:
            meeting = self.meet()
            connection = await self.client(self.greeted)
            [driven] = meeting.factory.connections
            deadline = driven.deadline
            meeting.dialogues[0].tell(b"news\r\n")
            assert await self.client(lambda: read_until(connection, b"\r\n")) == b"news\r\n"
            assert driven.deadline == deadline
            driven.look(time.monotonic() + 61)
            assert await self.client(lambda: read_until(connection, b"\r\n")) == b"timeout\r\n"

        return self.run_async(test())

    def test_a_dialogue_may_ask_to_be_called_later(self) -> Any:
        async def test() -> None:
            meeting = self.meet()
            connection = await self.client(self.greeted)
            connection.sendall(b"LATER 0.01\r\n")
            assert await self.client(lambda: read_until(connection, b"\r\n")) == b"later\r\n"
            dialogue = meeting.dialogues[0]
            await self.until(lambda: not dialogue.news)
            connection.sendall(b"LATER 1000\r\n")
            await self.until(lambda: _calls_of(1000))
            [call] = _calls_of(1000)
            connection.close()
            await self.until(lambda: dialogue.endings)
            if call.active():
                call.reset(0)
            await self.client(lambda: time.sleep(0.05))
            assert dialogue.news == [], "who is gone is not called"

        return self.run_async(test())

    def test_a_wake_after_the_end_is_harmless(self) -> Any:
        async def test() -> None:
            meeting = self.meet()
            connection = await self.client(self.greeted)
            dialogue = meeting.dialogues[0]
            wake = dialogue.peer.wake
            connection.close()
            await self.until(lambda: dialogue.endings)
            dialogue.tell(b"news\r\n")
            wake()
            await self.client(lambda: time.sleep(0.05))
            assert dialogue.events == []

        return self.run_async(test())


def _calls_of(seconds: float) -> list[Any]:
    """What is to be called that late, or a little sooner."""
    return [call for call in reactor.getDelayedCalls() if seconds / 2 < call.getTime() - reactor.seconds() <= seconds]


class _Slow:
    def __init__(self, told: list[int], number: int) -> None:
        self.told, self.number = told, number

    def woken(self) -> None:
        time.sleep(0.004)
        self.told.append(self.number)


class _Rounds:
    """A reactor of one method."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def callLater(self, seconds: float, call: Callable[[], None]) -> None:
        assert seconds == 0
        self.calls.append(call)


def test_many_that_are_woken_at_once_are_served_over_several_rounds() -> None:
    rounds, told = _Rounds(), list[int]()
    wakes = Wakes(rounds)
    for number in range(20):
        wakes.add(_Slow(told, number))
    assert told == []
    served = []
    while rounds.calls:
        [call] = rounds.calls
        rounds.calls.clear()
        call()
        served.append(len(told))
    assert told == list(range(20))
    assert len(served) > 1


class _Broken:
    def woken(self) -> None:
        raise ZeroDivisionError


def test_one_that_cannot_be_woken_keeps_nobody_else_asleep() -> None:
    rounds, told = _Rounds(), list[int]()
    wakes = Wakes(rounds)
    wakes.add(_Broken())
    for _ in range(2):
        wakes.add(_Slow(told, 1))
        while rounds.calls:
            rounds.calls.pop()()
    assert told == [1, 1]
