"""A relay whose certificate has another key: followed where its name is vouched for, else told, and nothing is lost."""

from __future__ import annotations

import shutil
import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.conftest import records, until, wait_for
from tests.app.test_pairs import ALICE, CARL, PASSWORD, SMTP, SUBMISSIONS, UNVERIFIED, delivered, invite, joined, site
from tests.cli.conftest import Commands
from worldmail.testing.authority import Authority
from worldmail.testing.process import ServerProcess
from worldmail.transport.certificates import pin_of, read_certificate, self_signed

__all__ = ["site"]


@pytest.fixture
def authority(place: Path) -> Authority:
    """Whom the site trusts."""
    return Authority(place / "authority")


@pytest.fixture
def relay(server: ServerProcess, authority: Authority) -> Iterator[ServerProcess]:
    """A relay with a certificate that verifies for its name."""
    certify(server, authority)
    server.start()
    yield server
    server.stop()


def certify(relay: ServerProcess, authority: Authority, name: str = "127.0.0.1") -> str:
    """Its certificate is another, with another key; the pin of that."""
    given = authority.issue(name)
    shutil.copy(given.certificate, relay.directory / "tls" / "certificate.pem")
    shutil.copy(given.key, relay.directory / "tls" / "key.pem")
    return pin_of(read_certificate(given.certificate, given.key).leaf)


def trusting(site: ServerProcess, authority: Authority) -> Commands:
    """The site, started anew, with this authority among those that it trusts."""
    site.stop()
    site.configure({"queue": {"trust": str(authority.file)}})
    site.start()
    return Commands(site.config)


def arrives(relay: ServerProcess, site: ServerProcess) -> None:
    """Mail comes to the site, and leaves by the relay."""
    before = [sum(r["event"] == "delivered" for r in records(server)) for server in (relay, site)]
    with smtplib.SMTP("127.0.0.1", relay.port(SMTP), timeout=60) as client:
        client.sendmail("x@far.test", [ALICE], "Subject: in\r\n\r\ntext\r\n")
    with smtplib.SMTP_SSL("127.0.0.1", site.port(SUBMISSIONS), timeout=60, context=UNVERIFIED) as client:
        client.login(ALICE, PASSWORD)
        client.sendmail(ALICE, [CARL], f"From: {ALICE}\r\nSubject: out\r\n\r\ntext\r\n")
    for server, count in zip((relay, site), before, strict=True):
        until(lambda server=server, count=count: sum(r["event"] == "delivered" for r in records(server)) > count)


def test_a_relay_that_renews_its_certificate_with_another_key_stays_the_relay(
    relay: ServerProcess, site: ServerProcess, authority: Authority
) -> None:
    command = trusting(site, authority)
    joined(relay, site)
    Commands(relay.config).ok("user", "add", CARL, "--password-stdin", stdin=PASSWORD + "\n")
    assert command.ok("agent", "show", "relay", "--json").json["renews"] is True
    assert command.ok("join", "--list", "--json").json[0]["key"] == "pinned"
    relay.stop()
    pin = certify(relay, authority)
    relay.start()
    arrives(relay, site)
    until(lambda: command.ok("agent", "show", "relay", "--json").json["pins"] == [pin])
    assert command.ok("route", "show", "relay", "--json").json["pins"] == [pin]
    [told] = command.ok("join", "--list", "--json").json
    assert (told["key"], told["renews"]) == ("renewed", True) and told["renewed"]
    assert "renewed 20" in command.ok("join", "--list").out
    record = wait_for(site, "key.renewed")
    assert len([one for one in records(site) if one["event"] == "key.renewed"]) == 1
    assert record["pin"] == pin and record["of"] == "pair relay, agent relay, route relay"
    story = command.ok("trace", ALICE).out
    assert "127.0.0.1 accepted it from" in story, "who hands it over is the relay, with all that it tells"
    relay.stop()
    newest = certify(relay, authority)
    relay.start()
    arrives(relay, site)
    until(lambda: command.ok("agent", "show", "relay", "--json").json["pins"] == [newest])


def test_a_certificate_of_the_same_authority_for_another_name_is_refused(
    relay: ServerProcess, site: ServerProcess, authority: Authority
) -> None:
    command = trusting(site, authority)
    joined(relay, site)
    before = command.ok("agent", "show", "relay", "--json").json["pins"]
    relay.stop()
    certify(relay, authority, "127.0.0.2")
    relay.start()
    said = command("agent", "test", "relay").err
    assert "is not the one that was pinned" in said and "is for other names" in said
    assert command.ok("agent", "show", "relay", "--json").json["pins"] == before


def test_where_nobody_vouches_for_the_relay_it_is_told_and_everything_waits_until_the_site_joins_again(
    relay: ServerProcess, site: ServerProcess
) -> None:
    """The site does not know the authority: for it the certificate is as good as one that is self-signed."""
    command = Commands(site.config)
    joined(relay, site)
    Commands(relay.config).ok("user", "add", CARL, "--password-stdin", stdin=PASSWORD + "\n")
    assert command.ok("agent", "show", "relay", "--json").json["renews"] is False
    relay.stop()
    certificate, key = self_signed(["relay.test"])
    (relay.directory / "tls" / "certificate.pem").write_bytes(certificate)
    (relay.directory / "tls" / "key.pem").write_bytes(key)
    relay.start()
    with smtplib.SMTP("127.0.0.1", relay.port(SMTP), timeout=60) as client:
        client.sendmail("x@far.test", [ALICE], "Subject: in\r\n\r\ntext\r\n")
    with smtplib.SMTP_SSL("127.0.0.1", site.port(SUBMISSIONS), timeout=60, context=UNVERIFIED) as client:
        client.login(ALICE, PASSWORD)
        client.sendmail(ALICE, [CARL], f"From: {ALICE}\r\nSubject: out\r\n\r\ntext\r\n")
    assert "join again with a new code" in command.refused("agent", "run", "relay")
    assert command.ok("join", "--list", "--json").json[0]["key"] == "refused"
    assert "worldmail join CODE --name relay" in command.ok("join", "--list").out
    assert not delivered(site, ALICE) and not delivered(relay, CARL)
    command.ok("join", invite(relay), "--name", "relay")
    command.ok("queue", "retry", "--all")
    until(lambda: delivered(site, ALICE))
    assert "before: " in command.ok("agent", "show", "relay").out, "what was refused is over"
    until(lambda: delivered(relay, CARL))
    until(lambda: command.ok("join", "--list", "--json").json[0]["key"] == "pinned")
