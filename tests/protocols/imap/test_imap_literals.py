"""Literals that are streamed, and what refuses them."""

from __future__ import annotations

from typing import Any

import pytest

from worldmail.errors import OverQuota, StorageFull
from worldmail.protocols.imap.rows import SIGNED_IN, Command, Done
from worldmail.testing.imap import ImapServer


@pytest.fixture
def server() -> ImapServer:
    """A server in TLS, without mailboxes."""
    return ImapServer.make()


class Sink:
    """Takes octets, and notes what became of it."""

    def __init__(self, fail_at: int = 1 << 40) -> None:
        self.octets, self.aborted, self.waited, self.fail_at = b"", False, 0, fail_at

    def write(self, data: bytes) -> None:
        self.octets += data
        if len(self.octets) > self.fail_at:
            raise StorageFull

    def behind(self) -> bool:
        return len(self.octets) > 100

    async def caught_up(self) -> None:
        self.waited += 1

    def abort(self) -> None:
        self.aborted = True


class Storing:
    """A command STORE-ISH that streams its literals; `refuse` is raised before the octets come."""

    def __init__(self, server: ImapServer) -> None:
        self.sinks: list[Sink] = []
        self.done: list[bytes] = []
        self.refuse: Exception | None = None
        self.fail_at = 1 << 40
        site = server.sessions.site
        row = Command(
            word=b"KEEP", states=SIGNED_IN, parse=self.parse, run=self.run, literal=self.literal, rfc="RFC 9051 §6.1.2"
        )
        site.commands = {**site.commands, b"KEEP": row}

    def parse(self, reader: Any) -> Any:
        reader.space()
        reader.atom()
        reader.space()
        found = reader.literal()
        reader.end()
        return found

    async def literal(self, session: Any, reader: Any, ahead: Any) -> Any:
        reader.space()
        reader.atom()
        if self.refuse is not None:
            raise self.refuse
        self.sinks.append(Sink(self.fail_at))
        return self.sinks[-1]

    async def run(self, session: Any, literal: Any) -> Done:
        self.done.append(literal.sink.octets)
        return Done(code=b"KEPT %d" % literal.size)


def signed_in(server: ImapServer) -> Any:
    """A client whose literals all count as if they came later than their lines."""
    client = server.connect().login()
    client.session.parser.at_once = 0
    return client


def test_a_streamed_literal_reaches_its_sink_and_then_the_verb(server: ImapServer) -> None:
    storing = Storing(server)
    client = signed_in(server)
    message = b"line\r\n" * 1000
    kept = client.say(b"KEEP x {}", message)
    assert (kept.status, kept.code) == (b"OK", b"KEPT 6000")
    assert client.say(b"KEEP x {+}", message).status == b"OK"
    assert storing.done == [message, message]
    assert all(sink.waited and sink.aborted for sink in storing.sinks)  # abort after finish is harmless
    assert client.session.sinks is None and client.session.minimum_rate == 0


def test_what_refuses_a_literal_is_told_before_its_octets_to_those_who_wait(server: ImapServer) -> None:
    storing = Storing(server)
    storing.refuse = OverQuota()
    client = signed_in(server)
    refused = client.say(b"KEEP x {}", b"never sent")
    assert (refused.status, refused.code) == (b"NO", b"OVERQUOTA")
    assert client.say(b"NOOP").status == b"OK"


def test_and_after_them_to_those_who_do_not(server: ImapServer) -> None:
    storing = Storing(server)
    storing.refuse = OverQuota()
    client = signed_in(server)
    said = client.send(b"k KEEP x {18+}\r\nz LOGOUT\r\nz NOOP\r\n {3+}\r\nabc\r\nl NOOP\r\n")
    assert said == b"k NO [OVERQUOTA] Mailbox is full\r\nl OK NOOP completed\r\n"


def test_a_sink_that_fails_ends_the_command_and_not_the_session(server: ImapServer) -> None:
    storing = Storing(server)
    storing.fail_at = 10
    client = signed_in(server)
    for way in (b"KEEP x {}", b"KEEP x {+}"):
        refused = client.say(way, b"z LOGOUT\r\n" * 1000)
        assert (refused.status, refused.code) == (b"NO", b"UNAVAILABLE")
    assert storing.sinks[0].aborted and not storing.done
    assert client.say(b"NOOP").status == b"OK"


def test_NUL_in_a_streamed_literal_is_BAD_and_in_a_literal8_is_not(server: ImapServer) -> None:
    storing = Storing(server)
    client = signed_in(server)
    assert client.say(b"KEEP x {+}", b"a\0b").status == b"BAD"
    assert client.say(b"KEEP x ~{+}", b"a\0b").status == b"OK"
    assert storing.done == [b"a\0b"]


def test_a_client_that_goes_away_within_a_literal_leaves_nothing(server: ImapServer) -> None:
    storing = Storing(server)
    client = signed_in(server)
    client.send(b"k KEEP x {1000+}\r\nabc")
    assert client.session.minimum_rate > 0
    client.drop()
    assert storing.sinks[0].aborted and not storing.done


@pytest.mark.parametrize("zeros", [15, 19, 100, 5000])
def test_a_size_may_begin_with_zeros(server: ImapServer, zeros: int) -> None:
    client = signed_in(server)
    assert client.send(b"a ID ({%b1+}\r\nx {%b1}\r\n" % (b"0" * zeros, b"0" * zeros)) == b"+ OK\r\n"
    assert client.send(b"*)\r\n").endswith(b"a OK ID completed\r\n")


@pytest.mark.parametrize("digits", [19, 20, 21, 5000])
def test_nothing_behind_a_size_that_cannot_be_is_taken_for_a_command(server: ImapServer, digits: int) -> None:
    client = signed_in(server)
    assert b"a NO [TOOBIG]" in client.send(b"a LIST {%b}\r\n" % (b"9" * digits))
    assert client.say(b"NOOP").status == b"OK"
    said = client.send(b"a LIST {%b+}\r\nb NOOP\r\n" % (b"9" * digits))
    assert said.startswith(b"* BYE [TOOBIG]") and b"b OK" not in said
    assert client.closed
