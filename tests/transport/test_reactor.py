"""The reactor: it acts on every event, survives what fails, and stands back where there is another."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FAULTS = """
import os, sys
from worldmail.transport.reactor import EVENTS_AT_ONCE, LeanReactor, install_reactor
install_reactor()
from twisted.internet import reactor
assert type(reactor) is LeanReactor, reactor
install_reactor()
from twisted.internet.abstract import FileDescriptor

class Reader(FileDescriptor):
    def __init__(self, handle, fault):
        super().__init__(reactor)
        self.fileno = lambda: handle
        self.fault = fault
        self.startReading()
    def doRead(self):
        os.read(self.fileno(), 10)
        seen.append(self)
        if self.fault:
            raise ValueError("a fault of its own")
        if len(seen) == len(readers):
            reactor.stop()
    def connectionLost(self, reason):
        if reason.check(ValueError):
            lost.append(self)
        self.stopReading()

seen, lost, readers = [], [], []
for number in range(EVENTS_AT_ONCE + 50):
    out, into = os.pipe()
    readers.append(Reader(out, number < 3))
    os.write(into, b"x")
reactor.callLater(20, reactor.stop)
reactor.run()
assert len(set(seen)) == len(readers), len(set(seen))
assert set(lost) == set(readers[:3]), len(lost)
"""

FAULTS_AT_THE_END = """
import os
from worldmail.transport.reactor import install_reactor
install_reactor()
from twisted.internet import reactor
from twisted.internet.abstract import FileDescriptor

class Reader(FileDescriptor):
    def __init__(self, handle):
        super().__init__(reactor)
        self.fileno = lambda: handle
        self.startReading()
    def doRead(self):
        seen.append(self)
        raise ValueError("a fault of its own")
    def connectionLost(self, reason):
        raise KeyError("and one of its protocol, on being told")

seen, readers = [], []
for number in range(3):
    out, into = os.pipe()
    readers.append(Reader(out))
    os.write(into, b"x")
reactor.doIteration(0)
assert seen == readers, len(seen)
"""

IN_STEP = """
import os, socket, threading
os.sched_getaffinity = lambda pid: {0, 1}
from worldmail.transport.reactor import install_reactor
install_reactor()
from twisted.internet import reactor
from twisted.internet.abstract import FileDescriptor
from worldmail.transport import in_step
in_step.SOON_SECONDS = 60.0  # however busy the machine is

class Watched:
    def __init__(self, poller):
        self.poller = poller
    def __getattr__(self, name):
        return getattr(self.poller, name)
    def poll(self, timeout, most):
        timeouts.append(timeout)
        return self.poller.poll(timeout, most)

class Echo(FileDescriptor):
    def __init__(self, connection):
        super().__init__(reactor)
        self.fileno = connection.fileno
        self.startReading()
    def doRead(self):
        ours.send(ours.recv(100))

def client():
    for _ in range(200):
        theirs.send(b"x")
        theirs.recv(1)
    reactor.callFromThread(reactor.stop)

timeouts = []
reactor._poller = Watched(reactor._poller)
ours, theirs = socket.socketpair()
echo = Echo(ours)
threading.Thread(target=client).start()
reactor.run()
assert timeouts.count(0) > 10, timeouts.count(0)
"""

ANOTHER = """
from twisted.internet import selectreactor
selectreactor.install()
from worldmail.transport.reactor import install_reactor
install_reactor()
from twisted.internet import reactor
assert type(reactor) is selectreactor.SelectReactor
"""


def run(text: str) -> None:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", text], cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_every_descriptor_is_served_and_a_fault_costs_one_alone() -> None:
    run(FAULTS)


def test_a_fault_of_who_is_told_of_the_end_costs_one_alone() -> None:
    run(FAULTS_AT_THE_END)


def test_what_comes_at_once_event_after_event_is_waited_for_awake() -> None:
    run(IN_STEP)


def test_a_reactor_that_is_there_stays() -> None:
    run(ANOTHER)
