"""IMAP: lines that are none, octets behind STARTTLS, literals that are too large or hide commands; in memory."""

from __future__ import annotations

import pytest

from worldmail.protocols.imap.literals import THROWN_AWAY
from worldmail.testing.feeding import converse, settle
from worldmail.testing.imap import ImapClient, ImapServer

LOGIN = b"l LOGIN bob@example.test secret\r\n"


def said_at_every_split(octets: bytes, *, tls: bool = True) -> set[tuple[bytes, str | None]]:
    """What came of it behind the greeting, whole and split in two at every place."""
    found = set()
    for place in range(len(octets)):
        server = ImapServer.make(tls=tls)
        segments = [octets[:place], octets[place:]] if place else [octets]
        conversation = settle(converse(server.sessions(), segments, server.peer))
        found.add((conversation.output.partition(b"\r\n")[2], conversation.closed))
    return found


def signed_in(**settings: int) -> ImapClient:
    """Bob."""
    return ImapServer.make(**settings).connect().login()


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"a NOOP\n", "bare LF"),
        (b"a NOOP\nb LOGOUT\r\n", "bare LF"),
        (b"a LOGIN bob@example.test\nsecret\r\n", "bare LF"),
        (b"a NOOP\rb LOGOUT\r\n", "bare CR"),
        (b"a NOOP\r\r\n", "bare CR"),
        (b"\na NOOP\r\n", "bare LF"),
        (b"a NO\0OP\r\n", "NUL octet"),
        (b'a LOGIN "x\ny" z\r\n', "bare LF"),
        (b"a LOGIN {3+}\r\nbob x\ny\r\n", "bare LF"),
    ],
)
def test_a_line_that_does_not_end_in_CRLF_ends_the_connection_and_nothing_of_it_is_done(
    line: bytes, fault: str
) -> None:
    outcomes = said_at_every_split(line + b"c CAPABILITY\r\n")
    assert {closed for _, closed in outcomes} == {fault}
    for output, _ in outcomes:
        assert output.endswith(b"* BYE Lines end in CRLF and hold no NUL\r\n")
        assert b" OK " not in output and b"CAPABILITY" not in output


@pytest.mark.parametrize("line", [b"AA\nAA\r\n", b"*\n", b"AAAA\rAAAA\r\n", b"A\0AA\r\n"])
def test_the_same_within_a_SASL_exchange(line: bytes) -> None:
    ((output, closed),) = said_at_every_split(b"a AUTHENTICATE PLAIN\r\n" + line + b"c NOOP\r\n")
    assert output == b"+ \r\n* BYE Lines end in CRLF and hold no NUL\r\n"
    assert closed in ("bare LF", "bare CR", "NUL octet")


@pytest.mark.parametrize(
    "injected", [b"b CAPABILITY\r\n", b"b", b"\r\n", b"\n", b"\0", b"b LOGIN eve x\r\n", b"b X {3+}\r\n"]
)
def test_octets_glued_to_STARTTLS_end_the_connection_and_are_never_read(injected: bytes) -> None:
    server = ImapServer.make(tls=False)
    conversation = settle(converse(server.sessions(), [b"a STARTTLS\r\n" + injected], server.peer))
    assert conversation.output.endswith(b"ready\r\na BAD Nothing may follow STARTTLS\r\n")
    assert conversation.closed == "input behind STARTTLS" and not conversation.secured


def test_what_was_said_in_the_clear_is_forgotten_in_TLS() -> None:
    server = ImapServer.make(tls=False)
    client = server.connect()
    client.send(b"a AUTHENTICATE NONSUCH\r\nb STARTTLS\r\n")
    assert client.conductor.held.secured == 1
    assert client.session.expecting is None and not client.session.enabled
    assert client.say(b"NOOP").status == b"OK"


@pytest.mark.parametrize("injected", [b"b NOOP\r\n", b"\0\1\2", b"x"])
def test_octets_glued_to_COMPRESS_end_the_connection_and_are_never_read(injected: bytes) -> None:
    client = signed_in()
    assert client.send(b"a COMPRESS DEFLATE\r\n" + injected) == b"a BAD Nothing may follow COMPRESS\r\n"
    assert client.closed == "input behind COMPRESS"


@pytest.mark.parametrize("octet", [b"a", b" ", b"(", b'"', b"\\", b"\xff", b"{"])
def test_a_line_without_end_is_dropped_as_it_comes_and_ends_the_connection(octet: bytes) -> None:
    client = ImapServer.make().connect()
    for _ in range(50):
        client.send(octet * 65_536)
        assert client.session.buffered() <= 65_536
    assert client.closed == "line too long"


def test_a_long_line_whose_literal_nobody_saw_hides_no_command() -> None:
    """Its end is thrown away with it: whether it announced a literal is not known, so nothing behind it is read."""
    client = signed_in()
    said = client.send(b"a NOOP " + b"x" * 100_000 + b" {20+}\r\nb LOGOUT\r\nc LOGOUT\r\n")
    assert said == b"a BAD The line is too long\r\n* BYE The line is too long\r\n"


def test_a_stranger_has_less_room_than_who_signed_in() -> None:
    stranger = ImapServer.make().connect()
    assert stranger.send(b"a ID (" + b'"a" NIL ' * 1100).endswith(b"* BYE The line is too long\r\n")
    known = signed_in()
    assert known.say(b"ID (" + b'"a" NIL ' * 1100).status == b"BAD"
    assert known.closed is None


@pytest.mark.parametrize("size", [8193, 65_536, 10**9, 2**63 - 1, 10**18])
def test_a_strangers_large_literal_is_refused_before_it_comes_or_ends_the_connection(size: int) -> None:
    waiting = ImapServer.make().connect()
    assert waiting.send(b"a LOGIN {%d}\r\n" % size) == b"a NO [TOOBIG] The literal is too large\r\n"
    assert waiting.say(b"NOOP").status == b"OK"
    hasty = ImapServer.make().connect()
    assert hasty.send(b"a LOGIN {%d+}\r\nb NOOP\r\n" % size) == b"* BYE [TOOBIG] The literal is too large\r\n"
    assert hasty.closed == "literal too large"


def test_many_small_literals_are_counted_together() -> None:
    stranger = ImapServer.make().connect()
    said = stranger.send(b"a ID (" + b"{100+}\r\n" + b"x" * 100 + b" {100+}\r\n" + b"y" * 100)
    for _ in range(100):
        said += stranger.send(b" {100+}\r\n" + b"x" * 100)
    said += stranger.send(b")\r\nb NOOP\r\n")
    assert said == b"a NO [TOOBIG] The literal is too large\r\nb OK NOOP completed\r\n"


def test_empty_literals_without_end_take_no_memory() -> None:
    client = signed_in()
    client.send(b"a ID (")
    for _ in range(200):
        client.send(b"{0+}\r\n " * 1000)
    parser = client.session.parser
    assert len(parser._parts) <= 2 * 262_144 // 64
    assert client.send(b")\r\n") == b"a NO [TOOBIG] The literal is too large\r\n"


def test_a_refused_literal_of_who_signed_in_is_thrown_away_and_hides_no_command() -> None:
    client = signed_in()
    size = 300_000
    client.send(b'a ID ("x" {%d+}\r\n' % size)
    for _ in range(size // 100):
        assert client.send(b"z LOGOUT\r\n" * 10) == b""
        assert client.session.buffered() == 0
    assert client.send(b")\r\n") == b"a NO [TOOBIG] The literal is too large\r\n"
    assert client.send(b"b ID {%d+}\r\n" % (THROWN_AWAY + 1)).startswith(b"* BYE [TOOBIG] ")
    assert client.closed == "literal too large"


@pytest.mark.parametrize("command", [b"NONSUCH", b"LOGIN", b"STARTTLS", b"(", b"NAMESPACE", b"NOOP"])
def test_a_literal_of_a_command_that_fails_is_no_command(command: bytes) -> None:
    """One that is refused for its word, its state, or its arguments."""
    client = signed_in()
    said = client.send(b"a " + command + b" {10+}\r\nz LOGOUT\r\n\r\nb NOOP\r\n")
    assert said.startswith(b"a BAD ")
    assert said.endswith(b"\r\nb OK NOOP completed\r\n")
    assert client.closed is None


def test_an_unknown_command_is_refused_before_its_literal_to_those_who_wait() -> None:
    assert signed_in().send(b"a NONSUCH {10}\r\n") == b"a BAD Unknown command\r\n"
    assert ImapServer.make().connect().send(b"a NAMESPACE {10}\r\n") == b"a BAD Please sign in first\r\n"


def test_a_literal_that_never_ends_is_waited_for_within_its_bound() -> None:
    client = signed_in()
    client.send(b'a ID ("x" {200000+}\r\n')
    for _ in range(100):
        client.send(b"y" * 1000)
    assert client.session.buffered() < 2000  # it is gathered, not searched again
    assert client.closed is None
    client.drop()


@pytest.mark.parametrize("nested", [b"(" * 8000, b"(" * 4000 + b")" * 4000, b'("' * 2000, b"(()" * 2000])
def test_nested_parentheses_are_refused_and_not_followed(nested: bytes) -> None:
    client = signed_in()
    assert client.say(b"ID " + nested).status == b"BAD"
    assert client.say(b"NOOP").status == b"OK"


def test_NUL_in_a_literal_is_BAD() -> None:
    client = signed_in()
    assert client.say(b"ID ({+} NIL)", b"a\0b").status == b"BAD"
    assert client.closed is None


def test_no_answer_repeats_what_a_client_sent_in_a_way_that_breaks_lines() -> None:
    client = ImapServer.make().connect()
    for octets in (b"a{ NOOP", b'"a" NOOP', b"a \xff\xfe", b"a NOOP [ALERT] x", b"* OK x"):
        said = client.send(octets + b"\r\n")
        assert said.count(b"\r\n") == 1 and said.isascii()
        client.session.errors = 0


def test_a_response_of_a_SASL_exchange_has_a_bound_of_its_own() -> None:
    client = ImapServer.make().connect()
    client.send(b"a AUTHENTICATE PLAIN\r\n")
    assert client.send(b"A" * 20_000) == b"* BYE The line is too long\r\n"


def test_in_IDLE_only_a_short_line_is_waited_for() -> None:
    client = signed_in().idle()
    assert client.send(b"x" * 100).startswith(b"* BYE ")
    assert client.closed == "line too long"
