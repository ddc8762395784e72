"""POP3: lines that are none, octets behind STLS, floods; in memory, cut at every place."""

from __future__ import annotations

import pytest

from worldmail.testing.feeding import Conductor, converse, settle
from worldmail.testing.pop3 import Pop3Server

LOGIN = b"USER bob@example.test\r\nPASS secret\r\n"


def said_at_every_split(octets: bytes, **options) -> set[tuple[bytes, str | None]]:
    """What came of it, whole and split in two at every place."""
    found = set()
    for place in range(len(octets)):
        server = Pop3Server.make(b"x\r\n", **options)
        segments = [octets[:place], octets[place:]] if place else [octets]
        conversation = settle(converse(server.sessions(), segments, server.peer))
        found.add((conversation.output, conversation.closed))
    return found


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"CAPA\n", "bare LF"),
        (b"CAPA\nQUIT\r\n", "bare LF"),
        (b"USER bob@example.test\nPASS secret\r\n", "bare LF"),
        (b"CAPA\rQUIT\r\n", "bare CR"),
        (b"CAPA\r\r\n", "bare CR"),
        (b"\nCAPA\r\n", "bare LF"),
        (b"\rCAPA\r\n", "bare CR"),
    ],
)
def test_a_line_that_does_not_end_in_CRLF_ends_the_connection_and_nothing_of_it_is_done(
    line: bytes, fault: str
) -> None:
    ((output, closed),) = said_at_every_split(line + b"CAPA\r\n")
    assert output == b"+OK WorldMail POP3 server ready\r\n-ERR Lines end in CRLF\r\n"
    assert closed == fault


@pytest.mark.parametrize("line", [b"AA\nAA\r\n", b"*\n", b"AAAA\rAAAA\r\n"])
def test_the_same_within_a_SASL_exchange(line: bytes) -> None:
    ((output, closed),) = said_at_every_split(b"AUTH PLAIN\r\n" + line + b"CAPA\r\n")
    assert output.endswith(b"+ \r\n-ERR Lines end in CRLF\r\n")
    assert closed in ("bare LF", "bare CR")


@pytest.mark.parametrize("injected", [b"CAPA\r\n", b"C", b"\r\n", b"\n", b"\0", b"USER eve\r\nPASS x\r\n"])
def test_octets_glued_to_STLS_end_the_connection_and_are_never_read(injected: bytes) -> None:
    server = Pop3Server.make(tls=False)
    conversation = settle(converse(server.sessions(), [b"STLS\r\n" + injected], server.peer))
    assert conversation.output.endswith(b"ready\r\n-ERR Nothing may follow STLS\r\n")
    assert conversation.closed == "input behind STLS" and not conversation.secured


@pytest.mark.parametrize("octet", [b"a", b" ", b"\xff"])
@pytest.mark.parametrize("size", [256, 65_536, 1_000_000])
def test_a_long_line_is_one_error_and_is_not_kept(octet: bytes, size: int) -> None:
    server = Pop3Server.make(command_line=255)
    session = server.sessions()
    conductor = Conductor(dialogue=session, peer=server.peer)
    settle(conductor.open())
    for _ in range(max(1, size // 4096)):
        settle(conductor.feed(octet * min(size, 4096)))
        assert session.buffered() <= 4096
    settle(conductor.feed(b"\r\nQUIT\r\n"))
    assert conductor.held.output.count(b"-ERR The line is too long\r\n") == 1
    assert conductor.held.closed == "quit"


def test_the_rest_of_a_long_line_is_never_a_command() -> None:
    ((output, closed),) = said_at_every_split(b"A" * 254 + b"DELE 1 QUIT\r\nQUIT\r\n", command_line=255)
    assert output.endswith(b"ready\r\n-ERR The line is too long\r\n+OK Goodbye\r\n") and closed == "quit"


def test_a_flood_of_pipelined_commands_is_answered_in_order() -> None:
    server = Pop3Server.make(*[b"x\r\n"] * 9)
    client = server.connect().login()
    numbers = [number % 9 + 1 for number in range(20_000)]
    answers = client.say(b"".join(b"LIST %d\r\n" % number for number in numbers), end=b"")
    assert answers == b"".join(b"+OK %d 3\r\n" % number for number in numbers)


def test_a_flood_of_errors_ends_at_the_limit() -> None:
    server = Pop3Server.make()
    conversation = settle(converse(server.sessions(), [b"?\r\n" * 100_000], server.peer))
    assert conversation.output.count(b"-ERR ") == 3 and conversation.closed == "too many errors"


def test_a_pipelined_QUIT_is_the_last_that_is_done() -> None:
    server = Pop3Server.make(b"x\r\n")
    conversation = settle(converse(server.sessions(), [LOGIN + b"QUIT\r\nDELE 1\r\nQUIT\r\n"], server.peer))
    assert conversation.output.endswith(b"+OK Goodbye\r\n") and conversation.output.count(b"Goodbye") == 1
    assert server.inbox == [b"x\r\n"]


def test_a_login_refused_within_a_pipelined_batch_refuses_what_follows() -> None:
    server = Pop3Server.make(b"x\r\n", errors_before_login=0)
    said = b"USER bob@example.test\r\nPASS wrong\r\nDELE 1\r\nRETR 1\r\nQUIT\r\n"
    conversation = settle(converse(server.sessions(), [said], server.peer))
    assert conversation.output.count(b"-ERR Please sign in first\r\n") == 2
    assert server.inbox == [b"x\r\n"]


def test_text_that_looks_like_the_end_of_a_reply_is_stuffed_wherever_it_is_cut() -> None:
    text = b"A: b\r\n\r\n.\r\n+OK fake\r\n..\r\n.\r\n"
    server = Pop3Server.make(text)
    answer = server.connect().login().say(b"RETR 1")
    assert answer.endswith(b"\r\n\r\n..\r\n+OK fake\r\n...\r\n..\r\n.\r\n")
    assert answer.count(b"\r\n.\r\n") == 1


def test_names_and_texts_of_messages_add_no_line_to_a_reply() -> None:
    server = Pop3Server.make()
    for name in (b"USER [AUTH]\x0bx", b"USER \xe2\x80\xa8x", b"LANG [SYS/PERM]"):
        assert server.connect().say(name).count(b"\r\n") == 1


def test_secrets_are_in_no_record_of_the_log() -> None:
    server = Pop3Server.make(b"x\r\n", errors_before_login=0)
    client = server.connect()
    for line in (b"USER bob@example.test", b"PASS hunter2", b"AUTH PLAIN AGJvYgBodW50ZXIy", b"PASS"):
        client.say(line)
    client.login()
    client.say(b"RETR 1")
    client.say(b"QUIT")
    assert "hunter2" not in repr(server.memory.journal.records) and "AGJvYg" not in repr(server.memory.journal.records)
    assert "hunter2" not in repr(client.session)
