"""Holds that are full, and holds for all below a domain, in a running server."""

from __future__ import annotations

import smtplib

from tests.app.conftest import until
from tests.cli.conftest import Commands
from worldmail.testing.process import ServerProcess

SMTP = 25


def rcpt(server: ServerProcess, size: int, to: str = "ann@ship.test") -> tuple[int, bytes]:
    with smtplib.SMTP("127.0.0.1", server.port(SMTP), timeout=60) as client:
        client.ehlo("a.test")
        client.docmd(f"MAIL FROM:<a@a.test> SIZE={size}")
        return client.docmd(f"RCPT TO:<{to}>")


def test_a_full_hold_refuses_for_now_and_is_shown_with_what_waits(server: ServerProcess) -> None:
    command = Commands(server.config)
    command.ok("hold", "add", "ship", "domains=ship.test", "messages=2", "most=64KiB")
    command.ok("domain", "add", "ship.test", "--kind", "relay")
    server.start()
    [empty] = command.ok("hold", "list", "--json").json
    assert (empty["waiting"], empty["octets"], empty["since"]) == (0, 0, None)
    assert rcpt(server, 70_000) == (452, b"4.2.2 Too much mail waits for this site, try again later")
    for _ in range(2):
        with smtplib.SMTP("127.0.0.1", server.port(SMTP), timeout=60) as client:
            client.sendmail("a@a.test", ["ann@ship.test", "ben@ship.test"], "Subject: x\r\n\r\ntext\r\n")
    assert rcpt(server, 100)[0] == 452
    shown = command.ok("hold", "show", "ship", "--json").json
    assert (shown["most"], shown["messages"], shown["waiting"]) == (65536, 2, 2)
    assert shown["octets"] > 0 and shown["since"].endswith("Z")
    assert " 2  " in command.ok("hold", "list").out
    command.ok("hold", "set", "ship", "messages=")
    until(lambda: rcpt(server, 100)[0] == 250)
    server.stop()


def test_a_hold_for_all_below_a_domain_takes_their_mail(server: ServerProcess) -> None:
    command = Commands(server.config)
    command.ok("hold", "add", "sea", "domains=.sea.test")
    command.ok("domain", "add", "listed.sea.test", "--kind", "relay")
    command.ok("recipient", "add", "ann@listed.sea.test")
    server.start()
    assert [rcpt(server, 1, to)[0] for to in ("x@sea.test", "x@a.sea.test", "x@a.b.sea.test")] == [550, 250, 250]
    assert [rcpt(server, 1, f"{name}@listed.sea.test")[0] for name in ("ann", "ben")] == [250, 550]
    with smtplib.SMTP("127.0.0.1", server.port(SMTP), timeout=60) as client:
        client.sendmail("a@a.test", ["x@a.sea.test", "x@b.sea.test"], "Subject: x\r\n\r\ntext\r\n")
    rows = command.ok("queue", "list", "--route", "sea", "--json").json
    assert [(row["to"], row["state"]) for row in rows] == [("x@a.sea.test", "held"), ("x@b.sea.test", "held")]
    assert all(row["expires"] for row in rows)  # they wait no longer than the hold keeps mail
    assert command.ok("hold", "show", "sea", "--json").json["waiting"] == 1
    command.ok("hold", "set", "sea", "enabled=off")
    until(lambda: rcpt(server, 1, "x@a.sea.test")[0] == 550)
    server.stop()
