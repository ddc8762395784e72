"""NOTIFY (RFC 5465): what is told of mailboxes that are not selected."""

from __future__ import annotations

from typing import Any

import pytest

from worldmail.interfaces.messages import Flag
from worldmail.testing.imap import ImapClient, responses

MAIL = b"Subject: Hello\r\nFrom: x@y.test\r\n\r\ntext\r\n"
MESSAGES = b"(MessageNew MessageExpunge)"
ALL = b"(MessageNew MessageExpunge FlagChange)"


def told(client: ImapClient) -> list[bytes]:
    """What came unasked since the client said something, or was looked at, last; RECENT left out."""
    return without_recent(responses(client.told()))


def without_recent(lines: list[bytes]) -> list[bytes]:
    """RECENT comes beside EXISTS; how it is counted is the view's own affair."""
    return [line for line in lines if not line.endswith(b" RECENT")]


def notify(client: ImapClient, what: bytes) -> ImapClient:
    """Give NOTIFY SET and look at nothing of it."""
    answer = client.say(b"NOTIFY SET " + what)
    assert answer.status == b"OK", answer
    client.told()
    return client


@pytest.fixture
def other(site: Any) -> ImapClient:
    """Bob at another place."""
    client: ImapClient = site.client()
    return client


def add(site: Any, mailbox: str = "INBOX", name: str = "bob", **more: Any) -> None:
    site.store.add(site.accounts[name], MAIL, mailbox=mailbox, **more)


# --- messages elsewhere ---


def test_STATUS_tells_of_new_messages_elsewhere(bob: ImapClient, site: Any) -> None:
    notify(bob, b"(PERSONAL " + MESSAGES + b")")
    add(site, "Sent")
    assert told(bob) == [b"* STATUS Sent (UIDNEXT 2 MESSAGES 1)"]
    bob.say(b"SELECT Sent")
    add(site, "Sent")
    assert told(bob) == []
    bob.say(b"UNSELECT")
    add(site, "Sent")
    assert told(bob) == [b"* STATUS Sent (UIDNEXT 4 MESSAGES 3)"]


def test_STATUS_tells_of_what_was_expunged_elsewhere(bob: ImapClient, other: ImapClient, site: Any) -> None:
    add(site, flags=Flag.DELETED)
    notify(bob, b"(MAILBOXES INBOX " + MESSAGES + b")")
    other.say(b"SELECT INBOX")
    other.say(b"EXPUNGE")
    assert told(bob) == [b"* STATUS INBOX (UIDNEXT 2 MESSAGES 0)"]


def test_STATUS_tells_of_flags_elsewhere(bob: ImapClient, other: ImapClient, site: Any) -> None:
    add(site)
    notify(bob, b"(MAILBOXES INBOX " + ALL + b")")
    other.say(b"SELECT INBOX")
    other.say(b"STORE 1 +FLAGS (\\Seen)")
    assert told(bob) == [b"* STATUS INBOX (UNSEEN 0)"]
    other.say(b"STORE 1 +FLAGS (\\Flagged)")
    assert told(bob) == []
    bob.session.enable("CONDSTORE")
    other.say(b"STORE 1 -FLAGS (\\Flagged)")
    (line,) = told(bob)
    assert line.startswith(b"* STATUS INBOX (UIDVALIDITY ") and b" HIGHESTMODSEQ " in line
    add(site)
    (line,) = told(bob)
    assert line.startswith(b"* STATUS INBOX (UIDNEXT 3 MESSAGES 2 UNSEEN 1 ") and b" HIGHESTMODSEQ " in line


def test_changes_that_come_together_are_told_once(bob: ImapClient, site: Any) -> None:
    notify(bob, b"(MAILBOXES INBOX " + MESSAGES + b")")
    bob.conductor.peer.wake = lambda: None  # the driver is busy with others
    for _ in range(3):
        add(site)
    bob.conductor.peer.wake = bob.woken
    assert bob.send(b"") == b"* STATUS INBOX (UIDNEXT 4 MESSAGES 3)\r\n"


def test_they_are_told_in_commands_and_in_IDLE_too(bob: ImapClient, site: Any) -> None:
    notify(bob, b"(PERSONAL " + MESSAGES + b")")
    bob.idle()
    add(site)
    assert told(bob) == [b"* STATUS INBOX (UIDNEXT 2 MESSAGES 1)"]
    bob.done()
    bob.conductor.peer.wake = lambda: None
    add(site)
    assert bob.say(b"NOOP").untagged == [b"* STATUS INBOX (UIDNEXT 3 MESSAGES 2)"]


def test_NOTIFY_SET_STATUS_tells_the_state_first(bob: ImapClient, site: Any) -> None:
    add(site)
    status = site.store.status(site.accounts["bob"])
    answer = bob.say(b"NOTIFY SET STATUS (MAILBOXES (INBOX none) " + ALL + b") (MAILBOXES Sent (MailboxName))")
    assert answer.untagged == [
        b"* STATUS INBOX (MESSAGES 1 UIDNEXT 2 UIDVALIDITY %d HIGHESTMODSEQ %d)"
        % (status.uidvalidity, status.highestmodseq)
    ]
    bob.say(b"SELECT INBOX")
    assert bob.say(b"NOTIFY SET STATUS (MAILBOXES INBOX " + MESSAGES + b")").of(b"STATUS") == []


@pytest.mark.parametrize(
    ("which", "watched"),
    [
        (b"PERSONAL", {"INBOX", "Work", "Work/Plans", "Sent"}),
        (b"INBOXES", {"INBOX", "Work", "Work/Plans", "Sent"}),
        (b"SUBSCRIBED", {"INBOX", "Sent"}),
        (b"SUBTREE Work", {"Work", "Work/Plans"}),
        (b"SUBTREE (Work/Plans INBOX)", {"Work/Plans", "INBOX"}),
        (b"MAILBOXES Work", {"Work"}),
        (b'MAILBOXES ("Wor%" "*" inbox)', {"INBOX"}),
    ],
)
def test_which_mailboxes_are_watched(bob: ImapClient, site: Any, which: bytes, watched: set[str]) -> None:
    bob.say(b"CREATE Work/Plans")
    notify(bob, b"(" + which + b" " + MESSAGES + b")")
    found = set()
    for mailbox in ("INBOX", "Work", "Work/Plans", "Sent"):
        add(site, mailbox)
        if told(bob):
            found.add(mailbox)
    assert found == watched


def test_groups_add_up(bob: ImapClient, other: ImapClient, site: Any) -> None:
    notify(bob, b"(MAILBOXES INBOX " + MESSAGES + b") (PERSONAL (SubscriptionChange MailboxName))")
    add(site)
    assert len(told(bob)) == 1
    other.say(b"UNSUBSCRIBE INBOX")
    assert told(bob) == [b'* LIST (\\HasNoChildren) "/" INBOX']


def test_a_later_NOTIFY_takes_the_place_of_the_one_before(bob: ImapClient, site: Any) -> None:
    notify(bob, b"(PERSONAL " + MESSAGES + b")")
    notify(bob, b"(MAILBOXES Sent " + MESSAGES + b")")
    add(site)
    assert told(bob) == []
    add(site, "Sent")
    assert len(told(bob)) == 1
    bob.say(b"NOTIFY NONE")
    bob.told()
    add(site, "Sent")
    assert told(bob) == []


def test_a_refused_NOTIFY_leaves_the_one_before(bob: ImapClient, site: Any) -> None:
    notify(bob, b"(PERSONAL " + MESSAGES + b")")
    assert bob.say(b"NOTIFY SET (PERSONAL (MessageNew))").status == b"BAD"
    bob.told()
    add(site)
    assert len(told(bob)) == 1


def test_nothing_is_watched_once_the_session_is_over(bob: ImapClient, other: ImapClient, site: Any) -> None:
    listeners = site.store.database.changes._listeners
    before = _count(listeners)
    notify(bob, b"(PERSONAL " + ALL + b")")
    assert _count(listeners) > before
    bob.drop()
    assert _count(listeners) < before


def _count(listeners: Any) -> int:
    """How many callbacks there are, wherever they are kept."""
    total, seen = 0, [getattr(listeners, name) for name in getattr(listeners, "__slots__", ()) or vars(listeners)]
    while seen:
        one = seen.pop()
        if isinstance(one, dict):
            seen.extend(one.values())
        elif isinstance(one, list | tuple | set | frozenset):
            seen.extend(one)
        elif callable(one):
            total += 1
    return total


# --- names, subscriptions ---


def test_a_mailbox_that_is_made_is_told_with_the_level_above(bob: ImapClient, other: ImapClient) -> None:
    notify(bob, b"(PERSONAL (MailboxName))")
    other.say(b"CREATE Work")
    assert told(bob) == [b'* LIST (\\HasNoChildren) "/" Work']
    other.say(b"CREATE Work/Plans")
    assert told(bob) == [b'* LIST (\\HasChildren) "/" Work', b'* LIST (\\HasNoChildren) "/" Work/Plans']


def test_one_that_is_gone_is_told_before_what_is_above_it_takes_it_along(
    bob: ImapClient, other: ImapClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    other.say(b"CREATE a/c")
    notify(bob, b"(PERSONAL (MailboxName))")
    monkeypatch.setattr(bob.conductor.peer, "wake", lambda: None)  # the driver has no time
    other.say(b"RENAME a b")
    other.say(b"DELETE b/c")
    assert bob.say(b"NOOP").untagged == [
        b'* LIST (\\NonExistent \\HasNoChildren) "/" a/c',
        b'* LIST (\\HasNoChildren) "/" b ("OLDNAME" (a))',
        b'* LIST (\\NonExistent \\HasNoChildren) "/" a',
    ]


def test_of_one_that_took_the_name_of_another_UNSEEN_is_told_too(
    bob: ImapClient, other: ImapClient, site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other.say(b"CREATE a")
    add(site, "a")
    notify(bob, b"STATUS (PERSONAL " + ALL + b")")
    monkeypatch.setattr(bob.conductor.peer, "wake", lambda: None)
    other.say(b"DELETE a")
    other.say(b"CREATE a")
    (line,) = bob.say(b"NOOP").of(b"STATUS")
    assert b"MESSAGES 0 UIDNEXT 1 UIDVALIDITY " in line
    assert b" UNSEEN 0 " in line


def test_a_mailbox_that_goes_is_told_as_one_that_does_not_exist(bob: ImapClient, other: ImapClient) -> None:
    other.say(b"CREATE Work/Plans")
    notify(bob, b"(PERSONAL (MailboxName))")
    other.say(b"DELETE Work")
    assert told(bob) == [b'* LIST (\\NonExistent \\HasChildren) "/" Work']
    other.say(b"DELETE Work/Plans")
    assert told(bob) == [
        b'* LIST (\\NonExistent \\HasNoChildren) "/" Work',
        b'* LIST (\\NonExistent \\HasNoChildren) "/" Work/Plans',
    ]


def test_a_mailbox_that_is_renamed_is_told_with_its_old_name_and_without_what_is_below(
    bob: ImapClient, other: ImapClient
) -> None:
    other.say(b"CREATE Work/Plans/Old")
    notify(bob, b"(PERSONAL (MailboxName))")
    other.say(b"RENAME Work Play")
    assert told(bob) == [b'* LIST (\\HasChildren) "/" Play ("OLDNAME" (Work))']
    other.say(b"RENAME Play/Plans/Old Play/New")
    assert b'* LIST (\\HasNoChildren) "/" Play/New ("OLDNAME" (Play/Plans/Old))' in told(bob)


def test_nothing_is_told_of_the_INBOX_that_takes_the_place_of_a_renamed_one(
    bob: ImapClient, other: ImapClient, site: Any
) -> None:
    add(site)
    notify(bob, b"(PERSONAL (MailboxName))")
    other.say(b"RENAME INBOX Kept")
    assert told(bob) == [b'* LIST (\\HasNoChildren) "/" Kept ("OLDNAME" (INBOX))']


def test_a_new_mailbox_is_watched_from_then_on(bob: ImapClient, other: ImapClient, site: Any) -> None:
    notify(bob, b"(PERSONAL (MailboxName MessageNew MessageExpunge))")
    other.say(b"CREATE Work")
    bob.told()
    add(site, "Work")
    assert told(bob) == [b"* STATUS Work (UIDNEXT 2 MESSAGES 1)"]


def test_subscriptions_are_told(bob: ImapClient, other: ImapClient, site: Any) -> None:
    other.say(b"CREATE Work")
    notify(bob, b"(SUBSCRIBED (SubscriptionChange MessageNew MessageExpunge))")
    other.say(b"SUBSCRIBE Work")
    assert told(bob) == [b'* LIST (\\Subscribed \\HasNoChildren) "/" Work']
    add(site, "Work")
    assert told(bob) == [b"* STATUS Work (UIDNEXT 2 MESSAGES 1)"]
    other.say(b"UNSUBSCRIBE Work")
    assert told(bob) == [b'* LIST (\\HasNoChildren) "/" Work']
    add(site, "Work")
    assert told(bob) == []


def test_a_client_is_not_told_of_what_it_did_itself(bob: ImapClient, site: Any) -> None:
    notify(bob, b"(PERSONAL (MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange))")
    for command in (
        b"CREATE a/b",
        b"SUBSCRIBE a/b",
        b'SETMETADATA a/b (/private/comment "x")',
        b'SETMETADATA "" (/private/comment "x")',
        b"RENAME a c/d",
        b"UNSUBSCRIBE a/b",
        b"DELETE c/d/b",
    ):
        answer = bob.say(command)
        assert (answer.status, answer.untagged, told(bob)) == (b"OK", [], []), command


def test_what_fails_hides_nothing_that_others_do(bob: ImapClient, other: ImapClient) -> None:
    notify(bob, b"(PERSONAL (MailboxName))")
    assert bob.say(b"CREATE INBOX").status == b"NO"
    assert bob.say(b"DELETE Work").status == b"NO"
    bob.say(b"NOOP")
    other.say(b"CREATE Work")
    assert told(bob) == [b'* LIST (\\HasNoChildren) "/" Work']


# --- rights ---

OURS = b'"Other Users/bob@example.test/Ours"'


def test_rights_that_come_and_go_are_mailboxes_that_do(bob: ImapClient, ann: ImapClient, site: Any) -> None:
    bob.say(b"CREATE Ours")
    notify(ann, b'(SUBTREE "Other Users" (MailboxName MessageNew MessageExpunge))')
    bob.say(b"SETACL Ours ann@example.test lr")
    assert b'* LIST (\\HasNoChildren) "/" ' + OURS in told(ann)
    add(site, "Ours")
    assert told(ann) == [b"* STATUS " + OURS + b" (UIDNEXT 2 MESSAGES 1)"]
    bob.say(b"DELETEACL Ours ann@example.test")
    assert b'* LIST (\\NonExistent \\HasNoChildren) "/" ' + OURS in told(ann)
    add(site, "Ours")
    assert told(ann) == []


def test_a_mailbox_that_may_be_listed_and_not_read_is_NoAccess(bob: ImapClient, ann: ImapClient, site: Any) -> None:
    bob.say(b"CREATE Ours")
    bob.say(b"SETACL Ours ann@example.test l")
    answer = ann.say(b"NOTIFY SET STATUS (MAILBOXES " + OURS + b" " + MESSAGES + b")")
    assert answer.untagged == [b'* LIST (\\NoAccess) "/" ' + OURS]
    add(site, "Ours")
    assert told(ann)[1:] == []
    bob.say(b"SETACL Ours ann@example.test lr")
    assert told(ann) == [
        b'* LIST (\\HasNoChildren) "/" ' + OURS,
        b"* STATUS " + OURS + b" (UIDNEXT 2 MESSAGES 1)",
    ]
    bob.say(b"SETACL Ours ann@example.test l")
    assert told(ann) == [b'* LIST (\\NoAccess) "/" ' + OURS]
