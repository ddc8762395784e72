"""Whatever others do: who believes what NOTIFY tells knows which mailboxes there are and what is in them."""

from __future__ import annotations

import re

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from worldmail.testing.imap import ImapClient, ImapServer, responses
from worldmail.testing.real_store import RealStoreWorld

MAIL = b"Subject: x\r\n\r\n"
EVENTS = b"(MailboxName SubscriptionChange MessageNew MessageExpunge FlagChange)"
LIST = re.compile(rb'\* LIST \(([^)]*)\) "/" (\S+)(?: \("OLDNAME" \((\S+)\)\))?')
STATUS = re.compile(rb"\* STATUS (\S+) \(([^)]*)\)")

verbs = st.sampled_from(["CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE", "add", "flag", "expunge"])
names = st.sampled_from([b"INBOX", b"a", b"b", b"a/c", b"b/c", b"a/c/d"])


def _later() -> None:
    """The driver is busy."""


class Believer:
    """A client that knows nothing but what it is told."""

    def __init__(self) -> None:
        self.mailboxes: set[bytes] = set()
        self.subscribed: set[bytes] = set()
        self.counts: dict[bytes, dict[bytes, int]] = {}

    def hear(self, line: bytes) -> None:
        """One untagged response."""
        if found := LIST.fullmatch(line):
            self._listed(found[2], set(found[1].split()), found[3])
        elif found := STATUS.fullmatch(line):
            words = found[2].split()
            counts = dict(zip(words[::2], map(int, words[1::2]), strict=True))
            self.counts.setdefault(found[1], {}).update(counts)

    def _listed(self, name: bytes, attributes: set[bytes], oldname: bytes | None) -> None:
        if oldname is not None:
            self._renamed(oldname, name)
        elif name not in self.mailboxes:
            self.counts[name] = {}
        change = self.mailboxes.discard if b"\\NonExistent" in attributes else self.mailboxes.add
        change(name)
        subscribe = self.subscribed.add if b"\\Subscribed" in attributes else self.subscribed.discard
        subscribe(name)

    def _renamed(self, old: bytes, new: bytes) -> None:
        """What is there takes the place of what was there."""
        moved = {each for each in self.mailboxes if each == old or (each.startswith(old + b"/") and old != b"INBOX")}
        pairs = {each: new + each[len(old) :] for each in moved}
        counts = {pairs[each]: self.counts.pop(each, {}) for each in moved}
        self.counts.update(counts)
        self.mailboxes = (self.mailboxes - moved) | set(pairs.values())
        if old == b"INBOX":
            self.mailboxes.add(b"INBOX")


class Notify(RuleBasedStateMachine):
    """Bob at one place does things, Bob at another place hears of them."""

    @initialize()
    def begin(self) -> None:
        self.store = RealStoreWorld.make()
        account = self.store.add_account("bob@example.test", "secret")
        self.account = account
        server = ImapServer.over(self.store.world)
        self.actor: ImapClient = server.connect().login()
        self.hearer: ImapClient = server.connect().login()
        self.believer = Believer()
        for line in self.hearer.say(b'LIST "" * RETURN (SUBSCRIBED)').untagged:
            self.believer.hear(line)
        for line in self.hearer.say(b"NOTIFY SET STATUS (PERSONAL " + EVENTS + b")").untagged:
            self.believer.hear(line)
        self.hearer.told()

    @rule(steps=st.lists(st.tuples(verbs, names, names), min_size=1, max_size=6), busy=st.booleans())
    def do(self, steps: list[tuple[str, bytes, bytes]], busy: bool) -> None:
        """Some things; if the driver is busy the hearer is told of all of them together."""
        peer = self.hearer.conductor.peer
        if busy:
            peer.wake = _later
        for verb, name, to in steps:
            self.do_one(verb, name, to)
        if busy:
            peer.wake = self.hearer.woken
            self.hearer.seen = len(self.hearer.conductor.held.output)
            self.hearer.woken()
        for line in responses(self.hearer.told()):
            self.believer.hear(line)

    @rule(ring=st.lists(names.filter(b"INBOX".__ne__), min_size=2, max_size=3, unique=True), between=verbs, name=names)
    def turn(self, ring: list[bytes], between: str, name: bytes) -> None:
        """Mailboxes change names with each other, and the hearer is told of it as one."""
        steps = [("CREATE", each, b"") for each in ring]
        steps += [("add", each, each) for each in ring]
        self.do(steps=steps, busy=False)
        turned = [("RENAME", old, new) for old, new in zip([*ring, b"t"], [b"t", *ring], strict=True)]
        self.do(steps=[*turned[:-1], (between, name, ring[0]), turned[-1]], busy=True)
        self.do(steps=[("DELETE", b"t", b"")], busy=False)

    def do_one(self, verb: str, name: bytes, to: bytes) -> None:
        actor = self.actor
        if verb == "add":
            if name in self.truth():
                self.store.add(self.account, *[MAIL] * len(to), mailbox=name.decode())
        elif verb in ("flag", "expunge"):
            if actor.say(b"SELECT " + name).status == b"OK":
                flag = b"\\Deleted" if verb == "expunge" or b"/" in to else b"\\Seen"
                actor.say(b"UID STORE %d %bFLAGS (%b)" % (len(to), b"+" if b"a" in to else b"-", flag))
                actor.say(b"CLOSE" if verb == "expunge" else b"UNSELECT")
        else:
            actor.say(verb.encode() + b" " + name + (b" " + to if verb == "RENAME" else b""))

    def truth(self) -> set[bytes]:
        found = (LIST.fullmatch(line) for line in self.actor.say(b'LIST "" *').untagged)
        return {one[2] for one in found if one is not None and b"\\NonExistent" not in one[1]}

    @invariant()
    def what_is_believed_is_true(self) -> None:
        if not hasattr(self, "store"):
            return
        assert self.believer.mailboxes == self.truth()
        subscribed = {line.split(b" ")[-1] for line in self.actor.say(b'LSUB "" *').untagged}
        assert self.believer.subscribed == subscribed
        for name in self.believer.mailboxes:
            believed = self.believer.counts.get(name) or {}
            (line,) = self.actor.say(b"STATUS " + name + b" (MESSAGES UIDNEXT UNSEEN)").untagged
            found = STATUS.fullmatch(line)
            assert found is not None
            words = found[2].split()
            true = dict(zip(words[::2], map(int, words[1::2]), strict=True))
            # Of a mailbox that was made and has nothing in it nothing is told.
            assert believed.get(b"MESSAGES", 0) == true[b"MESSAGES"], name
            assert believed.get(b"UIDNEXT", 1) == true[b"UIDNEXT"] or not believed, name
            if b"UNSEEN" in believed:
                assert believed[b"UNSEEN"] == true[b"UNSEEN"], name


TestNotify = Notify.TestCase
TestNotify.settings = settings(max_examples=60, stateful_step_count=12, deadline=None)
