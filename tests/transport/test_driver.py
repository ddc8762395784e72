"""The driver, over real connections on the loopback."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from worldmail.testing.fakes import CHUNK, Meeting, PlainDialogue
from worldmail.transport.limits import Limits

reactor: Any = installed


def read_until(connection: socket.socket, end: bytes) -> bytes:
    """Everything up to and with `end`, or to the end of the connection."""
    data = bytearray()
    while not data.endswith(end):
        piece = connection.recv(65536)
        if not piece:
            break
        data += piece
    return bytes(data)


def read_all(connection: socket.socket) -> bytes:
    data = b""
    try:
        while piece := connection.recv(65536):
            data += piece
    except ConnectionResetError:
        data += b"<reset>"
    connection.close()
    return data


class Meets(TestCase):
    """Has a meeting, and clients that run in threads."""

    timeout = 60

    def meet(self, **changes: Any) -> Meeting:
        meeting = Meeting(reactor=reactor, **changes)
        self.place = meeting.start()
        self.addCleanup(lambda: meeting.listener.stopService())
        self.meeting = meeting
        return meeting

    def connect(self) -> socket.socket:
        """Blocks: for threads only."""
        connection = socket.create_connection(self.place, timeout=20)
        self.addCleanup(connection.close)
        return connection

    def greeted(self) -> socket.socket:
        connection = self.connect()
        assert read_until(connection, b"\r\n") == b"hello\r\n"
        return connection

    async def client(self, talk: Callable[[], Any]) -> Any:
        return await deferToThread(talk)

    async def until(self, condition: Callable[[], Any]) -> None:
        for _ in range(1000):
            if condition():
                return
            await deferLater(reactor, 0.01, lambda: None)
        self.fail("it never came true")

    def run_async(self, test: Any) -> Deferred[None]:
        return Deferred.fromCoroutine(test)


class DriverTests(Meets):
    """Turns: events, output, pipelining, faults."""

    def test_greeting_replies_and_close_come_in_order_and_the_end_is_told_once(self) -> Any:
        async def test() -> None:
            meeting = self.meet()

            def talk() -> bytes:
                connection = self.connect()
                connection.sendall(b"one\r\ntwo\r\nQUIT\r\nthree\r\n")
                return read_all(connection)

            assert await self.client(talk) == b"hello\r\nok one\r\nok two\r\nbye\r\n"
            await self.until(lambda: meeting.dialogues[0].endings)
            assert meeting.dialogues[0].endings == ["finished"]
            assert meeting.dialogues[0].events == [b"one", b"two", b"QUIT"]
            [record] = meeting.journal.named("connection")
            assert record["reason"] == "finished"
            assert record["octets_out"] == len(b"hello\r\nok one\r\nok two\r\nbye\r\n")
            assert record["session"] == meeting.dialogues[0].peer.session

        return self.run_async(test())

    def test_pipelined_replies_go_out_in_one_write(self) -> Any:
        async def test() -> None:
            self.meet()

            def talk() -> bytes:
                connection = self.greeted()
                connection.sendall(b"a\r\n" * 20)
                time.sleep(0.2)
                return connection.recv(65536)

            assert await self.client(talk) == b"ok a\r\n" * 20

        return self.run_async(test())

    def test_a_flood_of_pipelined_events_is_answered_whole_and_others_are_served_meanwhile(self) -> Any:
        async def test() -> None:
            meeting = self.meet()
            count = 100_000
            flooding = await self.client(self.greeted)
            [connection] = meeting.factory.connections
            other = await self.client(self.greeted)
            answers = deferToThread(read_until, flooding, b"ok end\r\n")
            connection.dataReceived(b"x\r\n" * count + b"end\r\n")
            assert len(meeting.dialogues[0].events) <= 50

            def talk() -> bytes:
                other.sendall(b"y\r\n")
                return read_until(other, b"\r\n")

            assert await self.client(talk) == b"ok y\r\n"
            assert len(meeting.dialogues[0].events) < count
            assert await answers == b"ok x\r\n" * count + b"ok end\r\n"

        return self.run_async(test())

    def test_many_events_that_wait_for_nothing_do_not_grow_the_stack(self) -> Any:
        async def test() -> None:
            meeting = self.meet()

            def talk() -> bytes:
                connection = self.greeted()
                connection.sendall(b"WAIT\r\n" * 5000 + b"QUIT\r\n")
                return read_all(connection)

            talking = deferToThread(talk)
            await self.until(lambda: meeting.dialogues and meeting.dialogues[0].events)
            meeting.dialogues[0].release.callback(None)
            assert (await talking).count(b"waited") == 5000

        return self.run_async(test())

    def test_what_comes_while_an_event_is_handled_waits_and_is_bounded(self) -> Any:
        async def test() -> None:
            meeting = self.meet()

            def talk() -> int:
                connection = self.greeted()
                connection.sendall(b"WAIT\r\n")
                connection.setblocking(False)
                sent, idle = 0, 0
                while idle < 30:  # until the server reads no more
                    try:
                        sent += connection.send(b"ping\r\n" * 1000)
                        idle = 0
                    except BlockingIOError:
                        idle += 1
                        time.sleep(0.01)
                return sent

            sent = await self.client(talk)
            dialogue = meeting.dialogues[0]
            assert dialogue.events == [b"WAIT"]
            assert dialogue.most_buffered <= 2 * 65536
            assert sent > dialogue.most_buffered

        return self.run_async(test())

    def test_a_fault_of_the_dialogue_is_logged_and_closes_the_connection_only(self) -> Any:
        async def test() -> None:
            meeting = self.meet()

            def talk() -> bytes:
                connection = self.greeted()
                connection.sendall(b"a\r\nFAIL\r\nb\r\n")
                return read_all(connection)

            assert (await self.client(talk)).replace(b"<reset>", b"") == b"ok a\r\n"
            await self.until(lambda: meeting.dialogues[0].endings)
            assert meeting.dialogues[0].endings == ["internal error"]
            assert [(event, str(error)) for event, error in meeting.journal.failures] == [
                ("dialogue_failed", "as asked")
            ]
            await self.client(lambda: self.greeted().close())

        return self.run_async(test())

    def test_a_peer_that_vanishes_during_an_event_is_told_of_after_it(self) -> Any:
        async def test() -> None:
            meeting = self.meet()

            def talk() -> None:
                connection = self.greeted()
                connection.sendall(b"WAIT\r\nmore\r\n")
                time.sleep(0.1)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                connection.close()

            await self.client(talk)
            dialogue = meeting.dialogues[0]
            await deferLater(reactor, 0.1, lambda: None)
            assert dialogue.endings == []
            dialogue.release.callback(None)
            await self.until(lambda: dialogue.endings)
            assert len(dialogue.endings) == 1
            assert len(meeting.factory.connections) == 0

        return self.run_async(test())

    def test_a_peer_that_sends_all_and_shuts_its_side_still_gets_every_reply(self) -> Any:
        async def test() -> None:
            meeting = self.meet()

            def talk() -> bytes:
                connection = self.connect()
                connection.sendall(b"a\r\nWAIT\r\nb\r\n")
                connection.shutdown(socket.SHUT_WR)
                return read_all(connection)

            talking = deferToThread(talk)
            await self.until(lambda: meeting.dialogues and meeting.dialogues[0].events)
            reactor.callLater(0.1, meeting.dialogues[0].release.callback, None)
            assert await talking == b"hello\r\nok a\r\nwaited\r\nok b\r\n"
            await self.until(lambda: meeting.dialogues[0].endings)
            assert meeting.dialogues[0].endings == ["closed by peer"]

        return self.run_async(test())

    def test_the_last_reply_arrives_though_input_was_left_unread(self) -> Any:
        async def test() -> None:
            meeting = self.meet()

            def talk() -> bytes:
                connection = self.greeted()
                connection.sendall(b"QUIT\r\n" + b"junk\r\n" * 9000)
                time.sleep(0.3)
                return read_all(connection)

            assert (await self.client(talk)).startswith(b"bye\r\n")
            await self.until(lambda: meeting.dialogues[0].endings)

        return self.run_async(test())


class OutputTests(Meets):
    """Slow readers."""

    def test_a_stream_goes_only_as_fast_as_the_peer_reads(self) -> Any:
        async def test() -> None:
            meeting = self.meet()
            total = 4000  # 64 MB

            def start() -> socket.socket:
                connection = self.greeted()
                connection.sendall(b"STREAM %d\r\nafter\r\n" % total)
                time.sleep(0.5)
                return connection

            connection = await self.client(start)
            dialogue = meeting.dialogues[0]
            assert dialogue.streamed < total
            assert dialogue.events == [b"STREAM %d" % total]

            def finish() -> int:
                got = 0
                tail = b""
                while not tail.endswith(b"ok after\r\n"):
                    piece = connection.recv(1 << 20)
                    got += len(piece)
                    tail = (tail + piece)[-20:]
                return got

            assert await self.client(finish) == total * len(CHUNK) + len(b"\r\nok after\r\n")
            assert dialogue.stream_closed

        return self.run_async(test())

    def test_a_stream_is_ended_when_the_peer_goes_away(self) -> Any:
        async def test() -> None:
            meeting = self.meet()

            def talk() -> None:
                connection = self.greeted()
                connection.sendall(b"STREAM 100000\r\n")
                time.sleep(0.2)
                connection.close()

            await self.client(talk)
            dialogue = meeting.dialogues[0]
            await self.until(lambda: dialogue.endings)
            assert dialogue.stream_closed
            assert dialogue.streamed < 100_000

        return self.run_async(test())

    def test_a_peer_that_asks_for_more_than_it_reads_is_read_no_more(self) -> Any:
        async def test() -> None:
            meeting = self.meet()

            def talk() -> socket.socket:
                connection = self.greeted()
                connection.sendall(b"BIG 60\r\n" * 100)  # 100 MB in all
                time.sleep(0.5)
                return connection

            await self.client(talk)
            assert len(meeting.dialogues[0].events) < 20

        return self.run_async(test())

    def test_a_peer_that_does_not_read_at_all_is_cut_off(self) -> Any:
        async def test() -> None:
            meeting = self.meet()

            def talk() -> None:
                connection = self.greeted()
                connection.sendall(b"STREAM 4000\r\n")
                time.sleep(0.2)

            await self.client(talk)
            [connection] = meeting.factory.connections
            connection.look(time.monotonic() + 300)  # what its system still took in the first moments
            connection.look(time.monotonic() + 600)
            await self.until(lambda: meeting.dialogues[0].endings)
            assert meeting.dialogues[0].endings == ["does not read"]
            assert meeting.dialogues[0].stream_closed

        return self.run_async(test())

    def test_a_peer_that_reads_slowly_is_not(self) -> Any:
        async def test() -> None:
            meeting = self.meet()

            def talk() -> None:
                connection = self.greeted()
                connection.sendall(b"STREAM 4000\r\n")
                time.sleep(0.2)

            await self.client(talk)
            [connection] = meeting.factory.connections
            now = time.monotonic()
            connection.watch_reader(now)
            taken = connection.undelivered() - 20 * 300
            self.patch(connection, "undelivered", lambda: taken)
            connection.look(now + 299)
            assert connection.deadline == now + 299 + connection.reader_timeout
            assert meeting.dialogues[0].endings == []

        return self.run_async(test())


class DeadlineTests(Meets):
    """Silence, dribbling, slow senders."""

    def test_a_silent_peer_gets_last_words(self) -> Any:
        async def test() -> None:
            meeting = self.meet(make=lambda: PlainDialogue(timeout=0.2))
            assert await self.client(lambda: read_all(self.connect())) == b"hello\r\ntimeout\r\n"
            await self.until(lambda: meeting.dialogues[0].endings)
            assert meeting.dialogues[0].endings == ["timed out"]

        return self.run_async(test())

    def test_dribbling_octets_of_one_command_do_not_renew_the_deadline(self) -> Any:
        async def test() -> None:
            self.meet(make=lambda: PlainDialogue(timeout=1.0))

            def talk() -> bytes:
                connection = self.greeted()
                connection.settimeout(0.2)
                for _ in range(50):
                    try:
                        connection.send(b"x")
                        if data := connection.recv(100):
                            return data
                    except TimeoutError:
                        pass
                return b""

            assert await self.client(talk) == b"timeout\r\n"

        return self.run_async(test())

    def test_a_handler_that_takes_long_is_not_the_peers_silence(self) -> Any:
        async def test() -> None:
            meeting = self.meet(make=lambda: PlainDialogue(timeout=0.2))

            def talk() -> bytes:
                connection = self.greeted()
                connection.sendall(b"WAIT\r\nQUIT\r\n")
                return read_all(connection)

            talking = deferToThread(talk)
            await deferLater(reactor, 2.5, lambda: None)
            meeting.dialogues[0].release.callback(None)
            assert await talking == b"waited\r\nbye\r\n"

        return self.run_async(test())

    def test_a_sender_below_the_minimum_rate_is_cut_off_after_a_window(self) -> Any:
        async def test() -> None:
            meeting = self.meet(make=lambda: PlainDialogue(timeout=300.0, minimum_rate=500))
            client = await self.client(self.greeted)
            [connection] = meeting.factory.connections
            now = time.monotonic()
            assert now < connection.deadline <= now + 30
            await self.client(lambda: client.sendall(b"x" * 900 + b"\r\n"))
            await self.until(lambda: meeting.dialogues[0].events)
            connection.look(now + 31)
            assert await self.client(lambda: read_all(client)) == b"ok " + b"x" * 900 + b"\r\ntimeout\r\n"
            await self.until(lambda: meeting.dialogues[0].endings)
            assert meeting.dialogues[0].endings == ["too slow"]

        return self.run_async(test())

    def test_a_sender_above_the_minimum_rate_goes_on(self) -> Any:
        async def test() -> None:
            meeting = self.meet(make=lambda: PlainDialogue(timeout=300.0, minimum_rate=500))
            client = await self.client(self.greeted)
            [connection] = meeting.factory.connections
            await self.client(lambda: client.sendall((b"x" * 900 + b"\r\n") * 20))
            await self.until(lambda: len(meeting.dialogues[0].events) == 20)
            connection.look(time.monotonic() + 31)
            assert connection.deadline > time.monotonic() + 31
            assert meeting.dialogues[0].endings == []

        return self.run_async(test())


class StopTests(Meets):
    """The server stops."""

    def test_waiting_sessions_are_told_at_once_and_busy_ones_after_their_work(self) -> Any:
        async def test() -> None:
            meeting = self.meet()

            def waiting() -> bytes:
                return read_all(self.connect())

            def busy() -> bytes:
                connection = self.greeted()
                connection.sendall(b"WAIT\r\nmore\r\n")
                return read_all(connection)

            first, second = deferToThread(waiting), deferToThread(busy)
            await self.until(lambda: any(dialogue.events for dialogue in meeting.dialogues))
            await self.until(lambda: len(meeting.dialogues) == 2)
            stopped = meeting.listener.stopService()
            assert await first == b"hello\r\nstopping\r\n"
            assert not stopped.called
            for dialogue in meeting.dialogues:
                dialogue.release.callback(None)
            assert (await second).replace(b"<reset>", b"") == b"waited\r\nstopping\r\n"
            await stopped
            assert all(len(dialogue.endings) == 1 for dialogue in meeting.dialogues)

        return self.run_async(test())

    def test_what_does_not_end_in_time_is_cut_off(self) -> Any:
        async def test() -> None:
            meeting = self.meet()

            def busy() -> bytes:
                connection = self.greeted()
                connection.sendall(b"STREAM 100000\r\n")
                time.sleep(0.2)
                return b""

            await self.client(busy)
            began = time.monotonic()
            await meeting.listener.stopService()
            assert time.monotonic() - began < 15
            assert meeting.dialogues[0].endings == ["server stopping"]

        return self.run_async(test())


class LimitTests(Meets):
    """Too many connections, too many commands."""

    def test_one_connection_too_many_is_told_why_and_counts_no_more_after_it_is_gone(self) -> Any:
        async def test() -> None:
            limits = Limits(connections=2)
            meeting = self.meet(limits=limits)
            first = await self.client(self.greeted)
            await self.client(self.greeted)
            refused = await self.client(lambda: read_all(self.connect()))
            assert refused == b"refused too many connections from your address\r\n"
            await self.until(lambda: len(meeting.factory.connections) == 2)
            first.close()
            await self.until(lambda: len(meeting.factory.connections) == 1)
            await self.client(self.greeted)
            assert limits.open == 2

        return self.run_async(test())

    def test_too_many_commands_in_a_minute_end_the_session_with_last_words(self) -> Any:
        async def test() -> None:
            self.meet(limits=Limits(events=120))

            def talk() -> bytes:
                connection = self.greeted()
                connection.sendall(b"x\r\n" * 1000)
                return read_all(connection)

            got = (await self.client(talk)).replace(b"<reset>", b"")
            assert got.endswith(b"refused too many commands from your address\r\n")
            assert 120 <= got.count(b"ok x") <= 200

        return self.run_async(test())
