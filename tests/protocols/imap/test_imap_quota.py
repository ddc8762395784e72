"""Quota (RFC 9208)."""

from __future__ import annotations

from typing import Any

import pytest

from worldmail.testing.imap import ImapClient


@pytest.fixture
def limited(site: Any) -> ImapClient:
    """Cat, who may keep 10 KiB."""
    site.add("cat", quota=10 * 1024)
    client: ImapClient = site.client("cat")
    return client


def test_used_and_limit_are_told_in_units_of_1024_octets(limited: ImapClient, site: Any) -> None:
    root = b"* QUOTA cat@example.test "
    assert limited.say(b"GETQUOTA cat@example.test").untagged == [root + b"(STORAGE 0 10 MAILBOX 5 10000)"]
    site.store.add(site.accounts["cat"], b"Subject: x\r\n\r\n" + b"y" * 1100 + b"\r\n")
    assert limited.say(b"GETQUOTA cat@example.test").untagged == [root + b"(STORAGE 2 10 MAILBOX 5 10000)"]


def test_GETQUOTAROOT_names_the_roots_of_a_mailbox(limited: ImapClient) -> None:
    told = [b"cat@example.test", b"* QUOTA cat@example.test (STORAGE 0 10 MAILBOX 5 10000)"]
    assert limited.say(b"GETQUOTAROOT inbox").untagged == [b"* QUOTAROOT INBOX " + told[0], told[1]]
    assert limited.say(b"GETQUOTAROOT planned/one").untagged == [b"* QUOTAROOT planned/one " + told[0], told[1]]


def test_what_is_not_limited_is_not_told(bob: ImapClient) -> None:
    assert bob.say(b"GETQUOTAROOT INBOX").untagged == [
        b"* QUOTAROOT INBOX bob@example.test",
        b"* QUOTA bob@example.test (MAILBOX 5 10000)",
    ]


def test_mailboxes_are_counted(bob: ImapClient) -> None:
    bob.say(b"CREATE a/b")
    assert bob.say(b"GETQUOTA bob@example.test").untagged == [b"* QUOTA bob@example.test (MAILBOX 7 10000)"]
    bob.say(b"DELETE a/b")
    assert bob.say(b"GETQUOTA bob@example.test").untagged == [b"* QUOTA bob@example.test (MAILBOX 6 10000)"]


@pytest.mark.parametrize("root", [b"ann@example.test", b'""', b"none", b'"domain:example.test"'])
def test_a_root_that_is_not_the_accounts_own_is_not_there(bob: ImapClient, root: bytes) -> None:
    answer = bob.say(b"GETQUOTA " + root)
    assert (answer.status, answer.code) == (b"NO", b"NONEXISTENT")


def test_what_others_hold_is_told_to_who_administers_their_mailbox(bob: ImapClient, ann: ImapClient) -> None:
    ours = b'"Other Users/bob@example.test/Ours"'
    bob.say(b"CREATE Ours")
    bob.say(b"SETACL Ours ann@example.test lr")
    assert ann.say(b"GETQUOTAROOT " + ours).untagged == [b"* QUOTAROOT " + ours]
    bob.say(b"SETACL Ours ann@example.test lra")
    assert len(ann.say(b"GETQUOTAROOT " + ours).untagged) == 2


def test_nobody_sets_a_quota(bob: ImapClient) -> None:
    assert bob.say(b"SETQUOTA bob@example.test (STORAGE 1)").status == b"BAD"
    assert b"QUOTASET" not in bob.say(b"CAPABILITY").raw
    assert b" QUOTA QUOTA=RES-STORAGE QUOTA=RES-MAILBOX" in bob.say(b"CAPABILITY").raw


@pytest.mark.parametrize("command", [b"GETQUOTA", b"GETQUOTA a b", b"GETQUOTAROOT", b"GETQUOTAROOT a b"])
def test_what_is_no_such_command_is_BAD(bob: ImapClient, command: bytes) -> None:
    assert bob.say(command).status == b"BAD"
