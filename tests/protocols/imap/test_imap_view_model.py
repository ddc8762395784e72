"""What clients believe of a mailbox that several of them change, against the mailbox itself."""

from __future__ import annotations

import re
from typing import Any

import hypothesis.strategies as st
import pytest
from attrs import define, field
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.protocols.imap.conftest import ImapSite
from worldmail.mail.numbers import Numbers
from worldmail.protocols.imap.view import loading, rest, selected
from worldmail.protocols.imap.view.states import render_flags
from worldmail.store.messages import news
from worldmail.testing.imap import Answered, ImapClient, answered
from worldmail.testing.real_store import settle

FETCH = re.compile(rb"\* (\d+) (?:UID)?FETCH \((.*)\)\Z", re.DOTALL)
FLAGS = re.compile(rb"\bFLAGS \(([^)]*)\)")
UID = re.compile(rb"\bUID (\d+)")
VANISHED = re.compile(rb"\* VANISHED (\(EARLIER\) )?([0-9,:]+)\Z")

SETS = st.sampled_from([b"1", b"*", b"1:*", b"2:3", b"1,3", b"*:2", b"2,4:5"])
NAMES = st.sampled_from([b"\\Seen", b"\\Deleted", b"\\Flagged", b"one", b"Two"])
STYLES = (b"", b"CONDSTORE", b"QRESYNC", b"IMAP4REV2")


@define
class Message:
    """What a client knows of one message."""

    uid: int | None = None
    flags: frozenset[bytes] | None = None


@define
class Believer:
    """A client, and what it must believe after all it was told."""

    client: ImapClient
    messages: list[Message] = field(factory=list)
    idling: bool = False
    qresync: bool = False

    def say(self, command: bytes, *literals: bytes, numbers: bool = False) -> Answered:
        done = self.client.say(command, *literals)
        assert done.status in (b"OK", b"NO", b"BAD"), done
        self.hear(done.untagged, numbers=numbers)
        return done

    def hear(self, lines: list[bytes], *, numbers: bool = False) -> None:
        for line in lines:
            word = line.split(b" ")[2] if len(line.split(b" ")) > 2 else b""
            if word == b"EXISTS":
                total = int(line.split(b" ")[1])
                assert total >= len(self.messages), "EXISTS never takes messages away (RFC 9051 §7.4.1)"
                self.messages += [Message() for _ in range(total - len(self.messages))]
            elif word == b"EXPUNGE":
                assert not numbers, "no EXPUNGE while sequence numbers are in flight (RFC 9051 §7.5.1)"
                assert not self.qresync, "VANISHED, never EXPUNGE (RFC 7162 §3.2.10)"
                del self.messages[int(line.split(b" ")[1]) - 1]
            elif match := VANISHED.match(line):
                assert not numbers or match[1]
                for low, high in Numbers.parse(match[2]).clipped(1 << 31):
                    for uid in range(low, high + 1):
                        self.vanished(uid, earlier=bool(match[1]))
            elif match := FETCH.match(line):
                self.fetched(int(match[1]), match[2])

    def vanished(self, uid: int, *, earlier: bool) -> None:
        if earlier:
            return
        for at, message in enumerate(self.messages):
            if message.uid == uid:
                del self.messages[at]
                return
        # One of those between its neighbours, of which nothing but their number is known.
        after = next((at for at, known in enumerate(self.messages) if (known.uid or 0) > uid), len(self.messages))
        assert self.messages[after - 1].uid is None, f"{uid} was not there"
        del self.messages[after - 1]

    def fetched(self, number: int, items: bytes) -> None:
        message = self.messages[number - 1]
        if uid := UID.search(items):
            assert message.uid in (None, int(uid[1])), "the number is another message's"
            message.uid = int(uid[1])
        if flags := FLAGS.search(items):
            message.flags = frozenset(flags[1].split()) - {b"\\Recent"}

    def check(self, truth: list[tuple[int, frozenset[bytes]]]) -> None:
        assert len(self.messages) == len(truth), (self.messages, truth)
        for message, (uid, flags) in zip(self.messages, truth, strict=True):
            assert message.uid in (None, uid), (self.messages, truth)
            assert message.flags in (None, flags), (message, uid, flags)


class Views(RuleBasedStateMachine):
    """Some clients on one mailbox, and mail that arrives."""

    @initialize(styles=st.lists(st.sampled_from(STYLES), min_size=2, max_size=3), count=st.integers(0, 6))
    def begin(self, styles: list[bytes], count: int) -> None:
        self.site = ImapSite.make()
        self.bob = self.site.accounts["bob"]
        self.arrived = 0
        self.arrive(count)
        self.believers = []
        for style in styles:
            client = self.site.client()
            if style:
                client.say(b"ENABLE " + style)
            believer = Believer(client, qresync=style == b"QRESYNC")
            self.believers.append(believer)
            self.selected(believer)

    def selected(self, believer: Believer) -> None:
        """It selects INBOX, and knows from before what is in there, as a client does that keeps it."""
        believer.say(b"SELECT INBOX")
        believer.messages = [Message(uid, flags) for uid, flags in self.truth]

    def teardown(self) -> None:
        for believer in getattr(self, "believers", ()):
            believer.client.drop()
        if hasattr(self, "site"):
            settle(self.site.store.database.stop())

    @property
    def truth(self) -> list[tuple[int, frozenset[bytes]]]:
        status = self.site.store.status(self.bob)
        rows = settle(self.site.store.world.messages.tail(status.id, below=status.uidnext))
        return [(row.uid, frozenset(render_flags(row.flags, row.keywords).split())) for row in rows]

    def pick(self, which: int) -> Believer:
        believer = self.believers[which % len(self.believers)]
        if believer.idling:
            believer.hear(answered(believer.client.told(), b"-").untagged)
            believer.hear(believer.client.done().untagged)
            believer.idling = False
        return believer

    @rule(count=st.integers(1, 3))
    def arrive(self, count: int) -> None:
        for _ in range(count):
            self.arrived += 1
            self.site.store.add(self.bob, b"Subject: %d\r\n\r\ntext\r\n" % self.arrived)

    @rule(
        which=st.integers(0, 9),
        numbers=SETS,
        uid=st.booleans(),
        items=st.sampled_from([b"FLAGS", b"(UID FLAGS)", b"UID", b"(FLAGS BODY[])"]),
    )
    def fetch(self, which: int, numbers: bytes, uid: bool, items: bytes) -> None:
        self.pick(which).say((b"UID " if uid else b"") + b"FETCH %b %b" % (numbers, items), numbers=not uid)

    @rule(
        which=st.integers(0, 9),
        numbers=SETS,
        uid=st.booleans(),
        how=st.sampled_from([b"+", b"-", b""]),
        flags=st.lists(NAMES, max_size=2),
    )
    def store(self, which: int, numbers: bytes, uid: bool, how: bytes, flags: list[bytes]) -> None:
        command = b"STORE %b %bFLAGS (%b)" % (numbers, how, b" ".join(flags))
        self.pick(which).say((b"UID " if uid else b"") + command, numbers=not uid)

    @rule(which=st.integers(0, 9), flags=st.lists(NAMES, min_size=1, max_size=2), add=st.booleans())
    def store_silently(self, which: int, flags: list[bytes], add: bool) -> None:
        believer = self.pick(which)
        done = believer.say(b"STORE 1:* %bFLAGS.SILENT (%b)" % (b"+" if add else b"-", b" ".join(flags)), numbers=True)
        if done.status != b"OK":
            return
        told = {int(match[1]) for line in done.untagged if (match := FETCH.match(line)) and FLAGS.search(match[2])}
        for number, message in enumerate(believer.messages, 1):
            if message.flags is not None and number not in told:
                given = frozenset(flags)
                message.flags = message.flags | given if add else message.flags - given

    @rule(which=st.integers(0, 9), numbers=SETS)
    def mark_and_expunge(self, which: int, numbers: bytes) -> None:
        believer = self.pick(which)
        believer.say(b"STORE %b +FLAGS (\\Deleted)" % numbers, numbers=True)
        believer.say(b"EXPUNGE")

    @rule(
        which=st.integers(0, 9),
        numbers=SETS,
        word=st.sampled_from([b"MOVE", b"COPY", b"UID MOVE"]),
        to=st.sampled_from([b"Trash", b"INBOX"]),
    )
    def move(self, which: int, numbers: bytes, word: bytes, to: bytes) -> None:
        self.pick(which).say(b"%b %b %b" % (word, numbers, to))

    @rule(which=st.integers(0, 9))
    def append(self, which: int) -> None:
        self.pick(which).say(b"APPEND INBOX (\\Flagged) {+}", b"Subject: x\r\n\r\n")

    @rule(which=st.integers(0, 9))
    def idle(self, which: int) -> None:
        believer = self.pick(which)
        believer.idling = True
        believer.client.idle()
        output = believer.client.conductor.held.output[believer.client.seen :]
        believer.client.told()
        believer.hear(answered(output, b"-").untagged)

    @rule(which=st.integers(0, 9))
    def select_again(self, which: int) -> None:
        believer = self.pick(which)
        believer.say(b"UNSELECT")
        believer.messages.clear()
        self.selected(believer)

    @rule(which=st.integers(0, 9))
    def noop(self, which: int) -> None:
        believer = self.pick(which)
        believer.say(b"NOOP")
        believer.check(self.truth)

    @invariant()
    def who_idles_knows_all(self) -> None:
        for believer in getattr(self, "believers", ()):
            if believer.idling:
                believer.hear(answered(believer.client.told(), b"-").untagged)
                believer.check(self.truth)


class ViewsInParts(Views):
    """The same, where everything is much: it is loaded, looked up and told in parts of one or two messages."""

    LIMITS = (
        (selected, "TOLD_AT_ONCE", 2),
        (loading, "LOADED_AT_ONCE", 2),
        (rest, "MARKS_AT_ONCE", 1),
        (news, "FEW", 1),
        (news, "MARKS_AT_ONCE", 2),
        (news, "MOST_ARRIVED", 2),
    )

    @initialize(styles=st.lists(st.sampled_from(STYLES), min_size=2, max_size=3), count=st.integers(0, 9))
    def begin(self, styles: list[bytes], count: int) -> None:
        self.patch = pytest.MonkeyPatch()
        for module, name, most in self.LIMITS:
            self.patch.setattr(module, name, most)
        super().begin(styles, count)

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "patch"):
            self.patch.undo()


for views in (Views, ViewsInParts):
    views.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestViews: Any = Views.TestCase
TestViewsInParts: Any = ViewsInParts.TestCase
