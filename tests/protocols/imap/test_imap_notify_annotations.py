"""NOTIFY: which annotations changed (RFC 5465 §5.6, §5.7)."""

from __future__ import annotations

import pytest

from tests.protocols.imap.conftest import ImapSite
from worldmail.protocols.imap.notify import annotations as known
from worldmail.testing.imap import ImapClient, responses

MAIL = b"Subject: x\r\n\r\n"


def told(client: ImapClient) -> list[bytes]:
    return responses(client.told())


def notify(client: ImapClient, what: bytes) -> None:
    """Give NOTIFY SET and look at nothing of it."""
    assert client.say(b"NOTIFY SET " + what).status == b"OK"
    client.told()


@pytest.fixture
def other(site: ImapSite) -> ImapClient:
    """Bob at another place."""
    return site.client()


def test_annotations_that_change_are_named(bob: ImapClient, other: ImapClient) -> None:
    other.say(b'SETMETADATA INBOX (/private/a "1" /private/b "1")')
    notify(bob, b"(MAILBOXES INBOX (MailboxMetadataChange))")
    other.say(b'SETMETADATA INBOX (/private/a "1" /private/c "2" /private/b NIL)')
    assert told(bob) == [b"* METADATA INBOX /private/b /private/c"]
    other.say(b'SETMETADATA Sent (/private/a "1")')
    assert told(bob) == []


def test_a_special_use_that_changes_is_an_annotation_that_does(bob: ImapClient, other: ImapClient) -> None:
    notify(bob, b"(MAILBOXES Sent (MailboxMetadataChange))")
    other.say(b"SETMETADATA Sent (/private/specialuse NIL)")
    assert told(bob) == [b"* METADATA Sent /private/specialuse"]


def test_annotations_of_the_server_that_change_are_named(bob: ImapClient, other: ImapClient, ann: ImapClient) -> None:
    notify(bob, b"(MAILBOXES INBOX (ServerMetadataChange))")
    other.say(b'SETMETADATA "" (/private/comment "x")')
    assert told(bob) == [b'* METADATA "" /private/comment']
    ann.say(b'SETMETADATA "" (/private/comment "x")')
    assert told(bob) == []


def test_annotations_of_a_mailbox_that_is_renamed_or_hidden_are_not_told_as_changed(
    bob: ImapClient, ann: ImapClient
) -> None:
    for command in (b"CREATE a", b"SETACL a ann@example.test lr", b'SETMETADATA a (/shared/comment "x")'):
        assert bob.say(command).status == b"OK"
    ann.say(b'NOTIFY SET (subtree "Other Users" (MailboxName MailboxMetadataChange MessageNew MessageExpunge))')
    ann.told()
    bob.say(b"RENAME a b")
    assert b"METADATA" not in ann.told()
    bob.say(b'SETMETADATA b (/shared/comment "y")')
    assert b'* METADATA "Other Users/bob@example.test/b" /shared/comment\r\n' in ann.told()
    bob.say(b"SETACL b ann@example.test l")
    assert b"METADATA" not in ann.told()


@pytest.mark.parametrize("left", [b"l", b"-lr"])
def test_annotations_that_may_be_seen_again_are_told_if_they_changed_meanwhile(
    bob: ImapClient, ann: ImapClient, site: ImapSite, left: bytes
) -> None:
    for command in (b"CREATE a", b"SETACL a ann@example.test lr", b'SETMETADATA a (/shared/comment "x" /shared/b "x")'):
        assert bob.say(command).status == b"OK"
    ann.say(b'NOTIFY SET (subtree "Other Users" (MailboxName MailboxMetadataChange MessageNew MessageExpunge))')
    ann.told()
    for value, told_of in ((b"x", b""), (b"y", b" /shared/comment"), (b"y", b"")):
        bob.say(b"SETACL a ann@example.test " + left)
        bob.say(b'SETMETADATA a (/shared/comment "%b")' % value)
        assert b"METADATA" not in ann.told()
        bob.say(b"SETACL a ann@example.test lr")
        site.store.add(site.accounts["bob"], MAIL, mailbox="a")
        lines = [line for line in told(ann) if b"METADATA" in line]
        assert lines == ([b'* METADATA "Other Users/bob@example.test/a"' + told_of] if told_of else [])


def test_annotations_of_a_mailbox_that_is_new_are_told_with_it(bob: ImapClient, ann: ImapClient) -> None:
    bob.say(b"CREATE a")
    bob.say(b'SETMETADATA a (/shared/comment "x")')
    ann.say(b'NOTIFY SET (subtree "Other Users" (MailboxName MailboxMetadataChange))')
    ann.told()
    bob.say(b"SETACL a ann@example.test lr")
    assert told(ann)[-1] == b'* METADATA "Other Users/bob@example.test/a" /shared/comment'


def test_what_is_known_of_annotations_has_a_bound(
    bob: ImapClient, other: ImapClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "MOST_KEPT", 2)
    for name in (b"a", b"b", b"c", b"d"):
        other.say(b"CREATE " + name)
        other.say(b'SETMETADATA %b (/private/comment "x")' % name)
    notify(bob, b"(PERSONAL (MailboxMetadataChange))")
    assert bob.conductor.dialogue.notify is not None
    assert len(bob.conductor.dialogue.notify._annotations._digests) == 2
    other.say(b'SETMETADATA d (/private/comment "y")')
    assert told(bob) == [b"* METADATA d /private/comment"]
