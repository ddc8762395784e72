"""One connection's life: find a server that answers, hand over what is ready, stay a moment, leave."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Protocol

from attrs import define, evolve, field
from zope.interface import implementer

from worldmail.errors import TemporaryFailure
from worldmail.interfaces.outbound import (
    Fate,
    Hop,
    HopFailed,
    IConversation,
    IOutbound,
    IOutgoingContent,
    Outcome,
    Phase,
    RecipientFate,
    Shipment,
    Trouble,
)
from worldmail.interfaces.queue import Route, Via
from worldmail.interfaces.resting import IMeter
from worldmail.interfaces.store import IAcceptance
from worldmail.queue.apart import Apart
from worldmail.queue.batches import Batch, next_batch
from worldmail.queue.destinations import Destination
from worldmail.queue.here import Here
from worldmail.queue.jobs import Job, Leased
from worldmail.queue.places import Pace
from worldmail.queue.settling import Arrival, Transaction

IDLE = 2.0
"""Seconds for which a connection waits for more to send."""


class Ways(Protocol):
    """Finds the servers of a destination."""

    def hops(self, route: Route, domain: str) -> AsyncIterator[Hop]:
        """Servers in the order in which they are to be tried. Raises `HopFailed`."""


class Owner(Protocol):
    """The runner, as a carrier sees it."""

    @property
    def going(self) -> bool:
        """Is more to be begun?"""

    def next_job(self, destination: Destination, patience: float) -> Awaitable[Job | None]:
        """What is ready, or will be within so many seconds; None if nothing is, or nothing more is to be begun."""

    def settle(
        self, destination: Destination, job: Job, fates: Sequence[tuple[Leased, RecipientFate]], by: Transaction
    ) -> None:
        """What became of recipients."""

    def settle_here(self, destination: Destination, job: Job, leased: Leased, arrival: Arrival) -> None:
        """A recipient that is delivered here."""

    def returned(self, job: Job) -> None:
        """These are not leased any more: another tries them."""

    def again(self, destination: Destination, job: Job) -> None:
        """Nothing is wrong with these: they go with the next connection."""

    def broken(self, destination: Destination, job: Job) -> None:
        """A fault of ours came in the way: what it is with those who are not settled is not known."""

    def reached(self, destination: Destination) -> None:
        """A message was taken there."""

    def unreachable(self, destination: Destination, trouble: Trouble) -> None:
        """No server of it can be talked to."""

    def opened(self, destination: Destination, conversation: IConversation) -> None:
        """There is a connection."""

    def begins(self, conversation: IConversation, job: Job) -> bool:
        """A transaction with some of these is to begin. False if it must not: nothing is to be begun now, or some of
        them are not leased to us any more."""

    def closed(self, destination: Destination, conversation: IConversation) -> None:
        """It is gone."""


_BROKEN = frozenset({"4.4.2", "4.5.0"})
"""Statuses of conversations that a server ended in the midst of a message, or did not go on with."""

_NOBODY = Trouble(fate=Fate.DEFERRED, status="4.4.1", phase=Phase.NAME, server="", reason="There is no server to try")


@implementer(IMeter)
class Unmetered:
    """Nothing costs by the octet."""

    def ours(self, route: str) -> bool:
        """See `IMeter.ours`."""
        return True

    def refuses(self, route: str, octets: int) -> str | None:
        """See `IMeter.refuses`."""
        return None

    def spend(self, route: str, octets: int) -> bool:
        """See `IMeter.spend`."""
        return True


@define(kw_only=True)
class Carriage:
    """What carriers need. One for all of them."""

    ways: Ways
    outbound: IOutbound
    acceptance: IAcceptance
    here: Here
    pace: Pace
    apart: Apart
    meter: IMeter = field(factory=Unmetered)

    async def run(self, owner: Owner, destination: Destination) -> None:
        """Serve a destination over one connection until nothing is ready."""
        if destination.route.via is Via.LOCAL:
            await self._deliver(owner, destination)
            return
        if destination.route.via is Via.REFUSE:
            await self._refuse(owner, destination)
            return
        tried: set[str] = set()
        try:
            conversation = await self._reach(destination, tried)
        except HopFailed as failed:
            owner.unreachable(destination, failed.trouble)
            return
        owner.opened(destination, conversation)
        destination.talking += 1
        try:
            await self._converse(owner, destination, conversation, frozenset(tried))
        finally:
            destination.talking -= 1
            owner.closed(destination, conversation)
            await conversation.close()

    async def _reach(self, destination: Destination, tried: set[str]) -> IConversation:
        """The first server that talks to us. Raises `HopFailed`: final only if all are (RFC 7504 §4).

        `tried`: names of servers that are left out; all that are asked are put there.
        """
        trouble: HopFailed | None = None
        try:
            async for hop in self.ways.hops(destination.route, destination.domain):
                if hop.host in tried:
                    continue
                tried.add(hop.host)
                try:
                    return await self.outbound.connect(hop)
                except HopFailed as failed:
                    trouble = _better(trouble, failed)
        except HopFailed as failed:
            trouble = _better(trouble, failed)
        raise trouble or HopFailed(_NOBODY)

    async def _deliver(self, owner: Owner, destination: Destination) -> None:
        while (job := await owner.next_job(destination, 0.0)) is not None:
            try:
                await self._deliver_job(owner, destination, job)
            except Exception:
                owner.broken(destination, job)
                raise

    async def _deliver_job(self, owner: Owner, destination: Destination, job: Job) -> None:
        for leased in list(job.recipients):
            event, fate, part = await self.here.deliver(job, leased)
            if fate.fate is Fate.DEFERRED and not owner.going:  # the database was not to be had: no attempt
                owner.again(destination, job)
                return
            if part is None:
                owner.settle(destination, job, [(leased, fate)], Transaction(server=""))
            else:
                owner.settle_here(destination, job, leased, Arrival(event=event, fate=fate, part=part))

    async def _converse(
        self, owner: Owner, destination: Destination, conversation: IConversation, tried: frozenset[str]
    ) -> None:
        first = True
        while conversation.usable and owner.going:
            job = await owner.next_job(destination, 0.0 if first else IDLE)
            if job is None:
                return
            if (words := self.meter.refuses(destination.route.name, job.message.size)) is not None:
                fate = RecipientFate(fate=Fate.DEFERRED, status="4.4.5", phase=Phase.CONNECT, reason=words)
                owner.settle(destination, job, [(leased, fate) for leased in job.recipients], Transaction(server=""))
                continue
            await self.pace.turn(destination)
            closed = not (first or conversation.usable)  # by the peer, while it waited: no attempt
            if closed or not owner.going:
                owner.again(destination, job)
                return
            try:
                put_off, went = await self._send(owner, destination, conversation, job, first)
                if put_off:
                    await self._second(owner, destination, job, put_off, conversation.server, tried)
            except Exception:
                owner.broken(destination, job)
                raise
            if not went:
                return
            first = False

    async def _send(
        self, owner: Owner, destination: Destination, conversation: IConversation, job: Job, first: bool
    ) -> tuple[list[tuple[Leased, RecipientFate]], bool]:
        """One message, in as many transactions as it takes.

        Gives those that it was refused for now, if a second server may do, and whether this one is of any more use.
        """
        put_off: list[tuple[Leased, RecipientFate]] = []
        content = await self._content(owner, destination, job)
        if content is None:
            return put_off, True
        remaining = list(job.recipients)
        while remaining:
            if not (owner.begins(conversation, job) and self._spend(destination, job)):
                break
            batch = _next_batch(destination, conversation, job, remaining)
            outcome = await conversation.send(_shipment(job, batch, content))
            if not first and not conversation.usable and _went_away(outcome):
                break  # it was closed while it waited: no attempt
            pairs, refused = batch.sort_out(outcome)
            again = [leased for leased, fate in pairs if fate.again]
            if len(again) == len(batch.recipients):
                if not first:
                    break  # there is room for them over another connection
                pairs, again = [(leased, evolve(fate, again=False)) for leased, fate in pairs], []
            remaining, first = [*refused, *again, *batch.later], False
            put_off += [pair for pair in pairs if _may_do_better(destination, pair[1])]
            done = [pair for pair in pairs if not (pair[1].again or _may_do_better(destination, pair[1]))]
            _settle(owner, destination, job, done, outcome)
            if not conversation.usable:
                break
        if remaining:
            owner.again(destination, job.part(remaining))
        return put_off, not remaining

    async def hand_over(
        self, owner: Owner, destination: Destination, conversation: IConversation, job: Job, *, first: bool
    ) -> None:
        """One message over a connection that was not opened for its destination, and has no second."""
        try:
            put_off, _ = await self._send(owner, destination, conversation, job, first)
        except Exception:
            owner.broken(destination, job)
            raise
        owner.settle(destination, job, put_off, Transaction(server=conversation.server))

    async def _second(
        self,
        owner: Owner,
        destination: Destination,
        job: Job,
        put_off: Sequence[tuple[Leased, RecipientFate]],
        server: str,
        tried: frozenset[str],
    ) -> None:
        """What one server does not take for now another may (RFC 5321 §5.1: at least two are tried)."""
        by = Transaction(server=server)
        if not owner.going:
            owner.settle(destination, job, put_off, by)
            return
        try:
            content = await self._opened(job)
            conversation = await self._reach(destination, set(tried))
        except (HopFailed, TemporaryFailure):
            owner.settle(destination, job, put_off, by)
            return
        before = {leased.id: fate for leased, fate in put_off}
        remaining = [leased for leased, _ in put_off]
        owner.opened(destination, conversation)
        try:
            while remaining and conversation.usable and owner.begins(conversation, job):
                if not self._spend(destination, job):
                    break
                batch = _next_batch(destination, conversation, job, remaining)
                outcome = await conversation.send(_shipment(job, batch, content))
                pairs, refused = batch.sort_out(outcome)
                pairs = [(leased, before[leased.id] if fate.again else fate) for leased, fate in pairs]
                _settle(owner, destination, job, pairs, outcome)
                remaining = [*refused, *batch.later]
        finally:
            owner.closed(destination, conversation)
        owner.settle(destination, job, [(leased, before[leased.id]) for leased in remaining], by)
        await conversation.close()

    def _spend(self, destination: Destination, job: Job) -> bool:
        """It counts as it is offered: how much of what is not taken was on the way nobody knows."""
        return self.meter.spend(destination.route.name, job.message.size)

    async def _opened(self, job: Job) -> IOutgoingContent:
        """Its content. Raises `TemporaryFailure`."""
        return job.content or await self.acceptance.outgoing(job.message.content_id)

    async def _content(self, owner: Owner, destination: Destination, job: Job) -> IOutgoingContent | None:
        """Its content; None if it cannot be had now, which is seen to then."""
        try:
            content = await self._opened(job)
            await self.apart.look_at(content)
            return content
        except TemporaryFailure as failure:
            if not owner.going:  # the database was not to be had: no attempt
                owner.again(destination, job)
                return None
            if await self.apart.leave(destination, job):
                owner.returned(job)
                return None
            fate = RecipientFate(fate=Fate.DEFERRED, status="4.3.0", phase=Phase.CONTENT, reason=str(failure.reason))
            owner.settle(destination, job, [(leased, fate) for leased in job.recipients], Transaction(server=""))
            return None

    async def _refuse(self, owner: Owner, destination: Destination) -> None:
        text = destination.route.text or "Mail for this domain is refused here"
        fate = RecipientFate(fate=Fate.FAILED, status="5.7.1", phase=Phase.NAME, reason=text)
        while (job := await owner.next_job(destination, 0.0)) is not None:
            owner.settle(destination, job, [(leased, fate) for leased in job.recipients], Transaction(server=""))


def _better(one: HopFailed | None, other: HopFailed) -> HopFailed:
    """Which trouble counts: one that may pass, and of these the first."""
    return other if one is None or (one.trouble.fate is Fate.FAILED is not other.trouble.fate) else one


def _went_away(outcome: Outcome) -> bool:
    """The peer was gone before it was told of a sender."""
    return all(
        fate.again
        or (fate.fate is Fate.DEFERRED and fate.phase is Phase.MAIL and (fate.reply is None or fate.reply.code == 421))
        for fate in outcome.fates
    )


def _may_do_better(destination: Destination, fate: RecipientFate) -> bool:
    """Did a server put it off, or break off, that may not be the only one? Whether it has the message is known."""
    theirs = fate.reply is not None or fate.status in _BROKEN
    return theirs and fate.fate is Fate.DEFERRED and not fate.again and destination.route.via is Via.MX


def _next_batch(destination: Destination, conversation: IConversation, job: Job, remaining: Sequence[Leased]) -> Batch:
    """LMTP ends in mailboxes: there nobody reports, and the reverse-path is what the reader sees."""
    dsn = conversation.dsn or destination.route.via is Via.LMTP
    return next_batch(job.message, remaining, dsn=dsn)


def _shipment(job: Job, batch: Batch, content: IOutgoingContent) -> Shipment:
    message, envelope = job.message, job.envelope(batch.recipients)
    if batch.nameless:
        envelope = evolve(envelope, sender=None)
    return Shipment(
        id=message.acceptance,
        envelope=envelope,
        wishes=message.wishes,
        content=content,
        bounce=message.envelope.sender is None,
        origin=evolve(message.facts, id=message.acceptance, since=message.accepted),
    )


def _settle(
    owner: Owner,
    destination: Destination,
    job: Job,
    fates: Sequence[tuple[Leased, RecipientFate]],
    outcome: Outcome,
) -> None:
    if not fates:
        return
    tls = outcome.tls
    by = Transaction(
        server=outcome.server,
        dsn=outcome.dsn,
        tls=None if tls is None else tls.version,
        verified=tls is not None and tls.verified,
        deliver_by=outcome.deliver_by,
    )
    owner.settle(destination, job, fates, by)
    if any(fate.fate is Fate.DELIVERED for _, fate in fates):
        owner.reached(destination)
