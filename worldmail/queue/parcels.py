"""What comes into the queue: the part of an acceptance that it writes.

A recipient that can be sent to at once is *born leased*: its row is written as leased by this process's runner, which
has message and content in memory when the commit is done, so that nothing has to be taken or read again. All others
wait in the database, where any runner finds them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from attrs import define, field, frozen
from zope.interface import implementer

from worldmail.errors import NoSuchRecipient
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.outbound import IOutgoingContent
from worldmail.interfaces.queue import IOnward, IParcel, IRoutes, Route, Standing, Via
from worldmail.interfaces.store import Acceptance, Onward, StagedContent
from worldmail.mail.domain import normal_domain
from worldmail.mail.envelope import Envelope
from worldmail.queue.destinations import Destination, Destinations
from worldmail.queue.inline import InlineContent
from worldmail.queue.jobs import Job, Leased, Message, write_envelope, write_wishes
from worldmail.queue.lateness import end, look
from worldmail.queue.rows import FOREVER, NEWS, NewRecipient, add_message, add_recipient, destination_id, may_be_due
from worldmail.queue.schedule import Schedule, schedule_of
from worldmail.queue.waking import Waking

LOCAL = Route(name="", via=Via.LOCAL)
"""The way of what leads to mailboxes of ours."""


URGENCY = 3600
"""Seconds by which each step of priority above the usual one lets a recipient be due before it came: so it is taken
before those that wait longer (RFC 6710 §5)."""


class Taker(Protocol):
    """Who sends at once, if it can: the runner of this process."""

    def reserve(self, destination: Destination, recipients: int) -> int | None:
        """The runner's id if so many more recipients may be leased for this destination; they are counted then."""

    def offer(self, destination: Destination, job: Job, reserved: int) -> None:
        """A leased job, which was counted."""

    def give_up(self, destination: Destination, reserved: int) -> None:
        """What was counted does not come."""

    def woken(self, destination: Destination, due: int) -> None:
        """Something waits for it from then on."""


@frozen(kw_only=True)
class _Group:
    """The recipients of one destination."""

    destination: Destination
    onward: tuple[Onward, ...]
    rows: tuple[NewRecipient, ...]
    runner_id: int | None

    @property
    def reserved(self) -> int:
        return len(self.rows) if self.runner_id is not None else 0


@implementer(IOnward)
@frozen(kw_only=True)
class Parcels:
    """Provides `IOnward`.

    Args:
        taker: None where nothing is sent, as in a command.
        waking: None where nothing is released.
    """

    routes: IRoutes
    destinations: Destinations
    schedule: Schedule
    now: Callable[[], float]
    taker: Taker | None
    waking: Waking | None = None

    def parcel(self, acceptance: Acceptance) -> IParcel:
        """See `IOnward.parcel`."""
        waking = [onward for onward in acceptance.onward if onward.wakes]
        if not waking:
            return self._parcel(acceptance, acceptance.onward)
        if self.waking is None:
            raise NoSuchRecipient
        going_on = tuple([onward for onward in acceptance.onward if not onward.wakes])
        return self.waking.parcel(acceptance, waking, self._parcel(acceptance, going_on) if going_on else None)

    def _parcel(self, acceptance: Acceptance, going_on: tuple[Onward, ...]) -> Parcel:
        now = int(self.now())
        sorted_out: dict[str, tuple[Destination, list[Onward]]] = {}
        for onward in going_on:
            destination = self._destination(acceptance.envelope, onward)
            sorted_out.setdefault(destination.key, (destination, []))[1].append(onward)
        groups = [self._group(acceptance, *sorted_out[key], now) for key in sorted(sorted_out)]
        return Parcel(acceptance=acceptance, accepted_at=now, groups=tuple(groups), taker=self.taker)

    def _destination(self, envelope: Envelope, onward: Onward) -> Destination:
        domain = normal_domain(onward.recipient.address.domain)
        if onward.here:
            return self.destinations.of(LOCAL, domain)
        return self.destinations.of(self.routes.route(envelope.sender, domain), domain)

    def _group(self, acceptance: Acceptance, destination: Destination, onward: list[Onward], now: int) -> _Group:
        runner_id = None
        if self.taker is not None and not destination.route.holds and all(one.not_before <= now for one in onward):
            runner_id = self.taker.reserve(destination, len(onward))
        rows = tuple([self._row(acceptance, destination, one, now, runner_id) for one in onward])
        return _Group(destination=destination, onward=tuple(onward), rows=rows, runner_id=runner_id)

    def _row(
        self, acceptance: Acceptance, destination: Destination, onward: Onward, now: int, runner_id: int | None
    ) -> NewRecipient:
        due = max(now, onward.not_before)
        wishes = acceptance.wishes
        schedule = schedule_of(self.schedule, destination.route)
        expires = end(wishes, due + round(schedule.lifetime))
        next_look = look(schedule, wishes, accepted=now, began=due, expires=expires, told=0)
        standing = Standing.WAITING if runner_id is None else Standing.LEASED
        if destination.route.holds:
            standing, next_look = Standing.HELD, FOREVER if destination.route.hold is None else next_look
        elif due == now and wishes.priority is not None:
            due -= URGENCY * max(0, wishes.priority)
        recipient = onward.recipient
        return NewRecipient(
            address=str(recipient.address),
            wishes=write_wishes(recipient),
            standing=standing,
            due=due,
            expires=expires,
            look=next_look,
        )


@implementer(IParcel)
@define(kw_only=True, eq=False)
class Parcel:
    """Provides `IParcel`. What the last call of `add` wrote is what counts."""

    _acceptance: Acceptance
    _accepted_at: int
    _groups: tuple[_Group, ...]
    _taker: Taker | None
    _message_id: int = field(default=0, init=False)
    _content_id: int = field(default=0, init=False)
    _destination_ids: list[int] = field(factory=list, init=False)
    _recipient_ids: list[list[int]] = field(factory=list, init=False)

    @property
    def shared(self) -> bool:
        """See `IParcel.shared`: nobody is to look for what comes leased."""
        return all(group.destination.id and group.runner_id is not None for group in self._groups)

    def add(self, cursor: Cursor, content_id: int) -> None:
        """See `IParcel.add`."""
        acceptance = self._acceptance
        envelope, origin = acceptance.envelope, acceptance.origin
        self._content_id = content_id
        content = acceptance.content
        told = None if content.told == content.size else content.told
        self._message_id = add_message(
            cursor,
            (
                acceptance.id,
                content_id,
                "" if envelope.sender is None else str(envelope.sender),
                write_envelope(envelope, acceptance.wishes, origin, told),
                acceptance.content.size,
                self._accepted_at,
                acceptance.wishes.priority or 0,
                int(acceptance.report),
                int(self._sole),
                sum(len(group.rows) for group in self._groups),
            ),
        )
        self._destination_ids, self._recipient_ids = [], []
        for group in self._groups:
            self._add_group(cursor, group)

    def accepted(self) -> None:
        """See `IParcel.accepted`."""
        if self._taker is None:
            return
        message = self._message()
        for group, id_, ids in zip(self._groups, self._destination_ids, self._recipient_ids, strict=True):
            group.destination.id = id_
            if group.runner_id is not None:
                self._taker.offer(group.destination, self._job(message, group, ids), group.reserved)
            else:
                for due in {row.due for row in group.rows if row.standing is Standing.WAITING}:
                    self._taker.woken(group.destination, due)

    def dropped(self) -> None:
        """See `IParcel.dropped`."""
        if self._taker is not None:
            for group in self._groups:
                self._taker.give_up(group.destination, group.reserved)

    @property
    def _sole(self) -> bool:
        acceptance = self._acceptance
        return acceptance.unrepeatable and not acceptance.deliveries

    def _add_group(self, cursor: Cursor, group: _Group) -> None:
        destination = group.destination
        place = (destination.key, destination.domain, destination.route.name)
        id_ = destination.id or destination_id(cursor, *place)
        rows = group.rows
        ids: list[int] = []
        for row in rows:
            while (new := add_recipient(cursor, self._message_id, id_, row, group.runner_id)) is None:
                id_ = destination_id(cursor, *place)  # nothing was queued for it for so long that it is forgotten
            ids.append(new)
        self._destination_ids.append(id_)
        self._recipient_ids.append(ids)
        dues = [row.due for row in rows if row.standing is Standing.WAITING]
        if dues:
            may_be_due(cursor, id_, min(dues))
        if destination.route.hold is not None:
            cursor.notice(NEWS, id_)

    def _message(self) -> Message:
        acceptance = self._acceptance
        kept = acceptance.envelope
        return Message(
            id=self._message_id,
            acceptance=acceptance.id,
            content_id=self._content_id,
            envelope=Envelope(
                sender=kept.sender,
                body=kept.body,
                smtputf8=kept.smtputf8,
                envelope_id=kept.envelope_id,
                returns=kept.returns,
                submitter=kept.submitter,
            ),
            wishes=acceptance.wishes,
            size=acceptance.content.size,
            told=acceptance.content.told,
            accepted=self._accepted_at,
            report=acceptance.report,
            sole=self._sole,
            client=acceptance.origin.client,
            helo=acceptance.origin.helo,
            facts=acceptance.origin.facts,
        )

    def _job(self, message: Message, group: _Group, ids: Iterable[int]) -> Job:
        assert group.runner_id is not None
        recipients = [
            Leased(
                id=id_,
                recipient=onward.recipient,
                attempts=1,
                expires=row.expires,
                warned=0,
                runner_id=group.runner_id,
            )
            for id_, onward, row in zip(ids, group.onward, group.rows, strict=True)
        ]
        return Job(message=message, recipients=recipients, content=self._content())

    def _content(self) -> IOutgoingContent | None:
        content = self._acceptance.content
        if isinstance(content, StagedContent) and content.inline is not None:
            return InlineContent(content.inline)
        return None
