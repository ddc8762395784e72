"""What else than ETRN lets mail go that a running server holds: a finger query, a message, a login."""

from __future__ import annotations

import poplib
import smtplib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.conftest import records, until
from tests.cli.conftest import Commands
from worldmail.testing.process import ServerProcess
from worldmail.wire.wake_words import make_token

SMTP, POP3, FINGER, SUBMISSION = 25, 110, 79, 587
ACCOUNT, PASSWORD = "shop@example.test", "correct horse"
WAKE, SECRET, WORD = "wake-shop@example.test", "open.sesame-1234", "a.word-of-the-shop"
LISTENER = '\n[[finger.listeners]]\nname = "finger"\nlisten = ["127.0.0.1:{}"]\n'


@pytest.fixture
def site(place: Path) -> Iterator[ServerProcess]:
    """The server of shop.test: its postmaster's mailbox."""
    made = ServerProcess(directory=place / "site", domain="shop.test", forked=True)
    made.initialise()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def relay(server: ServerProcess, site: ServerProcess) -> Iterator[ServerProcess]:
    """A server that holds mail for shop.test, which everything there is releases."""
    command = Commands(server.config)
    to_site = ("release=host", "host=127.0.0.1", f"port={site.port(SMTP)}", "security=never")
    triggers = (f"accounts={ACCOUNT}", "at-login=on", f"wake={WAKE}", f"wake-secret={SECRET}", f"finger={WORD}")
    command.ok("hold", "add", "shop", "domains=shop.test", *to_site, *triggers)
    command.ok("domain", "add", "shop.test", "--kind", "relay")
    command.ok("user", "add", ACCOUNT, "--password-stdin", stdin=PASSWORD + "\n")
    server.config.write_text(server.config.read_text() + LISTENER.format(server.port(FINGER)))
    server.start()
    yield server
    server.stop()


def send(relay: ServerProcess, recipient: str = "postmaster@shop.test", subject: str = "held") -> None:
    with smtplib.SMTP("127.0.0.1", relay.port(SMTP), timeout=60) as client:
        client.sendmail("a@a.test", [recipient], f"Subject: {subject}\r\n\r\ntext\r\n")


def finger(relay: ServerProcess, question: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", relay.port(FINGER)), 60) as asking:
        asking.sendall(question)
        said = b""
        while more := asking.recv(4096):
            said += more
        return said


def waiting(relay: ServerProcess) -> list[str]:
    return [row["state"] for row in Commands(relay.config).ok("queue", "list", "--json").json]


def released(relay: ServerProcess) -> str:
    """What the trace tells of the message that was held."""
    until(lambda: waiting(relay) == [])
    return Commands(relay.config).ok("trace", "postmaster@shop.test").out


def test_a_finger_query_with_its_word_releases_a_hold(relay: ServerProcess) -> None:
    send(relay)
    for question in (b"shop\r\n", b"\r\n", b"root@far.test\r\n", b"x" * 2000 + b"\r\n", WORD[:-1].encode() + b"\r\n"):
        assert b"denied" in finger(relay, question) or b"refused" in finger(relay, question)
    assert waiting(relay) == ["held"]
    assert finger(relay, f"/W {WORD}\r\nmore\r\n".encode()) == b"Ok, shop: 1 pending message started\r\n"
    assert "it goes on, released by a finger query from 127.0.0.1: postmaster@shop.test" in released(relay)
    assert finger(relay, WORD.encode() + b"\r\n") == b"Ok, shop: no messages waiting\r\n"
    assert WORD not in relay.log.read_text()


def test_a_flood_of_finger_queries_is_answered_and_releases_no_more_than_it_may(relay: ServerProcess) -> None:
    said = [finger(relay, WORD.encode() + b"\r\n") for _ in range(30)]
    assert said[0].startswith(b"Ok")
    assert said[-1] == b"Unable to queue messages, please try again later\r\n"
    assert sum(answer.startswith(b"Ok") for answer in said) == 20


def test_a_message_with_a_token_releases_a_hold_once(relay: ServerProcess) -> None:
    send(relay)
    token = make_token(SECRET, WAKE, time.time())
    for subject in ("wake", "wake wrong.secret-0000", "wake " + make_token(SECRET + "x", WAKE, time.time())):
        with pytest.raises(smtplib.SMTPDataError) as refused:
            send(relay, WAKE, subject)
        assert (refused.value.smtp_code, refused.value.smtp_error) == (550, b"5.7.1 Not allowed to wake this queue")
    assert waiting(relay) == ["held"]
    send(relay, WAKE, "wake " + token)
    assert "released by the wake-up message" in released(relay)
    with pytest.raises(smtplib.SMTPDataError):
        send(relay, WAKE, "wake " + token)
    told = Commands(relay.config).ok("trace", WAKE).out
    assert "a wake-up message to wake-shop@example.test" in told
    assert "wake-shop@example.test: the hold shop is released, 1 message" in told
    refused = "the token was used before"
    until(lambda: [one.get("refused") for one in records(relay) if one["event"] == "release"][-1:] == [refused])


def test_a_message_that_one_of_its_accounts_submits_needs_no_secret(relay: ServerProcess) -> None:
    send(relay)
    relay.stop()  # a server knows at its start what a command changed, and else some moments later
    Commands(relay.config).ok("hold", "set", "shop", "wake-secret=", "at-login=off")
    relay.start()
    with smtplib.SMTP("127.0.0.1", relay.port(SUBMISSION), timeout=60) as client:
        client.starttls()
        client.login(ACCOUNT, PASSWORD)
        client.sendmail(ACCOUNT, [WAKE], "Subject: please\r\n\r\n")
    assert "released by the wake-up message" in released(relay)


def test_a_login_of_its_account_releases_a_hold(relay: ServerProcess) -> None:
    send(relay)
    client = poplib.POP3("127.0.0.1", relay.port(POP3), timeout=60)
    client.stls()
    client.user(ACCOUNT)
    client.pass_(PASSWORD)
    client.quit()
    assert f"released when {ACCOUNT} signed in from 127.0.0.1 (pop3)" in released(relay)


def test_agents_of_a_site_ask_by_finger_and_by_message(relay: ServerProcess, site: ServerProcess) -> None:
    command = Commands(site.config)
    site.stop()  # as above
    there = ("kind=finger", "host=127.0.0.1", f"port={relay.port(FINGER)}")
    command.ok("agent", "add", "knock", *there, "--password-stdin", stdin=WORD + "\n")
    command.ok("route", "add", "relay", "domain=example.test", "via=host", *there[1:2], f"port={relay.port(SMTP)}")
    parties = (f"address={WAKE}", "sender=postmaster@shop.test")
    command.ok("agent", "add", "call", "kind=wake", *parties, "--password-stdin", stdin=SECRET + "\n")
    site.start()
    send(relay)
    said = command.ok("agent", "run", "knock").out
    assert "Ok, shop: 1 pending message started" in said
    assert "released by a finger query from 127.0.0.1" in released(relay)
    send(relay)
    assert f"to {WAKE} is on its way" in command.ok("agent", "run", "call").out
    assert "released by the wake-up message" in released(relay)
    shown = command.ok("agent", "show", "knock").out + command.ok("agent", "show", "call").out
    assert WORD not in shown
    assert SECRET not in shown
    command.ok("agent", "set", "knock", "--password-stdin", stdin="wrong\n")
    assert "Query refused" in command("agent", "run", "knock").out + command("agent", "run", "knock").err
