"""The driver, over real connections on the loopback: deadlines, the server's end, limits."""

from __future__ import annotations

import time
from typing import Any

from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from worldmail.testing.fakes import PlainDialogue
from worldmail.testing.meeting import Meets, reactor, read_all
from worldmail.transport.limits import Limits


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
                for _ in range(300):
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
            meeting = self.meet(make=lambda: PlainDialogue(timeout=1.0))

            def talk() -> bytes:
                connection = self.greeted()
                connection.sendall(b"WAIT\r\nQUIT\r\n")
                return read_all(connection)

            talking = deferToThread(talk)
            await self.until(lambda: meeting.dialogues and meeting.dialogues[0].events)
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
