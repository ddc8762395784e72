"""Small writes are held back until the end of the reactor's round, or for a millisecond, and nothing is lost or turned
round by that."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from worldmail.transport import held
from worldmail.transport.held import Held

SERVER = """
import socket, threading
from worldmail.transport.reactor import install_reactor
install_reactor()
from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol
from worldmail.transport.sockets import EagerPort

LARGE = bytes(range(256)) * 4000

class Server(Protocol):
    def dataReceived(self, data):
        self.transport.write(b"one ")
        self.transport.write(b"two ")
        assert self.transport.unsent() == 8
        if data == b"large":
            self.transport.write(LARGE)
            self.transport.write(b"three")
        if data == b"close":
            self.transport.loseConnection()
        if data == b"half":
            self.transport.loseWriteConnection()
        if data == b"abort":
            self.transport.abortConnection()
        if data == b"lose":
            reactor.callLater(0, self.late)
    def late(self):
        self.transport.write(b"late")
        self.transport.connectionLost(Failure(ConnectionDone()))

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

port = EagerPort(0, Factory.forProtocol(Server), interface="127.0.0.1", reactor=reactor)
port.startListening()

def asked(word, size):
    with socket.create_connection(("127.0.0.1", port.getHost().port), 60) as connection:
        connection.sendall(word)
        said = connection.recv(8, socket.MSG_WAITALL)
        while len(said) < size and (more := connection.recv(65536)):
            said += more
        return said

failures = []

def client():
    try:
        talk()
    except BaseException as error:
        failures.append(repr(error))
    reactor.callFromThread(reactor.stop)

def talk():
    with socket.create_connection(("127.0.0.1", port.getHost().port), 60) as connection:
        connection.sendall(b"word")
        assert connection.recv(100) == b"one two "  # as one segment
    assert asked(b"large", 8 + len(LARGE) + 5) == b"one two " + LARGE + b"three"
    for word in (b"close", b"half"):
        assert asked(word, 100) == b"one two ", word
    assert asked(b"lose", 100) == b"one two late"
    assert asked(b"abort", 8) == b"one two "

threading.Thread(target=client, daemon=True).start()
reactor.callLater(30, reactor.stop)
reactor.run()
assert not failures, failures
"""


class _Holder:
    def __init__(self) -> None:
        self.sent = 0

    def send_held(self) -> None:
        self.sent += 1


def test_what_connections_write_in_a_round_is_sent_at_its_end_and_in_its_order() -> None:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", SERVER], cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_all_are_sent_once() -> None:
    round_, holders = Held(), [_Holder(), _Holder()]
    for holder in holders:
        round_.add(holder)
    round_.send()
    round_.send()
    assert [holder.sent for holder in holders] == [1, 1]


def test_nothing_is_held_back_for_longer_than_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [10.0]
    monkeypatch.setattr(held, "monotonic", lambda: now[0])
    round_, first, second = Held(), _Holder(), _Holder()
    round_.add(first)
    now[0] += held.HELD_SECONDS / 2
    round_.add(second)
    assert (first.sent, second.sent) == (0, 0)
    now[0] += held.HELD_SECONDS
    third = _Holder()
    round_.add(third)
    assert [holder.sent for holder in (first, second, third)] == [1, 1, 1]
