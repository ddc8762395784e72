"""Random deliveries, removals, collections and restarts, against a model that a child could check."""

from __future__ import annotations

import shutil
import tempfile
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule

from worldmail.config.sections import StoreSettings
from worldmail.database.immediate import ImmediateDatabase
from worldmail.errors import RecipientGone
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.store import Acceptance
from worldmail.mail.address import Address
from worldmail.mail.envelope import Delivery, Envelope, Origin, Recipient
from worldmail.store import open_store, provision
from worldmail.store.derived import derived_here
from worldmail.testing.memory_contents import MemoryContents
from worldmail.testing.real_store import settle
from worldmail.testing.world import ManualClock

GRACE = 1000

_HELD = (
    "SELECT (SELECT count(*) FROM message r JOIN mailbox m ON m.id = r.mailbox_id WHERE m.account_id = ?)"
    " + (SELECT count(*) FROM expunged e JOIN mailbox m ON m.id = e.mailbox_id WHERE m.account_id = ?)"
)
_MISCOUNTED = (
    "SELECT m.id FROM mailbox m LEFT JOIN message r ON r.mailbox_id = m.id GROUP BY m.id"
    " HAVING m.messages <> count(r.uid) OR m.octets <> coalesce(sum(r.size), 0)"
)
_FORGOTTEN = (
    "SELECT c.id FROM content c WHERE NOT EXISTS (SELECT 1 FROM message x WHERE x.content_id = c.id)"
    " AND NOT EXISTS (SELECT 1 FROM orphan o WHERE o.content_id = c.id)"
)


async def collect_chunks(chunks: Any) -> bytes:
    return b"".join([chunk async for chunk in chunks])


class Mailboxes(RuleBasedStateMachine):
    """Two accounts; every message is one of a few contents, so that they share them."""

    boxes = Bundle("boxes")

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.mkdtemp()
        self.clock = ManualClock()
        self.database = ImmediateDatabase()
        self.database.start()
        self.contents = MemoryContents()
        options = StoreSettings(inline_limit=10, minimum_free=0, reserve=0, orphan_grace=GRACE)
        derived = derived_here(self.database, self.contents)  # without threads: what is collected is forgotten at once
        work: Any = None  # nothing is done behind the rules
        where = (options, self.directory, self.database, self.contents, self.clock, work)
        self.store = open_store(*where, derived=derived)
        self.model: dict[int, dict[int, bytes]] = {}
        self.uidnext: dict[int, int] = {}
        self.expunged: dict[int, dict[int, int]] = {}
        self.owner: dict[int, int] = {}
        self.seen_modseq: dict[int, int] = {}
        self.validities: set[int] = set()
        self.closed: list[int] = []
        self.accounts = 0

    def teardown(self) -> None:
        self.database.stop()
        shutil.rmtree(self.directory)

    @initialize()
    def domain(self) -> None:
        settle(
            self.database.write(
                lambda cursor: cursor.run("INSERT INTO domain (id, name, kind) VALUES (1, 'x.test', 'local')")
            )
        )

    @rule(target=boxes)
    def add_account(self) -> int:
        self.accounts += 1
        address = f"user{self.accounts}@x.test"

        def unit(cursor: Cursor) -> int:
            row = cursor.one(
                "INSERT INTO account (domain_id, address, name, enabled, generation, created, password, settings)"
                " VALUES (1, ?, '', 1, 1, 0, '', '{}') RETURNING id",
                (address,),
            )
            assert row is not None
            self.store.mailboxes.account_added(cursor, row[0])
            return row[0]

        account = settle(self.database.write(unit))
        for box in settle(self.store.mailboxes.mailboxes(account)):
            assert box.uidvalidity not in self.validities
            self.validities.add(box.uidvalidity)
        inbox = settle(self.store.mailboxes.status(account, "INBOX"))
        self.model[inbox.id], self.uidnext[inbox.id], self.expunged[inbox.id] = {}, 1, {}
        self.owner[inbox.id] = account
        self.seen_modseq[inbox.id] = inbox.highestmodseq
        return inbox.id

    @rule(box=consumes(boxes))
    def close_account(self, box: int) -> None:
        account = self.owner[box]
        settle(self.database.write(lambda cursor: self.store.mailboxes.account_closed(cursor, account)))
        with pytest.raises(RecipientGone):
            self.offer([box], b"a")
        assert self.status(box) is None
        self.closed.append(account)
        for kept in (self.owner, self.model, self.uidnext, self.expunged, self.seen_modseq):
            del kept[box]

    @precondition(lambda self: self.closed)
    @rule(most=st.integers(1, 3))
    def remove_a_slice_of_a_closed_account(self, most: int) -> None:
        account = self.closed[0]
        before = self.held(account)

        def unit(cursor: Cursor) -> bool:
            gone = self.store.mailboxes.account_removed(cursor, account)
            if gone:
                cursor.run("DELETE FROM account WHERE id = ?", (account,))
            return gone

        with patch.object(provision, "SLICE", most):
            if settle(self.database.write(unit)):
                self.closed.pop(0)
        assert before - most <= self.held(account) <= before

    def held(self, account: int) -> int:
        """How many messages and records of expunged ones lie in the mailboxes of an account."""
        ((held,),) = settle(self.database.read(lambda cursor: cursor.all(_HELD, (account, account))))
        return held

    @rule(
        boxes=st.lists(boxes, unique=True, min_size=1, max_size=3), text=st.sampled_from([b"a", b"b" * 30, b"c" * 31])
    )
    def deliver(self, boxes: list[int], text: bytes) -> None:
        self.offer(boxes, text)
        for box in boxes:
            self.model[box][self.uidnext[box]] = text
            self.uidnext[box] += 1

    def offer(self, boxes: list[int], text: bytes) -> None:
        writer = self.store.acceptance.writer()
        writer.write(text)
        recipient = Recipient(address=Address.parse("r@x.test"))
        acceptance = Acceptance(
            id=self.store.acceptance.new_id(),
            received=int(self.clock.now()),
            envelope=Envelope(sender=None, recipients=(recipient,)),
            origin=Origin(session="s", protocol="ESMTP", client="192.0.2.1"),
            content=settle(writer.finish()),
            deliveries=tuple(Delivery(account_id=self.owner[box], recipient=recipient) for box in boxes),
            message_id=None,
        )
        settle(self.store.acceptance.accept(acceptance))

    @rule(box=boxes, uids=st.sets(st.integers(1, 8), max_size=4))
    def expunge(self, box: int, uids: set[int]) -> None:
        gone = uids & self.model[box].keys()
        assert settle(self.store.mailboxes.expunge(box, uids)) == gone
        status = self.status(box)
        for uid in gone:
            del self.model[box][uid]
            self.expunged[box][uid] = status.highestmodseq

    @rule(seconds=st.sampled_from([1, GRACE // 2, GRACE * 2]))
    def let_time_pass(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule()
    def collect(self) -> None:
        settle(self.store.collector.collect(int(self.clock.now())))

    @rule()
    def sweep(self) -> None:
        settle(self.store.collector.sweep(int(self.clock.now())))

    def status(self, box: int) -> Any:
        return settle(self.store.mailboxes.status(self.owner[box], "INBOX"))

    @invariant()
    def every_mailbox_is_as_the_model_says(self) -> None:
        for box, messages in self.model.items():
            status = self.status(box)
            rows = settle(self.store.mailboxes.messages(box))
            assert [row.uid for row in rows] == sorted(messages)
            texts = [settle(collect_chunks(self.store.mailboxes.content(row)))[len(row.prefix) :] for row in rows]
            assert texts == [messages[uid] for uid in sorted(messages)]
            assert (status.messages, status.octets) == (len(rows), sum(row.size for row in rows))
            assert status.uidnext == self.uidnext[box]
            assert status.highestmodseq >= max([row.arrived for row in rows], default=0)
            assert status.highestmodseq >= self.seen_modseq[box]
            self.seen_modseq[box] = status.highestmodseq

    @invariant()
    def what_was_expunged_is_remembered_with_its_modseq(self) -> None:
        for box, expunged in self.expunged.items():
            for modseq in {0, *expunged.values()}:
                found = settle(self.store.mailboxes.expunged_since(box, modseq))
                assert found == sorted(uid for uid, when in expunged.items() if when > modseq)

    @invariant()
    def mailboxes_of_closed_accounts_count_what_they_have(self) -> None:
        assert settle(self.database.read(lambda cursor: cursor.all(_MISCOUNTED))) == []

    @invariant()
    def content_that_nothing_refers_to_is_noted(self) -> None:
        assert settle(self.database.read(lambda cursor: cursor.all(_FORGOTTEN))) == []


Mailboxes.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestMailboxes = Mailboxes.TestCase
