"""What people are told: of servers that were spoken to, and of those that were not."""

from __future__ import annotations

import pytest
from attrs import evolve

from worldmail.interfaces.outbound import Fate, HopFailed, Phase, Reply, Trouble
from worldmail.testing.outbound import no_connection
from worldmail.testing.queue import QueueSite

ALICE = "alice@example.test"
BOB = "bob@there.test"


def site_that_cannot_reach(failed: HopFailed) -> QueueSite:
    site = QueueSite.make()
    site.elsewhere.down["there.test"] = failed
    site.start()
    return site


def test_a_domain_for_which_no_server_was_found_is_not_named_as_one() -> None:
    trouble = Trouble(
        fate=Fate.FAILED, status="5.4.6", phase=Phase.NAME, server="there.test", reason="mail for there.test loops back"
    )
    site = site_that_cannot_reach(HopFailed(trouble))
    site.accept(ALICE, BOB)
    (report,) = site.mail()
    assert b"Remote-MTA" not in report and b"Server: there.test" not in report
    assert b"x-worldmail; mail for there.test loops back" in report
    assert b"The answer of the other server" not in report and b"to the postmaster named below" in report


@pytest.mark.parametrize(
    ("server", "name"),
    [
        (b"mx.there.test[192.0.2.1]:25", b"mx.there.test"),
        (b"mx.there.test:25", b"mx.there.test"),
        (b"[192.0.2.1]:25", b"[192.0.2.1]"),
        (b"[2001:db8::1]:25", b"[IPv6:2001:db8::1]"),
    ],
)
def test_a_server_that_was_found_is_named(server: bytes, name: bytes) -> None:
    site = site_that_cannot_reach(no_connection(server.decode(), Fate.FAILED))
    site.accept(ALICE, BOB)
    (report,) = site.mail()
    assert b"Remote-MTA: dns; " + name + b"\r\n" in report


def test_a_destination_shows_what_its_server_said() -> None:
    failed = no_connection()
    reply = Reply(code=421, enhanced="4.3.2", lines=("Too busy",))
    site = site_that_cannot_reach(HopFailed(evolve(failed.trouble, reply=reply)))
    site.accept(ALICE, BOB)
    assert site.rows("SELECT reply FROM destination") == [("421 4.3.2 Too busy",)]


@pytest.mark.parametrize(("description", "kind"), [("Größe", b"message/global"), ("Size", b"message/rfc822")])
def test_a_message_with_a_part_whose_header_is_in_UTF_8_comes_back_as_one(description: str, kind: bytes) -> None:
    """RFC 6532 §3.7."""
    content = (
        "Subject: parts\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        f"Content-Description: {description}\r\n\r\ntext\r\n--b--\r\n"
    ).encode()
    site = site_that_cannot_reach(no_connection("mx.there.test", Fate.FAILED))
    site.accept(ALICE, BOB, content=content, smtputf8=True)
    (report,) = site.mail()
    label = b"Content-Transfer-Encoding: 8bit\r\n" if kind == b"message/global" else b""
    assert b"\r\nContent-Type: " + kind + b"\r\n" + label + b"\r\nSubject: parts\r\n" in report
