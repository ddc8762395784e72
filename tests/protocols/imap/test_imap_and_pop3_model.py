"""Two IMAP sessions, a POP3 session, mail that arrives, and a client that comes and goes, on one mailbox; and a model.

What clients believe by number is another test's (test_imap_view_model.py). Here it is what the mailbox holds.
"""

from __future__ import annotations

import re
from typing import Any

import hypothesis.strategies as st
from attrs import define, evolve, field
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.protocols.imap.conftest import ImapSite
from worldmail.mail.numbers import Numbers
from worldmail.protocols.pop3.sessions import Sessions, make_site
from worldmail.protocols.pop3.settings import Pop3Settings
from worldmail.testing.feeding import Conductor, settle
from worldmail.testing.imap import Answered, ImapClient
from worldmail.testing.pop3 import Pop3Client

FETCH = re.compile(rb"\* \d+ FETCH \((.*)\)\Z", re.DOTALL)
UID = re.compile(rb"\bUID (\d+)")
FLAGS = re.compile(rb"\bFLAGS \(([^)]*)\)")
MODSEQ = re.compile(rb"\bMODSEQ \((\d+)\)")
CODE = re.compile(rb"\* OK \[(UIDVALIDITY|UIDNEXT|HIGHESTMODSEQ) (\d+)\]")
VANISHED = re.compile(rb"\* VANISHED (?:\(EARLIER\) )?([0-9,:]+)\Z")
COPYUID = re.compile(rb"COPYUID \d+ [0-9,:]+ ([0-9,:]+)")
DELETED = b"\\Deleted"
KEYS = {b"SEEN": b"\\Seen", b"DELETED": DELETED, b"FLAGGED": b"\\Flagged", b"KEYWORD one": b"one"}

flag_sets = st.frozensets(st.sampled_from(sorted(KEYS.values())), max_size=2)
picks = st.frozensets(st.integers(0, 11), min_size=1, max_size=4)
sessions = st.integers(0, 1)


@define
class Held:
    """One message of the model: what its octets end with, and its flags."""

    content: bytes
    flags: frozenset[bytes] = frozenset()


@define
class Box:
    """One mailbox of the model."""

    uidnext: int = 1
    held: dict[int, Held] = field(factory=dict)

    def add(self, *messages: Held) -> list[int]:
        uids = list(range(self.uidnext, self.uidnext + len(messages)))
        self.held.update(zip(uids, messages, strict=True))
        self.uidnext += len(messages)
        return uids


@define
class Marks:
    """What one POP3 session saw, and has marked."""

    client: Pop3Client
    seen: list[tuple[int, bytes]]
    marked: set[int] = field(factory=set)


@define
class Absent:
    """What a client with QRESYNC kept when it went."""

    uidvalidity: int
    modseq: int
    flags: dict[int, frozenset[bytes]]


def expanded(text: bytes) -> list[int]:
    return [uid for low, high in Numbers.parse(text).clipped(1 << 31) for uid in range(low, high + 1)]


def told(done: Answered) -> dict[int, tuple[frozenset[bytes], int]]:
    """Flags and MODSEQ by UID."""
    found = {}
    for line in done.untagged:
        match = FETCH.match(line)
        if match and (uid := UID.search(match[1])) and (flags := FLAGS.search(match[1])):
            modseq = MODSEQ.search(match[1])
            found[int(uid[1])] = (frozenset(flags[1].split()) - {b"\\Recent"}, int(modseq[1]) if modseq else 0)
    return found


def vanished(done: Answered) -> set[int]:
    return {uid for line in done.untagged if (match := VANISHED.match(line)) for uid in expanded(match[1])}


class OneMailbox(RuleBasedStateMachine):
    """All of them on bob's INBOX; what is moved or copied goes to his Trash."""

    @initialize(count=st.integers(0, 5))
    def begin(self, count: int) -> None:
        self.site = ImapSite.make()
        self.bob = self.site.accounts["bob"]
        self.number = 0
        self.inbox, self.trash = Box(), Box()
        for _ in range(count):
            self.deliver()
        self.clients = [self.site.client(), self.site.client()]
        self.clients[1].say(b"ENABLE QRESYNC")
        for client in self.clients:
            client.say(b"SELECT INBOX")
        self.pop3: Marks | None = None
        self.modseqs: dict[int, tuple[int, frozenset[bytes]]] = {}
        self.absent = self.leave()

    def teardown(self) -> None:
        if not hasattr(self, "clients"):
            return
        for client in self.clients:
            client.drop()
        if self.pop3 is not None:
            self.pop3.client.drop()
        settle(self.site.store.database.stop())

    def content(self) -> bytes:
        self.number += 1
        return b"Subject: %d\r\n\r\ntext %d\r\n" % (self.number, self.number)

    def chosen(self, which: int, picked: frozenset[int]) -> tuple[ImapClient, list[int]]:
        """A session that knows all there is, and some UIDs, of which some may be none."""
        client = self.clients[which]
        client.say(b"NOOP")
        here = sorted(self.inbox.held)
        return client, sorted({here[at] if at < len(here) else self.inbox.uidnext + at for at in picked})

    def ok(self, client: ImapClient, command: bytes, *literals: bytes) -> Answered:
        done = client.say(command, *literals)
        assert done.status == b"OK", done
        return done

    # --- mail that comes ---

    @rule()
    def deliver(self) -> None:
        content = self.content()
        self.site.deliver("bob", content)
        self.inbox.add(Held(content))

    @rule(which=sessions, flags=flag_sets, count=st.integers(1, 3))
    def append(self, which: int, flags: frozenset[bytes], count: int) -> None:
        contents = [self.content() for _ in range(count)]
        command = b"APPEND INBOX" + b" (%b) {+}" % b" ".join(sorted(flags)) * count
        done = self.ok(self.clients[which], command, *contents)
        uids = self.inbox.add(*(Held(content, flags) for content in contents))
        assert done.code is not None and expanded(done.code.split(b" ")[2]) == uids

    # --- what the IMAP sessions do ---

    @rule(which=sessions, picked=picks, how=st.sampled_from([b"+", b"-", b""]), flags=flag_sets, silent=st.booleans())
    def store(self, which: int, picked: frozenset[int], how: bytes, flags: frozenset[bytes], silent: bool) -> None:
        client, uids = self.chosen(which, picked)
        named = b",".join(b"%d" % uid for uid in uids)
        word = b"FLAGS.SILENT" if silent else b"FLAGS"
        done = self.ok(client, b"UID STORE %b %b%b (%b)" % (named, how, word, b" ".join(sorted(flags))))
        answered = told(done)
        for uid in uids:
            if (held := self.inbox.held.get(uid)) is None:
                continue
            held.flags = {b"+": held.flags | flags, b"-": held.flags - flags, b"": flags}[how]
            if not silent:
                assert answered[uid][0] == held.flags

    @rule(which=sessions, picked=picks)
    def expunge_some(self, which: int, picked: frozenset[int]) -> None:
        client, uids = self.chosen(which, picked)
        self.ok(client, b"UID EXPUNGE %b" % b",".join(b"%d" % uid for uid in uids))
        for uid in uids:
            if uid in self.inbox.held and DELETED in self.inbox.held[uid].flags:
                del self.inbox.held[uid]

    @rule(which=sessions)
    def expunge(self, which: int) -> None:
        self.ok(self.clients[which], b"EXPUNGE")
        self.inbox.held = {uid: held for uid, held in self.inbox.held.items() if DELETED not in held.flags}

    @rule(which=sessions, picked=picks, move=st.booleans(), itself=st.booleans())
    def copy(self, which: int, picked: frozenset[int], move: bool, itself: bool) -> None:
        client, uids = self.chosen(which, picked)
        target, name = (self.inbox, b"INBOX") if itself else (self.trash, b"Trash")
        word = b"MOVE" if move else b"COPY"
        done = self.ok(client, b"UID %b %b %b" % (word, b",".join(b"%d" % uid for uid in uids), name))
        here = [uid for uid in uids if uid in self.inbox.held]
        new = target.add(*(evolve(self.inbox.held[uid]) for uid in here))
        if move:
            for uid in here:
                del self.inbox.held[uid]
        match = COPYUID.search(done.raw)
        assert (expanded(match[1]) if match else []) == new

    @rule(which=sessions, key=st.sampled_from(sorted(KEYS)), other=st.sampled_from(sorted(KEYS)))
    def search(self, which: int, key: bytes, other: bytes) -> None:
        client = self.clients[which]
        client.say(b"NOOP")
        done = self.ok(client, b"UID SEARCH OR %b NOT %b" % (key, other))
        (line,) = done.of(b"SEARCH")
        flags = {uid: held.flags for uid, held in self.inbox.held.items()}
        wanted = [uid for uid in sorted(flags) if KEYS[key] in flags[uid] or KEYS[other] not in flags[uid]]
        assert [int(uid) for uid in line.split()[2:]] == wanted

    @rule(which=sessions, text=st.integers(1, 12))
    def search_text(self, which: int, text: int) -> None:
        client = self.clients[which]
        client.say(b"NOOP")
        (line,) = self.ok(client, b'UID SEARCH BODY "text %d"' % text).of(b"SEARCH")
        wanted = [uid for uid, held in sorted(self.inbox.held.items()) if b"text %d" % text in held.content]
        assert [int(uid) for uid in line.split()[2:]] == wanted

    @rule(which=sessions)
    def fetch(self, which: int) -> None:
        client = self.clients[which]
        client.say(b"NOOP")
        done = self.ok(client, b"UID FETCH 1:* (FLAGS MODSEQ BODY.PEEK[])")
        bodies = {int(uid[1]): line for line in done.of(b"FETCH") if (uid := UID.search(line))}
        assert bodies.keys() == self.inbox.held.keys()
        for uid, held in self.inbox.held.items():
            assert held.content in bodies[uid]
        self.grow(told(done))

    def grow(self, now: dict[int, tuple[frozenset[bytes], int]]) -> None:
        """Flags are those of the model; a MODSEQ grows when they change, and never falls (RFC 7162 §3.1)."""
        assert {uid: flags for uid, (flags, _) in now.items()} == {
            uid: held.flags for uid, held in self.inbox.held.items()
        }
        for uid, (flags, modseq) in now.items():
            before, had = self.modseqs.get(uid, (0, flags))
            assert modseq > before or (modseq == before and flags == had), (uid, before, had, modseq, flags)
            self.modseqs[uid] = (modseq, flags)

    # --- what the POP3 session does ---

    @precondition(lambda self: self.pop3 is None)
    @rule()
    def sign_in(self) -> None:
        site = make_site(self.site.store.world, Pop3Settings())
        conductor = Conductor(dialogue=Sessions(site)(), peer=self.site.server.peer)
        settle(conductor.open())
        client = Pop3Client(conductor=conductor).login()
        count, _ = client.say(b"STAT").split()[1:3]
        here = [(uid, held.content) for uid, held in sorted(self.inbox.held.items())]
        assert int(count) == len(here)
        self.pop3 = Marks(client, here)

    @precondition(lambda self: self.pop3 is not None and self.pop3.seen)
    @rule(at=st.integers(0, 11))
    def retrieve(self, at: int) -> None:
        assert self.pop3 is not None
        number = at % len(self.pop3.seen) + 1
        uid, content = self.pop3.seen[number - 1]
        if uid in self.pop3.marked:
            return
        answer = self.pop3.client.say(b"RETR %d" % number)
        if answer.startswith(b"+OK"):  # content that is gone from the mailbox stays for a while
            assert answer.endswith(content + b".\r\n")
        else:
            assert uid not in self.inbox.held, answer

    @precondition(lambda self: self.pop3 is not None and self.pop3.seen)
    @rule(picked=picks)
    def mark(self, picked: frozenset[int]) -> None:
        assert self.pop3 is not None
        for at in picked:
            uid, _ = self.pop3.seen[at % len(self.pop3.seen)]
            if self.pop3.client.say(b"DELE %d" % (at % len(self.pop3.seen) + 1)).startswith(b"+OK"):
                self.pop3.marked.add(uid)

    @precondition(lambda self: self.pop3 is not None)
    @rule(how=st.sampled_from(["quit", "quit", "reset", "drop"]))
    def sign_out(self, how: str) -> None:
        assert self.pop3 is not None
        if how == "drop":
            self.pop3.client.drop()
        else:
            if how == "reset":
                self.pop3.client.say(b"RSET")
                self.pop3.marked.clear()
            assert self.pop3.client.say(b"QUIT").startswith(b"+OK")
            for uid in self.pop3.marked:
                self.inbox.held.pop(uid, None)
        self.pop3 = None

    # --- the client that comes and goes ---

    def leave(self) -> Absent:
        """Look at everything once, and remember it."""
        client = self.site.client()
        self.ok(client, b"ENABLE QRESYNC")
        done = self.ok(client, b"SELECT INBOX")
        codes = {match[1]: int(match[2]) for line in done.untagged if (match := CODE.match(line))}
        now = told(self.ok(client, b"UID FETCH 1:* (FLAGS MODSEQ)"))
        client.drop()
        self.grow(now)
        assert codes[b"UIDNEXT"] == self.inbox.uidnext
        assert all(modseq <= codes[b"HIGHESTMODSEQ"] for _, modseq in now.values())
        flags = {uid: flags for uid, (flags, _) in now.items()}
        return Absent(codes[b"UIDVALIDITY"], codes[b"HIGHESTMODSEQ"], flags)

    @rule(known=st.booleans())
    def come_back(self, known: bool) -> None:
        """It is told what changed while it was away, and nothing else (RFC 7162 §3.2.5)."""
        was, client = self.absent, self.site.client()
        self.ok(client, b"ENABLE QRESYNC")
        uids = b" " + b",".join(b"%d" % uid for uid in sorted(was.flags)) if known and was.flags else b""
        done = self.ok(client, b"SELECT INBOX (QRESYNC (%d %d%b))" % (was.uidvalidity, was.modseq, uids))
        client.drop()
        now = told(done)
        self.absent = self.leave()
        gone = was.flags.keys() - self.inbox.held.keys()
        assert vanished(done) & was.flags.keys() == gone
        assert not vanished(done) & self.inbox.held.keys()
        # One that names the UIDs that it knows is told of no others, and asks for what is new by itself.
        about = self.inbox.held.keys() & was.flags.keys() if uids else self.inbox.held.keys()
        assert now.keys() == {uid for uid in about if self.modseqs[uid][0] > was.modseq}
        after = {uid: flags for uid, flags in was.flags.items() if uid not in gone}
        after.update((uid, flags) for uid, (flags, _) in now.items())
        assert after == {uid: flags for uid, flags in self.absent.flags.items() if uid in about}

    # --- always ---

    @invariant()
    def the_mailboxes_count_right(self) -> None:
        if not hasattr(self, "clients"):
            return
        for name, box in (("INBOX", self.inbox), ("Trash", self.trash)):
            status = self.site.store.status(self.bob, name)
            assert (status.messages, status.uidnext) == (len(box.held), box.uidnext)


OneMailbox.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestOneMailbox: Any = OneMailbox.TestCase
