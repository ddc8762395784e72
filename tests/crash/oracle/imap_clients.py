"""IMAP clients of one account: one changes two mailboxes, one looks on and remembers."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable, Iterator, Sequence

from attrs import define, field, frozen

from oracle import boxes
from oracle.boxes import DELETED, Boxes, Change, Held
from oracle.imap import Answer, Imap, Refused, uid_set
from oracle.letters import make_letter
from oracle.site import Site
from oracle.witness import Cache, Witness

FLAGS = (b"\\Seen", b"\\Flagged", b"\\Answered", b"\\Draft", b"$Forwarded", b"one", DELETED)
CHANGED = ("Sent", "Trash")
WATCHED = ("INBOX", *CHANGED)
_FLAGS = b"UID FETCH 1:* (FLAGS MODSEQ)"
_EVERYTHING = b"UID FETCH 1:* (FLAGS MODSEQ ENVELOPE BODY.PEEK[])"
_RETRY = 0.02
_GONE = (OSError, asyncio.IncompleteReadError, TimeoutError)
_MOST = 25


@define(kw_only=True)
class Book:
    """What is known of an account's mailboxes, across all crashes."""

    site: Site
    account: str
    boxes: Boxes = field(factory=lambda: Boxes.empty(*CHANGED))
    caches: dict[str, Cache] = field(init=False)
    wrong: set[str] = field(factory=set)
    answered: int = 0
    checks: int = 0

    def __attrs_post_init__(self) -> None:
        self.caches = {name: Cache(Witness(name)) for name in WATCHED}

    @property
    def breaches(self) -> list[tuple[str, str]]:
        """Everything that was wrong: kind and detail."""
        wrong = self.wrong.union(*(cache.witness.wrong for cache in self.caches.values()))
        return sorted((kind, detail) for kind, _, detail in (text.partition(": ") for text in wrong))

    async def enter(self) -> Imap:
        """A session with QRESYNC."""
        client = await Imap.connect(self.site)
        try:
            await client.enter(self.account, self.site.password)
        except BaseException:
            client.drop()
            raise
        return client

    async def check(self, client: Imap, names: Sequence[str] = CHANGED) -> None:
        """Nobody changes these mailboxes now: they hold what they must, and a client that comes back learns of it."""
        found = {name: await self._check_one(client, name) for name in names}
        self.wrong.update(self.boxes.settle({name: found[name] for name in CHANGED}))
        self.checks += 1

    async def _check_one(self, client: Imap, name: str) -> boxes.Box:
        cache = self.caches[name].copied
        selected = await client.ask(b"SELECT %b%b" % (name.encode(), cache.parameter))
        cache.witness.opened(selected)
        truth = {told.uid: told for told in (await client.ask(_FLAGS)).fetched}
        for told in truth.values():
            cache.witness.truth(told)
        if cache.modseq:
            cache.compare(selected, truth)
        everything = await self._everything(client, name)
        digests = dict(self._read(everything, cache.witness))
        for uid in truth.keys() - digests.keys():
            self.wrong.add(f"unreadable: {name}: UID {uid}")
        await self._search(client, name, everything)
        held = {uid: Held(digest=digests.get(uid, b""), flags=told.flags) for uid, told in truth.items()}
        return boxes.Box(selected.codes[b"UIDNEXT"], held)

    async def _everything(self, client: Imap, name: str) -> Answer:
        try:
            return await client.ask(_EVERYTHING)
        except Refused as refused:
            if "[UNAVAILABLE]" not in str(refused):
                self.wrong.add(f"unreadable: {name}: {refused}")
            raise

    async def _search(self, client: Imap, name: str, everything: Answer) -> None:
        """Words of the last message are found in it, and in its copies alone."""
        texts = {int(told.uid): body for told, body in zip(everything.fetched, _bodies(everything), strict=False)}
        if not texts:
            return
        words = texts[max(texts)].partition(b"\r\n\r\n")[2][10:50]
        found = (await client.ask(b'UID SEARCH BODY "%b"' % words)).found
        expected = {uid for uid, octets in texts.items() if words in octets}
        if found != expected:
            self.wrong.add(f"derived: {name}: UIDs {sorted(found)} are found, should be {sorted(expected)}")

    def _read(self, answer: Answer, witness: Witness) -> Iterator[tuple[int, bytes]]:
        """UIDs and digests; derived data is held against the octets that it was derived from."""
        told = (response for response in answer.untagged if b" FETCH (" in response.lines[0])
        for one, response in zip(answer.fetched, told, strict=True):
            octets = response.after(b"BODY[]")
            if octets is None:
                continue
            digest = hashlib.sha256(octets).digest()
            witness.read(one.uid, digest)
            yield one.uid, digest
            message_id = octets.partition(b"\r\nMessage-ID: ")[2].partition(b"\r\n")[0]
            if b'"%b"' % message_id not in b"".join(response.lines):
                self.wrong.add(f"derived: {witness.name}: the ENVELOPE of UID {one.uid} is another message's")


@frozen
class Command:
    """What is sent, and what it does."""

    line: bytes
    change: Change
    proves: Callable[[Answer, object], bool] = lambda answer, given: True


@define(kw_only=True)
class Mover:
    """Changes the mailboxes: some commands at a time, of which it waits for none but the last."""

    book: Book
    name: str
    chance: random.Random
    _count: int = field(default=0, init=False)
    _selected: str = field(default="", init=False)

    async def run(self) -> None:
        """For ever; the end is cancellation."""
        while True:
            try:
                await self._session()
            except (*_GONE, Refused):
                pass
            await asyncio.sleep(_RETRY)

    async def _session(self) -> None:
        client = await self.book.enter()
        try:
            await self.book.check(client)
            self._selected = CHANGED[-1]
            while True:
                await self._some(client)
                await asyncio.sleep(self.chance.uniform(0, 0.01))
        finally:
            client.drop()

    async def _some(self, client: Imap) -> None:
        sent: list[tuple[bytes, Command]] = []
        for _ in range(self.chance.randrange(1, 4)):
            for command in self._commands():
                self.book.boxes.pending.append(command.change)
                sent.append((await client.say(command.line), command))
        refused: Refused | None = None
        for tag, command in sent:
            try:
                answer = await client.answer(tag)
            except Refused as reply:
                self.book.boxes.undone()
                refused = reply
                continue
            given = self.book.boxes.done()
            self.book.answered += 1
            if not command.proves(answer, given):
                self.book.wrong.add(f"answer: {command.line[:60]!r} gave {answer.tagged!r}, should be {given}")
        if refused is not None:
            raise refused  # which mailbox is selected is not sure any more

    def _commands(self) -> Iterator[Command]:
        """The next one, after the SELECT that it takes."""
        state = self.book.boxes.ahead
        source, target = self.chance.sample(CHANGED, 2)
        here = sorted(state[source].held)
        kind = self.chance.random()
        if not here or (kind < 0.3 and len(here) < _MOST):
            yield self._append(source, self.chance.choice((1, 1, 1, 3)))
            return
        if self._selected != source:
            self._selected = source
            yield Command(b"SELECT %b" % source.encode(), boxes.no_change)
        chosen = sorted(self.chance.sample(here, min(len(here), self.chance.randrange(1, 6))))
        if len(here) >= _MOST:
            yield from self._expunge(source, here[::2])
        elif kind < 0.55:
            yield self._store(source, chosen)
        elif kind < 0.85:
            yield self._copy(source, chosen, target, move=kind < 0.75 or len(state[target].held) >= _MOST)
        elif kind < 0.9:
            yield self._replace(source, chosen[0])
        else:
            yield from self._expunge(source, chosen)

    def _append(self, box: str, count: int) -> Command:
        line, messages = b"APPEND %b" % box.encode(), []
        for _ in range(count):
            held, part = self._message()
            messages.append(held)
            line += part
        return Command(line, boxes.append(box, *messages), lambda answer, uids: answer.appended == uids)

    def _replace(self, box: str, uid: int) -> Command:
        held, part = self._message()
        line = b"UID REPLACE %d %b%b" % (uid, box.encode(), part)
        return Command(line, boxes.replace(box, uid, held))

    def _message(self) -> tuple[Held, bytes]:
        """One message, and how it is said."""
        self._count += 1
        account, token = self.book.account, f"{self.name}-{self._count}"
        size = self.chance.choice((400, 1000, 2000, 4000, 9000, self.chance.randrange(1000, 150_000)))
        octets = make_letter(token, "imap@load.test", (account,), size, self.chance).octets
        flags = frozenset(self.chance.sample(FLAGS[:-1], self.chance.randrange(0, 3)))
        part = b" (%b) {%d+}\r\n%b" % (b" ".join(sorted(flags)), len(octets), octets)
        return Held(digest=hashlib.sha256(octets).digest(), flags=flags), part

    def _store(self, box: str, uids: Sequence[int]) -> Command:
        how = self.chance.choice((b"+", b"-", b""))
        flags = frozenset(self.chance.sample(FLAGS, self.chance.randrange(1, 4)))
        silent = b".SILENT" if self.chance.random() < 0.3 else b""
        line = b"UID STORE %b %bFLAGS%b (%b)" % (uid_set(uids), how, silent, b" ".join(sorted(flags)))
        return Command(line, boxes.store(box, uids, how, flags), self._heard(box))

    def _copy(self, box: str, uids: Sequence[int], target: str, *, move: bool) -> Command:
        line = b"UID %b %b %b" % (b"MOVE" if move else b"COPY", uid_set(uids), target.encode())
        return Command(line, boxes.copy(box, uids, target, move=move), lambda answer, uids: answer.copied == uids)

    def _expunge(self, box: str, uids: Sequence[int]) -> Iterator[Command]:
        marked = b"UID STORE %b +FLAGS (\\Deleted)" % uid_set(uids)
        yield Command(marked, boxes.store(box, uids, b"+", frozenset([DELETED])), self._heard(box))
        if self.chance.random() < 0.5:
            yield Command(b"UID EXPUNGE %b" % uid_set(uids), boxes.expunge(box, uids))
        else:
            yield Command(b"EXPUNGE", boxes.expunge(box))

    def _heard(self, box: str) -> Callable[[Answer, object], bool]:
        """What was told of flags is remembered."""

        def heard(answer: Answer, given: object) -> bool:
            self.book.caches[box].witness.heard(answer)
            return True

        return heard


@define(kw_only=True)
class Observer:
    """Looks into one mailbox after the other, as a client does that keeps what it knew."""

    book: Book
    chance: random.Random

    async def run(self) -> None:
        """For ever; the end is cancellation."""
        while True:
            try:
                await self._session()
            except (*_GONE, Refused):
                pass
            await asyncio.sleep(_RETRY)

    async def _session(self) -> None:
        client = await self.book.enter()
        try:
            while True:
                await self._look(client, self.chance.choice(WATCHED))
        finally:
            client.drop()

    async def _look(self, client: Imap, name: str) -> None:
        cache = self.book.caches[name]
        selected = await client.ask(b"SELECT %b%b" % (name.encode(), cache.parameter))
        cache.hear(selected)
        if not cache.modseq:
            cache.flags.clear()
            cache.hear(await client.ask(_FLAGS))
        cache.opened(selected)
        for _ in range(self.chance.randrange(4)):
            await asyncio.sleep(self.chance.uniform(0, 0.05))
            cache.hear(await client.ask(b"NOOP"))


def _bodies(answer: Answer) -> Iterator[bytes]:
    """Of the messages that were fetched."""
    for response in answer.untagged:
        if b" FETCH (" in response.lines[0]:
            yield response.after(b"BODY[]") or b""


async def check_all(books: Sequence[Book]) -> None:
    """While nobody changes anything: every mailbox of them, the INBOX among them."""
    for book in books:
        client = await _patiently(book)
        try:
            await book.check(client, WATCHED)
        except (*_GONE, Refused) as error:
            book.wrong.add(f"unreadable: {book.account}: {error!r}")
        finally:
            client.drop()


async def _patiently(book: Book) -> Imap:
    for attempt in range(100):
        try:
            return await book.enter()
        except (*_GONE, Refused):
            await asyncio.sleep(_RETRY * (1 + attempt))
    raise AssertionError(f"nobody can sign in as {book.account}")
