"""Random changes of two mailboxes, against a model in dictionaries; and observers that look in now and then."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from attrs import define, evolve, field, frozen
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from worldmail.errors import MessageGone
from worldmail.interfaces.messages import Alike, FlagChange, Marked, There, Uids
from worldmail.store.messages.asked import expanded, ranges
from worldmail.store.messages.forgetting import Forgetting
from worldmail.testing.real_store import RealStoreWorld, settle

SEEN, FLAGGED, DELETED, DRAFT = 1, 4, 8, 16
BOXES = ("INBOX", "Trash")
READER = 2

boxes = st.sampled_from(BOXES)
flag_sets = st.sets(st.sampled_from([SEEN, FLAGGED, DELETED, DRAFT]), max_size=3).map(sum)
keyword_sets = st.lists(st.sampled_from(["a", "A", "b", "B", "$C"]), max_size=3).map(tuple)
uid_ranges = st.sets(st.integers(1, 14), max_size=9).map(lambda uids: ranges(sorted(uids)))
readers = st.sampled_from([None, None, READER])


@frozen(kw_only=True)
class Message:
    """One message of the model. `flags` as the owner sees them, `own` whether the reader has seen it."""

    content: bytes
    flags: int
    keywords: frozenset[str]
    modseq: int
    own: bool = False

    def shown(self, reader: int | None) -> int:
        return self.flags if reader is None else self.flags & ~SEEN | self.own


@define(kw_only=True)
class Box:
    """One mailbox of the model."""

    id: int
    uidnext: int = 1
    modseq: int = 1
    messages: dict[int, Message] = field(factory=dict)
    spelling: dict[str, str] = field(factory=dict)

    def spelled(self, keywords: Any, *, add: bool = True) -> frozenset[str]:
        if add:
            for keyword in keywords:
                self.spelling.setdefault(keyword.lower(), keyword)
        return frozenset(self.spelling[word.lower()] for word in keywords if word.lower() in self.spelling)

    def add(self, content: bytes, flags: int, keywords: Any, modseq: int, reader: int | None = None) -> int:
        own = reader is not None and bool(flags & SEEN)
        flags = flags & ~SEEN if own else flags
        uid, self.uidnext = self.uidnext, self.uidnext + 1
        words = self.spelled(keywords)
        self.messages[uid] = Message(content=content, flags=flags, keywords=words, modseq=modseq, own=own)
        return uid

    def among(self, uids: Uids) -> list[int]:
        return [uid for uid in expanded(uids) if uid in self.messages]

    def marked(self, uid: int, reader: int | None = None) -> Marked:
        message = self.messages[uid]
        return Marked(uid, message.shown(reader), " ".join(sorted(message.keywords)) or None, message.modseq)


@define(kw_only=True, eq=False)
class Observer:
    """A session, or a client that comes back: what it knows of a mailbox."""

    box: str
    reader: int | None
    uidnext: int
    modseq: int
    known: dict[int, tuple[int, str | None]]


class Messages(RuleBasedStateMachine):
    observers = Bundle("observers")

    def __init__(self) -> None:
        super().__init__()
        self.site = RealStoreWorld.make(inline_limit=20)
        self.account = self.site.add_account("bob@example.test")
        self.site.add_account("reader@example.test")
        self.store = self.site.store.messages
        self.model = {name: Box(id=self.site.status(self.account, name).id) for name in BOXES}
        self.contents = 0

    def teardown(self) -> None:
        self.site.database.stop()

    def content(self) -> bytes:
        self.contents += 1
        return b"%d\r\n" % self.contents * (self.contents % 3 * 5 + 1)

    @rule(name=boxes, flags=flag_sets, keywords=keyword_sets, number=st.integers(1, 3), reader=readers)
    def append(self, name: str, flags: int, keywords: tuple[str, ...], number: int, reader: int | None) -> None:
        box = self.model[name]
        contents = [self.content() for _ in range(number)]
        given = {"flags": flags, "keywords": keywords, "reader": reader}
        done = settle(self.store.append(box.id, [self.site.appending(content, **given) for content in contents]))
        box.modseq += 1
        uids = [box.add(content, flags, keywords, box.modseq, reader) for content in contents]
        assert [*expanded(done.uids)] == uids

    @rule(
        name=boxes,
        uids=uid_ranges | st.just([(1, 1000)]),
        how=st.sampled_from(["add", "remove", "replace"]),
        flags=flag_sets,
        keywords=keyword_sets,
        reader=readers,
        back=st.none() | st.integers(0, 3),
        allowed=st.sampled_from([31, 31, 31 & ~DELETED]),
        known=st.sampled_from([None, 0, 0, 1]),
    )
    def store_flags(
        self,
        name: str,
        uids: Uids,
        how: Any,
        flags: int,
        keywords: tuple[str, ...],
        reader: int | None,
        back: int | None,
        allowed: int,
        known: int | None,
    ) -> None:
        """`known`: how old it is what is known of the messages; what is not of now is wrong."""
        box = self.model[name]
        bound = None if back is None else box.modseq - back
        change = FlagChange(
            how=how, flags=flags, keywords=keywords, unchanged_since=bound, allowed=allowed, reader=reader
        )
        there = box.among(uids)
        told = None
        if known is not None:
            told = There(modseq=box.modseq - known, uids=[*range(1, 15)] if known else there)
        done = settle(self.store.change_flags(box.id, uids, change, told))
        modified = [uid for uid in there if bound is not None and box.messages[uid].modseq > bound]
        touched = [uid for uid in there if uid not in modified]
        words = box.spelled(keywords, add=how != "remove" and bool(touched))
        changed = False
        for uid in touched:
            message = box.messages[uid]
            after = self.changed(message, how, flags & allowed, allowed, words, reader)
            if after != message:
                changed = True
                box.messages[uid] = evolve(after, modseq=box.modseq + 1)
        previous, box.modseq = box.modseq, box.modseq + changed
        assert (done.previous, done.modseq, done.modified) == (previous, box.modseq, modified)
        assert done.uids == touched
        assert self.told(box, done.now) == [box.marked(uid, reader) for uid in touched]

    @staticmethod
    def told(box: Box, found: Sequence[Alike]) -> list[Marked]:
        """What they say of the messages that are there."""
        assert all(one.last < other.first for one, other in pairwise(found))
        marks = []
        for first, last, flags, keywords, modseq in found:
            those = [uid for uid in box.messages if first <= uid <= last]
            marks += [Marked(uid, flags, keywords, modseq or box.messages[uid].modseq) for uid in those]
        return marks

    @staticmethod
    def changed(
        message: Message, how: str, flags: int, allowed: int, words: frozenset[str], reader: int | None
    ) -> Message:
        shown = message.shown(reader)
        if how == "add":
            shown, words = shown | flags, message.keywords | words
        elif how == "remove":
            shown, words = shown & ~flags, message.keywords - words
        else:
            shown = shown & ~allowed | flags
        if reader is None:
            return evolve(message, flags=shown, keywords=words)
        return evolve(message, flags=shown & ~SEEN | message.flags & SEEN, keywords=words, own=bool(shown & SEEN))

    @rule(source=boxes, into=boxes, uids=uid_ranges, move=st.booleans(), reader=readers, words=st.booleans())
    def copy(self, source: str, into: str, uids: Uids, move: bool, reader: int | None, words: bool) -> None:
        here, there = self.model[source], self.model[into]
        flags = FlagChange(how="replace", reader=reader, keywords_allowed=words)
        verb = self.store.move if move else self.store.copy
        done = settle(verb(here.id, uids, there.id, flags=flags))
        gone = here.among(uids)
        came = []
        for uid in gone:
            message = here.messages[uid]
            keywords = sorted(message.keywords) if words else ()
            came.append(there.add(message.content, message.shown(reader), keywords, there.modseq + 1, reader))
        for uid in gone if move else ():
            del here.messages[uid]
        for box in {source: here, into: there}.values() if move else (there,):
            box.modseq += bool(gone)
        assert ([*expanded(done.source)], [*expanded(done.target)]) == (gone, came)

    @rule(name=boxes, uids=uid_ranges, deleted_only=st.booleans())
    def expunge(self, name: str, uids: Uids, deleted_only: bool) -> None:
        box = self.model[name]
        gone = [uid for uid in box.among(uids) if not deleted_only or box.messages[uid].flags & DELETED]
        assert [*expanded(settle(self.store.expunge(box.id, uids, deleted_only=deleted_only)))] == gone
        for uid in gone:
            del box.messages[uid]
        box.modseq += bool(gone)

    @rule(name=boxes, uids=uid_ranges)
    def expunge_as_POP3_does(self, name: str, uids: Uids) -> None:
        box = self.model[name]
        gone = box.among(uids)
        assert settle(self.site.store.mailboxes.expunge(box.id, [*expanded(uids)])) == {*gone}
        for uid in gone:
            del box.messages[uid]
        box.modseq += bool(gone)

    @rule(source=boxes, into=boxes, uid=st.integers(1, 14), flags=flag_sets)
    def replace(self, source: str, into: str, uid: int, flags: int) -> None:
        here, there = self.model[source], self.model[into]
        content = self.content()
        attempt = self.store.replace(here.id, uid, there.id, self.site.appending(content, flags=flags))
        if uid not in here.messages:
            try:
                settle(attempt)
            except MessageGone:
                return
            raise AssertionError("it replaced what is not there")
        came = there.add(content, flags, (), there.modseq + 1)
        assert settle(attempt).uids == [(came, came)]
        del here.messages[uid]
        for box in {source: here, into: there}.values():
            box.modseq += 1

    @rule(kept=st.integers(0, 3))
    def forget(self, kept: int) -> None:
        settle(Forgetting(database=self.site.database, kept=kept).forget())

    @rule()
    def collect(self) -> None:
        settle(self.site.store.collector.collect(1 << 40))

    @rule(target=observers, name=boxes, reader=readers)
    def begin_to_observe(self, name: str, reader: int | None) -> Observer:
        box = self.model[name]
        marks = [box.marked(uid, reader) for uid in box.messages]
        known = {mark.uid: (mark.flags, mark.keywords) for mark in marks}
        return Observer(box=name, reader=reader, uidnext=box.uidnext, modseq=box.modseq, known=known)

    @rule(observer=observers)
    def look_in(self, observer: Observer) -> None:
        """As a session does."""
        box = self.model[observer.box]
        told = settle(
            self.store.changes(box.id, since=observer.modseq, uidnext=observer.uidnext, reader=observer.reader)
        )
        if told is None:
            assert observer.modseq < self.forgotten(box)
            self.come_back(observer)
            return
        assert all(mark.uid >= observer.uidnext for mark in told.arrived)
        assert all(alike.last < observer.uidnext for alike in told.changed)
        assert (told.came, told.further) == (len(told.arrived), None)
        for uid in told.expunged:
            observer.known.pop(uid, None)
        for alike in told.changed:
            for uid in observer.known:
                if alike.first <= uid <= alike.last:
                    observer.known[uid] = (alike.flags, alike.keywords)
        for mark in told.arrived:
            assert mark.uid not in observer.known
            observer.known[mark.uid] = (mark.flags, mark.keywords)
        observer.uidnext, observer.modseq = told.uidnext, told.highestmodseq
        assert told.messages == len(observer.known)
        self.knows_all(observer)

    @rule(observer=observers)
    def come_back(self, observer: Observer) -> None:
        """As a client with QRESYNC does (RFC 7162 §3.2.5)."""
        box = self.model[observer.box]
        known = ranges(sorted(observer.known))
        gone = [*expanded(settle(self.store.vanished(box.id, modseq=observer.modseq, uids=known)))]
        assert {*gone} <= observer.known.keys()
        for uid in gone:
            del observer.known[uid]
        everything = [(1, 1 << 32)]
        for mark in settle(self.store.since(box.id, modseq=observer.modseq, uids=everything, reader=observer.reader)):
            observer.known[mark.uid] = (mark.flags, mark.keywords)
        observer.uidnext, observer.modseq = box.uidnext, box.modseq
        self.knows_all(observer)

    def knows_all(self, observer: Observer) -> None:
        box = self.model[observer.box]
        marks = [box.marked(uid, observer.reader) for uid in box.messages]
        assert observer.known == {mark.uid: (mark.flags, mark.keywords) for mark in marks}
        assert (observer.uidnext, observer.modseq) == (box.uidnext, box.modseq)

    def forgotten(self, box: Box) -> int:
        (forgotten,) = self.row(f"SELECT forgotten FROM mailbox WHERE id = {box.id}")
        return int(forgotten)

    def row(self, sql: str) -> Any:
        return settle(self.site.database.read(lambda cursor: cursor.one(sql)))

    @invariant()
    def every_mailbox_is_as_the_model_says(self) -> None:
        for name, box in self.model.items():
            for reader in (None, READER):
                marks = settle(self.store.tail(box.id, below=1 << 40, reader=reader))
                assert marks == [box.marked(uid, reader) for uid in sorted(box.messages)]
            status = self.site.status(self.account, name)
            messages = box.messages.values()
            assert (status.uidnext, status.highestmodseq) == (box.uidnext, box.modseq)
            assert (status.messages, status.octets) == (len(messages), sum(len(each.content) for each in messages))
            counted = self.row(f"SELECT seen, deleted, deleted_octets FROM mailbox WHERE id = {box.id}")
            deleted = [each for each in messages if each.flags & DELETED]
            assert counted == (
                sum(each.flags & SEEN for each in messages),
                len(deleted),
                sum(len(each.content) for each in deleted),
            )

    @invariant()
    def marks_do_not_overlap_and_are_no_more_than_the_messages(self) -> None:
        for box in self.model.values():
            sql = f"SELECT first, last, modseq FROM mark WHERE mailbox_id = {box.id} ORDER BY first"
            rows = settle(self.site.database.read(lambda cursor, sql=sql: cursor.all(sql)))
            assert all(first <= last < box.uidnext and modseq <= box.modseq for first, last, modseq in rows)
            assert all(one[1] < other[0] for one, other in pairwise(rows))
            assert len(rows) <= len(box.messages)

    @invariant()
    def every_message_has_its_octets(self) -> None:
        for box in self.model.values():
            for uid, size, octets, _ in settle(self.store.octets(box.id, [(1, 1 << 32)])):
                content = box.messages[uid].content
                assert (size, octets) == (len(content), content if len(content) <= 20 else None)
                assert settle(self.whole(box.id, uid)) == content

    async def whole(self, mailbox_id: int, uid: int) -> bytes:
        return b"".join([chunk async for chunk in self.store.read(mailbox_id, uid)])

    @invariant()
    def nothing_is_left_of_what_went(self) -> None:
        left = (
            "SELECT (SELECT count(*) FROM mark k WHERE NOT EXISTS (SELECT 1 FROM message m"
            " WHERE m.mailbox_id = k.mailbox_id AND m.uid BETWEEN k.first AND k.last)),"
            " (SELECT count(*) FROM seen s WHERE NOT EXISTS (SELECT 1 FROM message m"
            " WHERE m.mailbox_id = s.mailbox_id AND m.uid = s.uid)),"
            " (SELECT count(*) FROM content c WHERE NOT EXISTS (SELECT 1 FROM message m WHERE m.content_id = c.id)"
            " AND NOT EXISTS (SELECT 1 FROM orphan o WHERE o.content_id = c.id))"
        )
        assert self.row(left) == (0, 0, 0)


Messages.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestMessages = Messages.TestCase
