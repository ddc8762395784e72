"""Public mailboxes: those of a domain, which nobody owns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from worldmail.store.folders.public import FolderAdmin
from worldmail.testing.feeding import settle
from worldmail.testing.imap import ImapClient, responses

NEWS = b'"Shared Folders/News"'


@pytest.fixture
def admin(site: Any) -> FolderAdmin:
    """What `worldmail folder` works with."""
    store = site.store
    return FolderAdmin(database=store.database, folders=store.store.folders, now=store.memory.clock.now)


def add(admin: FolderAdmin, name: str, rights: Mapping[str, str]) -> None:
    settle(admin.add("example.test", name, rights))


def test_a_public_mailbox_is_there_for_all_who_have_rights(
    admin: FolderAdmin, bob: ImapClient, ann: ImapClient
) -> None:
    add(admin, "News", {"anyone": "lr", "bob@example.test": "lrswipkxtea"})
    for client in (bob, ann):
        assert client.say(b'LIST "" "Shared*"').untagged == [
            b'* LIST (\\NonExistent \\Noselect \\HasChildren) "/" "Shared Folders"',
            b'* LIST (\\HasNoChildren) "/" ' + NEWS,
        ]
        assert client.say(b"STATUS " + NEWS + b" (MESSAGES)").untagged == [b"* STATUS " + NEWS + b" (MESSAGES 0)"]
        assert client.say(b"SUBSCRIBE " + NEWS).status == b"OK"
    assert ann.say(b"CREATE " + NEWS[:-1] + b'/Old"').code == b"NOPERM"
    assert bob.say(b"CREATE " + NEWS[:-1] + b'/Old"').status == b"OK"
    assert ann.say(b"MYRIGHTS " + NEWS[:-1] + b'/Old"').untagged[0].endswith(b" lr")


def test_it_has_no_owner_that_could_be_named(admin: FolderAdmin, bob: ImapClient) -> None:
    add(admin, "News", {"bob@example.test": "lra"})
    assert bob.say(b"GETACL " + NEWS).untagged == [b"* ACL " + NEWS + b" bob@example.test lra"]
    assert bob.say(b"LISTRIGHTS " + NEWS + b" bob").untagged[0].endswith(b' bob "" l r s w i p k x t e a c d')
    assert bob.say(b"GETQUOTAROOT " + NEWS).untagged == [b"* QUOTAROOT " + NEWS]


def test_without_rights_it_is_not_there(admin: FolderAdmin, ann: ImapClient) -> None:
    add(admin, "News", {"bob@example.test": "lr"})
    assert ann.say(b'LIST "" "Shared*"').untagged == []
    assert ann.say(b"STATUS " + NEWS + b" (MESSAGES)").code == b"NONEXISTENT"


def test_NOTIFY_tells_of_one_that_is_made(admin: FolderAdmin, ann: ImapClient) -> None:
    assert ann.say(b'NOTIFY SET (SUBTREE "Shared Folders" (MailboxName))').status == b"OK"
    ann.told()
    add(admin, "News", {"anyone": "lr"})
    assert b'* LIST (\\HasNoChildren) "/" ' + NEWS in responses(ann.told())
