"""Mail that a running server holds for another: released by ETRN, fetched by ODMR (RFC 1985, RFC 2645)."""

from __future__ import annotations

import base64
import hmac
import os
import shutil
import smtplib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.conftest import records, until
from tests.cli.conftest import Commands
from worldmail.testing.process import ServerProcess

SMTP, ODMR = 25, 366
ACCOUNT, PASSWORD = "shop@example.test", "correct horse"


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
    """A server that holds mail for shop.test, to be sent to its server, and for ship.test, to be fetched."""
    command = Commands(server.config)
    to_site = ("release=host", "host=127.0.0.1", f"port={site.port(SMTP)}", "security=never", "networks=127.0.0.1")
    command.ok("hold", "add", "shop", "domains=shop.test", *to_site)
    command.ok("hold", "add", "ship", "domains=ship.test", f"accounts={ACCOUNT}")
    for name in ("shop.test", "ship.test"):
        command.ok("domain", "add", name, "--kind", "relay")
    command.ok("user", "add", ACCOUNT, "--password-stdin", stdin=PASSWORD + "\n")
    server.start()
    yield server
    server.stop()


def send(relay: ServerProcess, *recipients: str, subject: str = "held") -> None:
    with smtplib.SMTP("127.0.0.1", relay.port(SMTP), timeout=60) as client:
        client.sendmail("a@a.test", list(recipients), f"Subject: {subject}\r\n\r\ntext\r\n")


def ask(relay: ServerProcess, *commands: str) -> list[tuple[int, bytes]]:
    with smtplib.SMTP("127.0.0.1", relay.port(SMTP), timeout=60) as client:
        client.ehlo("site.test")
        return [client.docmd(command) for command in commands]


def mailbox(site: ServerProcess) -> int:
    return Commands(site.config).ok("trace", "postmaster@shop.test").out.count("delivered to")


def test_what_waits_goes_when_its_site_asks_for_it(relay: ServerProcess, site: ServerProcess) -> None:
    send(relay, "postmaster@shop.test")
    assert [row["state"] for row in queue(relay)] == ["held"]
    [(code, text)] = ask(relay, "ETRN shop.test")
    assert (code, text) == (253, b"2.0.0 Ok, 1 pending messages for node shop.test started")
    until(lambda: queue(relay) == [])
    assert [code for code, _ in ask(relay, "ETRN shop.test", "ETRN @shop.test", "ETRN #shop", "ETRN #none")] == [
        251,
        251,
        251,
        459,
    ]
    told = until(lambda: [one for one in records(relay) if one["event"] == "release"][4:] and records(relay))
    told = [record for record in told if record["event"] == "release"]
    assert (told[0]["hold"], told[0]["messages"], told[-1]["refused"]) == ("shop", 1, "not allowed")
    trace = Commands(relay.config).ok("trace", "postmaster@shop.test").out
    assert "it goes on, asked for by ETRN from 127.0.0.1: postmaster@shop.test" in trace


def test_what_is_to_be_fetched_is_not_sent(relay: ServerProcess) -> None:
    send(relay, "ann@ship.test")
    assert [code for code, _ in ask(relay, "ETRN ship.test", "ETRN #ship")] == [459, 459]
    assert len(queue(relay)) == 1


def test_a_customer_takes_its_mail_over_the_connection_that_it_opened(relay: ServerProcess) -> None:
    """By hand: LOGIN over TLS is another test's; here CRAM-MD5, as customers of old do it (RFC 2195)."""
    secret = legacy_secret(relay)
    for number in range(3):
        send(relay, "ann@ship.test", "ben@ship.test", subject=f"number {number}")
    customer = Customer(relay.port(ODMR))
    customer.sign_in(secret)
    assert customer.say("MAIL FROM:<>")[:3] == "502"
    assert customer.say("ATRN shop.test")[:3] == "450"
    assert customer.say("ATRN ship.test") == "250 2.0.0 Ok, now reversing the connection"
    texts = customer.serve()
    assert [text.count("Subject: number") for text in texts] == [1, 1, 1]
    until(lambda: queue(relay) == [])
    again = Customer(relay.port(ODMR))
    again.sign_in(secret)
    assert again.say("ATRN")[:3] == "453"
    assert again.say("QUIT")[:3] == "221"


def test_a_turn_that_breaks_off_loses_nothing(relay: ServerProcess) -> None:
    secret = legacy_secret(relay)
    for number in range(5):
        send(relay, "ann@ship.test", subject=f"number {number}")
    customer = Customer(relay.port(ODMR))
    customer.sign_in(secret)
    customer.say("ATRN")
    taken = customer.serve(leave_after=2)
    until(lambda: all(row["state"] == "held" for row in queue(relay)))
    rest = Customer(relay.port(ODMR))
    rest.sign_in(secret)
    assert rest.say("ATRN")[:3] == "250"
    taken += rest.serve()
    subjects = {line for text in taken for line in text.splitlines() if line.startswith("Subject")}
    assert len(subjects) == 5
    until(lambda: queue(relay) == [])


def test_what_stands_behind_an_atrn_ends_the_connection_and_leaves_the_hold_free(relay: ServerProcess) -> None:
    secret = legacy_secret(relay)
    send(relay, "ann@ship.test")
    hasty = Customer(relay.port(ODMR))
    hasty.sign_in(secret)
    assert hasty.say("ATRN\r\n220 site.test ESMTP")[:3] == "503"
    assert hasty.file.readline() == b""
    patient = Customer(relay.port(ODMR))
    patient.sign_in(secret)
    assert patient.say("ATRN")[:3] == "250"
    assert len(patient.serve()) == 1


@pytest.mark.skipif(shutil.which("fetchmail") is None, reason="needs fetchmail")
def test_fetchmail_is_a_customer(relay: ServerProcess, site: ServerProcess, tmp_path: Path) -> None:
    secret = legacy_secret(relay)
    Commands(relay.config).ok("hold", "set", "ship", "domains=ship.test,sea.test")
    Commands(relay.config).ok("domain", "add", "sea.test", "--kind", "relay")
    Commands(site.config).ok("domain", "add", "ship.test", "--alias-of", "shop.test")
    until(lambda: ask(site, "MAIL FROM:<>", "RCPT TO:<postmaster@ship.test>")[1][0] == 250)
    for number in range(4):
        send(relay, "postmaster@ship.test", subject=f"number {number}")
    rc = tmp_path / "fetchmailrc"
    rc.write_text(
        f'poll 127.0.0.1 proto ODMR service {relay.port(ODMR)} user "{ACCOUNT}" pass "{secret}" fetchdomains ship.test'
        f' smtphost 127.0.0.1/{site.port(SMTP)} sslproto ""\n'
    )
    rc.chmod(0o600)
    done = subprocess.run(
        ("fetchmail", "-v", "-f", str(rc)),
        env={**os.environ, "HOME": str(tmp_path), "FETCHMAILHOME": str(tmp_path)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done
    until(lambda: queue(relay) == [])
    assert Commands(site.config).ok("trace", "postmaster@ship.test").out.count("accepted from") == 4


def queue(relay: ServerProcess) -> list[dict[str, str]]:
    found: list[dict[str, str]] = Commands(relay.config).ok("queue", "list", "--json").json
    return found


def legacy_secret(relay: ServerProcess) -> str:
    """Of the account, for CRAM-MD5."""
    said = Commands(relay.config).ok("user", "set", ACCOUNT, "legacy-auth=on").out
    return said.strip().rpartition(" ")[2]


class Customer:
    """The client of a turn, and the server behind it."""

    def __init__(self, port: int) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.file = self.connection.makefile("rb")
        assert self.hear()[:3] == "220"
        assert self.say("EHLO site.test")[:3] == "250"

    def hear(self) -> str:
        """A whole reply: its last line."""
        while (line := self.file.readline().decode().rstrip("\r\n"))[3:4] == "-":
            pass
        return line

    def say(self, line: str) -> str:
        self.connection.sendall(f"{line}\r\n".encode())
        return self.hear()

    def sign_in(self, secret: str) -> None:
        assert self.signs_in(secret)

    def signs_in(self, secret: str) -> bool:
        challenge = base64.b64decode(self.say("AUTH CRAM-MD5").partition(" ")[2])
        digest = hmac.digest(secret.encode(), challenge, "md5").hex()
        answer = base64.b64encode(f"{ACCOUNT} {digest}".encode()).decode()
        return self.say(answer)[:3] == "235"

    def serve(self, leave_after: int = 0) -> list[str]:
        """Take what comes, without PIPELINING; the messages. `leave_after` so many the line is cut."""
        texts: list[str] = []
        self.connection.sendall(b"220 site.test ESMTP\r\n")
        while line := self.file.readline().decode():
            word = line[:4].upper().strip()
            if word == "DATA":
                self.connection.sendall(b"354 go on\r\n")
                text = b""
                while (piece := self.file.readline()) != b".\r\n":
                    text += piece
                texts.append(text.decode())
                if len(texts) == leave_after:
                    break
            self.connection.sendall(b"221 bye\r\n" if word == "QUIT" else b"250 ok\r\n")
            if word == "QUIT":
                break
        self.file.close()
        self.connection.close()
        return texts
