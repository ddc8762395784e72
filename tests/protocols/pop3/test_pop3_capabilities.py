"""CAPA and STLS: what is announced when, and what TLS makes forgotten."""

from __future__ import annotations

import pytest
from attrs import evolve

from worldmail.config.fields import network
from worldmail.config.settings import AuthSettings
from worldmail.protocols.pop3.verbs import ROWS
from worldmail.testing.feeding import settle

ALWAYS = ["TOP", "UIDL", "UTF8 USER", "LANG", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER"]


def capabilities(client) -> list[str]:
    lines = client.say(b"CAPA").decode().split("\r\n")
    assert lines[0] == "+OK Capabilities follow" and lines[-2:] == [".", ""]
    return lines[1:-2]


def test_in_TLS_passwords_are_announced_and_STLS_is_not(serve) -> None:
    client = serve().connect()
    found = capabilities(client)
    assert set(found) == {*ALWAYS, "USER", "SASL PLAIN LOGIN", "IMPLEMENTATION WorldMail"}


def test_in_the_clear_STLS_is_announced_and_passwords_are_not(serve) -> None:
    client = serve(tls=False).connect()
    assert set(capabilities(client)) == {*ALWAYS, "STLS", "IMPLEMENTATION WorldMail"}


def test_without_a_certificate_there_is_no_STLS(serve) -> None:
    server = serve(tls=False)
    server.memory.tls.offered = False
    client = server.connect()
    assert "STLS" not in capabilities(client)
    assert client.say(b"STLS") == b"-ERR TLS is not available\r\n"


def test_what_is_announced_before_login_is_announced_after_it(serve) -> None:
    client = serve().connect()
    before = capabilities(client)
    client.login()
    assert capabilities(client) == before


def test_delay_and_expiry_are_announced_as_set(serve) -> None:
    client = serve(login_delay=90.5, expire=30).connect()
    found = capabilities(client)
    assert "LOGIN-DELAY 91" in found and "EXPIRE 30" in found


def test_a_network_that_may_send_passwords_in_the_clear_is_told_so(serve) -> None:
    auth = AuthSettings(plaintext_without_tls=(network("127.0.0.0/8"),))
    client = serve(tls=False, auth=auth).connect()
    assert {"USER", "SASL PLAIN LOGIN", "STLS"} <= set(capabilities(client))
    client.login()


def test_every_row_says_where_it_is_defined() -> None:
    assert all(row.rfc.startswith("RFC ") for row in ROWS)


def test_STLS_makes_everything_forgotten_and_gives_no_second_greeting(serve) -> None:
    server = serve(tls=False)
    client = server.connect()
    client.session.user = "bob@example.test"
    client.say(b"LANG en")
    peer = client.conductor.peer
    client.conductor.peer = evolve(peer, tls=serve().peer.tls)
    assert client.say(b"STLS") == b"+OK Begin TLS negotiation now\r\n"
    assert client.conductor.held.secured == 1
    assert client.say(b"PASS secret") == b"-ERR Please give USER first\r\n"
    assert client.say(b"STLS") == b"-ERR TLS is on already\r\n"
    assert "USER" in capabilities(client) and "STLS" not in capabilities(client)
    client.login()


def test_STLS_after_UTF8_is_refused(serve) -> None:
    client = serve(tls=False).connect()
    client.say(b"UTF8")
    assert client.say(b"STLS") == b"-ERR STLS comes before UTF8\r\n"
    assert client.conductor.held.secured == 0


@pytest.mark.parametrize("reason", ["too many connections", "too many commands from your address"])
def test_one_connection_too_many_is_told_so_and_not_why(serve, reason: str) -> None:
    (words,) = serve().sessions().refused(reason)
    assert words == b"-ERR [SYS/TEMP] Too many connections or commands, please try again later\r\n"


def test_stamps_are_never_the_same(serve) -> None:
    server = serve(legacy=True)
    site = evolve(server.sessions.site, random=__import__("os").urandom)
    stamps = {site.new_stamp() for _ in range(1000)}
    assert len(stamps) == 1000
    assert all(stamp.startswith(b"<") and stamp.endswith(b"@mail.example.test>") for stamp in stamps)


def test_a_login_context_is_that_of_the_connection(serve) -> None:
    server = serve()
    client = server.connect().login()
    (context,) = server.memory.authentication.contexts
    assert (context.service, context.session, context.client) == ("pop3", "s1", "127.0.0.1")
    assert context.secure and context.tls
    settle(client.session.handle(b"QUIT"))
