"""The slow link of tests is as slow as it says, no slower than it must be, and cuts where it is told to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import pytest

from worldmail.testing.slow_link import SlowLink

DELAY, RATE, SIZE = 0.1, 100_000, 50_000
SLACK = 3.0
"""Seconds that a busy machine may add."""


class Server:
    """Gives each connection that is made to what a test wants of it."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.serve = serve
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
        except OSError:
            return

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                self.serve(connection)
            except OSError:
                return


def echo(connection: socket.socket) -> None:
    while data := connection.recv(65536):
        connection.sendall(data)


def give(connection: socket.socket) -> None:
    connection.sendall(bytes(SIZE))


@pytest.fixture
def echoing() -> Iterator[Server]:
    server = Server(echo)
    yield server
    server.listener.close()


@pytest.fixture
def giving() -> Iterator[Server]:
    server = Server(give)
    yield server
    server.listener.close()


def connect(link: SlowLink) -> socket.socket:
    return socket.create_connection(("127.0.0.1", link.port), timeout=20)


def exactly(connection: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count and (data := connection.recv(65536)):
        got += data
    return got


def test_a_round_trip_takes_the_delay_twice(echoing: Server) -> None:
    with SlowLink(target=echoing.port, delay=DELAY) as link, connect(link) as connection:
        connection.sendall(b"first")  # behind the handshake
        assert exactly(connection, 5) == b"first"
        began = time.monotonic()
        connection.sendall(b"again")
        assert exactly(connection, 5) == b"again"
        assert 2 * DELAY <= time.monotonic() - began < 2 * DELAY + SLACK


def test_a_server_greets_after_two_round_trips(giving: Server) -> None:
    with SlowLink(target=giving.port, delay=DELAY) as link:
        began = time.monotonic()
        with connect(link) as connection:
            connection.recv(1)
            assert 4 * DELAY <= time.monotonic() - began < 4 * DELAY + SLACK
            exactly(connection, SIZE)
            connection.shutdown(socket.SHUT_WR)
        while not (ended := link.ended()):
            time.sleep(0.01)
        assert [(one.up, one.down) for one in ended] == [(0, SIZE)]
        assert 4 * DELAY <= ended[0].lasted < 5 * DELAY + SLACK


def test_a_transfer_takes_what_its_octets_need_at_the_rate(giving: Server) -> None:
    with SlowLink(target=giving.port, rate=RATE) as link, connect(link) as connection:
        began = time.monotonic()
        assert len(exactly(connection, SIZE + 1)) == SIZE
        taken = time.monotonic() - began
        assert (SIZE - link.burst) / RATE <= taken < SIZE / RATE + SLACK
        assert link.counts.down == SIZE


def test_connections_share_the_rate(giving: Server) -> None:
    with SlowLink(target=giving.port, rate=RATE) as link, connect(link) as one, connect(link) as other:
        began = time.monotonic()
        exactly(one, SIZE)
        exactly(other, SIZE)
        assert time.monotonic() - began >= (2 * SIZE - link.burst) / RATE


def test_both_directions_have_the_whole_rate_and_nothing_is_changed(echoing: Server) -> None:
    said = bytes(range(250)) * (SIZE // 250)
    with SlowLink(target=echoing.port, delay=DELAY, rate=RATE) as link, connect(link) as connection:
        began = time.monotonic()
        threading.Thread(target=connection.sendall, args=(said,), daemon=True).start()
        assert exactly(connection, SIZE) == said
        taken = time.monotonic() - began
        assert SIZE / RATE < taken < SIZE / RATE + 5 * DELAY + SLACK
        assert (link.counts.up, link.counts.down, link.counts.connections) == (SIZE, SIZE, 1)


def test_who_sends_is_held_back(echoing: Server) -> None:
    """What a link has taken in is on its way, or waits to be: no megabytes."""
    with SlowLink(target=echoing.port, delay=DELAY, rate=RATE) as link, connect(link) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        connection.settimeout(0.5)
        with pytest.raises(TimeoutError):
            connection.sendall(bytes(4 << 20))


def test_what_ends_ends_behind_what_was_said_in_both_directions(echoing: Server) -> None:
    with SlowLink(target=echoing.port, delay=DELAY) as link, connect(link) as connection:
        connection.sendall(b"all of it")
        connection.shutdown(socket.SHUT_WR)
        assert exactly(connection, 100) == b"all of it"


@pytest.mark.parametrize("how", ["rst", "fin"])
def test_a_cut_loses_what_is_on_its_way_and_the_next_connection_works(
    echoing: Server, how: Literal["rst", "fin"]
) -> None:
    two = bytes(20_000)  # which take some seconds
    with SlowLink(target=echoing.port, delay=DELAY, rate=4000) as link:
        with connect(link) as connection:
            connection.sendall(b"one")
            assert exactly(connection, 3) == b"one"
            connection.sendall(two)
            assert link.cut(how) == 1
            if how == "rst":
                with pytest.raises(ConnectionResetError):
                    exactly(connection, len(two))
            else:
                assert len(exactly(connection, len(two))) < len(two)
        with connect(link) as connection:
            connection.sendall(b"three")
            assert exactly(connection, 5) == b"three"
        assert link.counts.cuts == 1


def test_it_is_cut_at_an_octet(giving: Server) -> None:
    with SlowLink(target=giving.port) as link:
        link.cut_after(1234, "down", "fin")
        with connect(link) as connection:
            assert len(exactly(connection, SIZE)) == 1234
        assert link.counts.down == 1234
        with connect(link) as connection:
            assert len(exactly(connection, SIZE)) == SIZE


def test_it_is_cut_at_a_moment_if_that_is_not_forgotten(echoing: Server) -> None:
    with SlowLink(target=echoing.port) as link, connect(link) as connection:
        link.cut_in(2.0)
        link.no_cut()
        connection.settimeout(2.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        link.cut_in(0.01)
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_what_is_cut_as_soon_as_it_is_made_hears_of_it(echoing: Server) -> None:
    with SlowLink(target=echoing.port) as link:
        for _ in range(100):
            with connect(link) as connection:
                while not link.cut():
                    pass
                with pytest.raises(ConnectionResetError):
                    connection.recv(1)


def test_a_dead_link_says_nothing_until_it_goes_on(echoing: Server) -> None:
    with SlowLink(target=echoing.port) as link, connect(link) as connection:
        connection.sendall(b"one")
        assert exactly(connection, 3) == b"one"
        link.silence()
        connection.sendall(b"two")
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        link.resume()
        connection.settimeout(20)
        assert exactly(connection, 3) == b"two"


def test_a_server_that_is_not_there_resets(giving: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = listener.getsockname()[1]
    # The reset may come before `connect` has come back.
    with SlowLink(target=nobody) as link, pytest.raises(ConnectionResetError), connect(link) as connection:
        connection.recv(1)


def test_several_threads_may_ask_a_link_at_once(echoing: Server) -> None:
    with SlowLink(target=echoing.port) as link, ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(link.ended) if number % 2 else threads.submit(link.cut) for number in range(200)]
        answers = [one.result(timeout=30) for one in asked]
    assert answers == [[] if number % 2 else 0 for number in range(200)]
