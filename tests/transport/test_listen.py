"""Listeners: when they bind, when they accept, what they say when they cannot, and out of descriptors."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
from typing import Any

import pytest
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from worldmail.errors import ConfigurationError
from worldmail.testing.meeting import Meeting
from worldmail.transport.listen import Listener

reactor: Any = installed


class ListenerTests(TestCase):
    """On the loopback."""

    timeout = 60

    def listener(self, *places: tuple[str, int]) -> Listener:
        self.meeting = Meeting(reactor=reactor)
        made = Listener(self.meeting.factory, places, reactor=reactor, grace=2.0)
        self.addCleanup(lambda: made.stopService())
        return made

    def run_async(self, test: Any) -> Deferred[None]:
        return Deferred.fromCoroutine(test)

    def test_what_connects_before_the_start_waits_and_is_served_after_it(self) -> Any:
        async def test() -> None:
            listener = self.listener(("127.0.0.1", 0))
            listener.privilegedStartService()
            client = socket.create_connection(listener.addresses[0], timeout=60)
            self.addCleanup(client.close)
            await deferLater(reactor, 0.1, lambda: None)
            assert self.meeting.dialogues == []
            listener.startService()
            assert await deferToThread(client.recv, 100) == b"hello\r\n"

        return self.run_async(test())

    def test_it_listens_on_every_address_of_both_families(self) -> Any:
        async def test() -> None:
            listener = self.listener(("127.0.0.1", 0), ("::1", 0))
            listener.startService()
            hosts = [host for host, _ in listener.addresses]
            assert hosts == ["127.0.0.1", "::1"]
            for address in listener.addresses:
                client = socket.create_connection(address, timeout=60)
                assert await deferToThread(client.recv, 100) == b"hello\r\n"
                client.close()
            assert [dialogue.peer.host for dialogue in self.meeting.dialogues] == hosts
            assert self.meeting.dialogues[0].peer.local_port == listener.addresses[0][1]

        return self.run_async(test())

    def test_a_star_is_both_families_on_one_port(self) -> None:
        probe = socket.create_server(("127.0.0.1", 0))
        number = probe.getsockname()[1]
        probe.close()
        listener = self.listener(("*", number))
        listener.startService()
        assert listener.addresses == [("0.0.0.0", number), ("::", number)]

    def test_an_address_in_use_is_one_clear_line_and_nothing_stays_bound(self) -> Any:
        async def test() -> None:
            taken = socket.create_server(("127.0.0.1", 0))
            self.addCleanup(taken.close)
            number = taken.getsockname()[1]
            listener = self.listener(("127.0.0.1", 0), ("127.0.0.1", number))
            with pytest.raises(ConfigurationError) as caught:
                listener.privilegedStartService()
            assert str(caught.value) == f"cannot listen on 127.0.0.1:{number} for test: something else listens there"
            assert listener.addresses == []
            other = self.listener(("192.0.2.1", 2025))
            with pytest.raises(ConfigurationError, match="no such address"):
                other.startService()
            await deferLater(reactor, 0, lambda: None)

        return self.run_async(test())

    def test_it_stops_listening_at_once(self) -> Any:
        async def test() -> None:
            listener = self.listener(("127.0.0.1", 0))
            listener.startService()
            address = listener.addresses[0]
            await listener.stopService()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address, timeout=5)

        return self.run_async(test())

    def test_a_connection_that_cannot_be_set_up_is_closed_and_the_next_one_is_served(self) -> Any:
        async def test() -> None:
            listener = self.listener(("127.0.0.1", 0))
            make, self.meeting.factory.make_dialogue = self.meeting.factory.make_dialogue, lambda: 1 // 0
            listener.startService()

            def talk() -> bytes:
                try:
                    with socket.create_connection(listener.addresses[0], timeout=60) as client:
                        return client.recv(100)
                except ConnectionResetError:
                    return b""

            assert await deferToThread(talk) == b""
            assert len(self.flushLoggedErrors(ZeroDivisionError)) == 1
            self.meeting.factory.make_dialogue = make
            assert await deferToThread(talk) == b"hello\r\n"

        return self.run_async(test())

    def test_out_of_descriptors_peers_wait_and_are_served_when_there_are_some_again(self) -> Any:
        async def test() -> None:
            listener = self.listener(("127.0.0.1", 0))
            listener.startService()
            client = socket.socket()
            client.settimeout(60)
            self.addCleanup(client.close)
            await deferLater(reactor, 0, lambda: None)
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
            held: list[int] = []
            try:
                with contextlib.suppress(OSError):
                    while len(held) < 1000:
                        held.append(os.dup(0))
                client.connect(listener.addresses[0])
                looks = self.meeting.factory.connections
                await deferLater(reactor, 0.6, lambda: None)
                assert len(looks) == 0
            finally:
                for descriptor in held:
                    os.close(descriptor)
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            assert await deferToThread(client.recv, 100) == b"hello\r\n"

        return self.run_async(test())
