"""Accepting a message: one unit of work for its content, its place in every mailbox, and its trace."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

from attrs import frozen
from zope.interface import implementer

from worldmail.errors import OverQuota, RecipientGone, StorageFull
from worldmail.interfaces.database import Cursor, IDatabase, Shared
from worldmail.interfaces.store import Acceptance, IAcceptance, IContentStore, IContentWriter, ITrace, StagedContent
from worldmail.mail.address import Address
from worldmail.store.content import keep_content
from worldmail.store.ids import AcceptanceIds
from worldmail.store.quota import HAS_QUOTA, charge
from worldmail.store.space import Space
from worldmail.store.staged import Leftovers
from worldmail.store.writer import ContentWriter, Elsewhere, here
from worldmail.wire.flat_json import FlatJson

_TAKE_UID = (
    "UPDATE mailbox SET uidnext = uidnext + 1, highestmodseq = highestmodseq + 1, messages = messages + 1,"
    " octets = octets + ? WHERE account_id = ? AND name = ? RETURNING id, uidnext - 1, highestmodseq,"
    f" {HAS_QUOTA}"
)
_ADD = (
    "INSERT INTO message (mailbox_id, uid, content_id, arrived, size, received, saved, acceptance, prefix)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

_to_json = FlatJson(ascii=False).render


@implementer(IAcceptance)
class Acceptances:
    """Provides `IAcceptance`.

    Args:
        inline_limit: octets up to which content is kept in the database.
        now: epoch seconds.
        elsewhere: where large content is digested.
    """

    def __init__(
        self,
        *,
        database: IDatabase,
        contents: IContentStore,
        trace: ITrace,
        space: Space,
        inline_limit: int,
        now: Callable[[], float],
        elsewhere: Elsewhere = here,
    ) -> None:
        self._database = database
        self._contents = contents
        self._leftovers = Leftovers(database=database, contents=contents)
        self._trace = trace
        self._space = space
        self._inline_limit = inline_limit
        self._now = now
        self._elsewhere = elsewhere
        self._ids = AcceptanceIds(now)

    def new_id(self) -> str:
        return self._ids.new()

    def check_room(self, size: int) -> None:
        self._space.check(size)

    def writer(self) -> IContentWriter:
        return ContentWriter(self._contents, self._inline_limit, self._space.check, self._elsewhere)

    async def accept(self, acceptance: Acceptance) -> None:
        staged = acceptance.content.place
        try:
            self._space.check(acceptance.content.size)
        except StorageFull:
            await self._leftovers.discard_refused([staged])
            raise
        try:
            place = await self._database.write(Shared(_Unit.of(acceptance, self._trace, int(self._now()))))
        except (OverQuota, RecipientGone):
            # The unit itself gave up. After any other failure nobody knows what is on the disk: the collector will.
            await self._leftovers.discard_refused([staged])
            raise
        if staged != place:  # the same octets were there before
            self._leftovers.discard(staged)


_place = attrgetter("account_id", "mailbox")


@frozen
class _Drop:
    """What goes into one mailbox."""

    account_id: int
    mailbox: str
    prefix: bytes
    size: int
    is_bounded: bool


@frozen(kw_only=True)
class _Unit:
    """The unit of work, with all that can be made ready before it runs."""

    acceptance: str
    received: int
    saved: int
    content: StagedContent
    unrepeatable: bool
    drops: tuple[_Drop, ...]
    trace: ITrace
    keys: tuple[str, ...]
    detail: str

    @classmethod
    def of(cls, acceptance: Acceptance, trace: ITrace, now: int) -> _Unit:
        sender = acceptance.envelope.sender
        return_path = f"Return-Path: <{'' if sender is None else sender}>\r\nDelivered-To: "
        drops = []
        for delivery in sorted(acceptance.deliveries, key=_place):  # all lock mailboxes in this order
            prefix = f"{return_path}{delivery.recipient.address}\r\n".encode()
            size = len(prefix) + acceptance.content.told
            drops.append(_Drop(delivery.account_id, delivery.mailbox, prefix, size, delivery.is_bounded))
        return cls(
            acceptance=acceptance.id,
            received=acceptance.received,
            saved=now,
            content=acceptance.content,
            unrepeatable=acceptance.unrepeatable,
            drops=tuple(drops),
            trace=trace,
            keys=tuple(_keys(acceptance)),
            detail=_detail(acceptance),
        )

    def __call__(self, cursor: Cursor) -> str | None:
        """The place where the content is, None if it is in the database."""
        place = None
        if self.drops:
            content_id, place = keep_content(cursor, self.content, unrepeatable=self.unrepeatable)
            came: dict[int, int] = {}
            for drop in self.drops:
                if self._add(cursor, drop, content_id):
                    came[drop.account_id] = came.get(drop.account_id, 0) + drop.size
            if came:
                charge(cursor, came, [drop.account_id for drop in self.drops if not drop.is_bounded])
        self.trace.record(cursor, self.acceptance, self.saved, "accepted", self.keys, self.detail)
        return place

    def _add(self, cursor: Cursor, drop: _Drop, content_id: int) -> bool:
        """True if a quota has to be looked at."""
        row = cursor.one(_TAKE_UID, (drop.size, drop.account_id, drop.mailbox))
        if row is None:
            raise RecipientGone(reason=f"account {drop.account_id} has no mailbox {drop.mailbox}")
        mailbox_id, uid, modseq, has_quota = row
        lasting = (drop.size, self.received, self.saved, self.acceptance, drop.prefix)
        cursor.run(_ADD, (mailbox_id, uid, content_id, modseq, *lasting))
        cursor.notice("mailbox", mailbox_id)
        return has_quota is not None


def _keys(acceptance: Acceptance) -> Iterable[str]:
    """What the message can be found by: the addresses of its envelope, the accounts it went to, its Message-ID."""
    envelope = acceptance.envelope
    addresses: list[Address] = [recipient.address for recipient in envelope.recipients]
    if envelope.sender is not None:
        addresses.append(envelope.sender)
    addresses += [delivery.account for delivery in acceptance.deliveries if delivery.account is not None]
    yield from dict.fromkeys(address.key for address in addresses)
    if acceptance.message_id is not None:
        yield acceptance.message_id


def _detail(acceptance: Acceptance) -> str:
    """The record of the trace, a JSON object. An address stands in it once, however often the client named it."""
    envelope, origin = acceptance.envelope, acceptance.origin
    detail: dict[str, Any] = {
        "session": origin.session,
        "protocol": origin.protocol,
        "client": origin.client,
        "helo": origin.helo,
        "from": "" if envelope.sender is None else str(envelope.sender),
        "to": list(dict.fromkeys(str(recipient.address) for recipient in envelope.recipients)),
        "size": acceptance.content.size,
    }
    accounts = list(dict.fromkeys(str(one.account) for one in acceptance.deliveries if one.account is not None))
    if accounts != detail["to"]:
        detail["delivered"] = accounts
    if origin.account is not None:
        detail["account"] = origin.account
    if origin.tls is not None:
        detail["tls"] = origin.tls.version
    if acceptance.message_id is not None:
        detail["message_id"] = acceptance.message_id
    return _to_json(detail)
