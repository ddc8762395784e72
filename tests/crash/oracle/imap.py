"""A small IMAP client: bounded waits, octets as they are."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from attrs import define, field, frozen

from oracle.site import Site

_PATIENCE = 60.0
_LONGEST_LINE = 1 << 22
_LITERAL = re.compile(rb"\{(\d+)\}\r\n\Z")
_FETCH = re.compile(rb"\* \d+ FETCH \(")
_UID = re.compile(rb"\bUID (\d+)")
_FLAGS = re.compile(rb"\bFLAGS \(([^)]*)\)")
_MODSEQ = re.compile(rb"\bMODSEQ \((\d+)\)")
_VANISHED = re.compile(rb"\* VANISHED (?:\(EARLIER\) )?([0-9,:]+)\r\n")
_COPYUID = re.compile(rb"\[COPYUID \d+ ([0-9,:]+) ([0-9,:]+)\]")
_APPENDUID = re.compile(rb"\[APPENDUID \d+ ([0-9,:]+)\]")
_SEARCH = re.compile(rb"\* SEARCH((?: \d+)*)\r\n")
_CODE = re.compile(rb"\* OK \[(\w+) (\d+)\]")


class Refused(Exception):
    """NO or BAD; the text is the tagged reply."""


@frozen
class Response:
    """One untagged response: its lines, and the literals between them."""

    lines: tuple[bytes, ...]
    literals: tuple[bytes, ...]

    def after(self, item: bytes) -> bytes | None:
        """The literal that is this item's value."""
        for line, literal in zip(self.lines, self.literals, strict=False):
            if _LITERAL.sub(b"", line).endswith(item + b" "):
                return literal
        return None


@frozen
class Fetched:
    """What a FETCH response says of a message; flags without \\Recent."""

    uid: int
    flags: frozenset[bytes]
    modseq: int


@frozen
class Answer:
    """What came up to the tagged OK, and that line."""

    untagged: Sequence[Response]
    tagged: bytes

    @property
    def fetched(self) -> list[Fetched]:
        """All messages of which UID, flags and MODSEQ were told, in this order."""
        return [told for response in self.untagged if (told := fetched(response))]

    @property
    def vanished(self) -> set[int]:
        """All UIDs that were told as gone."""
        found: set[int] = set()
        for response in self.untagged:
            if match := _VANISHED.match(response.lines[0]):
                found |= numbers(match[1])
        return found

    @property
    def found(self) -> set[int]:
        """What SEARCH found."""
        matches = (_SEARCH.match(response.lines[0]) for response in self.untagged)
        return {int(number) for match in matches if match for number in match[1].split()}

    @property
    def appended(self) -> list[int]:
        """UIDs out of APPENDUID."""
        match = _APPENDUID.search(self._all)
        return sorted(numbers(match[1])) if match else []

    @property
    def copied(self) -> tuple[list[int], list[int]]:
        """UIDs out of COPYUID."""
        match = _COPYUID.search(self._all)
        return (sorted(numbers(match[1])), sorted(numbers(match[2]))) if match else ([], [])

    @property
    def _all(self) -> bytes:
        return b"".join((*(response.lines[0] for response in self.untagged), self.tagged))

    @property
    def codes(self) -> dict[bytes, int]:
        """Numbers of untagged OKs: UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ."""
        matches = (_CODE.match(response.lines[0]) for response in self.untagged)
        return {match[1]: int(match[2]) for match in matches if match}


def fetched(response: Response) -> Fetched | None:
    """See `Answer.fetched`."""
    text = b" ".join(response.lines)
    if not _FETCH.match(text):
        return None
    uid, flags, modseq = (pattern.search(text) for pattern in (_UID, _FLAGS, _MODSEQ))
    if uid is None or flags is None or modseq is None:
        return None
    return Fetched(int(uid[1]), frozenset(flags[1].split()) - {b"\\Recent"}, int(modseq[1]))


def numbers(text: bytes) -> set[int]:
    """A set of numbers, written out."""
    found: set[int] = set()
    for part in text.split(b","):
        low, _, high = part.partition(b":")
        found.update(range(int(low), int(high or low) + 1))
    return found


def uid_set(uids: Sequence[int]) -> bytes:
    """UIDs as they are sent."""
    return b",".join(b"%d" % uid for uid in uids)


@define
class Imap:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    _count: int = field(default=0, init=False)

    @classmethod
    async def connect(cls, site: Site) -> Imap:
        """Connect and read the greeting."""
        reader, writer = await asyncio.open_connection(site.host, site.imap_port, limit=_LONGEST_LINE)
        client = cls(reader, writer)
        try:
            await client.response()
        except BaseException:
            client.drop()
            raise
        return client

    async def enter(self, account: str, password: str) -> None:
        """LOGIN, and ENABLE QRESYNC. Raises `Refused`."""
        await self.ask(b'LOGIN %b "%b"' % (account.encode(), password.encode()))
        await self.ask(b"ENABLE QRESYNC")

    async def ask(self, command: bytes) -> Answer:
        """One command, up to its tagged OK. Raises `Refused`."""
        return await self.answer(await self.say(command))

    async def say(self, command: bytes) -> bytes:
        """Send a command, whose literals are LITERAL+; its tag."""
        self._count += 1
        tag = b"t%d" % self._count
        self.writer.write(b"%b %b\r\n" % (tag, command))
        await self.writer.drain()
        return tag

    async def answer(self, tag: bytes) -> Answer:
        """What came up to the tagged OK of this command. Raises `Refused`."""
        untagged = []
        while True:
            response = await self.response()
            line = response.lines[0]
            if line.startswith(tag + b" "):
                if not line.startswith(tag + b" OK"):
                    raise Refused(line.decode("latin-1"))
                return Answer(untagged, line)
            if b"[CLOSED]" in line:
                untagged.clear()  # it was about the mailbox that was selected before (RFC 7162 §3.2.11)
            untagged.append(response)

    async def response(self) -> Response:
        """The next one. Raises IncompleteReadError if there is none."""
        lines, literals = [], []
        async with asyncio.timeout(_PATIENCE):
            lines.append(await self.reader.readuntil(b"\r\n"))
            while match := _LITERAL.search(lines[-1]):
                literals.append(await self.reader.readexactly(int(match[1])))
                lines.append(await self.reader.readuntil(b"\r\n"))
        return Response(tuple(lines), tuple(literals))

    def drop(self) -> None:
        """Reset the connection without a word."""
        self.writer.transport.abort()
