"""The driver, over real connections on the loopback: turns, output."""

from __future__ import annotations

import socket
import time
from typing import Any

from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from worldmail.testing.fakes import CHUNK
from worldmail.testing.meeting import Meets, reactor, read_all, read_until
from worldmail.transport.outgoing import TURN_SECONDS


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
            flood, others = meeting.dialogues
            handled_before: list[int] = []

            class Noting(list[object]):
                def append(self, event: object) -> None:
                    handled_before.append(len(flood.events))
                    super().append(event)

            others.events = Noting()
            other.sendall(b"y\r\n")  # is there before the flood begins
            answers = deferToThread(read_until, flooding, b"ok end\r\n")
            connection.dataReceived(b"x\r\n" * count + b"end\r\n")
            assert len(flood.events) <= 50

            assert await self.client(lambda: read_until(other, b"\r\n")) == b"ok y\r\n"
            assert handled_before[0] < count
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

    def test_a_turn_that_has_waited_has_let_others_in_and_goes_on_at_once(self) -> Any:
        async def test() -> None:
            meeting = self.meet()
            connection = await self.client(self.greeted)
            connection.sendall(b"WAIT\r\none\r\n")
            [dialogue] = meeting.dialogues
            await self.until(lambda: dialogue.events)
            await deferLater(reactor, 2 * TURN_SECONDS, lambda: None)
            dialogue.release.callback(None)
            assert dialogue.events == [b"WAIT", b"one"]
            assert await self.client(lambda: read_until(connection, b"ok one\r\n")) == b"waited\r\nok one\r\n"

        return self.run_async(test())

    def test_a_peer_that_waits_for_long_work_is_told_how_it_goes_on(self) -> Any:
        async def test() -> None:
            meeting = self.meet()
            connection = await self.client(self.greeted)
            connection.sendall(b"WAIT\r\none\r\n")
            await self.until(lambda: meeting.dialogues[0].events)
            [driven] = meeting.factory.connections
            now = time.monotonic()
            assert now + 8 < driven.deadline <= now + 10
            driven.look(driven.deadline)
            assert await self.client(lambda: read_until(connection, b"\r\n")) == b"working\r\n"
            assert driven.deadline <= now + 20
            driven.look(driven.deadline)
            meeting.dialogues[0].release.callback(None)
            answer = await self.client(lambda: read_until(connection, b"ok one\r\n"))
            assert answer == b"working\r\nwaited\r\nok one\r\n"
            assert driven.deadline > now + 50

        return self.run_async(test())

    def test_so_is_one_that_waits_for_the_next_of_a_stream(self) -> Any:
        async def test() -> None:
            meeting = self.meet()
            connection = await self.client(self.greeted)
            connection.sendall(b"DRIP\r\n")
            assert await self.client(lambda: read_until(connection, b"\r\n")) == b"first\r\n"
            [driven] = meeting.factory.connections
            driven.look(driven.deadline)
            assert await self.client(lambda: read_until(connection, b"\r\n")) == b"working\r\n"
            meeting.dialogues[0].release.callback(None)
            assert await self.client(lambda: read_until(connection, b"\r\n")) == b"last\r\n"
            connection.close()

        return self.run_async(test())

    def test_one_that_went_away_meanwhile_is_told_nothing(self) -> Any:
        async def test() -> None:
            meeting = self.meet()
            connection = await self.client(self.greeted)
            connection.sendall(b"WAIT\r\n")
            await self.until(lambda: meeting.dialogues[0].events)
            [driven] = meeting.factory.connections
            driven.abort("cut off")
            await self.until(lambda: driven._gone)
            driven.look(time.monotonic() + 20)
            meeting.dialogues[0].release.callback(None)
            await self.until(lambda: meeting.dialogues[0].endings)
            assert meeting.dialogues[0].endings == ["cut off"]
            connection.close()

        return self.run_async(test())

    def test_a_report_that_is_due_does_not_look_at_the_rate_before_its_time(self) -> Any:
        async def test() -> None:
            meeting = self.meet()
            connection = await self.client(self.greeted)
            dialogue = meeting.dialogues[0]
            dialogue.minimum_rate = 1000
            connection.sendall(b"one\r\n")
            await self.client(lambda: read_until(connection, b"ok one\r\n"))
            [driven] = meeting.factory.connections
            now = time.monotonic()
            driven.look(now + 11)
            assert dialogue.endings == []
            assert now + 25 < driven.deadline <= now + 30
            driven.look(driven.deadline)
            await self.until(lambda: dialogue.endings)
            assert dialogue.endings == ["too slow"]
            connection.close()

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
                ("dialogue.failed", "as asked")
            ]
            await self.client(lambda: self.greeted().close())

        return self.run_async(test())

    def test_a_peer_that_vanishes_during_an_event_is_told_of_after_it(self) -> Any:
        async def test() -> None:
            meeting = self.meet()

            connection = await self.client(self.greeted)
            connection.sendall(b"WAIT\r\nmore\r\n")
            dialogue = meeting.dialogues[0]
            await self.until(lambda: dialogue.events)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()
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

            connection = await self.client(self.greeted)
            connection.sendall(b"STREAM %d\r\nafter\r\n" % total)
            dialogue, [driven] = meeting.dialogues[0], meeting.factory.connections
            await self.until(lambda: driven._full)
            await deferLater(reactor, 0.5, lambda: None)
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
            await self.until(lambda: connection._full)
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
            await self.until(lambda: connection._full)
            now = time.monotonic()
            connection.watch_reader(now)
            taken = connection.undelivered() - 20 * 300
            self.patch(connection, "undelivered", lambda: taken)
            connection.look(now + 299)
            assert connection.deadline == now + 299 + connection.reader_timeout
            assert meeting.dialogues[0].endings == []

        return self.run_async(test())
