"""The unit of work that accepts a message: its content, its place in every mailbox and in the queue, and its trace."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Any

from attrs import frozen
from zope.interface import implementer

from worldmail.errors import RecipientGone
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.queue import IParcel
from worldmail.interfaces.store import Acceptance, Handover, IAcceptancePart, ITrace, KeptContent, StagedContent
from worldmail.mail.address import Address
from worldmail.mail.envelope import Facts
from worldmail.store.arrived import note_arrival
from worldmail.store.content import keep_content
from worldmail.store.quota import HAS_QUOTA, charge
from worldmail.store.staged import Leftovers
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
# By its content, of which there are few, rather than by mailbox.
_IS_THERE = (
    "SELECT 1 FROM message m WHERE m.content_id = ? AND m.acceptance = ?"
    " AND (SELECT b.account_id FROM mailbox b WHERE b.id = m.mailbox_id) = ? LIMIT 1"
)

_to_json = FlatJson(ascii=False).render

NO_SENDER = "<>"
"""What mail without a sender can be found by."""

_place = attrgetter("account_id", "mailbox")


@frozen
class _Drop:
    """What goes into one mailbox."""

    account_id: int
    mailbox: str
    prefix: bytes
    size: int
    is_bounded: bool


@implementer(IAcceptancePart)
@frozen(kw_only=True)
class AcceptancePart:
    """Provides `IAcceptancePart`, with all that can be made ready before it runs.

    Args:
        shared: it bears others beside it (`interfaces.database.Shared`).
        recipients: of the envelope, as they are remembered with the handover.
    """

    acceptance: str
    event: str
    received: int
    saved: int
    content: StagedContent | KeptContent
    unrepeatable: bool
    drops: tuple[_Drop, ...]
    trace: ITrace
    keys: tuple[str, ...]
    detail: str
    parcel: IParcel | None
    shared: bool
    leftovers: Leftovers
    handover: Handover | None = None
    recipients: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, acceptance: Acceptance, trace: ITrace, parcel: IParcel | None, leftovers: Leftovers, now: int
    ) -> AcceptancePart:
        """The part of this acceptance."""
        sender = acceptance.envelope.sender
        return_path = f"Return-Path: <{'' if sender is None else sender}>\r\nDelivered-To: "
        drops = []
        for delivery in sorted(acceptance.deliveries, key=_place):  # all lock mailboxes in this order
            prefix = f"{return_path}{delivery.recipient.address}\r\n".encode()
            size = len(prefix) + acceptance.content.told
            drops.append(_Drop(delivery.account_id, delivery.mailbox, prefix, size, delivery.is_bounded))
        return cls(
            acceptance=acceptance.id,
            event=acceptance.event,
            received=acceptance.received,
            saved=now,
            content=acceptance.content,
            unrepeatable=acceptance.unrepeatable,
            drops=tuple(drops),
            trace=trace,
            keys=tuple(_keys(acceptance)),
            detail=_detail(acceptance),
            parcel=parcel,
            shared=parcel is None or parcel.shared,
            leftovers=leftovers,
            handover=acceptance.handover,
            recipients=tuple([str(recipient.address) for recipient in acceptance.envelope.recipients]),
        )

    def write(self, cursor: Cursor) -> str | None:
        """The place where the content is, None if it is in the database."""
        place = None
        if self.handover is not None:
            note_arrival(cursor, self.handover, self.recipients, self.saved)
        if self.drops or self.parcel is not None:
            content_id, place = self._keep(cursor)
            came: dict[int, int] = {}
            for drop in self.drops:
                if not self._is_there(cursor, drop, content_id) and self._add(cursor, drop, content_id):
                    came[drop.account_id] = came.get(drop.account_id, 0) + drop.size
            if came:
                charge(cursor, came, [drop.account_id for drop in self.drops if not drop.is_bounded])
            if self.parcel is not None:
                self.parcel.add(cursor, content_id)
        self.trace.record(cursor, self.acceptance, self.saved, self.event, self.keys, self.detail)
        return place

    def accepted(self, place: str | None) -> None:
        """See `IAcceptancePart.accepted`."""
        staged = self._staged()
        if staged != place:  # the same octets were there before
            self.leftovers.discard(staged)
        if self.parcel is not None:
            self.parcel.accepted()

    async def dropped(self, refused: bool) -> None:
        """See `IAcceptancePart.dropped`."""
        if self.parcel is not None:
            self.parcel.dropped()
        if refused:
            await self.leftovers.discard_refused([self._staged()])

    def _staged(self) -> str | None:
        return self.content.place if isinstance(self.content, StagedContent) else None

    def _keep(self, cursor: Cursor) -> tuple[int, str | None]:
        if isinstance(self.content, KeptContent):
            return self.content.id, None
        return keep_content(cursor, self.content, unrepeatable=self.unrepeatable)

    def _is_there(self, cursor: Cursor, drop: _Drop, content_id: int) -> bool:
        """Has the account this message already, for another recipient, at once or by way of the queue?"""
        if not isinstance(self.content, KeptContent):
            return False
        return cursor.one(_IS_THERE, (content_id, self.acceptance, drop.account_id)) is not None

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
    """What the message can be found by: the addresses of its envelope, accounts and addresses that these led to, its
    Message-ID, and the message that it is a report on."""
    envelope = acceptance.envelope
    addresses: list[Address] = [recipient.address for recipient in envelope.recipients]
    if envelope.sender is None:
        yield NO_SENDER
    else:
        addresses.append(envelope.sender)
    addresses += [delivery.account for delivery in acceptance.deliveries if delivery.account is not None]
    addresses += [onward.recipient.address for onward in acceptance.onward]
    yield from dict.fromkeys(address.key for address in addresses)
    if acceptance.message_id is not None:
        yield acceptance.message_id
    if acceptance.about is not None:
        yield acceptance.about
    if acceptance.origin.told is not None and acceptance.origin.told.id:
        yield acceptance.origin.told.id


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
    if (accounts or not acceptance.onward) and (acceptance.onward or accounts != detail["to"]):
        detail["delivered"] = accounts
    for word, wakes in (("queued", False), ("wakes", True)):
        onward = [str(one.recipient.address) for one in acceptance.onward if one.wakes is wakes]
        if onward:
            detail[word] = onward
    if origin.account is not None:
        detail["account"] = origin.account
    if origin.turned is not None:
        detail["relay"], detail["agent"] = origin.turned.relay, origin.turned.agent
    if origin.told is not None:
        detail |= _told(origin.told)
    if origin.tls is not None:
        detail["tls"] = origin.tls.version
    if acceptance.message_id is not None:
        detail["message_id"] = acceptance.message_id
    if acceptance.about is not None:
        detail["about"] = acceptance.about
    return _to_json(detail)


def _told(told: Facts) -> dict[str, Any]:
    """How the server before us had it, as it says: what it knows."""
    said = {
        "before_id": told.id,
        "before_at": told.since,
        "before_client": told.client,
        "before_name": told.name,
        "before_helo": told.helo,
        "before_protocol": told.protocol,
        "before_local": told.local,
    }
    return {name: value for name, value in said.items() if value}
