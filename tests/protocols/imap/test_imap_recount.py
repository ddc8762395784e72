"""Whatever comes and goes by IMAP, POP3, SMTP and the administrator: what is counted is what is there."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any

import pytest

from tests.protocols.imap.conftest import ImapSite
from worldmail.errors import OverQuota, RecipientGone
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.store import Acceptance
from worldmail.mail.address import Address
from worldmail.mail.envelope import Delivery, Envelope, Origin, Recipient
from worldmail.store import provision
from worldmail.store.folders import removing
from worldmail.store.quota import recount_domain
from worldmail.testing.imap import ImapClient
from worldmail.testing.real_store import settle
from worldmail.testing.recount import faults

NAMES = (
    b"INBOX",
    b"Trash",
    b"a",
    b"b",
    b"a/c",
    b"d",
    b'"Other Users/bob@example.test/a"',
    b'"Other Users/ann@example.test/b"',
)
FLAGS = (b"\\Seen", b"\\Deleted", b"\\Flagged", b"\\Seen \\Deleted", b"Word", b"\\Answered wOrd")
RIGHTS = (b"lrswipkxtea", b"lrs", b"lrswite", b"lri", b"p", b'""')
PEOPLE = ("bob", "ann")
IDENTIFIERS = (b"ann@example.test", b"bob@example.test", b"anyone", b"-ann@example.test")


class Actors:
    """Two people who do anything, each at one place, and all that happens to them."""

    def __init__(self, seed: int) -> None:
        self.site = ImapSite.make()
        self.random = random.Random(seed)
        self.store = self.site.store
        self.clients = {name: self.site.client(name) for name in PEOPLE}

    def client(self) -> ImapClient:
        name = self.random.choice(PEOPLE)
        if self.clients[name].closed is not None:
            self.clients[name] = self.site.client(name)
        return self.clients[name]

    def name(self) -> bytes:
        return self.random.choice(NAMES)

    def some(self) -> bytes:
        low = self.random.randint(1, 12)
        return b"%d:%d" % (low, low + self.random.randint(0, 6))

    def octets(self) -> bytes:
        """One of few messages, so that they meet."""
        return b"Subject: %d\r\n\r\n" % self.random.randint(1, 5) + b"text\r\n" * self.random.randint(1, 4)

    def imap(self) -> None:
        client, any_of = self.client(), self.random.choice
        flags, sign = any_of(FLAGS), any_of((b"+", b"-", b""))
        command, *literals = any_of(
            (
                (b"SELECT %b" % self.name(),),
                (b"SELECT %b" % self.name(),),
                (b"SELECT INBOX",),
                (b"APPEND %b (%b) {}" % (self.name(), flags), self.octets()),
                (b"APPEND %b (%b) {}" % (self.name(), flags), self.octets()),
                (b"APPEND %b (%b) {} (\\Deleted) {+}" % (self.name(), flags), self.octets(), self.octets()),
                (b"UID COPY %b %b" % (self.some(), self.name()),),
                (b"UID MOVE %b %b" % (self.some(), self.name()),),
                (b"UID STORE %b %bFLAGS (%b)" % (self.some(), sign, flags),),
                (b"UID STORE %b %bFLAGS (%b)" % (self.some(), sign, flags),),
                (any_of((b"EXPUNGE", b"CLOSE", b"UID EXPUNGE 1:*", b"UID FETCH 1:* BODY[]")),),
                (b"UID REPLACE %d %b {}" % (self.random.randint(1, 12), self.name()), self.octets()),
                (b"CREATE %b" % self.name(),),
                (b"DELETE %b" % self.name(),),
                (b"RENAME %b %b" % (self.name(), self.name()),),
                (b"SETACL %b %b %b" % (self.name(), any_of(IDENTIFIERS), any_of(RIGHTS)),),
            )
        )
        client.say(command, *literals)

    def deliver(self) -> None:
        """Mail to some mailboxes; for two of one account as well, as a sieve might."""
        acceptance = self.store.world.acceptance
        writer = acceptance.writer()
        writer.write(self.octets() * self.random.choice((1, 1, 6000)))
        recipients = [Recipient(address=self.site.accounts[name].address) for name in PEOPLE]
        deliveries = [
            Delivery(account_id=self.site.accounts[name].id, recipient=recipient, mailbox=box)
            for name, recipient in zip(PEOPLE, recipients, strict=True)
            for box in ("INBOX", "a", "Junk")
            if self.random.random() < 0.5
        ]
        with suppress(OverQuota, RecipientGone):
            settle(
                acceptance.accept(
                    Acceptance(
                        id=acceptance.new_id(),
                        received=1,
                        envelope=Envelope(sender=Address.parse("x@example.test"), recipients=tuple(recipients)),
                        origin=Origin(session="s", protocol="ESMTP", client="192.0.2.1"),
                        content=settle(writer.finish()),
                        deliveries=tuple(deliveries),
                        message_id=None,
                        unrepeatable=self.random.random() < 0.5,
                    )
                )
            )

    def pop3(self) -> None:
        inbox = self.store.status(self.site.accounts[self.random.choice(PEOPLE)]).id
        settle(self.store.world.mailboxes.expunge(inbox, [self.random.randint(1, 12) for _ in range(3)]))

    def administrator(self) -> None:
        quota = self.random.choice((None, 2000, 1 << 40))
        account = self.site.accounts[self.random.choice(PEOPLE)]

        def unit(cursor: Cursor) -> None:
            if self.random.random() < 0.5:
                cursor.run("UPDATE account SET quota = ? WHERE id = ?", (quota, account.id))
            else:
                cursor.run("UPDATE domain SET quota = ? WHERE name = 'example.test'", (quota,))
                recount_domain(cursor, 1)

        settle(self.store.database.write(unit))

    def remove(self, name: str) -> None:
        """Remove an account, in slices, with what else happens in between."""
        account = self.site.accounts[name]
        participants = self.store.store.participants

        def close(cursor: Cursor) -> None:
            cursor.run("UPDATE account SET enabled = -1, address = ? WHERE id = ?", (f"\x01{account.id}", account.id))
            for each in participants:
                each.account_closed(cursor, account.id)

        def clear(cursor: Cursor) -> bool:
            return sum(each.account_removed(cursor, account.id) for each in participants) == len(participants)

        settle(self.store.database.write(close))
        self.check()
        while not settle(self.store.database.write(clear)):
            self.check()
        settle(self.store.database.write(lambda cursor: cursor.run("DELETE FROM account WHERE id = ?", (account.id,))))

    def check(self) -> None:
        assert settle(self.store.database.read(faults)) == []

    def collected(self) -> None:
        """What nothing refers to goes, all of it, and nothing else."""
        settle(self.store.store.collector.collect(1 << 40))
        self.check()
        rows: Any = settle(
            self.store.database.read(
                lambda cursor: cursor.all("SELECT place FROM content WHERE id IN (SELECT content_id FROM message)")
            )
        )
        every: Any = settle(self.store.database.read(lambda cursor: cursor.all("SELECT place FROM content")))
        assert sorted(map(str, rows)) == sorted(map(str, every))
        assert settle(self.store.contents.places(1 << 60)) is not None
        assert {place for (place,) in every if place} == set(settle(self.store.contents.places(1 << 60)))


@pytest.mark.parametrize("seed", range(6))
def test_all_that_is_counted_is_there(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (provision, removing):
        monkeypatch.setattr(module, "SLICE", 4)  # in which nothing ends where messages with the same flags do
    actors = Actors(seed)
    for turn in range(250):
        match actors.random.randint(0, 9):
            case 0 | 1:
                actors.deliver()
            case 2:
                actors.pop3()
            case 3:
                actors.administrator()
            case _:
                actors.imap()
        actors.check()
        if turn % 50 == 49:
            actors.collected()
    actors.remove("bob")
    actors.check()
    actors.collected()
