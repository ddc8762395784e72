"""IMAP over real connections: octets behind STARTTLS, idlers, floods, bombs; others are served meanwhile."""

from __future__ import annotations

import contextlib
import imaplib
import socket
import ssl
import time
import zlib
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.threads import blockingCallFromThread, deferToThread
from twisted.trial.unittest import TestCase

from worldmail.config.fields import listen
from worldmail.protocols.imap.service import imap_service
from worldmail.protocols.imap.settings import ImapListener, ImapSettings
from worldmail.testing.fakes import make_tls
from worldmail.testing.imap import ImapServer
from worldmail.testing.meeting import read_all, read_until
from worldmail.transport.deflate import PIECE

reactor: Any = installed
LOGIN = b"l LOGIN bob@example.test secret\r\n"


class OnSockets(TestCase):
    """An IMAP service on the loopback, with a certificate."""

    timeout = 90
    login_timeout = 60.0

    def setUp(self) -> None:
        self.server = ImapServer.make(reactor=reactor)
        directory = Path(self.mktemp())
        directory.mkdir(parents=True)
        world = evolve(self.server.world, tls=make_tls(directory, "mail.example.test"))
        clear = ImapListener(name="imap", listen=(listen("127.0.0.1:0"),))
        implicit = ImapListener(name="imaps", listen=(listen("127.0.0.1:0"),), tls="implicit")
        self.service = imap_service(world, ImapSettings(listeners=(clear, implicit), login_timeout=self.login_timeout))
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
        assert read_until(connection, b"\r\n").startswith(b"* OK [CAPABILITY ")
        return connection

    def signed_in(self) -> socket.socket:
        """The same, in TLS, for bob."""
        connection = self.connect(tls=True)
        connection.sendall(LOGIN)
        assert b"l OK " in read_until(connection, b"\r\n")
        return connection

    def sessions(self) -> list[Any]:
        """The server's side of every connection."""
        return [connection.dialogue for listener in self.service for connection in listener.factory.connections]


class Attacks(OnSockets):
    """By strangers, and by one who signed in."""

    def test_commands_glued_to_STARTTLS_are_answered_neither_in_the_clear_nor_in_TLS(self) -> Deferred[None]:
        def attack() -> None:
            connection = self.connect()
            connection.sendall(b"a STARTTLS\r\n" + LOGIN + b"b CAPABILITY\r\n")
            assert read_all(connection) == b"a BAD Nothing may follow STARTTLS\r\n"

        return deferToThread(attack)

    def test_commands_in_the_clear_behind_STARTTLS_are_never_answered(self) -> Deferred[None]:
        def attack() -> None:
            connection = self.connect()
            connection.sendall(b"a STARTTLS\r\n")
            assert read_until(connection, b"\r\n").startswith(b"a OK ")
            connection.sendall(b"b CAPABILITY\r\nc CAPABILITY\r\n")
            assert b"IMAP4rev1" not in read_all(connection)

        return deferToThread(attack)

    def test_a_clean_upgrade_works_and_in_the_clear_no_password_is_taken(self) -> Deferred[None]:
        def client() -> None:
            connection = imaplib.IMAP4(*self.clear)
            assert "LOGINDISABLED" in connection.capabilities
            self.assertRaises(imaplib.IMAP4.error, connection.login, "bob@example.test", "secret")
            connection.starttls(self.client_tls)
            assert "LOGINDISABLED" not in connection.capabilities
            assert connection.login("bob@example.test", "secret")[0] == "OK"
            assert connection.namespace()[0] == "OK"
            assert connection.logout()[0] == "BYE"

        return deferToThread(client)

    def test_in_implicit_TLS_the_greeting_tells_what_holds_in_TLS(self) -> Deferred[None]:
        def client() -> None:
            connection = self.client_tls.wrap_socket(socket.create_connection(self.implicit, timeout=20))
            self.addCleanup(connection.close)
            greeting = read_until(connection, b"\r\n")
            assert b"AUTH=PLAIN" in greeting and b"LOGINDISABLED" not in greeting and b"STARTTLS" not in greeting
            connection.sendall(b"a CAPABILITY\r\n")
            told = read_until(connection, b"completed\r\n").split(b"\r\n")[0].removeprefix(b"* CAPABILITY ")
            assert greeting.startswith(b"* OK [CAPABILITY " + told + b"] ")

        return deferToThread(client)

    def test_who_idles_is_told_when_the_account_is_gone(self) -> Deferred[None]:
        def client() -> bytes:
            connection = self.signed_in()
            connection.sendall(b"i IDLE\r\n")
            assert read_until(connection, b"\r\n").startswith(b"+ ")
            self.server.memory.directory.accounts.clear()
            reactor.callFromThread(self.server.changes.tell, "account", 0)
            return read_all(connection)

        done = deferToThread(client)
        done.addCallback(
            lambda said: self.assertEqual(said, b"* BYE Your account was changed, please sign in again\r\n")
        )
        return done

    def test_a_reader_that_reads_nothing_costs_bounded_memory_and_keeps_nobody_waiting(self) -> Deferred[None]:
        def attack() -> None:
            connection = self.signed_in()
            connection.settimeout(1)
            try:
                for _ in range(2000):
                    connection.sendall(b"x NAMESPACE\r\n" * 1000)
            except TimeoutError:
                pass
            else:
                raise AssertionError("everything was taken")
            other = self.connect()
            other.sendall(b"a NOOP\r\nb LOGOUT\r\n")
            assert read_all(other).endswith(b"b OK LOGOUT completed\r\n")

        def look(_: object) -> None:
            assert all(session.buffered() <= 192 * 1024 for session in self.sessions())

        done = deferToThread(attack)
        done.addCallback(look)
        return done

    def test_a_compressed_session_works_and_a_bomb_in_it_keeps_nobody_waiting(self) -> Deferred[None]:
        most = 0

        def attack() -> None:
            connection = self.signed_in()
            connection.sendall(b"c COMPRESS DEFLATE\r\n")
            assert read_until(connection, b"\r\n") == b"c OK DEFLATE active\r\n"
            squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
            expand = zlib.decompressobj(-15)
            connection.sendall(squeeze.compress(b"d NAMESPACE\r\n") + squeeze.flush(zlib.Z_SYNC_FLUSH))
            assert expand.decompress(connection.recv(65536)).endswith(b"d OK NAMESPACE completed\r\n")
            connection.sendall(squeeze.compress(b"e NOOP " + b"(" * 50_000_000) + squeeze.flush(zlib.Z_SYNC_FLUSH))
            other = self.connect()
            other.sendall(b"a NOOP\r\nb LOGOUT\r\n")
            assert read_all(other).endswith(b"b OK LOGOUT completed\r\n")
            said = b""
            while b"* BYE The line is too long\r\n" not in said:
                octets = connection.recv(65536)
                assert octets, said
                said += expand.decompress(octets)
            blockingCallFromThread(reactor, look)

        def look() -> None:
            nonlocal most
            most = max((session.buffered() for session in self.sessions()), default=0)

        done = deferToThread(attack)
        done.addCallback(lambda _: self.assertLessEqual(most, 2 * PIECE))
        return done

    def test_a_stop_says_BYE_to_those_who_idle(self) -> Deferred[None]:
        def client() -> bytes:
            connection = self.signed_in()
            connection.sendall(b"i IDLE\r\n")
            assert read_until(connection, b"\r\n").startswith(b"+ ")
            reactor.callFromThread(self.service.stopService)
            time.sleep(0.1)
            return read_all(connection)

        done = deferToThread(client)
        done.addCallback(lambda said: self.assertTrue(said.startswith(b"* BYE [UNAVAILABLE] ")))
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
