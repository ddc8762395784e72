"""An administrator's hands on unclaimed mail: seeing it, giving it to somebody, taking it out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from typing import Any

from attrs import frozen

from worldmail.errors import BadValue, NoSuchThing, OverQuota, RecipientGone, Refusal
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.directory import IDirectory
from worldmail.interfaces.expansion import IExpansion
from worldmail.interfaces.store import Acceptance, IAcceptance, IAcceptancePart, ITrace, KeptContent
from worldmail.interfaces.unclaimed import IUnclaimed, Unclaimed
from worldmail.interfaces.world import IClock
from worldmail.mail.address import Address
from worldmail.mail.envelope import Envelope, Origin
from worldmail.mail.header import Header
from worldmail.ondemand.collecting_places import Placed, Places
from worldmail.ondemand.sorting import Sorted, Surety
from worldmail.wire.flat_json import FlatJson

_HEADER = 256 * 1024
_to_json = FlatJson(ascii=False).render


@frozen(kw_only=True)
class Shown:
    """One message, for people: some of its fields, decoded no further than they are written."""

    message: Unclaimed
    author: str
    to: str
    subject: str


@frozen(kw_only=True)
class UnclaimedAdmin:
    """What `worldmail unclaimed` does."""

    database: IDatabase
    unclaimed: IUnclaimed
    acceptance: IAcceptance
    directory: IDirectory
    expansion: IExpansion
    trace: ITrace
    clock: IClock

    async def messages(self) -> list[Shown]:
        """All of it, oldest first."""
        return [await self._shown(message) for message in await self.unclaimed.messages()]

    def find(self, id: str) -> Awaitable[Unclaimed]:
        """One message. Raises `NoSuchThing`."""
        found: Awaitable[Unclaimed] = self.unclaimed.find(id)
        return found

    async def header(self, id: str) -> bytes:
        """All lines of the header of one. Raises `NoSuchThing`."""
        return await self._header(await self.unclaimed.find(id))

    async def content(self, id: str) -> AsyncIterator[bytes]:
        """The octets of one. Raises `NoSuchThing`."""
        async for chunk in self.unclaimed.content(await self.unclaimed.find(id)):
            yield chunk

    async def assign(self, id: str, address: Address) -> Placed:
        """Give one to whom this address leads, as mail that comes; in one unit it is there and not here any more.

        Raises: `NoSuchThing`, `BadValue` if the address leads nowhere, and what the store refuses it with.
        """
        message = await self.unclaimed.find(id)
        named = Sorted(recipients=(address,), step="an administrator", surety=Surety.RULE)
        placed = await Places(directory=self.directory, expansion=self.expansion).place(named)
        if not placed.recipients:
            raise BadValue(f"there is no {address} here")
        part: IAcceptancePart = self.acceptance.part(self._acceptance(message, placed))

        def unit(cursor: Cursor) -> Any:
            written = part.write(cursor)
            self.unclaimed.take(cursor, message)
            return written

        try:
            written = await self.database.write(unit)
        except BaseException as error:
            await part.dropped(isinstance(error, (OverQuota, RecipientGone, NoSuchThing)))
            raise
        part.accepted(written)
        return placed

    async def remove(self, id: str) -> None:
        """Take one out for good. Raises `NoSuchThing`."""
        message = await self.unclaimed.find(id)
        now = int(self.clock.now())

        def unit(cursor: Cursor) -> None:
            self.unclaimed.take(cursor, message)
            self.trace.record(cursor, message.id, now, "discarded", (), _to_json({"from": message.sender}))

        await self.database.write(unit)

    def _acceptance(self, message: Unclaimed, placed: Placed) -> Acceptance:
        try:
            sender = Address.parse(message.sender) if message.sender else None
        except ValueError:
            sender = None
        return Acceptance(
            id=message.id,
            received=message.received,
            envelope=Envelope(sender=sender, recipients=placed.recipients),
            origin=Origin(session="unclaimed", protocol="", client=""),
            content=KeptContent(id=message.content_id, size=message.size, told=message.told),
            deliveries=placed.deliveries,
            message_id=None,
            onward=placed.onward,
            event="assigned",
        )

    async def _header(self, message: Unclaimed) -> bytes:
        seen = b""
        async for chunk in self.unclaimed.content(message):
            seen += chunk
            end = seen.find(b"\r\n\r\n")
            if end >= 0:
                return seen[: end + 2]
            if len(seen) > _HEADER:
                break
        return seen[:_HEADER]

    async def _shown(self, message: Unclaimed) -> Shown:
        try:
            header = Header(await self._header(message))
        except Refusal as refusal:
            return Shown(message=message, author="", to="", subject=f"({refusal.reply_text})")
        return Shown(
            message=message,
            author=_text(header, b"from"),
            to=_text(header, b"to"),
            subject=_text(header, b"subject"),
        )


def _text(header: Header, name: bytes) -> str:
    return (header.first(name) or b"")[:500].decode("utf-8", "replace")
