"""Makes the database file of this release's schema, beside this file; refuses to replace one."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from worldmail.config.sections import StoreSettings
from worldmail.database.file import DatabaseFile
from worldmail.database.migrate import known_migrations
from worldmail.database.sqlite import SqliteDatabase
from worldmail.directory.directory import Directory
from worldmail.directory.source import DatabaseSource
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.directory import Account
from worldmail.interfaces.store import Acceptance
from worldmail.mail.address import Address
from worldmail.mail.envelope import Delivery, Envelope, Origin, Recipient
from worldmail.store import ContentFiles, Store, open_store
from worldmail.transport.clock import ReactorClock

USER = Address.parse("user@example.test")


async def deliver(store: Store, text: bytes) -> None:
    writer = store.acceptance.writer()
    writer.write(text)
    recipient = Recipient(address=USER)
    await store.acceptance.accept(
        Acceptance(
            id=store.acceptance.new_id(),
            received=1_790_000_000,
            envelope=Envelope(sender=Address.parse("sender@example.test"), recipients=(recipient,)),
            origin=Origin(session="schema", protocol="ESMTP", client="192.0.2.1", helo="client.example.test"),
            content=await writer.finish(),
            deliveries=(Delivery(account_id=1, recipient=recipient),),
            message_id="<1@example.test>",
        )
    )


async def say_something(store: Store, user: Account | None) -> None:
    """A row in each of the tables about mailboxes."""
    assert user is not None
    await store.folders.create(user, "Archive/2026", special_use="\\Archive")
    await store.folders.set_rights(user, "Archive", "anyone", "lrp", "=")
    await store.folders.annotate(user, "Archive", {"/private/comment": b"mine", "/shared/comment": b"ours"})
    await store.folders.url_key(user, "INBOX", make=True)


async def make(reactor: Any, target: Path) -> None:
    with tempfile.TemporaryDirectory() as directory:
        database = SqliteDatabase(DatabaseFile(path=f"{directory}/store.sqlite"), reactor)
        database.start()
        contents = ContentFiles(f"{directory}/content", reactor)
        settings = StoreSettings(reserve=0, minimum_free=0)
        store = open_store(settings, directory, database, contents, ReactorClock(reactor=reactor), reactor)

        def account(cursor: Cursor) -> None:
            cursor.run("INSERT INTO domain (id, name, kind) VALUES (1, 'example.test', 'local')")
            cursor.run(
                "INSERT INTO account (id, domain_id, address, name, enabled, generation, created, password, settings)"
                " VALUES (1, 1, ?, 'A User', 1, 1, 1790000000, '', '{}')",
                (str(USER),),
            )
            for participant in store.participants:
                participant.account_added(cursor, 1)

        await database.write(account)
        await say_something(store, await Directory([DatabaseSource(database=database)], database.changes).account(USER))
        for number in (1, 2, 3):
            await deliver(store, b"Subject: %d\r\n\r\nText %d.\r\n" % (number, number))
        status = await store.mailboxes.status(1, "INBOX")
        assert status is not None
        await store.mailboxes.expunge(status.id, [2])
        await database.stop()
        shutil.copy(f"{directory}/store.sqlite", target)
        os.chmod(target, 0o644)


if __name__ == "__main__":
    target = Path(__file__).parent / f"schema-{max(known_migrations()):04d}.sqlite"
    if target.exists():
        sys.exit(f"{target} is released")
    react(lambda reactor: Deferred.fromCoroutine(make(reactor, target)))
