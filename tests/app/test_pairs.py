"""Two running servers, joined by their two commands: mail comes to a site that listens to nobody, and leaves it."""

from __future__ import annotations

import base64
import smtplib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from tests.app.conftest import records, until
from tests.cli.conftest import Commands
from worldmail.ondemand.join_code import read_code
from worldmail.testing.process import ServerProcess
from worldmail.testing.slow_link import SlowLink
from worldmail.transport.certificates import self_signed

SMTP, SUBMISSIONS, ODMR = 25, 465, 366
ALICE, CARL, PASSWORD = "alice@shop.test", "carl@example.test", "correct horse"
UNVERIFIED = ssl._create_unverified_context()


@pytest.fixture
def relay(server: ServerProcess) -> Iterator[ServerProcess]:
    """A relay that nobody joined yet."""
    server.start()
    yield server
    server.stop()


@pytest.fixture
def site(place: Path) -> Iterator[ServerProcess]:
    """A site that has joined nobody yet."""
    made = ServerProcess(directory=place / "site", domain="home.test", forked=True)
    made.initialise()
    made.start()
    yield made
    made.stop()


def invite(relay: ServerProcess, *words: str) -> str:
    made = Commands(relay.config).ok("relay", "invite", "shop.test", "--host", "127.0.0.1", *words, "--json").json
    code = read_code(made["code"])
    until(lambda: "XJOIN" in _offered(code.port, code.starttls))  # the server knows of it some moments later
    return str(made["code"])


def _offered(port: int, starttls: bool) -> list[str]:
    """What is offered in TLS where mail is fetched."""
    if starttls:
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
            client.starttls(context=UNVERIFIED)
            client.ehlo("a.test")
    else:
        with smtplib.SMTP_SSL("127.0.0.1", port, timeout=60, context=UNVERIFIED) as client:
            client.ehlo("a.test")
    return [name.upper() for name in client.esmtp_features]


def joined(relay: ServerProcess, site: ServerProcess) -> None:
    """The two are a pair, and the relay knows alice."""
    command = Commands(site.config)
    command.ok("join", invite(relay), "--name", "relay")
    command.ok("user", "add", ALICE, "--password-stdin", stdin=PASSWORD + "\n")
    command.ok("user", "set", ALICE, "max-message=100KB")
    until(lambda: bounds(relay) == [(ALICE, 100_000)])


def bounds(relay: ServerProcess) -> list[tuple[str, int | None]]:
    rows = Commands(relay.config).ok("recipient", "list", "shop.test", "--json").json
    return [(row["address"], row.get("most")) for row in rows if "postmaster" not in row["address"]]


def rcpt(relay: ServerProcess, recipient: str, size: int = 100) -> tuple[int, str]:
    with smtplib.SMTP("127.0.0.1", relay.port(SMTP), timeout=60) as client:
        client.ehlo("stranger.test")
        client.mail("x@far.test", [f"SIZE={size}"])
        code, text = client.rcpt(recipient)
    return code, text.decode().split()[0]


def delivered(server: ServerProcess, address: str) -> bool:
    return any(record["event"] == "delivered" and record["to"] == address for record in records(server))


def test_two_servers_are_joined_by_two_commands(relay: ServerProcess, site: ServerProcess) -> None:
    joined(relay, site)
    assert rcpt(relay, "bob@shop.test") == (550, "5.1.1")
    assert rcpt(relay, ALICE, 100_001) == (552, "5.3.4")
    with smtplib.SMTP("127.0.0.1", relay.port(SMTP), timeout=60) as client:
        client.sendmail("x@far.test", [ALICE], "Subject: in\r\n\r\ntext\r\n")
    until(lambda: delivered(site, ALICE))
    Commands(relay.config).ok("user", "add", CARL, "--password-stdin", stdin=PASSWORD + "\n")
    with smtplib.SMTP_SSL("127.0.0.1", site.port(SUBMISSIONS), timeout=60, context=UNVERIFIED) as client:
        client.login(ALICE, PASSWORD)
        client.sendmail(ALICE, [CARL], f"From: {ALICE}\r\nSubject: out\r\n\r\ntext\r\n")
    until(lambda: delivered(relay, CARL))
    assert [row["name"] for row in Commands(relay.config).ok("relay", "list", "--json").json] == ["shop"]
    assert Commands(relay.config).ok("relay", "show", "shop", "--json").json["recipients"] == {"shop.test": 2}


def test_what_is_too_large_is_refused_when_it_was_not_declared(relay: ServerProcess, site: ServerProcess) -> None:
    joined(relay, site)
    with smtplib.SMTP("127.0.0.1", relay.port(SMTP), timeout=60) as client:
        client.ehlo("stranger.test")
        client.mail("x@far.test")
        client.rcpt(ALICE)
        code, text = client.data("Subject: x\r\n\r\n" + "y" * 78 * 1400)
    assert (code, text.split()[0]) == (552, b"5.3.4")


def test_nothing_is_taken_that_the_site_refuses_for_what_the_relay_added(
    relay: ServerProcess, site: ServerProcess
) -> None:
    joined(relay, site)
    for size, refused in ((99_900, True), (97_000, False)):
        with smtplib.SMTP("127.0.0.1", relay.port(SMTP), timeout=60) as client:
            client.ehlo("stranger.test")
            client.mail("x@far.test")
            client.rcpt(ALICE)
            code, text = client.data("Subject: x\r\n\r\n" + ("y" * 70 + "\r\n") * (size // 72))
        assert (code, text.split()[0]) == ((552, b"5.3.4") if refused else (250, b"2.0.0")), size
    until(lambda: delivered(site, ALICE))


def test_a_code_is_good_once(relay: ServerProcess, site: ServerProcess, place: Path) -> None:
    code = invite(relay)
    said = Commands(site.config).ok("join", code, "--name", "relay").out
    assert "joined relay, which holds mail for shop.test" in said and "v=spf1" in said and " MX 10 " in said
    assert "used here already" in Commands(site.config).refused("join", code)
    other = ServerProcess(directory=place / "other", domain="thief.test", forked=True)
    other.initialise()
    assert "no open invitation" in Commands(other.config).refused("join", code)
    again = invite(relay)
    assert "No such invitation" in Commands(other.config).refused("join", code)
    assert Commands(other.config).ok("agent", "list", "--json").json == []
    assert Commands(other.config).ok("join", "--list", "--json").json == []
    Commands(other.config).ok("join", again)


def test_a_relay_shows_the_domains_that_the_hold_has_now(relay: ServerProcess, site: ServerProcess) -> None:
    command = Commands(relay.config)

    def shown() -> list[object]:
        [row] = command.ok("relay", "list", "--json").json
        fields = command.ok("relay", "show", "shop", "--json").json
        assert fields["domains"] == row["domains"] == list(fields["recipients"])
        return list(row["domains"])

    Commands(site.config).ok("join", invite(relay, "duo.test"), "--name", "relay")
    assert shown() == ["shop.test", "duo.test"]
    command.ok("domain", "add", "more.test", "--kind", "hold", "--hold", "shop")
    command.ok("domain", "remove", "duo.test")
    assert shown() == ["shop.test", "more.test"]
    assert "duo.test" not in command.ok("relay", "show", "shop").out
    for name in ("shop.test", "more.test"):
        command.ok("domain", "remove", name)
    assert shown() == []  # the last one stays in the hold, and mail for it is refused


def test_a_domain_that_the_relay_removed_meanwhile_is_not_granted(relay: ServerProcess, site: ServerProcess) -> None:
    command, there = Commands(site.config), Commands(relay.config)
    code = invite(relay, "duo.test")
    there.ok("domain", "remove", "duo.test")
    said = command.ok("join", code, "--name", "relay").out
    assert "joined relay, which holds mail for shop.test\n" in said and "duo.test" not in said
    assert "duo.test" not in [row["name"] for row in command.ok("domain", "list", "--json").json]
    code = invite(relay)
    there.ok("domain", "remove", "shop.test")  # its hold is for no other, and keeps it
    assert "We hold mail for no domain of this invitation any more" in command.refused("join", code, "--name", "relay")


def test_a_site_joins_again_where_its_relay_has_another_certificate(relay: ServerProcess, site: ServerProcess) -> None:
    joined(relay, site)
    command = Commands(site.config)
    command.ok("agent", "set", "relay", "stay=30s")
    before = command.ok("agent", "show", "relay", "--json").json["pins"]
    relay.stop()
    certificate, key = self_signed(["relay.test"])
    (relay.directory / "tls" / "certificate.pem").write_bytes(certificate)
    (relay.directory / "tls" / "key.pem").write_bytes(key)
    relay.start()
    code = invite(relay)
    assert "call this one otherwise" in command.refused(
        "join", evolve(read_code(code), account="b@c.test").text, "--name", "relay"
    )
    command.ok("join", code, "--name", "relay")
    shown = command.ok("agent", "show", "relay", "--json").json
    assert shown["pins"] != before and shown["stay"] == 30
    assert command.ok("route", "show", "relay", "--json").json["pins"] == shown["pins"]
    with smtplib.SMTP("127.0.0.1", relay.port(SMTP), timeout=60) as client:
        client.sendmail("x@far.test", [ALICE], "Subject: in\r\n\r\ntext\r\n")
    until(lambda: delivered(site, ALICE))


def test_wherever_joining_breaks_off_the_same_code_goes_on(relay: ServerProcess, site: ServerProcess) -> None:
    command = Commands(site.config)
    code = read_code(invite(relay))
    with SlowLink(target=code.port) as link:
        command.ok("join", evolve(code, port=link.port).text, "--name", "relay")
        whole = link.ended()[0].down
        for number, octets in enumerate((whole // 2, whole - 500, whole - 250, whole - 60)):
            code = read_code(invite(relay))
            link.cut_after(octets, "down")
            broken = command("join", evolve(code, port=link.port).text, "--name", "relay")
            link.no_cut()
            again = command("join", code.text, "--name", "relay")
            assert again.status == 0 or "used here already" in again.err, (number, broken, again)
            assert broken.status == 0 or again.status == 0
        shown = command.ok("agent", "test", "relay").out
    assert "signed in as shop.test@example.test" in shown


def test_a_relay_with_another_certificate_is_not_told_the_code(
    relay: ServerProcess, site: ServerProcess, place: Path
) -> None:
    code = read_code(invite(relay))
    fake = ServerProcess(directory=place / "fake", domain="fake.test", forked=True)
    fake.initialise()
    fake.start()
    try:
        there = evolve(code, port=fake.port(ODMR if code.port == relay.port(ODMR) else SUBMISSIONS))
        said = Commands(site.config).refused("join", there.text)
        assert "the certificate of 127.0.0.1 is not the one that was pinned" in said
        assert not any("XJOIN" in str(record) for record in records(fake))
    finally:
        fake.stop()
    Commands(site.config).ok("join", code.text)  # it is as good as before


def talk(relay: ServerProcess, *lines: str, tls: bool) -> list[str]:
    """The last line of each reply, to these lines, at the port where mail is fetched."""
    code = read_code(invite(relay))
    with socket.create_connection(("127.0.0.1", code.port), timeout=20) as plain:
        connection: socket.socket = plain
        if tls and not code.starttls:
            connection = UNVERIFIED.wrap_socket(plain)
        file = connection.makefile("rb")
        said = [_reply(file)]
        for line in lines:
            connection.sendall(line.format(secret=_base64(code.secret)).encode() + b"\r\n")
            said.append(_reply(file))
            if line == "STARTTLS":
                connection = UNVERIFIED.wrap_socket(connection)
                file = connection.makefile("rb")
    return said[1:]


def _reply(file: object) -> str:
    line = b"   -"
    while line[3:4] == b"-":
        line = file.readline()  # type: ignore[attr-defined]  # of a socket
    return line.decode().strip()


def _base64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def test_who_has_no_code_is_refused_and_soon_sent_away(relay: ServerProcess) -> None:
    hello = ["EHLO a.test"]
    if read_code(invite(relay)).starttls:
        clear = talk(relay, *hello, "XJOIN {secret} " + "p" * 43, tls=False)
        assert clear[-1].startswith("530 5.7.0")
        hello = ["EHLO a.test", "STARTTLS", "EHLO a.test"]
    wrong = [f"XJOIN {_base64(bytes([n]) * 16)} {'p' * 43}" for n in range(3)]
    assert [line[:9] for line in talk(relay, *hello, *wrong, tls=True)[-3:]] == ["550 5.7.1"] * 3
    assert talk(relay, *hello, "XRECIPIENTS 5", tls=True)[-1].startswith("530 5.7.0")
    assert talk(relay, *hello, "XJOIN", tls=True)[-1].startswith("530 5.7.0")
    assert Commands(relay.config).ok("relay", "list", "--json").json == []


def test_a_relay_says_what_it_lacks(server: ServerProcess) -> None:
    text = server.config.read_text()
    server.config.write_text(text.replace("[[tls.certificates]]", "[[tls.nothing]]").split("[[tls.nothing]]")[0])
    refused = Commands(server.config).refused("relay", "invite", "shop.test", "--host", "127.0.0.1")
    assert "[tls] certificates" in refused
    server.config.write_text(text.replace("atrn = true", "atrn = false").replace('role = "odmr"', 'role = "mx"'))
    refused = Commands(server.config).refused("relay", "invite", "shop.test", "--host", "127.0.0.1")
    assert "atrn = true" in refused
    server.config.write_text(text)
    assert "--host" in Commands(server.config).refused("relay", "invite", "shop.test", "--host", "no name")


def test_invitations_are_listed_and_taken_back(relay: ServerProcess, site: ServerProcess) -> None:
    command = Commands(relay.config)
    first = invite(relay)
    second = invite(relay, "--expires", "1h")
    assert [row["hold"] for row in command.ok("relay", "invites", "--json").json] == ["shop"]
    assert "No such invitation" in Commands(site.config).refused("join", first)  # the second took its place
    command.ok("relay", "revoke", "shop")
    assert "no open invitation" in command.refused("relay", "revoke", "shop")
    assert Commands(site.config).refused("join", second)
    third = ("relay", "invite", "c.test", "--host", "127.0.0.1", "--account", "shop.test@example.test")
    invite(relay)
    assert "is what the site shop signs in as" in command.refused(*third)
    command.ok("relay", "revoke", "shop")
    assert "delivered here" in command.refused("relay", "invite", "example.test", "--host", "127.0.0.1")
    assert "--expires" in command.refused("relay", "invite", "b.test", "--expires", "1s")


def test_it_ends_at_either_end(relay: ServerProcess, site: ServerProcess) -> None:
    command = Commands(site.config)
    command.ok("join", "-", "--name", "relay", stdin=f"{invite(relay)}\n")
    command.ok("join", "--leave", "relay")
    assert command.ok("join", "--list", "--json").json == command.ok("agent", "list", "--json").json == []
    assert command.ok("route", "list", "--json").json == []
    removed = Commands(relay.config).ok("relay", "remove", "shop").out
    assert "shop.test@example.test" in removed
    assert Commands(relay.config).ok("hold", "show", "shop", "--json").json["accounts"] == []
    assert Commands(relay.config).ok("user", "show", "shop.test@example.test", "--json").json["enabled"] is False
    assert "no pair shop" in Commands(relay.config).refused("relay", "remove", "shop")
