"""Getting a connection to one of several addresses, over real sockets on the loopback."""

from __future__ import annotations

import errno
import resource
import socket
from typing import Any

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from worldmail.interfaces.outbound import Fate, HopFailed, IConnector, Phase, Trouble
from worldmail.interfaces.protocol import IDialogue
from worldmail.testing.calling import Calls, PlainClient
from worldmail.testing.meeting import reactor
from worldmail.transport import dialling
from worldmail.transport.connecting import server_text
from worldmail.wire.effects import Close


def unused_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        port: int = made.getsockname()[1]
    return port


class ReachingTests(Calls):
    """Getting a connection."""

    async def trouble(self, *addresses: str, **changes: Any) -> Trouble:
        """What went wrong."""
        with pytest.raises(HopFailed) as failed:
            await self.call(*addresses, **changes)
        assert not self.connector._dialling
        assert failed.value.trouble.fate is Fate.DEFERRED
        return failed.value.trouble

    def deaf(self, host: str = "127.0.0.1", port: int = 0) -> socket.socket:
        """A listening socket whose backlog is full: whoever knocks is not heard."""
        made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(0)
        self.addCleanup(made.close)
        self.place = made.getsockname()[:2]
        for _ in range(4):
            knocking = socket.socket(made.family)
            knocking.setblocking(False)
            assert knocking.connect_ex(self.place) == errno.EINPROGRESS
            self.addCleanup(knocking.close)
        return made

    def test_it_is_what_it_says(self) -> None:
        assert verifyObject(IConnector, self.connecting())
        assert verifyObject(IDialogue, PlainClient())

    def test_a_dialogue_is_run_on_the_connection(self) -> Any:
        async def test() -> None:
            meeting = self.meet()
            self.connecting()
            dialogue = await self.call()
            peer = dialogue.peer
            assert (peer.host, peer.port) == self.place
            await self.until(lambda: dialogue.heard)
            served = meeting.dialogues[0].peer
            assert (peer.local_host, peer.local_port) == (served.host, served.port)
            assert peer.session != served.session
            dialogue.answers[b"ok one"] = [b"two\r\n"]
            dialogue.say(b"one\r\n")
            await self.until(lambda: len(dialogue.heard) == 3)
            assert dialogue.heard == [b"hello", b"ok one", b"ok two"]
            dialogue.say(b"QUIT\r\n", Close("said all"))
            await self.until(lambda: dialogue.endings)
            assert dialogue.endings == ["said all"]
            [record] = self.journal.named("connection")
            assert record["listener"] == "outbound"
            assert (record["server"], record["peer"], record["reason"]) == ("mx.example.test", "127.0.0.1", "said all")
            assert record["octets_out"] == len(b"one\r\ntwo\r\nQUIT\r\n")
            assert len(self.connector.connections) == 0

        return self.run_async(test())

    def test_a_refused_connection_is_told_and_the_next_address_tried(self) -> Any:
        async def test() -> None:
            self.meet()
            self.connecting(connect_timeout=1000.0, head_start=1000.0)
            port = unused_port()
            trouble = await self.trouble("127.0.0.1", port=port)
            assert (trouble.status, trouble.phase, trouble.reason) == ("4.4.1", Phase.CONNECT, "connection refused")
            assert trouble.server == f"mx.example.test[127.0.0.1]:{port}"
            dialogue = await self.call("127.0.0.2", "::1", "127.0.0.1", port=self.place[1])
            assert dialogue.peer.host == "127.0.0.1"

        return self.run_async(test())

    def test_each_address_that_failed_is_named(self) -> Any:
        async def test() -> None:
            self.connecting()
            port = unused_port()
            trouble = await self.trouble("127.0.0.1", "127.0.0.2", "mx.example.test", port=port)
            assert trouble.server == f"mx.example.test:{port}"
            assert sorted(trouble.reason.split("; ")) == [
                "[127.0.0.1] connection refused",
                "[127.0.0.2] connection refused",
                "[mx.example.test] not an IP address",
            ]

        return self.run_async(test())

    def test_a_hop_without_addresses_is_nobody(self) -> Any:
        async def test() -> None:
            self.connecting()
            with pytest.raises(HopFailed) as failed:
                await self.connector.connect(PlainClient, self.hop("127.0.0.1", addresses=(), port=25))
            trouble = failed.value.trouble
            assert (trouble.status, trouble.phase) == ("4.4.4", Phase.NAME)
            assert trouble.reason == "mx.example.test has no addresses"

        return self.run_async(test())

    def test_one_that_does_not_answer_is_left_after_its_time(self) -> Any:
        async def test() -> None:
            self.deaf()
            self.connecting(connect_timeout=0.2)
            trouble = await self.trouble()
            assert (trouble.status, trouble.reason) == ("4.4.1", "timed out")

        return self.run_async(test())

    def test_while_one_does_not_answer_the_next_is_tried_beside_it(self) -> Any:
        async def test() -> None:
            meeting = self.meet()
            port = self.place[1]
            self.deaf("127.0.0.2", port)
            self.deaf("127.0.0.3", port)
            self.connecting(connect_timeout=1000.0, head_start=0.05)
            dialogue = await self.call("127.0.0.2", "127.0.0.3", "127.0.0.1", port=port)
            assert dialogue.peer.host == "127.0.0.1"
            await self.until(lambda: meeting.dialogues)
            assert len(self.connector.connections) == len(meeting.dialogues) == 1
            assert not [call for call in reactor.getDelayedCalls() if call.getTime() > reactor.seconds() + 500]

        return self.run_async(test())

    def test_no_more_than_some_are_tried_at_once(self) -> Any:
        async def test() -> None:
            self.deaf()
            port = self.place[1]
            for number in range(2, 7):
                self.deaf(f"127.0.0.{number}", port)
            self.connecting(connect_timeout=0.5, head_start=0.01)
            running: list[int] = []
            begin = dialling._Attempt.start
            held: set[Any] = set()

            def start(attempt: Any, *arguments: Any) -> None:
                held.add(attempt)
                running.append(len([one for one in held if one._limit is None or one._limit.active()]))
                begin(attempt, *arguments)

            self.patch(dialling._Attempt, "start", start)
            trouble = await self.trouble(*(f"127.0.0.{number}" for number in range(1, 7)), port=port)
            assert len(trouble.reason.split("; ")) == 6
            assert max(running) == dialling.AT_ONCE

        return self.run_async(test())

    def test_the_connection_comes_from_the_source_that_fits(self) -> Any:
        async def test() -> None:
            meeting = self.meet()
            self.connecting()
            source = ("::1", "127.0.0.9")
            dialogue = await self.call(source=source)
            assert dialogue.peer.local_host == "127.0.0.9"
            await self.until(lambda: meeting.dialogues)
            assert meeting.dialogues[0].peer.host == "127.0.0.9"
            assert (await self.call(source=("::1",))).peer.local_host == "127.0.0.1"
            trouble = await self.trouble(source=("192.0.2.1",))
            assert (trouble.status, trouble.reason) == ("4.3.5", "our own address 192.0.2.1 cannot be used")

        return self.run_async(test())

    def test_over_IPv6_too(self) -> Any:
        async def test() -> None:
            try:
                self.meet(host="::1")
            except OSError:
                self.skipTest("no IPv6 here")
            self.connecting()
            dialogue = await self.call("::1", source=("127.0.0.1", "::1"))
            assert (dialogue.peer.host, dialogue.peer.local_host) == ("::1", "::1")
            await self.until(lambda: dialogue.heard)
            assert server_text(self.hop("::1", host="::1"), "::1") == f"[::1]:{self.place[1]}"

        return self.run_async(test())

    def test_out_of_descriptors_is_our_own_trouble(self) -> Any:
        async def test() -> None:
            self.meet()
            self.connecting()

            await self.client(lambda: None)  # the reactor has what it needs
            limits = resource.getrlimit(resource.RLIMIT_NOFILE)
            with socket.socket() as next_one:
                number = next_one.fileno()
            resource.setrlimit(resource.RLIMIT_NOFILE, (number, limits[1]))
            try:
                trouble = await self.trouble()
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            assert trouble.status == "4.3.0"
            assert "descriptors" in trouble.reason

        return self.run_async(test())

    def test_a_connection_to_itself_is_none(self) -> Any:
        async def test() -> None:
            self.connecting()
            ended: list[Any] = []
            attempt = dialling._Attempt("127.0.0.1", reactor, lambda attempt, result: ended.append(result))
            attempt._socket = made = socket.socket()
            made.bind(("127.0.0.1", 0))
            made.connect(made.getsockname())
            attempt.doWrite()
            assert [result.words for result in ended] == ["connection refused"]
            assert made.fileno() == -1

        return self.run_async(test())

    def test_an_event_that_was_meant_for_another_is_no_answer(self) -> Any:
        async def test() -> None:
            self.deaf()
            self.connecting()
            waiting = self.connector.connect(PlainClient, self.hop())
            [attempt] = [one for one in reactor.getWriters() if isinstance(one, dialling._Attempt)]
            attempt.doWrite()
            assert not waiting.called
            attempt.connectionLost(Failure(ConnectionLost()))
            with pytest.raises(HopFailed) as failed:
                await waiting
            assert failed.value.trouble.reason == "connection reset"
            attempt.doWrite()

        return self.run_async(test())

    def test_whoever_waits_may_give_up(self) -> Any:
        async def test() -> None:
            self.deaf()
            self.connecting()
            waiting = self.connector.connect(PlainClient, self.hop())
            waiting.cancel()
            with pytest.raises(CancelledError):
                await waiting
            listening = self.listening()
            dialogue = PlainClient()
            waiting = self.connector.connect(lambda: dialogue, self.hop(implicit_tls=True))
            await self.until(lambda: len(self.connector.connections))
            waiting.cancel()
            with pytest.raises(CancelledError):
                await waiting
            await self.until(lambda: dialogue.endings)
            assert dialogue.endings == ["cancelled"]
            listening.close()

        return self.run_async(test())

    def test_a_dialogue_that_cannot_be_made_leaves_nothing_behind(self) -> Any:
        async def test() -> None:
            self.connecting()
            listening = self.listening()
            with pytest.raises(ZeroDivisionError):
                await self.call(make=lambda: 1 / 0)
            connection = (await self.client(listening.accept))[0]
            assert await self.client(lambda: connection.recv(1)) == b""
            assert len(self.connector.connections) == 0

        return self.run_async(test())
