"""The place of unclaimed mail: the public folder "Unclaimed" of a domain.

So it lies where all mail lies: it is accepted in the unit that accepts any mail, counts in the domain's quota, is
searched and read by IMAP by whom an administrator lets (the postmaster may from the start), and a message that
somebody moves from there to a folder of his own is claimed by that. What a queue of its own would need besides, a
second keeper of contents and its own bounds, is not needed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from attrs import frozen
from zope.interface import implementer

from worldmail.errors import MailboxExists, NoSuchThing, TemporaryFailure
from worldmail.interfaces.database import Cursor, IDatabase, Row
from worldmail.interfaces.store import IAcceptance
from worldmail.interfaces.unclaimed import IUnclaimed, Unclaimed
from worldmail.mail.address import Address
from worldmail.mail.envelope import Delivery, Recipient
from worldmail.store.folders.names import PUBLIC_OWNER
from worldmail.store.folders.public import FolderAdmin
from worldmail.store.messages.removing import expunge

FOLDER = "Unclaimed"

_POSTMASTER = "lrswte"
"""What the postmaster of the domain may do there from the start: see, read, flag, delete (RFC 4314 §2.1)."""

_LOCAL = "SELECT name FROM domain WHERE kind = 'local' AND alias_of IS NULL ORDER BY id"
_PLACE = "SELECT b.account_id FROM mailbox b JOIN account a ON a.id = b.account_id WHERE a.address = ? AND b.name = ?"
_ROWS = (
    "SELECT m.acceptance, m.mailbox_id, m.uid, m.content_id, a.address, m.prefix, m.size, c.size, m.received"
    " FROM account a JOIN mailbox b ON b.account_id = a.id JOIN message m ON m.mailbox_id = b.id"
    " JOIN content c ON c.id = m.content_id"
    f" WHERE a.kind = 'public' AND b.name = '{FOLDER}' AND m.acceptance IS NOT NULL"
)
_ALL = f"{_ROWS} ORDER BY m.received, m.mailbox_id, m.uid"
_ONE = f"{_ROWS} AND m.acceptance = ? ORDER BY m.mailbox_id, m.uid"
_IS_THERE = "SELECT 1 FROM message WHERE mailbox_id = ? AND uid = ? AND content_id = ?"


@implementer(IUnclaimed)
@frozen(kw_only=True)
class UnclaimedFolders:
    """Provides `IUnclaimed`."""

    database: IDatabase
    folders: FolderAdmin
    acceptance: IAcceptance

    async def delivery(self, domains: Sequence[str]) -> Delivery:
        """See `IUnclaimed.delivery`."""
        local: list[str] = await self.database.read(lambda cursor: [row[0] for row in cursor.all(_LOCAL)])
        if not local:
            raise TemporaryFailure("There is no local domain that could keep unclaimed mail")
        domain = next((name for name in domains if name in local), local[0])
        account_id = await self._place(domain)
        if account_id is None:
            await self._make(domain)
            account_id = await self._place(domain)
        if account_id is None:
            raise TemporaryFailure(reason=f"the folder {FOLDER} of {domain} was removed at once")
        address = Address("unclaimed", domain)
        recipient = Recipient(address=address)
        return Delivery(account_id=account_id, mailbox=FOLDER, recipient=recipient, account=address)

    async def messages(self) -> list[Unclaimed]:
        """See `IUnclaimed.messages`."""
        rows: list[Row] = await self.database.scan(lambda cursor: cursor.all(_ALL))
        return [_message(row) for row in rows]

    async def find(self, id: str) -> Unclaimed:
        """See `IUnclaimed.find`."""
        row = await self.database.scan(lambda cursor: cursor.one(_ONE, (id,)))
        if row is None:
            raise NoSuchThing(f"there is no unclaimed message {id}")
        return _message(row)

    async def content(self, message: Unclaimed) -> AsyncIterator[bytes]:
        """See `IUnclaimed.content`."""
        outgoing = await self.acceptance.outgoing(message.content_id)
        async for chunk in outgoing.chunks():
            yield chunk

    def take(self, cursor: Cursor, message: Unclaimed) -> None:
        """See `IUnclaimed.take`."""
        if cursor.one(_IS_THERE, (message.mailbox_id, message.uid, message.content_id)) is None:
            raise NoSuchThing(f"the unclaimed message {message.id} is gone")
        now = int(self.folders.now())
        expunge(cursor, message.mailbox_id, [(message.uid, message.uid)], now, deleted_only=False)

    async def _place(self, domain: str) -> int | None:
        key = (f"{PUBLIC_OWNER}{domain}", FOLDER)
        row = await self.database.read(lambda cursor: cursor.one(_PLACE, key))
        return None if row is None else int(row[0])

    async def _make(self, domain: str) -> None:
        with suppress(MailboxExists):  # another run was faster
            await self.folders.add(domain, FOLDER, {})
        with suppress(NoSuchThing):  # there need not be a postmaster's account
            await self.folders.set_rights(domain, FOLDER, {f"postmaster@{domain}": _POSTMASTER})


def _message(row: Row) -> Unclaimed:
    id_, mailbox_id, uid, content_id, owner, prefix, size, octets, received = row
    first = bytes(prefix).partition(b"\r\n")[0]
    sender = first.removeprefix(b"Return-Path: <").removesuffix(b">") if first.startswith(b"Return-Path: <") else b""
    return Unclaimed(
        id=id_,
        mailbox_id=mailbox_id,
        uid=uid,
        content_id=content_id,
        domain=owner.removeprefix(PUBLIC_OWNER),
        size=octets,
        told=size - len(prefix),
        received=received,
        sender=sender.decode("utf-8", "replace"),
    )
