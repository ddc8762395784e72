"""Certificates by name, STARTTLS and implicit TLS, what is told of a handshake."""

from __future__ import annotations

import socket
import ssl
import time
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from twisted.internet import reactor as installed
from twisted.internet.threads import deferToThread

from worldmail.errors import ConfigurationError
from worldmail.testing.fakes import make_tls, tls_settings
from worldmail.testing.meeting import Meeting, Meets
from worldmail.transport.certificates import names_of
from worldmail.transport.limits import Limits
from worldmail.transport.tls import Tls

reactor: Any = installed


class TlsTests(Meets):
    """Real handshakes."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir(parents=True)

    def meet(self, *names: str, **changes: Any) -> Meeting:
        changes.setdefault("tls", make_tls(self.directory, *(names or ("mail.example.test",))))
        return super().meet(**changes)

    def secured(self, name: str | None = "mail.example.test", **changes: Any) -> ssl.SSLSocket:
        """A connection on which STARTTLS was done (or implicit TLS)."""
        connection = self.connect()
        if not self.meeting.implicit_tls:
            connection.recv(100)
            connection.sendall(b"STARTTLS\r\n")
            assert connection.recv(100) == b"go\r\n"
        return self.wrapped(connection, name, **changes)

    def wrapped(self, connection: socket.socket, name: str | None, **changes: Any) -> ssl.SSLSocket:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        for attribute, value in changes.items():
            setattr(context, attribute, value)
        return context.wrap_socket(connection, server_hostname=name)

    def test_STARTTLS_secures_the_session_and_tells_what_was_negotiated(self) -> Any:
        async def test() -> None:
            meeting = self.meet()

            def talk() -> tuple[bytes, bytes]:
                connection = self.secured()
                first = connection.recv(100)
                connection.sendall(b"TLS\r\nQUIT\r\n")
                return first, connection.recv(1000)

            first, second = await deferToThread(talk)
            assert first == b"secured\r\n"
            assert second == b"TLSv1.3 mail.example.test None\r\nbye\r\n"
            await self.until(lambda: meeting.dialogues[0].endings)
            assert meeting.journal.named("connection")[0]["tls"] == "TLSv1.3"

        return self.run_async(test())

    def test_input_behind_STARTTLS_is_never_executed_wherever_it_is_cut(self) -> Any:
        async def test() -> None:
            meeting = self.meet()

            def talk(injected: bytes) -> bytes:
                connection = self.connect()
                connection.recv(100)
                connection.sendall(b"STARTTLS\r\n" + injected)
                data = b""
                try:
                    while piece := connection.recv(100):
                        data += piece
                except ConnectionResetError:
                    pass
                return data

            for injected in (b"INJECTED\r\n", b"I", b"\r", b"\0", b"\x16\x03\x01"):
                assert await deferToThread(talk, injected) in (b"", b"go\r\n")
            await self.until(lambda: all(dialogue.endings for dialogue in meeting.dialogues))
            for dialogue in meeting.dialogues:
                assert dialogue.endings == ["input behind STARTTLS"]
                assert dialogue.events == [b"STARTTLS"]

        return self.run_async(test())

    def test_input_sent_in_the_clear_after_STARTTLS_was_answered_is_not_executed_either(self) -> Any:
        async def test() -> None:
            meeting = self.meet()

            def talk() -> None:
                connection = self.connect()
                connection.recv(100)
                connection.sendall(b"STARTTLS\r\n")
                connection.recv(100)
                connection.sendall(b"INJECTED\r\n")
                while connection.recv(100):
                    pass

            await deferToThread(talk)
            await self.until(lambda: meeting.dialogues[0].endings)
            assert meeting.dialogues[0].events == [b"STARTTLS"]
            assert meeting.dialogues[0].endings == ["TLS handshake failed: what the client sent is not TLS"]

        return self.run_async(test())

    def test_channel_bindings_are_those_that_the_client_computes(self) -> Any:
        async def test() -> None:
            self.meet()

            def talk(kind: str, **changes: Any) -> tuple[str, bytes | None, bytes]:
                connection = self.secured(**changes)
                connection.recv(100)
                connection.sendall(f"TLS {kind}\r\n".encode())
                answer = connection.recv(1000).decode().split()[2]
                certificate = connection.getpeercert(binary_form=True)
                assert certificate is not None
                return answer, connection.get_channel_binding(), certificate

            old = {"maximum_version": ssl.TLSVersion.TLSv1_2}
            answer, expected, certificate = await deferToThread(talk, "tls-unique", **old)
            assert expected is not None
            assert answer == expected.hex()
            assert (await deferToThread(talk, "tls-unique"))[0] == "None"
            assert (await deferToThread(talk, "tls-exporter", **old))[0] == "None"
            assert len((await deferToThread(talk, "tls-exporter"))[0]) == 64
            answer, _, certificate = await deferToThread(talk, "tls-server-end-point")
            digest = hashes.Hash(hashes.SHA256())
            digest.update(certificate)
            assert answer == digest.finalize().hex()
            assert (await deferToThread(talk, "tls-nonsense"))[0] == "None"

        return self.run_async(test())

    def test_tls_unique_of_a_resumed_session_is_the_clients_too(self) -> Any:
        async def test() -> None:
            self.meet()

            def talk() -> tuple[bool, str, str]:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                context.maximum_version = ssl.TLSVersion.TLSv1_2
                session = None
                for _ in range(2):
                    connection = self.connect()
                    connection.recv(100)
                    connection.sendall(b"STARTTLS\r\n")
                    connection.recv(100)
                    secured = context.wrap_socket(connection, session=session)
                    secured.recv(100)
                    session = secured.session
                secured.sendall(b"TLS tls-unique\r\n")
                binding = secured.get_channel_binding()
                assert binding is not None
                return bool(secured.session_reused), secured.recv(1000).decode().split()[2], binding.hex()

            reused, ours, theirs = await deferToThread(talk)
            assert reused
            assert ours == theirs

        return self.run_async(test())

    def test_implicit_TLS_greets_inside_and_has_no_secured(self) -> Any:
        async def test() -> None:
            self.meet(implicit_tls=True)

            def talk() -> bytes:
                connection = self.secured()
                data = connection.recv(100)
                connection.sendall(b"TLS\r\nQUIT\r\n")
                while piece := connection.recv(100):
                    data += piece
                return data

            assert await deferToThread(talk) == b"hello\r\nTLSv1.3 mail.example.test None\r\nbye\r\n"

        return self.run_async(test())

    def test_the_certificate_follows_the_name_that_is_asked_for(self) -> Any:
        async def test() -> None:
            self.meet("mail.example.test", "*.other.test", "exact.other.test", implicit_tls=True)

            def names(asked: str | None) -> tuple[str, ...]:
                certificate = self.secured(asked).getpeercert(binary_form=True)
                assert certificate is not None
                return names_of(x509.load_der_x509_certificate(certificate))

            for asked, expected in (
                ("mail.example.test", "mail.example.test"),
                ("imap.other.test", "*.other.test"),
                ("EXACT.other.test", "exact.other.test"),
                ("deep.imap.other.test", "mail.example.test"),
                ("other.test", "mail.example.test"),
                ("unknown.test", "mail.example.test"),
                (None, "mail.example.test"),
            ):
                assert await deferToThread(names, asked) == (expected,), asked

        return self.run_async(test())

    def test_a_reload_serves_the_new_certificate_and_an_error_keeps_the_old_one(self) -> Any:
        async def test() -> None:
            settings = tls_settings(self.directory, "mail.example.test")
            tls = Tls(settings)
            self.meet(tls=tls, implicit_tls=True)

            def serial() -> int:
                certificate = self.secured().getpeercert(binary_form=True)
                assert certificate is not None
                return x509.load_der_x509_certificate(certificate).serial_number

            first = await deferToThread(serial)
            go_back = tls.reload(tls_settings(self.directory, "mail.example.test"))
            assert await deferToThread(serial) != first
            go_back()
            assert await deferToThread(serial) == first
            tls.reload(tls_settings(self.directory, "mail.example.test"))
            second = await deferToThread(serial)
            assert second != first
            settings.certificates[0].certificate.write_text("rubbish")
            with pytest.raises(ConfigurationError):
                tls.reload(settings)
            assert await deferToThread(serial) == second

        return self.run_async(test())

    def test_versions_below_the_minimum_are_refused(self) -> Any:
        async def test() -> None:
            settings = tls_settings(self.directory, "mail.example.test")
            self.meet(tls=Tls(evolve(settings, minimum="1.3")), implicit_tls=True)

            def talk(version: ssl.TLSVersion) -> str | None:
                try:
                    return self.secured(maximum_version=version).version()
                except ssl.SSLError:
                    return None

            assert await deferToThread(talk, ssl.TLSVersion.TLSv1_2) is None
            assert await deferToThread(talk, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"

        return self.run_async(test())

    def test_a_handshake_that_does_not_come_to_an_end_is_cut_off(self) -> Any:
        async def test() -> None:
            meeting = self.meet(implicit_tls=True, handshake_timeout=0.2)

            def talk() -> bytes:
                connection = self.connect()
                try:
                    connection.sendall(b"\x16\x03\x01")
                    return connection.recv(100)
                except ConnectionError:
                    return b""

            assert await deferToThread(talk) == b""
            await self.until(lambda: meeting.dialogues[0].endings)
            assert meeting.dialogues[0].endings == ["TLS handshake timed out"]

        return self.run_async(test())

    def test_too_many_handshakes_from_one_address_are_refused(self) -> Any:
        async def test() -> None:
            meeting = self.meet(limits=Limits(handshakes=1))
            await deferToThread(lambda: self.secured().recv(100))

            def talk() -> bytes:
                connection = self.connect()
                connection.recv(100)
                connection.sendall(b"STARTTLS\r\n")
                return connection.recv(100) + connection.recv(100)

            assert await deferToThread(talk) == b"go\r\n"
            await self.until(lambda: meeting.dialogues[1].endings)
            assert "too many TLS handshakes" in meeting.dialogues[1].endings[0]

        return self.run_async(test())

    def test_a_stream_in_TLS_waits_for_a_slow_reader(self) -> Any:
        async def test() -> None:
            meeting = self.meet(implicit_tls=True)
            total = 3000

            def start() -> ssl.SSLSocket:
                connection = self.secured()
                connection.recv(100)
                connection.sendall(b"STREAM %d\r\nafter\r\n" % total)
                time.sleep(0.5)
                return connection

            connection = await deferToThread(start)
            assert meeting.dialogues[0].streamed < total

            def finish() -> int:
                got, tail = 0, b""
                while not tail.endswith(b"ok after\r\n"):
                    piece = connection.recv(1 << 16)
                    got += len(piece)
                    tail = (tail + piece)[-20:]
                return got

            assert await deferToThread(finish) == total * 16384 + len(b"\r\nok after\r\n")

        return self.run_async(test())
