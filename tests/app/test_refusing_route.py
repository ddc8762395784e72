"""A route that refuses, in a running server."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator

import pytest

from worldmail.testing.process import ServerProcess

ADDRESS, PASSWORD = "ann@example.test", "correct horse"
NO = (550, b"5.7.1 Not from here")


@pytest.fixture
def running(server: ServerProcess) -> Iterator[ServerProcess]:
    """A server with an account, a relay domain, and a route that refuses it."""
    server.add_user(ADDRESS, PASSWORD)
    server.command("domain", "add", "far.test", "--kind", "relay")
    server.command("route", "add", "no", "domain=far.test", "via=refuse", "text=Not from here")
    server.start()
    yield server
    server.stop()


def unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def test_strangers_and_users_are_told_at_RCPT(running: ServerProcess) -> None:
    with smtplib.SMTP("127.0.0.1", running.port(25), timeout=60) as client:
        client.ehlo()
        client.mail("somebody@else.test")
        assert client.rcpt("x@far.test") == NO
        assert client.rcpt(ADDRESS)[0] == 250
    with smtplib.SMTP("127.0.0.1", running.port(587), timeout=60) as client:
        client.starttls(context=unverified())
        client.login(ADDRESS, PASSWORD)
        client.mail(ADDRESS)
        assert client.rcpt("x@far.test") == NO
        assert client.rcpt("x@near.test")[0] == 250
