"""Customers of ODMR who do what they should not: no mail is lost, the hold is free for the next (RFC 2645)."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.app.conftest import records, until
from tests.app.test_holds import ACCOUNT, ODMR, PASSWORD, SMTP, Customer, legacy_secret, queue, send
from tests.cli.conftest import Commands
from worldmail.testing.process import ServerProcess

Answer = Callable[[str, int], bytes | None]
"""What is answered to a command (its word) that came for the n-th time; None cuts the line."""

GREETING = b"220 site.test\r\n"
PLAIN = b"250 site.test\r\n"
FAST = b"250-site.test\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n"


@pytest.fixture
def relay(server: ServerProcess, place: Path) -> Iterator[ServerProcess]:
    """A server that holds mail for ship.test."""
    command = Commands(server.config)
    command.ok("hold", "add", "ship", "domains=ship.test", f"accounts={ACCOUNT}")
    command.ok("domain", "add", "ship.test", "--kind", "relay")
    command.ok("user", "add", ACCOUNT, "--password-stdin", stdin=PASSWORD + "\n")
    server.start()
    yield server
    server.stop()


def turn(relay: ServerProcess, secret: str) -> Customer:
    """The connection, turned: it is our part to greet."""
    customer = Customer(relay.port(ODMR))
    customer.sign_in(secret)
    assert customer.say("ATRN")[:3] == "250"
    return customer


def serve(customer: Customer, answer: Answer, greeting: bytes = GREETING) -> list[bytes]:
    """Be the server until one of both leaves; what was taken, each with the octets behind DATA or BDAT."""
    texts: list[bytes] = []
    try:
        customer.connection.sendall(greeting)
        _serve(customer, answer, texts)
    except OSError:
        pass
    finally:
        customer.file.close()
        customer.connection.close()
    return texts


def _serve(customer: Customer, answer: Answer, texts: list[bytes]) -> None:
    counts: dict[str, int] = {}

    def reply(word: str, text: bytes = b"") -> bytes:
        counts[word] = counts.get(word, 0) + 1
        said = answer(word, counts[word])
        if said is None:
            raise ConnectionError
        if text and said[:1] == b"2":
            texts.append(text)
        customer.connection.sendall(said)
        return said

    while line := customer.file.readline().decode():
        word = line.split()[0].upper()
        said = reply(word, customer.file.read(int(line.split()[1])) if word == "BDAT" else b"")
        if word == "DATA" and said[:1] == b"3":
            reply(".", b"".join(iter(customer.file.readline, b".\r\n")))
        if word == "QUIT":
            return


def good(word: str, count: int) -> bytes | None:
    """What is right."""
    return {"EHLO": PLAIN, "DATA": b"354 go on\r\n", "QUIT": b"221 bye\r\n"}.get(word, b"250 ok\r\n")


def fast(word: str, count: int) -> bytes | None:
    """The same of one that knows PIPELINING and CHUNKING."""
    return FAST if word == "EHLO" else good(word, count)


def but(way: Answer, bad: dict[tuple[str, int], bytes | None]) -> Answer:
    """Otherwise at these commands."""
    return lambda word, count: bad[word, count] if (word, count) in bad else way(word, count)


def fetched(relay: ServerProcess, secret: str) -> list[bytes]:
    """All the rest, by a customer who does nothing wrong, once he may have it and nobody else is at it."""
    customer, said = until(lambda: _admitted(relay, secret))
    texts = serve(customer, good) if said == "250" else []
    until(lambda: queue(relay) == [])
    return texts


def _admitted(relay: ServerProcess, secret: str) -> tuple[Customer, str] | None:
    """The customer, and what ATRN said to him; None if he got nothing of what is there.

    The server learns in a moment of its own what a command has just allowed.
    """
    customer = Customer(relay.port(ODMR))
    if customer.signs_in(secret):
        said = until(lambda: (code := customer.say("ATRN")[:3]) != "451" and code)
        if said == "250" or queue(relay) == []:
            return customer, said
    customer.file.close()
    customer.connection.close()
    time.sleep(0.2)
    return None


def _rests(relay: ServerProcess) -> bool:
    time.sleep(0.1)
    return all(row["state"] == "held" for row in queue(relay))


def subjects(texts: list[bytes]) -> set[bytes]:
    return {line for text in texts for line in text.split(b"\r\n") if line.startswith(b"Subject")}


def fill(relay: ServerProcess, count: int = 6) -> None:
    for number in range(count):
        send(relay, "ann@ship.test", "ben@ship.test", subject=f"number {number}")


CUTS = [("EHLO", 1), ("MAIL", 1), ("RCPT", 1), ("RCPT", 2), ("MAIL", 3), ("QUIT", 1)]


def test_a_line_that_is_cut_at_any_command_loses_nothing(relay: ServerProcess) -> None:
    """And doubles only messages whose final reply was on its way."""
    secret = legacy_secret(relay)
    ways = [(good, place) for place in (*CUTS, ("DATA", 2), (".", 2))]
    for way, place in [*ways, *((fast, place) for place in (*CUTS, ("BDAT", 1), ("BDAT", 4), ("RSET", 2)))]:
        fill(relay)
        taken = serve(turn(relay, secret), but(way, {place: None}))
        rest = fetched(relay, secret)
        assert len(subjects(taken + rest)) == 6, place
        assert len(taken + rest) == 6, place


@pytest.mark.parametrize(
    "greeting",
    [
        b"",
        b"554 5.7.1 no\r\n",
        b"421 4.3.2 later\r\n",
        b"250 ok\r\n",
        b"SSH-2.0-x\r\n",
        b"220-x\r\n" * 5000,
        b"2" * 3_000_000,
        b"220 \xff\0\r\n",
        b"+OK\n",
    ],
    ids=lambda octets: repr(octets[:12]),
)
def test_who_does_not_greet_as_he_should_has_nothing_and_may_come_again(relay: ServerProcess, greeting: bytes) -> None:
    secret = legacy_secret(relay)
    fill(relay, 1)
    customer = turn(relay, secret)
    if not greeting:
        customer.connection.shutdown(socket.SHUT_WR)
    serve(customer, lambda word, count: None, greeting)
    assert len(fetched(relay, secret)) == 1


BAD: list[tuple[str, dict[tuple[str, int], bytes | None], int]] = [
    ("no EHLO, then no HELO", {("EHLO", 1): b"500 no\r\n", ("HELO", 1): b"502 no\r\n"}, 0),
    ("421 to EHLO", {("EHLO", 1): b"421 no\r\n"}, 0),
    ("421 in the midst", {("MAIL", 3): b"421 4.3.2 no\r\n"}, 2),
    ("421 at the end of a text", {(".", 3): b"421 4.3.2 no\r\n", ("BDAT", 3): b"421 4.3.2 no\r\n"}, 2),
    ("450 to one message", {("MAIL", 3): b"450 4.3.2 no\r\n"}, 5),
    ("450 to a text", {(".", 3): b"450 4.3.2 no\r\n", ("BDAT", 3): b"450 4.3.2 no\r\n"}, 5),
    ("a reply without end", {("MAIL", 3): b"250-x\r\n" * 3000}, 2),
    ("a line without end", {("MAIL", 3): b"250 " + b"x" * 2_000_000 + b"\r\n"}, 6),
    ("no reply of SMTP", {("RCPT", 3): b"maybe\r\n"}, 1),
    ("354 to MAIL", {("MAIL", 3): b"354 go on\r\n"}, 2),
]


@pytest.mark.parametrize("way", [good, fast])
def test_whatever_is_answered_each_message_is_taken_once(relay: ServerProcess, way: Answer) -> None:
    secret = legacy_secret(relay)
    for what, bad, taken_at_first in BAD:
        fill(relay)
        taken = serve(turn(relay, secret), but(way, bad))
        rest = fetched(relay, secret)
        assert len(subjects(taken + rest)) == 6, what
        if way is good:
            assert len(taken) == taken_at_first, what
            assert len(taken + rest) == 6, what


def test_replies_that_come_before_what_they_answer_are_the_customers_own_loss(relay: ServerProcess) -> None:
    """Nobody else's mail is touched, and the server goes on."""
    secret = legacy_secret(relay)
    send(relay, "ann@ship.test")
    serve(turn(relay, secret), lambda word, count: b"", GREETING + PLAIN + b"250 ok\r\n" * 500)
    until(lambda: not any(row["state"] == "leased" for row in queue(relay)))
    assert not [one for one in records(relay) if one["event"].endswith("failed")]


def test_one_who_reads_nothing_keeps_little_in_memory(relay: ServerProcess) -> None:
    secret = legacy_secret(relay)
    with socket.create_connection(("127.0.0.1", relay.port(SMTP)), timeout=60) as link:
        file = link.makefile("rb")
        link.sendall(b"EHLO a.test\r\n")
        for _ in range(40):
            link.sendall(b"MAIL FROM:<a@a.test>\r\nRCPT TO:<ann@ship.test>\r\nDATA\r\n")
            link.sendall(b"Subject: x\r\n\r\n" + (b"x" * 998 + b"\r\n") * 1000 + b".\r\nNOOP\r\n")
        link.sendall(b"QUIT\r\n")
        file.read()
    assert len(queue(relay)) == 40
    before = memory(relay)
    customer = turn(relay, secret)
    customer.connection.sendall(GREETING + FAST)
    time.sleep(2)
    assert memory(relay) - before < 20_000
    customer.file.close()
    customer.connection.close()
    until(lambda: _rests(relay))
    assert len(queue(relay)) == 40


def memory(relay: ServerProcess) -> int:
    """KiB."""
    [line] = [each for each in Path(f"/proc/{relay.pid}/status").read_text().splitlines() if each.startswith("VmRSS")]
    return int(line.split()[1])


def test_two_turns_at_once_and_etrn_meanwhile(relay: ServerProcess) -> None:
    secret = legacy_secret(relay)
    fill(relay, 3)
    first = turn(relay, secret)
    second = Customer(relay.port(ODMR))
    second.sign_in(secret)
    assert second.say("ATRN")[:3] == "451"
    assert second.say("ATRN ship.test")[:3] == "451"
    assert len(serve(first, good)) == 3
    until(lambda: second.say("ATRN")[:3] == "453")


def during(relay: ServerProcess, secret: str, act: Callable[[], object]) -> list[bytes]:
    """A turn in which this is done while the second message's text is on its way."""

    def answer(word: str, count: int) -> bytes | None:
        if (word, count) == (".", 2):
            act()
        return good(word, count)

    return serve(turn(relay, secret), answer)


@pytest.mark.parametrize(
    ("words", "back"),
    [
        (("hold", "remove", "ship"), ("hold", "add", "ship", "domains=ship.test", f"accounts={ACCOUNT}")),
        (("hold", "set", "ship", "enabled=off"), ("hold", "set", "ship", "enabled=on")),
        (("hold", "set", "ship", "accounts="), ("hold", "set", "ship", f"accounts={ACCOUNT}")),
        (("hold", "set", "ship", "domains=sea.test"), ("hold", "set", "ship", "domains=ship.test")),
        (("domain", "remove", "ship.test"), ()),
        (("user", "set", ACCOUNT, "enabled=off"), ("user", "set", ACCOUNT, "enabled=on")),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_what_is_changed_during_a_turn_loses_nothing(
    relay: ServerProcess, words: tuple[str, ...], back: tuple[str, ...]
) -> None:
    secret = legacy_secret(relay)
    fill(relay, 4)
    command = Commands(relay.config)
    taken = during(relay, secret, lambda: command.ok(*words))
    until(lambda: _rests(relay))
    if back:
        command.ok(*back)
    assert len(subjects(taken + fetched(relay, secret))) == 4


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_server_that_ends_during_a_turn_loses_nothing(relay: ServerProcess, end: str) -> None:
    secret = legacy_secret(relay)
    fill(relay, 4)
    stopping: list[threading.Thread] = []

    def act() -> None:
        until(lambda: len({row["id"] for row in queue(relay)}) == 3)  # that the first was taken is on the disk
        stopping.append(threading.Thread(target=getattr(relay, end)))
        stopping[0].start()
        time.sleep(1)

    taken = during(relay, secret, act)
    stopping[0].join()
    relay.start()
    assert {row["state"] for row in queue(relay)} <= {"held"}
    rest = fetched(relay, secret)
    assert len(subjects(taken + rest)) == 4
    assert len(taken + rest) <= 5
