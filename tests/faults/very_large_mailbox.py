"""Three sessions have a mailbox with very many messages selected, and one of them changes all of these at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from oracle.imap import Imap

MESSAGES = 100_000
APPENDED = 1000

Note = Callable[[str], Awaitable[None]]

# Each with the number of messages that it is about.
CHANGES = (
    (b"UID STORE 1:* +FLAGS.SILENT (\\Seen)", MESSAGES),
    (b"UID STORE 1:* +FLAGS.SILENT (one two)", MESSAGES),
    (b"UID STORE %b -FLAGS.SILENT (one)" % b",".join(b"%d:%d" % (uid, uid + 3) for uid in range(1, 20_000, 8)), 10_000),
    (b"UID STORE 1:* +FLAGS.SILENT (\\Deleted)", MESSAGES),
    (b"EXPUNGE", MESSAGES),
)


async def fill(client: Imap) -> None:
    """Copies of copies."""
    message = b"Subject: one of many\r\n\r\ntext\r\n"
    await client.ask(b"APPEND INBOX" + b" {%d+}\r\n%b" % (len(message), message) * APPENDED)
    await client.ask(b"SELECT INBOX")
    count = APPENDED
    while count < MESSAGES:
        more = min(count, MESSAGES - count)
        await client.ask(b"UID COPY 1:%d INBOX" % more)
        count += more


async def work(changing: Imap, idling: Imap, asking: Imap, note: Note) -> None:
    """Who waits in IDLE is told of everything, and who asks is."""
    await fill(changing)
    await note("COPY to itself")
    for client in (idling, asking):
        codes = (await client.ask(b"SELECT INBOX (CONDSTORE)")).codes
    await note("SELECT")
    await asking.ask(b"UID FETCH 1:3 (FLAGS)")
    await note("FETCH of the oldest ones")
    for command, messages in CHANGES:
        tag = await idling.say(b"IDLE")
        await idling.response()
        await changing.ask(command)
        await note(command[:60].decode())
        await told(idling, b" EXPUNGE\r\n" if command == b"EXPUNGE" else b" FETCH ", messages)
        idling.writer.write(b"DONE\r\n")
        await idling.answer(tag)
        await note(f"IDLE of another: {command[:60].decode()}")
        await asking.ask(b"NOOP")
        await note(f"NOOP of another: {command[:60].decode()}")
    await asking.ask(b"ENABLE QRESYNC")
    gone = await asking.ask(b"SELECT INBOX (QRESYNC (%d %d))" % (codes[b"UIDVALIDITY"], codes[b"HIGHESTMODSEQ"]))
    await note("SELECT with QRESYNC")
    assert len(gone.vanished) == MESSAGES


async def told(client: Imap, word: bytes, count: int) -> None:
    """It is told so many responses of this kind."""
    rest = b""
    while count > 0:
        octets = rest + await client.reader.read(1 << 20)
        whole, end, rest = octets.rpartition(b"\r\n")
        assert octets, f"{count} are missing"
        count -= (whole + end).count(word)
