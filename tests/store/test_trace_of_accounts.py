"""The trace knows the account behind an alias."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from worldmail.database.immediate import ImmediateDatabase
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.store import Acceptance
from worldmail.mail.address import Address
from worldmail.mail.envelope import Delivery, Envelope, Origin, Recipient
from worldmail.store.acceptance import Acceptances
from worldmail.store.provision import add_mailbox
from worldmail.store.space import Space
from worldmail.store.trace import Traces

INFO, BOB = Address.parse("info@example.test"), Address.parse("bob@example.test")


def new_account(cursor: Cursor) -> int:
    (domain,) = cursor.one("INSERT INTO domain (name, kind) VALUES ('example.test', 'local') RETURNING id") or (0,)
    columns = "domain_id, address, name, enabled, generation, created, password, settings"
    (account,) = cursor.one(
        f"INSERT INTO account ({columns}) VALUES (?, ?, '', 1, 1, 0, '', '{{}}') RETURNING id", (domain, str(BOB))
    ) or (0,)
    add_mailbox(cursor, account, "INBOX", None, 5)
    return int(account)


def test_a_message_is_found_by_the_account_that_it_went_to_and_names_each_address_once(tmp_path: Path) -> None:
    database = ImmediateDatabase()
    database.start()
    traces = Traces(database)
    contents: Any = None  # a small message needs no content store
    acceptances = Acceptances(
        database=database,
        contents=contents,
        trace=traces,
        space=Space(directory=str(tmp_path), minimum_free=0, seconds=time.monotonic),
        inline_limit=1024,
        now=time.time,
    )

    async def accepted() -> str:
        account = await database.write(new_account)
        writer = acceptances.writer()
        writer.write(b"x\r\n")
        recipient = Recipient(address=INFO)
        acceptance = Acceptance(
            id=acceptances.new_id(),
            received=0,
            envelope=Envelope(sender=None, recipients=(recipient,) * 1000),
            origin=Origin(session="s", protocol="ESMTP", client="192.0.2.1"),
            content=await writer.finish(),
            deliveries=(Delivery(account_id=account, recipient=recipient, account=BOB),),
            message_id=None,
        )
        await acceptances.accept(acceptance)
        for address in (INFO, BOB):
            (record,) = await traces.find(str(address))
            assert record.acceptance == acceptance.id
        return record.detail

    detail = json.loads(asyncio.run(accepted()))
    assert (detail["to"], detail["delivered"]) == ([str(INFO)], [str(BOB)])
