"""What a removed account or mailbox was known by never comes to mean another one."""

from __future__ import annotations

import apsw
import pytest

from worldmail.database.cursor import SqliteCursor
from worldmail.database.migrate import migrate
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.store import StagedContent
from worldmail.store.collector import remove_orphans
from worldmail.store.content import keep_content
from worldmail.store.provision import add_mailbox, remove_mailbox


@pytest.fixture
def cursor() -> Cursor:
    connection = apsw.Connection(":memory:")
    migrate(connection, ":memory:")
    return SqliteCursor(connection)


def new_account(cursor: Cursor, domain: int) -> int:
    row = cursor.one(
        "INSERT INTO account (domain_id, address, name, enabled, generation, created, password, settings)"
        " VALUES (?, 'a@example.test', '', 1, 1, 0, '', '{}') RETURNING id",
        (domain,),
    )
    assert row is not None
    return int(row[0])


def new_site(cursor: Cursor) -> tuple[int, int, int]:
    """A domain, an account and a mailbox: their ids."""
    row = cursor.one("INSERT INTO domain (name, kind) VALUES ('example.test', 'local') RETURNING id")
    assert row is not None
    account = new_account(cursor, row[0])
    return row[0], account, add_mailbox(cursor, account, "INBOX", None, 5)


def test_no_id_is_given_out_twice(cursor: Cursor) -> None:
    before = new_site(cursor)
    remove_mailbox(cursor, before[2], 6)
    cursor.run("DELETE FROM account")
    cursor.run("DELETE FROM domain")
    assert all(old != new for old, new in zip(before, new_site(cursor), strict=True))


def test_content_of_a_removed_mailbox_is_collected_unless_another_mailbox_has_it(cursor: Cursor) -> None:
    _, account, first = new_site(cursor)
    second = add_mailbox(cursor, account, "Other", None, 5)
    for number, mailboxes in enumerate(((first,), (first, first), (first, second), (second,))):
        staged = StagedContent(digest=b"%d" % number, size=1, inline=b"x", place=None)
        content, _ = keep_content(cursor, staged)
        for copy, mailbox in enumerate(mailboxes):
            cursor.run(
                "INSERT INTO message (mailbox_id, uid, content_id, arrived, size, received, saved, prefix)"
                " VALUES (?, ?, ?, 1, 1, 0, 0, ?)",
                (mailbox, 10 * number + copy, content, b""),
            )
    remove_mailbox(cursor, first, 99)
    assert cursor.all("SELECT content_id, since FROM orphan ORDER BY 1") == [(1, 99), (2, 99), (3, 99)]
    assert remove_orphans(cursor, 100) == (3, [], [1, 2])
    assert cursor.all("SELECT id FROM content ORDER BY id") == [(3,), (4,)]
    assert cursor.all("SELECT * FROM orphan") == []
