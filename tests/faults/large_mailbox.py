"""What IMAP clients ask of a mailbox with very many messages: each of these takes some time, and may hold nobody up."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

from oracle.imap import Imap, Refused

APPENDED = 3000
AT_ONCE = 1000
DOUBLED = 2
WORDS = ("quick", "brown", "fox", "jumps", "over", "lazy", "dog", "nobody", "sees", "how", "deep", "wood", "again")

Note = Callable[[str], Awaitable[None]]


def message(number: int, chance: random.Random) -> bytes:
    """One of its kind; every fourth is an answer, every fifth has two parts."""
    subject = " ".join(chance.choices(WORDS, k=5))
    lines = [
        f"From: {chance.choice(WORDS)} <{number % 97}@load.test>",
        f"To: box0@example.test, Somebody Else <{number % 31}@example.test>",
        f"Subject: {'Re: ' * (number % 4)}=?utf-8?q?{subject.replace(' ', '_')}?=",
        f"Date: Mon, {1 + number % 28:02} Jan 2024 {number % 24:02}:{number % 60:02}:00 +0000",
        f"Message-ID: <{number}@load.test>",
    ]
    if number % 4 == 0:
        lines.append(
            "References: " + " ".join(f"<{older}@load.test>" for older in range(max(0, number - 20), number, 2))
        )
    text = "\r\n".join(" ".join(chance.choices(WORDS, k=12)) for _ in range(12))
    if number % 5 == 0:
        lines += ["MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=xyz"]
        parts = ("text/plain; charset=utf-8", "text/html; charset=utf-8")
        text = "".join(f"--xyz\r\nContent-Type: {part}\r\n\r\n{text}\r\n" for part in parts) + "--xyz--"
    return "\r\n".join([*lines, "", text, ""]).encode()


def commands(messages: int) -> Iterator[bytes]:
    """In an order in which they make sense; the mailbox is selected."""
    odd = b",".join(b"%d" % number for number in range(1, min(messages, 20_000), 2))
    yield b"FETCH 1:* (UID FLAGS)"
    yield b"FETCH 1:* FULL"
    yield b"FETCH 1:* (UID ENVELOPE BODYSTRUCTURE PREVIEW)"
    yield b"FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)])"
    yield b"FETCH 1:3000 (BODY.PEEK[])"
    yield b"FETCH 1:3000 (BODY.PEEK[1]<0.100> BINARY.SIZE[1])"
    yield b"FETCH %b (FLAGS)" % odd
    for criteria in (b"SUBJECT", b"REVERSE DATE FROM", b"SIZE ARRIVAL", b"DISPLAYFROM TO CC"):
        yield b"SORT (%b) UTF-8 ALL" % criteria
    for algorithm in (b"REFERENCES", b"ORDEREDSUBJECT", b"REFS"):
        yield b"THREAD %b UTF-8 ALL" % algorithm
    yield b"SEARCH BODY fox"
    yield b"SEARCH TEXT nowhere"
    yield b"SEARCH BODY o"
    yield b'SEARCH NOT BODY "brown fox"'
    yield b"SEARCH HEADER References 77@"
    yield b"SEARCH SUBJECT wood FROM dog"
    yield b"SEARCH SENTSINCE 3-Jan-2024 LARGER 500"
    yield b"SEARCH " + b"OR FROM a " * 200 + b"ALL"
    yield b"SEARCH " + b"NOT " * 40 + b"BODY dog"
    yield b"SEARCH RETURN (SAVE MIN MAX COUNT) UNSEEN"
    yield b"STORE 1:* +FLAGS.SILENT (\\Seen)"
    yield b"STORE 1:* +FLAGS (one two)"
    yield b"STORE %b -FLAGS (one)" % odd
    yield b"SEARCH KEYWORD one UNKEYWORD two"
    yield b"SEARCH MODSEQ 1"
    yield b"UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1)"
    yield b"COPY 1:* Sent"
    yield b"MOVE %b Trash" % odd
    yield b"UID STORE 1:* +FLAGS.SILENT (\\Deleted)"
    yield b"EXPUNGE"


async def work(client: Imap, note: Note) -> None:
    """All of it; `note` is told of each step when it is done."""
    chance = random.Random(1)
    for start in range(0, APPENDED, AT_ONCE):
        messages = [message(number, chance) for number in range(start, start + AT_ONCE)]
        await client.ask(b"APPEND INBOX" + b"".join(b" {%d+}\r\n%b" % (len(octets), octets) for octets in messages))
    await note("APPEND")
    await client.ask(b"SELECT INBOX")
    for _ in range(DOUBLED):
        await client.ask(b"COPY 1:* INBOX")
        await client.ask(b"NOOP")
    await note("COPY to itself")
    codes = (await client.ask(b"SELECT INBOX (CONDSTORE)")).codes
    for command in commands(APPENDED << DOUBLED):
        with suppress(Refused):  # what would take too long may be
            await client.ask(command)
        await note(command[:60].decode())
    gone = await client.ask(b"SELECT INBOX (QRESYNC (%d %d))" % (codes[b"UIDVALIDITY"], codes[b"HIGHESTMODSEQ"]))
    await note("SELECT with QRESYNC")
    assert len(gone.vanished) == APPENDED << DOUBLED
    for number in range(300):
        await client.ask(b"CREATE a/%d/b%d" % (number % 10, number))
    await note("CREATE")
    for pattern in (b'"" "*"', b'"" "*%*%*%*b*9*"', b'"" "%/%/%"', b'"" ("*a*" "*b*" "%")'):
        await client.ask(b"LIST " + pattern)
        await client.ask(b"LIST %b RETURN (STATUS (MESSAGES UIDNEXT SIZE) SUBSCRIBED CHILDREN)" % pattern)
    await note("LIST")
