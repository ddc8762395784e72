"""STATUS and its items."""

from __future__ import annotations

from typing import Any

import pytest

from worldmail.interfaces.messages import Flag
from worldmail.testing.imap import ImapClient

MAIL = b"Subject: x\r\n\r\ntext\r\n"


def test_every_item_tells_what_it_is_for(bob: ImapClient, site: Any) -> None:
    account = site.accounts["bob"]
    site.store.add(account, MAIL, MAIL)
    site.store.add(account, MAIL, flags=Flag.SEEN)
    site.store.add(account, MAIL + MAIL, flags=Flag.DELETED)
    status = site.store.status(account)
    asked = b"MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN DELETED DELETED-STORAGE SIZE MAILBOXID APPENDLIMIT"
    sizes = 5 * len(MAIL)
    assert bob.say(b"STATUS inbox (" + asked + b")").untagged == [
        b"* STATUS INBOX (MESSAGES 4 RECENT 4 UIDNEXT 5 UIDVALIDITY %d UNSEEN 3 DELETED 1 DELETED-STORAGE %d"
        b" SIZE %d MAILBOXID (F%d) APPENDLIMIT %d)"
        % (status.uidvalidity, 2 * len(MAIL), sizes, status.id, bob.session.append_limit)
    ]


def test_HIGHESTMODSEQ_grows_and_turns_CONDSTORE_on(bob: ImapClient, site: Any) -> None:
    assert "CONDSTORE" not in bob.session.enabled
    (before,) = bob.say(b"STATUS INBOX (HIGHESTMODSEQ)").untagged
    assert "CONDSTORE" in bob.session.enabled
    site.store.add(site.accounts["bob"], MAIL)
    (after,) = bob.say(b"STATUS INBOX (HIGHESTMODSEQ)").untagged
    assert int(after[:-1].split()[-1]) > int(before[:-1].split()[-1])


def test_RECENT_counts_what_no_session_was_told_of(bob: ImapClient, site: Any) -> None:
    account = site.accounts["bob"]
    site.store.add(account, MAIL, MAIL, MAIL)
    folder = site.store.status(account)
    assert bob.say(b"STATUS INBOX (RECENT)").untagged == [b"* STATUS INBOX (RECENT 3)"]
    _settled(site.store.world.messages.expunge(folder.id, ((2, 2),), deleted_only=False))
    assert bob.say(b"STATUS INBOX (RECENT)").untagged == [b"* STATUS INBOX (RECENT 2)"]
    _settled(site.store.world.messages.take_recent(folder.id))
    assert bob.say(b"STATUS INBOX (RECENT)").untagged == [b"* STATUS INBOX (RECENT 0)"]


def test_IMAP4rev2_knows_no_RECENT(bob: ImapClient, site: Any) -> None:
    site.store.add(site.accounts["bob"], MAIL)
    bob.session.enable("IMAP4REV2")
    assert bob.say(b"STATUS INBOX (MESSAGES RECENT)").untagged == [b"* STATUS INBOX (MESSAGES 1 RECENT 0)"]


def test_an_item_that_stands_twice_is_told_once(bob: ImapClient) -> None:
    assert bob.say(b"STATUS INBOX (messages MESSAGES)").untagged == [b"* STATUS INBOX (MESSAGES 0)"]


def test_a_reader_of_a_shared_mailbox_has_what_it_has_not_seen_itself(
    site: Any, bob: ImapClient, ann: ImapClient
) -> None:
    bob.say(b"CREATE Ours")
    bob.say(b"SETACL Ours ann@example.test lrs")
    site.store.add(site.accounts["bob"], MAIL, MAIL, mailbox="Ours", flags=Flag.SEEN)
    assert bob.say(b"STATUS Ours (UNSEEN)").untagged == [b"* STATUS Ours (UNSEEN 0)"]
    shared = b'"Other Users/bob@example.test/Ours"'
    assert ann.say(b"STATUS " + shared + b" (UNSEEN)").untagged == [b"* STATUS " + shared + b" (UNSEEN 2)"]


@pytest.mark.parametrize(
    "name", [b"none", b'"Other Users"', b'"Other Users/ann@example.test/INBOX"', b'"Shared Folders/x"']
)
def test_what_is_not_there_has_no_status(bob: ImapClient, name: bytes) -> None:
    answer = bob.say(b"STATUS " + name + b" (MESSAGES)")
    assert (answer.status, answer.code) == (b"NO", b"NONEXISTENT")


@pytest.mark.parametrize(
    "rest", [b"", b" INBOX", b" INBOX ()", b" INBOX MESSAGES", b" INBOX (WEATHER)", b" INBOX (MESSAGES) x"]
)
def test_what_is_no_STATUS_is_BAD(bob: ImapClient, rest: bytes) -> None:
    assert bob.say(b"STATUS" + rest).status == b"BAD"


def _settled(awaitable: Any) -> None:
    for _ in awaitable.__await__():
        raise AssertionError("it waits")
