"""`Become`: a connection goes on with another dialogue."""

from __future__ import annotations

import socket
import ssl
import time
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from zope.interface import implementer
from zope.interface.verify import verifyObject

from worldmail.interfaces.protocol import IDialogue, IFinishing, IPredecessor, Peer
from worldmail.testing.fakes import PlainDialogue, make_tls
from worldmail.testing.meeting import Meets, read_all, read_until
from worldmail.transport.ends import SILENT, UNACKNOWLEDGED
from worldmail.transport.limits import Limits
from worldmail.wire.effects import Become, Close, Effects, Stream


@define(kw_only=True)
class Caller(PlainDialogue):
    """What follows: says "EHLO" first, and answers as the other does."""

    def opened(self, peer: Peer) -> Effects:
        self.peer = peer
        return [b"EHLO\r\n"]


@implementer(IPredecessor)
@define(kw_only=True)
class Turning(PlainDialogue):
    """On TURN it gives the connection to a `Caller`; on RELEASE once `release` fires; on POUR behind a stream."""

    successor: Caller = field(factory=Caller)

    def rest(self) -> bytes:
        return self.lines.take_rest()

    async def handle(self, event: object) -> Effects:
        if event == b"RELEASE":
            self.events.append(event)
            await self.release
        if event == b"POUR":
            return [Stream(self.chunks(4000)), Become(self.successor)]
        if event in {b"TURN", b"RELEASE"}:
            return [b"turning\r\n", Become(self.successor)]
        return await PlainDialogue.handle(self, event)


@define(kw_only=True)
class Keeping(PlainDialogue):
    """Turns too, but does not tell what it has."""

    successor: Caller = field(factory=Caller)

    async def handle(self, event: object) -> Effects:
        return [b"turning\r\n", Become(self.successor)]


@implementer(IFinishing)
@define(kw_only=True)
class Finishing(Caller):
    """Has something to finish when the server stops, if it was told to."""

    stops: int = 0
    finished: bool = False

    def shutting_down(self) -> Effects:
        self.stops += 1
        return [b"QUIT\r\n", Close("stopped")] if self.finished else [b"a moment\r\n"]


class ExchangeTests(Meets):
    """On connections that the peer opened."""

    def test_they_are_what_they_say(self) -> None:
        assert verifyObject(IPredecessor, Turning())
        assert verifyObject(IDialogue, Turning())

    def turned(self, connection: socket.socket) -> None:
        """Have it turned. Blocks."""
        connection.sendall(b"TURN\r\n")
        assert read_until(connection, b"EHLO\r\n") == b"turning\r\nEHLO\r\n"

    def test_a_link_that_dies_while_something_is_on_its_way_is_noticed_soon(self) -> Any:
        async def test() -> None:
            meeting = self.meet(make=Turning)
            connection = await self.client(self.greeted)
            [there] = meeting.factory.connections
            option = socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT
            assert there.transport.socket.getsockopt(*option) == 0
            await self.client(lambda: self.turned(connection))
            assert there.transport.socket.getsockopt(*option) == 1000 * UNACKNOWLEDGED
            assert there.transport.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert there.transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == SILENT

        return self.run_async(test())

    def test_the_other_dialogue_has_the_connection_and_the_first_is_told_its_end_once(self) -> Any:
        async def test() -> None:
            meeting = self.meet(make=Turning)

            def talk() -> bytes:
                connection = self.greeted()
                connection.sendall(b"one\r\n")
                assert read_until(connection, b"\r\n") == b"ok one\r\n"
                self.turned(connection)
                connection.sendall(b"two\r\nQUIT\r\n")
                return read_all(connection)

            assert await self.client(talk) == b"ok two\r\nbye\r\n"
            [first] = meeting.dialogues
            await self.until(lambda: first.successor.endings)
            assert first.endings == ["exchanged"]
            assert first.successor.endings == ["finished"]
            assert first.successor.peer is first.peer
            [record] = meeting.journal.named("connection")
            assert record["session"] == first.peer.session
            assert len(meeting.factory.connections) == 0

        return self.run_async(test())

    def test_nothing_that_came_is_lost_however_it_is_cut(self) -> Any:
        async def test() -> None:
            self.meet(make=Turning)
            said = b"one\r\nTURN\r\ntwo\r\nthr"

            def talk(pieces: list[bytes]) -> bytes:
                connection = self.greeted()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(0.002)
                connection.sendall(b"ee\r\nQUIT\r\n")
                return read_all(connection)

            for pieces in ([said], [said[i : i + 1] for i in range(len(said))], [said[:12], said[12:]]):
                answer = await self.client(lambda pieces=pieces: talk(pieces))
                assert answer == b"ok one\r\nturning\r\nEHLO\r\nok two\r\nok three\r\nbye\r\n"

        return self.run_async(test())

    def test_what_comes_while_the_exchange_is_being_made_is_for_the_other(self) -> Any:
        async def test() -> None:
            meeting = self.meet(make=Turning)
            connection = await self.client(self.greeted)
            connection.sendall(b"RELEASE\r\nfirst\r\n")
            await self.until(lambda: meeting.dialogues[0].events)
            connection.sendall(b"second\r\nQUIT\r\n")
            await self.until(lambda: meeting.dialogues[0].buffered() > 14)
            meeting.dialogues[0].release.callback(None)
            answer = await self.client(lambda: read_all(connection))
            assert answer == b"turning\r\nEHLO\r\nok first\r\nok second\r\nbye\r\n"

        return self.run_async(test())

    def test_a_dialogue_that_cannot_give_up_what_it_has_ends_the_connection(self) -> Any:
        async def test() -> None:
            meeting = self.meet(make=Keeping)

            def talk() -> bytes:
                connection = self.greeted()
                connection.sendall(b"TURN\r\nmore\r\n")
                return read_all(connection)

            assert b"EHLO" not in await self.client(talk)
            [first] = meeting.dialogues
            await self.until(lambda: first.endings)
            assert first.endings == first.successor.endings == ["input behind an exchange of dialogues"]
            assert first.successor.peer is None

        return self.run_async(test())

    def test_one_that_never_came_to_its_turn_is_told_that_it_is_over(self) -> Any:
        async def test() -> None:
            meeting = self.meet(make=Turning)

            def talk() -> None:
                connection = self.greeted()
                connection.sendall(b"POUR\r\n")
                time.sleep(0.2)
                connection.close()

            await self.client(talk)
            [first] = meeting.dialogues
            await self.until(lambda: first.endings)
            assert len(first.endings) == len(first.successor.endings) == 1
            assert first.successor.peer is None

        return self.run_async(test())

    def test_TLS_stays_and_cannot_begin_after_it(self) -> Any:
        async def test() -> None:
            directory = Path(self.mktemp())
            directory.mkdir(parents=True)
            meeting = self.meet(make=Turning, tls=make_tls(directory, "mail.example.test"))

            def secured() -> bytes:
                connection = self.greeted()
                connection.sendall(b"STARTTLS\r\n")
                assert connection.recv(100) == b"go\r\n"
                wrapped = ssl._create_unverified_context().wrap_socket(connection)
                assert wrapped.recv(100) == b"secured\r\n"
                self.turned(wrapped)
                wrapped.sendall(b"TLS\r\n")
                answer = wrapped.recv(100)
                wrapped.close()
                return answer

            def in_the_clear() -> bytes:
                connection = self.greeted()
                self.turned(connection)
                connection.sendall(b"STARTTLS\r\n")
                return read_all(connection)

            assert (await self.client(secured)).startswith(b"TLSv1.3")
            assert await self.client(in_the_clear) == b"go\r\n"
            await self.until(lambda: meeting.dialogues[1].successor.endings)
            assert meeting.dialogues[1].successor.endings == ["no TLS after an exchange of dialogues"]

        return self.run_async(test())

    def test_the_other_may_be_woken_and_may_cut_the_connection_off(self) -> Any:
        async def test() -> None:
            meeting = self.meet(make=Turning)
            connection = await self.client(self.greeted)
            await self.client(lambda: self.turned(connection))
            successor = meeting.dialogues[0].successor
            successor.tell(b"news\r\n")
            assert await self.client(lambda: read_until(connection, b"\r\n")) == b"news\r\n"
            successor.peer.abort("had enough")
            assert await self.client(lambda: read_all(connection)) == b"<reset>"
            assert successor.endings == ["had enough"]
            successor.peer.abort("again")
            successor.peer.wake()

        return self.run_async(test())

    def test_its_events_are_no_commands_of_the_peers(self) -> Any:
        async def test() -> None:
            self.meet(make=Turning, limits=Limits(events=50))

            def talk() -> bytes:
                connection = self.greeted()
                self.turned(connection)
                connection.sendall(b"x\r\n" * 200 + b"QUIT\r\n")
                return read_all(connection)

            assert await self.client(talk) == b"ok x\r\n" * 200 + b"bye\r\n"

        return self.run_async(test())


class StopTests(Meets):
    """The server stops."""

    def finishing(self) -> Finishing:
        """The dialogue of a connection that is left open."""
        return self.meeting.dialogues[0].successor

    async def meet_turned(self) -> socket.socket:
        self.meet(make=lambda: Turning(successor=Finishing()))
        connection = await self.client(self.greeted)
        connection.sendall(b"TURN\r\n")
        await self.client(lambda: read_until(connection, b"EHLO\r\n"))
        return connection

    def test_a_dialogue_that_finishes_by_itself_goes_on_until_it_has(self) -> Any:
        async def test() -> None:
            connection = await self.meet_turned()
            stopped = self.meeting.listener.stopService()
            assert await self.client(lambda: read_until(connection, b"\r\n")) == b"a moment\r\n"
            connection.sendall(b"one\r\ntwo\r\n")
            assert await self.client(lambda: read_until(connection, b"two\r\n")) == b"ok one\r\nok two\r\n"
            connection.sendall(b"QUIT\r\n")
            assert await self.client(lambda: read_all(connection)) == b"bye\r\n"
            await stopped
            assert (self.finishing().stops, self.finishing().endings) == (1, ["finished"])

        return self.run_async(test())

    def test_it_may_close_at_once(self) -> Any:
        async def test() -> None:
            connection = await self.meet_turned()
            self.finishing().finished = True
            stopped = self.meeting.listener.stopService()
            assert await self.client(lambda: read_all(connection)) == b"QUIT\r\n"
            await stopped
            assert self.finishing().endings == ["stopped"]

        return self.run_async(test())

    def test_it_is_told_after_what_is_under_way(self) -> Any:
        async def test() -> None:
            connection = await self.meet_turned()
            connection.sendall(b"WAIT\r\nlast\r\n")
            await self.until(lambda: self.finishing().events)
            stopped = self.meeting.listener.stopService()
            assert self.finishing().stops == 0
            release: Deferred[None] = self.finishing().release
            release.callback(None)
            answer = await self.client(lambda: read_until(connection, b"last\r\n"))
            assert answer == b"waited\r\na moment\r\nok last\r\n"
            await stopped  # after the grace
            assert self.finishing().endings == ["server stopping"]

        return self.run_async(test())
