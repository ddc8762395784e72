"""What MAIL asks for, in a running server: held until it is released, in TLS or not at all."""

from __future__ import annotations

import json
import poplib
import smtplib
import ssl
from collections.abc import Iterator

import pytest

from tests.app.conftest import until
from worldmail.testing.process import ServerProcess

ADDRESS, PASSWORD = "ann@example.test", "correct horse"
TEXT = b"From: ann@example.test\r\nSubject: later\r\n\r\nHow are you?\r\n"


@pytest.fixture
def running(server: ServerProcess) -> Iterator[ServerProcess]:
    """A server with an account, and a route that leads to itself without TLS."""
    server.add_user(ADDRESS, PASSWORD)
    port = server.port(25)
    server.command("route", "add", "plain", "domain=far.test", "via=host", "host=127.0.0.1", f"port={port}")
    server.command("route", "set", "plain", "security=never")
    server.start()
    yield server
    server.stop()


def unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def submit(server: ServerProcess, recipient: str, *options: str) -> None:
    with smtplib.SMTP("127.0.0.1", server.port(587), timeout=60) as client:
        client.starttls(context=unverified())
        client.login(ADDRESS, PASSWORD)
        client.sendmail(ADDRESS, [recipient], TEXT, mail_options=options)


def inbox(server: ServerProcess) -> list[bytes]:
    client = poplib.POP3("127.0.0.1", server.port(110), timeout=60)
    try:
        client.stls(context=unverified())
        client.user(ADDRESS)
        client.pass_(PASSWORD)
        count, _ = client.stat()
        return [b"\r\n".join(client.retr(number)[1]) for number in range(1, count + 1)]
    finally:
        client.quit()


def test_mail_for_a_mailbox_here_waits_until_an_administrator_sends_it(running: ServerProcess) -> None:
    submit(running, ADDRESS, "HOLDFOR=3600")
    (waiting,) = json.loads(running.command("queue", "list", "--json"))
    assert (waiting["from"], waiting["to"]) == (ADDRESS, ADDRESS)
    assert inbox(running) == []
    running.command("queue", "retry", "--all")
    assert [one["id"] for one in json.loads(running.command("queue", "list", "--json"))] == [waiting["id"]]
    running.command("queue", "retry", waiting["id"])
    (text,) = until(lambda: inbox(running))
    assert b"\r\nSubject: later\r\n" in text


def test_what_requires_TLS_comes_back_from_a_route_without(running: ServerProcess) -> None:
    submit(running, "bob@far.test", "REQUIRETLS")
    (report,) = until(lambda: inbox(running))
    assert b"\r\nStatus: 5.7.10\r\n" in report
    assert b"How are you?" not in report
