"""IMAP beside Dovecot: sessions, FETCH, SEARCH, STORE, COPY, APPEND, resynchronisation."""

from __future__ import annotations

import re
import select
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial

from attrs import define, field

from benchmarks.figures import Figure, interleaved
from benchmarks.imap_client import ImapClient
from benchmarks.imap_mail import MESSAGES, RARE, batches, messages
from benchmarks.sides import PASSWORD, Side, mailbox_address
from benchmarks.smtp_client import send

ACCOUNTS = 100
CHECKS = (3000, 1000)
LARGE = 100_000
APPENDS = (300, 100)
FAILURES = 5
"""Sessions that a server may break off in one round; others take their place."""

_AT_ONCE = 10
_PATIENCE = 60.0
_QUIET = 8.0
"""Seconds in which a server may make ready what clients will ask for."""

_FRESH = iter(range(20, ACCOUNTS, 20))
"""The first of twenty accounts that nothing else uses."""

Tell = Callable[[str], None]
Arrive = Callable[[Side, int, str], str]
"""Fills an empty mailbox of the account of this number, by this label; gives its name."""

WARM: tuple[tuple[str, bytes, float], ...] = (
    ("FETCH 1:* (UID FLAGS)", b"FETCH 1:* (UID FLAGS)", 1.0),
    ("FETCH 1:* (... ENVELOPE), warm", b"FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)", 2.0),
    ("FETCH 1:* (BODYSTRUCTURE), warm", b"FETCH 1:* (BODYSTRUCTURE)", 1.0),
    ("FETCH 1:* (UID BODY.PEEK[])", b"FETCH 1:* (UID BODY.PEEK[])", 3.0),
    ("SEARCH BODY, a word in 1 %", f'SEARCH BODY "{RARE}"'.encode(), 20.0),
)
"""What, the command, and how many times faster than the peer it has to be."""


def user(number: int = 1) -> str:
    """The login name."""
    return mailbox_address(number)


def measure(ours: Side, theirs: Side, rounds: int, tell: Tell) -> Iterator[Figure]:
    """Every figure of one mailbox of 3,000 messages."""
    for side in (ours, theirs):
        tell(f"filling a mailbox of {side.name}")
        _fill(side, "INBOX", "warm")
    yield from _checks(ours, theirs, rounds, tell)
    clients = ImapClient(ours.imap_port, user()), ImapClient(theirs.imap_port, user())
    for client in clients:
        client.command(b"SELECT INBOX")
    for what, command, goal in WARM:
        for client in clients:
            client.command(command)
        timed = (partial(_milliseconds, client, command) for client in clients)
        yield _figure(what, goal, rounds, *timed, tell)
    yield from _changes(clients, rounds, tell)
    for way, arrive in (("SMTP", _delivered), ("APPEND", _appended)):
        for quiet in (_QUIET, 0.0):
            yield _cold((ours, theirs), way, arrive, quiet, rounds, tell)
    yield from _appends(ours, theirs, rounds, tell)
    yield _reselect((ours, theirs), clients, rounds, tell)


def _figure(
    what: str, goal: float, rounds: int, ours: Callable[[], float], theirs: Callable[[], float], tell: Tell
) -> Figure:
    tell(what)
    our_figures, their_figures = interleaved(rounds, ours, theirs, tell)
    return Figure(what=what, unit="ms", ours=our_figures, theirs=their_figures, goal=goal, smaller=True)


def _milliseconds(client: ImapClient, command: bytes) -> float:
    began = time.perf_counter()
    client.command(command)
    return (time.perf_counter() - began) * 1000


def _fill(side: Side, mailbox: str, label: str) -> None:
    client = ImapClient(side.imap_port, user())
    for batch in batches(label):
        client.append(mailbox, batch)
    client.close()


def _changes(clients: tuple[ImapClient, ImapClient], rounds: int, tell: Tell) -> Iterator[Figure]:
    """STORE, each time of another flag, and COPY, each time to a mailbox of its own."""

    def store(client: ImapClient, numbers: Iterator[int]) -> float:
        flag = (b"\\Answered", b"\\Flagged", b"\\Seen", b"\\Draft")[next(numbers) % 4]
        client.command(b"STORE 1:* -FLAGS.SILENT (", flag, b")")
        return _milliseconds(client, b"STORE 1:* +FLAGS (" + flag + b")")

    def copy(client: ImapClient, numbers: Iterator[int]) -> float:
        target = b"copy%d" % next(numbers)
        client.command(b"CREATE ", target)
        return _milliseconds(client, b"COPY 1:* " + target)

    for what, work in (("STORE 1:* +FLAGS", store), ("COPY 1:*", copy)):
        ours, theirs = (partial(work, client, iter(range(1000))) for client in clients)
        yield _figure(what, 1.0, rounds, ours, theirs, tell)


def _cold(sides: tuple[Side, Side], way: str, arrive: Arrive, quiet: float, rounds: int, tell: Tell) -> Figure:
    """The first FETCH of ENVELOPE, in a mailbox of its own, so long after the mail came."""

    def cold(side: Side, numbers: Iterator[int]) -> float:
        number = next(numbers)
        mailbox = arrive(side, number, f"{way}{number}after{quiet:.0f}")
        time.sleep(quiet)
        client = ImapClient(side.imap_port, user(number))
        client.command(b"SELECT " + mailbox.encode())
        milliseconds = _milliseconds(client, WARM[1][1])
        client.close()
        return milliseconds

    start = next(_FRESH)
    ours, theirs = (partial(cold, side, iter(range(start, start + 20))) for side in sides)
    what = f"FETCH 1:* (... ENVELOPE), first time, {quiet:.0f} s after the mail came by {way}"
    return _figure(what, 5.0, rounds, ours, theirs, tell)


def _delivered(side: Side, number: int, label: str) -> str:
    send(side.smtp_port, user(number), messages(label))
    side.wait_until_delivered()
    return "INBOX"


def _appended(side: Side, number: int, label: str) -> str:
    client = ImapClient(side.imap_port, user(number))
    client.command(b"CREATE " + label.encode())
    for batch in batches(label):
        client.append(label, batch)
    client.close()
    return label


def _appends(ours: Side, theirs: Side, rounds: int, tell: Tell) -> Iterator[Figure]:
    """Each APPEND awaited before the next on its connection."""
    for at_once in (1, _AT_ONCE):
        what = f"APPEND of 1 KB, {at_once} at once"
        tell(what)
        timed = (
            partial(_append_rate, side, at_once, total, iter(range(1000)))
            for side, total in zip((ours, theirs), APPENDS, strict=True)
        )
        our_figures, their_figures = interleaved(rounds, *timed, tell, catch_up=ours.catch_up)
        yield Figure(what=what, unit="/s", ours=our_figures, theirs=their_figures, goal=3.0)


def _append_rate(side: Side, at_once: int, total: int, rounds: Iterator[int]) -> float:
    """Messages a second over so many connections of accounts of their own."""
    label = f"{side.imap_port}r{next(rounds)}x{at_once}"
    waiting = [
        b"a APPEND INBOX {%d+}\r\n%s\r\n" % (len(message), message)
        for message in messages(label, total * at_once, 1024)
    ]
    clients = [ImapClient(side.imap_port, user(2 + number)) for number in range(at_once)]
    poll = select.epoll()
    by_descriptor = {client.fileno(): client for client in clients}
    for descriptor in by_descriptor:
        poll.register(descriptor, select.EPOLLIN)
    began, done, count = time.perf_counter(), 0, len(waiting)
    for client in clients:
        client.send(waiting.pop())
    while done < count:
        for descriptor, _ in poll.poll(_PATIENCE):
            client = by_descriptor[descriptor]
            if b"a OK" not in client.line():
                raise AssertionError("an APPEND failed")
            done += 1
            if waiting:
                client.send(waiting.pop())
    seconds = time.perf_counter() - began
    for client in clients:
        client.close()
    return count / seconds


def _reselect(sides: tuple[Side, Side], clients: tuple[ImapClient, ImapClient], rounds: int, tell: Tell) -> Figure:
    """SELECT with QRESYNC after 50 flags changed among 100,000 messages (RFC 7162 §3.2.5)."""
    tell(f"filling mailboxes of {LARGE}")
    for client in clients:
        client.command(b"ENABLE QRESYNC")
        client.command(b"CREATE large")
        client.command(b"SELECT INBOX")
        for _ in range(LARGE // MESSAGES):
            client.command(b"COPY 1:%d large" % MESSAGES)
    others = [ImapClient(side.imap_port, user()) for side in sides]
    for other in others:
        other.command(b"SELECT large")

    def reselect(client: ImapClient, other: ImapClient, numbers: Iterator[int]) -> float:
        known = client.command(b"SELECT large")
        validity, modseq = (
            int(re.search(name + rb" (\d+)", known)[1])  # type: ignore[index]
            for name in (b"UIDVALIDITY", b"HIGHESTMODSEQ")
        )
        client.command(b"SELECT INBOX")
        number = next(numbers)
        for changed in range(50):
            other.command(b"STORE %d %sFLAGS.SILENT (\\Flagged)" % (changed * 1900 + 7, b"-+"[number % 2 :][:1]))
        return _milliseconds(client, b"SELECT large (QRESYNC (%d %d))" % (validity, modseq))

    ours, theirs = (
        partial(reselect, client, other, iter(range(1, 1000))) for client, other in zip(clients, others, strict=True)
    )
    return _figure(f"QRESYNC SELECT after 50 changes in {LARGE}", 1.0, rounds, ours, theirs, tell)


def _checks(ours: Side, theirs: Side, rounds: int, tell: Tell) -> Iterator[Figure]:
    what = f"LOGIN, SELECT, LOGOUT, {_AT_ONCE} at once"
    tell(what)
    timed = (partial(_rate, side.imap_port, total) for side, total in zip((ours, theirs), CHECKS, strict=True))
    for side in (ours, theirs):
        Sessions(port=side.imap_port, total=ACCOUNTS).run()
    our_figures, their_figures = interleaved(rounds, *timed, tell)
    yield Figure(what=what, unit="/s", ours=our_figures, theirs=their_figures, goal=2.0)


def _rate(port: int, total: int) -> float:
    return Sessions(port=port, total=total).run()


@define(kw_only=True)
class Sessions:
    """`total` short sessions, ten open at any time, over the accounts in turn; SELECT and LOGOUT in one segment."""

    port: int
    total: int
    started: int = field(default=0, init=False)
    done: int = field(default=0, init=False)
    failed: int = field(default=0, init=False)
    _poll: select.epoll = field(factory=select.epoll, init=False)
    _open: dict[int, tuple[socket.socket, list[bytes]]] = field(factory=dict, init=False)

    def run(self) -> float:
        """Sessions a second."""
        began = time.monotonic()
        for _ in range(min(_AT_ONCE, self.total)):
            self._start()
        while self.done < self.total:
            ready = self._poll.poll(_PATIENCE)
            if not ready:
                raise TimeoutError(f"{self.total - self.done} sessions were not answered")
            for descriptor, _ in ready:
                self._step(*self._open[descriptor])
        return self.total / (time.monotonic() - began)

    def _start(self) -> None:
        connection = socket.create_connection(("127.0.0.1", self.port))
        self._poll.register(connection, select.EPOLLIN)
        self._open[connection.fileno()] = connection, []
        self.started += 1

    def _step(self, connection: socket.socket, got: list[bytes]) -> None:
        data = connection.recv(65536)
        if data:
            got.append(data)
            self._say(connection, b"".join(got), len(got) == 1)
            return
        answers = b"".join(got)
        del self._open[connection.fileno()]
        connection.close()
        if any(b"\r\n" + tag + b" OK" not in answers for tag in (b"a", b"b", b"c")):
            self.failed += 1
            if self.failed > FAILURES:
                raise AssertionError(f"sessions failed, the last one: {answers[-500:]!r}")
        else:
            self.done += 1
        if self.started < self.total + self.failed:
            self._start()

    def _say(self, connection: socket.socket, answers: bytes, is_greeting: bool) -> None:
        if is_greeting:
            connection.send(f"a LOGIN {user(1 + self.started % ACCOUNTS)} {PASSWORD}\r\n".encode())
        elif answers.endswith(b"\r\n") and b"\r\n" not in answers.partition(b"\r\na OK")[2][:-2]:
            connection.send(b"b SELECT INBOX\r\nc LOGOUT\r\n")
