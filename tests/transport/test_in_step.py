"""Waiting awake: for a lone peer that answers at once, and for nobody else."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from unittest.mock import patch

import pytest

from worldmail.transport import in_step
from worldmail.transport.in_step import AWAKE_SECONDS, SOON_SECONDS, STEPS, Events, InStep

ONE, TWO = [(3, 1)], [(3, 1), (4, 1)]


class Machine:
    """An epoll and its clock: what comes, and after how long."""

    def __init__(self) -> None:
        self.now = 100.0
        self.coming: list[tuple[float, Events]] = []
        self.slept = 0
        self.looked = 0

    def monotonic(self) -> float:
        return self.now

    def comes(self, after: float, events: Events) -> None:
        self.coming.append((self.now + after, events))

    def poll(self, timeout: float, most: int) -> Events:
        if timeout:
            self.slept += 1
            if not self.coming or 0 < timeout < self.coming[0][0] - self.now:
                self.now += timeout
                return []
            self.now = max(self.now, self.coming[0][0])
        else:
            self.looked += 1
            self.now += 1e-6
        if self.coming and self.coming[0][0] <= self.now:
            return self.coming.pop(0)[1][:most]
        return []


@pytest.fixture
def machine() -> Iterator[Machine]:
    made = Machine()
    with patch.object(in_step, "monotonic", made.monotonic):
        yield made


def get_in_step(machine: Machine, cores: int = 2) -> InStep:
    waiting = InStep(cores)
    for _ in range(STEPS):
        machine.comes(SOON_SECONDS / 2, ONE)
        assert waiting.wait(machine.poll, -1, 256) == ONE
    assert (machine.slept, machine.looked) == (STEPS, 0)
    return waiting


def test_a_peer_in_step_is_waited_for_awake(machine: Machine) -> None:
    waiting = get_in_step(machine)
    for _ in range(100):
        machine.comes(AWAKE_SECONDS / 2, ONE)
        assert waiting.wait(machine.poll, -1, 256) == ONE
    assert machine.slept == STEPS


def test_one_that_falls_behind_is_slept_for_and_has_to_get_in_step_again(machine: Machine) -> None:
    waiting = get_in_step(machine)
    machine.comes(AWAKE_SECONDS * 2, ONE)
    assert waiting.wait(machine.poll, -1, 256) == ONE
    assert machine.slept == STEPS + 1
    machine.looked = 0
    for _ in range(STEPS):
        machine.comes(AWAKE_SECONDS / 2, ONE)
        assert waiting.wait(machine.poll, -1, 256) == ONE
    assert (machine.slept, machine.looked) == (2 * STEPS + 1, 0)


@pytest.mark.parametrize(
    ("after", "events"), [(SOON_SECONDS * 1.1, ONE), (SOON_SECONDS / 2, TWO)], ids=["far away", "with others"]
)
def test_others_are_slept_for(machine: Machine, after: float, events: Events) -> None:
    waiting = InStep(2)
    for _ in range(3 * STEPS):
        machine.comes(after, events)
        assert waiting.wait(machine.poll, -1, 256) == events
    assert (machine.slept, machine.looked) == (3 * STEPS, 0)


def test_another_that_comes_beside_it_ends_the_step(machine: Machine) -> None:
    waiting = get_in_step(machine)
    machine.comes(AWAKE_SECONDS / 2, TWO)
    assert waiting.wait(machine.poll, -1, 256) == TWO
    machine.comes(AWAKE_SECONDS / 2, ONE)
    assert waiting.wait(machine.poll, -1, 256) == ONE
    assert machine.slept == STEPS + 1


def test_with_one_core_nobody_is_waited_for_awake(machine: Machine) -> None:
    waiting = get_in_step(machine, cores=1)
    machine.comes(AWAKE_SECONDS / 2, ONE)
    assert waiting.wait(machine.poll, -1, 256) == ONE
    assert (machine.slept, machine.looked) == (STEPS + 1, 0)


def test_events_in_step_are_events_in_a_row(machine: Machine) -> None:
    waiting = InStep(2)
    for number in range(4 * STEPS):
        machine.comes(SOON_SECONDS * (2 if number % STEPS == STEPS - 1 else 0.5), ONE)
        assert waiting.wait(machine.poll, -1, 256) == ONE
    assert machine.looked == 0


def test_a_time_limit_is_kept(machine: Machine) -> None:
    waiting = get_in_step(machine)
    before = machine.now
    assert waiting.wait(machine.poll, 0.5, 256) == []
    assert 0.5 <= machine.now - before < 0.5 + 2 * AWAKE_SECONDS


def test_a_look_in_passing_is_one_look(machine: Machine) -> None:
    waiting = get_in_step(machine)
    machine.comes(AWAKE_SECONDS / 2, ONE)
    assert waiting.wait(machine.poll, 0, 256) == []
    assert (machine.slept, machine.looked) == (STEPS, 1)
    assert waiting.wait(machine.poll, -1, 256) == ONE
    assert machine.slept == STEPS


def test_as_many_events_are_taken_as_are_asked_for(machine: Machine) -> None:
    waiting = get_in_step(machine)
    machine.comes(AWAKE_SECONDS / 2, TWO)
    assert waiting.wait(machine.poll, -1, 2) == TWO
    waiting = InStep(2)
    machine.comes(AWAKE_SECONDS / 2, TWO)
    assert waiting.wait(machine.poll, -1, 1) == ONE


@pytest.mark.parametrize(("cores", "awake"), [({0}, False), ({0, 5}, True)])
def test_the_cores_are_those_that_this_process_may_use(machine: Machine, cores: set[int], awake: bool) -> None:
    with patch("os.sched_getaffinity", lambda pid: cores):
        waiting = InStep()
    for _ in range(2 * STEPS):
        machine.comes(AWAKE_SECONDS / 2, ONE)
        waiting.wait(machine.poll, -1, 256)
    assert (machine.looked > 0) is awake


def test_how_long_that_is(machine: Machine) -> None:
    """A peer on the same machine is waited for awake, one that takes a millisecond is not; nor is one long missed."""
    waiting, at_once = InStep(2), 50e-6
    for _ in range(20):
        machine.comes(at_once, ONE)
        waiting.wait(machine.poll, -1, 256)
    assert 2 <= machine.slept < 20
    before = machine.looked
    waiting.wait(machine.poll, 5.0, 256)
    assert (machine.looked - before) * 1e-6 < 300e-6
    waiting, machine.looked = InStep(2), 0
    for _ in range(200):
        machine.comes(1e-3, ONE)
        waiting.wait(machine.poll, -1, 256)
    assert machine.looked == 0


def test_with_a_real_epoll() -> None:
    waiting, poller = InStep(2), select.epoll()
    ours, theirs = socket.socketpair()
    with ours, theirs, poller:
        poller.register(ours, select.EPOLLIN)
        for _ in range(3 * STEPS):
            theirs.send(b"x")
            assert waiting.wait(poller.poll, 20, 256) == [(ours.fileno(), select.EPOLLIN)]
            ours.recv(1)
        began = time.monotonic()
        assert waiting.wait(poller.poll, 0.1, 256) == []
        assert time.monotonic() - began >= 0.1
