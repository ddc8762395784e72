"""SIGHUP: what changes, what does not, and that nobody is disconnected."""

from __future__ import annotations

import hashlib
import os
import poplib
import signal
import smtplib
import socket
import ssl

import pytest

from tests.app.conftest import POP3, records, until, wait_for
from worldmail.testing.process import ServerProcess
from worldmail.transport.certificates import self_signed

SMTP, POP3S = 25, 995


@pytest.fixture
def running(server: ServerProcess) -> ServerProcess:
    server.start()
    return server


def hang_up(server: ServerProcess, event: str, count: int = 1) -> dict[str, object]:
    """Send SIGHUP and wait for this record."""
    os.kill(server.pid, signal.SIGHUP)
    return wait_for(server, event, count)


def signing_in(server: ServerProcess) -> poplib.POP3_SSL:
    """A client that said who it is."""
    client = poplib.POP3_SSL("127.0.0.1", server.port(POP3S), timeout=60, context=ssl._create_unverified_context())
    client.user("postmaster@example.test")
    return client


def certificate_of(server: ServerProcess) -> str:
    """The digest of what POP3S shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", server.port(POP3S)), 60) as plain,
        context.wrap_socket(plain) as connection,
    ):
        shown = connection.getpeercert(binary_form=True)
        assert shown is not None
        return hashlib.sha256(shown).hexdigest()


def write_certificate(server: ServerProcess) -> None:
    """Another certificate in the place of the first."""
    certificate, key = self_signed(["example.test"])
    (server.directory / "tls" / "key.pem").write_bytes(key)
    (server.directory / "tls" / "certificate.pem").write_bytes(certificate)


def test_a_new_certificate_is_shown_and_old_sessions_go_on(running: ServerProcess) -> None:
    before = certificate_of(running)
    client = poplib.POP3("127.0.0.1", running.port(POP3), timeout=60)
    write_certificate(running)
    hang_up(running, "server.reloaded")
    assert certificate_of(running) != before
    assert client.capa()
    client.quit()


def test_what_queue_says_is_taken_up_and_authorities_that_cannot_be_read_change_nothing(
    running: ServerProcess,
) -> None:
    running.configure({"queue": {"first_retry": "1m", "connections": 7, "trust": "tls/none.pem"}})
    told = hang_up(running, "server.reload-refused")
    assert "none.pem" in str(told["text"])
    running.configure({"queue": {"trust": "tls/certificate.pem"}, "dns": {"timeout": "3s"}})
    changed = hang_up(running, "server.reloaded")["changed"]
    assert changed == ["queue.first_retry", "queue.connections", "queue.trust"]
    assert wait_for(running, "server.restart-needed")["settings"] == ["dns.timeout"]


def test_a_certificate_that_does_not_fit_is_reported_and_the_old_one_stays(running: ServerProcess) -> None:
    before = certificate_of(running)
    (running.directory / "tls" / "key.pem").write_bytes(self_signed(["example.test"])[1])
    told = hang_up(running, "server.reload-refused")
    assert told["level"] == "error" and "key.pem" in str(told["text"])
    assert certificate_of(running) == before


def test_with_a_certificate_that_came_back_ports_in_TLS_go_by_the_new_settings(running: ServerProcess) -> None:
    right = without_certificate(running)
    hang_up(running, "server.reloaded")
    told = [one["listener"] for one in records(running) if one["event"] == "listener.left-out"]
    assert sorted(told) == ["imaps", "pop3s", "submissions"]
    with pytest.raises(OSError):
        certificate_of(running)
    running.config.write_text(right)
    running.configure({"smtp": {"message_size": "1MB"}})
    assert hang_up(running, "server.reloaded", 2)["changed"] == ["tls.certificates", "smtp.message_size"]
    assert len([one for one in records(running) if one["event"] == "listener.left-out"]) == len(told)
    port, context = running.port(465), ssl._create_unverified_context()
    with smtplib.SMTP_SSL("127.0.0.1", port, timeout=60, context=context) as new:
        new.ehlo()
        assert new.esmtp_features["size"] == "1000000"


def without_certificate(server: ServerProcess) -> str:
    """Take the certificate out of the configuration; what that was with it."""
    right = server.config.read_text()
    head, _, rest = right.partition("[[tls.certificates]]\n")
    server.config.write_text(head + rest.partition('key = "tls/key.pem"\n')[2])
    return right


def test_ports_in_TLS_that_were_shut_at_the_start_are_opened_once_there_is_a_certificate(server: ServerProcess) -> None:
    right = without_certificate(server)
    server.start()
    with pytest.raises(OSError):
        certificate_of(server)
    server.config.write_text(right)
    assert hang_up(server, "server.reloaded")["changed"] == ["tls.certificates"]
    assert sorted(one["listener"] for one in records(server) if one["event"] == "listener.opened") == [
        "imaps",
        "pop3s",
        "submissions",
    ]
    assert not [one for one in records(server) if one["event"] == "server.restart-needed"]
    shown = certificate_of(server)
    write_certificate(server)
    hang_up(server, "server.reloaded", 2)
    assert len([one for one in records(server) if one["event"] == "listener.opened"]) == 3
    assert certificate_of(server) != shown


def test_a_port_in_TLS_that_cannot_be_opened_is_named_until_it_is(server: ServerProcess) -> None:
    right = without_certificate(server)
    server.start()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", server.port(POP3S)))
        other.listen()
        server.config.write_text(right)
        told = hang_up(server, "server.restart-needed")
        assert told["settings"] == ["tls.certificates"]
        assert f"127.0.0.1:{server.port(POP3S)} for pop3s: something else listens there" in str(told["text"])
        hang_up(server, "server.restart-needed", 2)
    hang_up(server, "server.reloaded", 3)
    assert len([one for one in records(server) if one["event"] == "server.restart-needed"]) == 2
    assert certificate_of(server)


def test_a_wrong_configuration_is_reported_by_line_and_the_old_one_goes_on(running: ServerProcess) -> None:
    right = running.config.read_text()
    running.config.write_text(right + "\n[nonsense]\n")
    told = hang_up(running, "server.reload-refused")
    assert f"{running.config}:{right.count(chr(10)) + 2}: [nonsense]" in str(told["text"])
    with smtplib.SMTP("127.0.0.1", running.port(SMTP), timeout=60) as client:
        assert client.noop()[0] == 250


def test_new_sessions_go_by_the_new_settings_of_their_protocol(running: ServerProcess) -> None:
    old = smtplib.SMTP("127.0.0.1", running.port(SMTP), timeout=60)
    running.configure({"smtp": {"message_size": "1MB"}})
    told = hang_up(running, "server.reloaded")
    assert told["changed"] == ["smtp.message_size"]
    with smtplib.SMTP("127.0.0.1", running.port(SMTP), timeout=60) as new:
        new.ehlo()
        assert new.esmtp_features["size"] == "1000000"
    old.ehlo()
    assert old.esmtp_features["size"] == "25000000"
    old.quit()
    assert not [one for one in records(running) if one["event"] == "server.restart-needed"]


def test_a_listener_goes_by_how_TLS_comes_there_now_and_by_its_place_under_another_name(running: ServerProcess) -> None:
    right = running.config.read_text()
    waiting = poplib.POP3("127.0.0.1", running.port(POP3), timeout=60)
    begun, name, rest = right.partition('name = "pop3"\n')
    running.config.write_text(begun + 'name = "first"\ntls = "implicit"\n' + rest)
    assert name and hang_up(running, "server.reloaded")["changed"] == ["pop3.listeners"]
    context = ssl._create_unverified_context()
    secured = poplib.POP3_SSL("127.0.0.1", running.port(POP3), timeout=60, context=context)
    assert "STLS" not in secured.capa()
    assert "STLS" in waiting.capa()
    running.config.write_text(right)
    hang_up(running, "server.reloaded", 2)
    assert "STLS" in poplib.POP3("127.0.0.1", running.port(POP3), timeout=60).capa()
    assert secured.quit() and waiting.quit()


def test_what_needs_a_restart_is_said_until_it_came(running: ServerProcess) -> None:
    running.configure({"store": {"inline_limit": "1KiB"}})
    told = hang_up(running, "server.restart-needed")
    assert told["settings"] == ["store.inline_limit"]
    hang_up(running, "server.restart-needed", count=2)


def test_the_delay_between_two_logins_lasts_over_it(server: ServerProcess) -> None:
    server.configure({"pop3": {"login_delay": "1h"}})
    _, password = (server.directory / "initial-password").read_text().split()
    server.start()
    client = signing_in(server)
    client.pass_(password)
    client.quit()
    hang_up(server, "server.reloaded")
    client = signing_in(server)
    with pytest.raises(poplib.error_proto, match="LOGIN-DELAY"):
        client.pass_(password)
    client.close()


def test_the_log_goes_on_in_a_new_file_after_it_was_rotated(server: ServerProcess) -> None:
    log = server.directory / "mail.log"
    server.configure({"log": {"file": str(log)}})
    server.start()
    until(lambda: log.exists() and "server.started" in log.read_text())
    log.rename(log.with_name("mail.log.1"))
    os.kill(server.pid, signal.SIGHUP)
    until(lambda: log.exists() and "server.reloaded" in log.read_text())
    assert "server.started" not in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600
