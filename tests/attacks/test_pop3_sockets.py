"""POP3 over real connections: octets behind STLS, slow readers, floods; others are served meanwhile."""

from __future__ import annotations

import contextlib
import poplib
import socket
import ssl
import time
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.threads import blockingCallFromThread, deferToThread
from twisted.trial.unittest import TestCase

from worldmail.config.fields import listen
from worldmail.protocols.pop3.service import pop3_service
from worldmail.protocols.pop3.settings import Pop3Listener, Pop3Settings
from worldmail.testing.fakes import make_tls
from worldmail.testing.pop3 import Pop3Server

reactor: Any = installed
LOGIN = b"USER bob@example.test\r\nPASS secret\r\n"


def read_all(connection: socket.socket) -> bytes:
    """All that comes until the connection ends."""
    data = bytearray()
    try:
        while piece := connection.recv(65536):
            data += piece
    except (ConnectionResetError, ssl.SSLError):
        pass
    return bytes(data)


class OnSockets(TestCase):
    """A POP3 service on the loopback, with a certificate."""

    timeout = 90
    login_timeout = 60.0

    def setUp(self) -> None:
        self.server = Pop3Server.make(b"A: b\r\n\r\nsmall\r\n", reactor=reactor)
        directory = Path(self.mktemp())
        directory.mkdir(parents=True)
        world = evolve(self.server.world, tls=make_tls(directory, "mail.example.test"))
        clear = Pop3Listener(name="pop3", listen=(listen("127.0.0.1:0"),))
        implicit = Pop3Listener(name="pop3s", listen=(listen("127.0.0.1:0"),), tls="implicit")
        self.service = pop3_service(world, Pop3Settings(listeners=(clear, implicit), login_timeout=self.login_timeout))
        self.service.privilegedStartService()
        self.service.startService()
        self.clear, self.implicit = (listener.addresses[0] for listener in self.service)
        self.client_tls = ssl._create_unverified_context()

    def tearDown(self) -> Any:
        return self.service.stopService()

    def connect(self, *, tls: bool = False) -> socket.socket:
        """A greeted connection. Blocks: for threads only."""
        connection = socket.create_connection(self.implicit if tls else self.clear, timeout=20)
        if tls:
            connection = self.client_tls.wrap_socket(connection)
        # Of the wrapped one, which has taken the socket over: else it would end with the caller's last name for it.
        self.addCleanup(connection.close)
        assert connection.recv(1024).startswith(b"+OK")
        return connection


class Attacks(OnSockets):
    """By strangers, and by one who signed in."""

    def test_commands_glued_to_STLS_are_answered_neither_in_the_clear_nor_in_TLS(self) -> Deferred[None]:
        def attack() -> None:
            connection = self.connect()
            connection.sendall(b"STLS\r\n" + LOGIN + b"CAPA\r\n")
            answer = read_all(connection)
            assert answer == b"-ERR Nothing may follow STLS\r\n", answer

        return deferToThread(attack)

    def test_commands_in_the_clear_behind_STLS_are_never_answered(self) -> Deferred[None]:
        def attack() -> None:
            connection = self.connect()
            connection.sendall(b"STLS\r\n")
            assert connection.recv(1024).startswith(b"+OK")
            connection.sendall(b"CAPA\r\nCAPA\r\n")
            assert b"TOP" not in read_all(connection)

        return deferToThread(attack)

    def test_a_clean_upgrade_works_and_in_the_clear_no_password_is_taken(self) -> Deferred[None]:
        def client() -> None:
            connection = poplib.POP3(*self.clear)
            self.assertRaises(poplib.error_proto, connection.user, "bob@example.test")
            connection.stls(self.client_tls)
            connection.user("bob@example.test")
            connection.pass_("secret")
            assert connection.stat() == (1, 15)
            connection.quit()

        return deferToThread(client)

    def test_implicit_TLS_serves_and_a_clear_client_there_gets_nothing(self) -> Deferred[None]:
        def client() -> None:
            connection = self.connect(tls=True)
            connection.sendall(LOGIN + b"RETR 1\r\nQUIT\r\n")
            assert read_all(connection).endswith(b"small\r\n.\r\n+OK Goodbye\r\n")
            clear = socket.create_connection(self.implicit, timeout=20)
            self.addCleanup(clear.close)
            clear.sendall(b"CAPA\r\n")
            assert b"+OK" not in read_all(clear)

        return deferToThread(client)

    def test_a_reader_that_reads_nothing_costs_bounded_memory_and_keeps_nobody_waiting(self) -> Deferred[None]:
        self.server.memory.mailboxes.add(self.server.bob.id, b"A: b\r\n\r\n" + b"x" * 998 + b"\r\n" * 200_000)

        def attack() -> int:
            connection = self.connect(tls=True)
            connection.sendall(LOGIN + b"RETR 2\r\n" * 200)
            for _ in range(3000):
                if blockingCallFromThread(reactor, self._held):
                    break
                time.sleep(0.02)
            time.sleep(0.5)
            other = self.connect()
            other.sendall(b"CAPA\r\nQUIT\r\n")
            assert read_all(other).endswith(b"Goodbye\r\n")
            return 0

        def look(_: object) -> None:
            (session,) = self._held()
            assert session.buffered() <= 200 * 8

        done = deferToThread(attack)
        done.addCallback(look)
        return done

    def _held(self) -> list[Any]:
        connections = [connection for listener in self.service for connection in listener.factory.connections]
        return [c.dialogue for c in connections if c.dialogue.maildrop is not None]

    def test_the_maildrop_is_free_once_the_connection_is_lost(self) -> Deferred[None]:
        def client() -> None:
            for _ in range(5):
                connection = self.connect(tls=True)
                connection.sendall(LOGIN + b"DELE 1\r\n")
                answer = b""
                while b"Marked" not in answer:
                    octets = connection.recv(1024)
                    assert octets, answer
                    answer += octets
                connection.close()
                for _ in range(3000):
                    if not self.server.memory.mailboxes.locked:
                        break
                    time.sleep(0.02)

        done = deferToThread(client)
        done.addCallback(lambda _: self.assertEqual(len(self.server.inbox), 1))
        return done


class Dribbling(OnSockets):
    """By one who never signs in."""

    login_timeout = 2.0

    def test_who_does_not_sign_in_is_cut_off_however_it_dribbles(self) -> Deferred[None]:
        def attack() -> None:
            connection = self.connect()
            connection.settimeout(0.3)
            with contextlib.suppress(ConnectionError):
                while True:  # for ever, if it is never cut off
                    with contextlib.suppress(TimeoutError):
                        connection.sendall(b"C")
                        if not connection.recv(100):
                            return

        return deferToThread(attack)
