"""One conversation of a run of an agent that fetches mail.

    list ─► what is not remembered: retrieve ─► sort ─► accept and remember, in one unit ─► delete there
    what is remembered: delete there, when its time is over
    what is not listed any more: forget

A message is deleted there only when the unit that accepted it is on disk, and its name was written in that unit: so
whatever stops at whatever moment, the next run neither fetches it again nor misses it. Many are under way at once, as
many as fit into a bound of memory; what a server says of sizes counts for that alone.

A server that sends ever less and never ends keeps nobody for ever: what comes in ten minutes has a least.

Where names are not listed any more that should be, what is fetched is compared with what had them: a server that has
begun to give other names has nothing taken in a second time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as TimedOut

from worldmail.errors import OverQuota, RecipientGone, Refusal, WorldMailError
from worldmail.interfaces.collection import IRemoteDrop, Listed, RemoteLost, RemoteRefused
from worldmail.interfaces.database import IDatabase
from worldmail.interfaces.ondemand import Agent
from worldmail.interfaces.store import Acceptance, ITrace
from worldmail.interfaces.world import IJournal
from worldmail.ondemand.collecting_intake import Intake, Reception
from worldmail.ondemand.collecting_known import Known
from worldmail.ondemand.collecting_looking import AT_A_TIME, TOGETHER, Looked, Mail, Pause, named
from worldmail.ondemand.collecting_places import Placed
from worldmail.ondemand.collecting_taking import Fetched, TakenBefore, Taking
from worldmail.ondemand.collecting_tally import Tally

IN_FLIGHT = 4 * 1024 * 1024
"""Octets of them, as far as the server tells: a larger one goes alone."""

LEAST, WINDOW = 30_000, 600.0
"""Octets of messages, or of headers, that come in so many seconds while some are under way; who sends less is left. A
line of 2400 baud has five times as much."""

LISTING, GOODBYE = 3600.0, 1800.0
"""Seconds after which a server is left that does not come to the end of its list, or of its goodbye."""


class TooSlow(RemoteLost):
    """It goes on, but comes to no end."""


@frozen(kw_only=True)
class Ground:
    """What a run stands on.

    Args:
        leave: seconds that mail stays there, `math.inf` for ever.
        now: epoch seconds.
        pause: lets others have their turn.
        seconds: a clock that only grows.
        in_time: the same, cancelled after so many seconds, and then a `TimedOut`.
    """

    database: IDatabase
    trace: ITrace
    journal: IJournal
    reception: Reception
    leave: float
    at_once: int
    now: Callable[[], float]
    pause: Pause
    seconds: Callable[[], float]
    in_time: Callable[[Awaitable[Any], float], Awaitable[Any]]


@define(kw_only=True, eq=False)
class Run:
    """See the module.

    Args:
        tally: of the whole run.
        alone: names of messages that are fetched last, with no other under way: at one of them a conversation broke.
        skipped: names of messages that this run leaves.

    Attributes:
        stop: why it ended before its end.
        suspects: names of messages that were under way when the server was lost.
    """

    agent: Agent
    drop: IRemoteDrop
    ground: Ground
    tally: Tally
    alone: Collection[str] = ()
    skipped: Collection[str] = ()
    stop: BaseException | None = field(default=None, init=False)
    suspects: set[str] = field(factory=set, init=False)
    _known: Known = field(init=False)
    _under_way: int = field(default=0, init=False)
    _octets: int = field(default=0, init=False)
    _came: int = field(default=0, init=False)
    _since: float = field(default=0.0, init=False)
    _waiter: Deferred[None] | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._known = Known(database=self.ground.database, agent=self.agent.name)

    async def run(self) -> None:
        """All of it; the conversation is over then. Never fails."""
        try:
            await self._work()
            await self._settled()
            if self.stop is None:
                await self._in_time(self.drop.close(), GOODBYE, "The server does not come to the end of its goodbye")
        except CancelledError as error:  # whatever else came before: nothing more is begun
            self.stop = error
        except Exception as error:  # noqa: BLE001  whatever it is, it is the result
            self.stop = self.stop or error
            if not isinstance(error, WorldMailError):
                self.ground.journal.failure("collection.failed", error, agent=self.agent.name)
        self.drop.abort()
        while self._under_way:
            try:
                await self._settled()
            except CancelledError as error:
                self.stop = error

    async def _in_time(self, work: Awaitable[Any], seconds: float, otherwise: str) -> Any:
        """Raises `TooSlow` if it does not come to its end in so many seconds."""
        try:
            return await self.ground.in_time(work, seconds)
        except TimedOut:
            raise TooSlow(otherwise) from None

    async def _work(self) -> None:
        known, now = self._known, self.ground.now()
        await known.read(int(now))
        memory = known.memory
        looked = await self._look(memory)
        await known.compare(looked, lambda at: self._is_over(at, now))
        seen: set[str] = set(memory)
        new: list[Mail] = []
        for at, mail in enumerate(looked.mails, 1):
            if at % AT_A_TIME == 0:
                await self.ground.pause()
            if mail.name not in seen:
                seen.add(mail.name)
                new.append(mail)
            elif self._is_over(memory.get(mail.name), now):
                await self._start(mail, self._delete, 0)
        await self._fetch_all(new)
        await self._settled()
        self.tally.later += looked.rest
        if known.gone and self.stop is None and not (self.tally.later or self.tally.left or self.skipped):
            await known.forget(looked)

    async def _look(self, memory: Mapping[str, int]) -> Looked:
        """What lies there."""
        ending = "The server does not come to the end of its list"
        listed: list[Listed] = await self._in_time(self.drop.messages(), LISTING, ending)
        self._came, self._since = 0, self.ground.seconds()
        largest = self.ground.reception.largest
        return await named(
            self.drop,
            listed,
            memory,
            self.ground.pause,
            most=max(0, self.ground.at_once - self.tally.fetched),
            wanted=lambda mail: (
                mail.octets <= largest and mail.name not in self.alone and mail.name not in self.skipped
            ),
            came=self._watch,
        )

    def _is_over(self, fetched: int | None, now: float) -> bool:
        """Has its time there come to an end? Without one it counts for nothing that a clock went back."""
        leave = self.ground.leave
        return fetched is not None and (not leave or fetched + leave <= now)

    async def _fetch_all(self, mails: Sequence[Mail]) -> None:
        """As many as a run may; what is too large stays in no other's way."""
        largest = self.ground.reception.largest
        fitting = []
        for mail in mails:
            if mail.octets > largest:
                self._leave_it(mail, f"it has {mail.octets} octets, more than largest={largest}")
            elif mail.name not in self.skipped:
                fitting.append(mail)
        fitting.sort(key=lambda mail: mail.name in self.alone)
        room = max(0, self.ground.at_once - self.tally.fetched)
        self.tally.later = max(0, len(fitting) - room)
        await self._settled()  # deletions bring no octets: the least is that of messages
        for mail in fitting[:room]:
            if mail.name in self.alone:
                await self._settled()
            if self.stop is not None:
                return
            await self._start(mail, self._fetch, mail.octets)

    # --- one message ------------------------------------------------------------------------

    async def _fetch(self, mail: Mail) -> None:
        intake = Intake(reception=self.ground.reception)

        async def take(octets: bytes) -> None:
            self._watch(len(octets))
            await intake.take(octets)

        try:
            largest = self.ground.reception.largest
            await self.drop.retrieve(mail.number, 2 * largest + 65536, take)
            digest = intake.digest() if self.ground.leave else ""
            if await self._is_known(mail, digest):
                intake.abort()
                return
            acceptance = await intake.finish()
            placed = intake.placed
            assert placed is not None
        except BaseException:
            intake.abort()
            raise
        had = self._known.parts.get(mail.name, frozenset())
        size = intake.size
        fetched = Fetched(name=mail.name, size=size, digest=digest, acceptance=acceptance, placed=placed, had=had)
        await self._accept(mail, fetched)

    async def _is_known(self, mail: Mail, digest: str) -> bool:
        """Was it fetched under a name that it does not have any more? Then it is seen to."""
        at = await self._known.under_another_name(mail.name, digest)
        if at is None:
            return False
        self.tally.again += 1
        self.tally.done.add(mail.name)
        if self._is_over(at, self.ground.now()):
            await self._delete(mail)
        return True

    async def _accept(self, mail: Mail, fetched: Fetched) -> None:
        """Raises what the store refuses it with."""
        ground = self.ground
        taking = Taking(
            agent=self.agent.name,
            server=self.drop.server,
            database=ground.database,
            trace=ground.trace,
            acceptance=ground.reception.acceptance,
        )
        placed = fetched.placed
        taken = await taking.take(fetched, int(ground.now()))
        self._record(taken.acceptance, placed)
        if taken.left:
            self._leave_it(mail, f"there is no room for it at {', '.join(taken.left)}; the others have it")
            return
        self.tally.fetched += 1
        self.tally.done.add(mail.name)
        self.tally.unclaimed += placed.unclaimed
        if not ground.leave:
            await self._delete(mail)

    def _watch(self, octets: int) -> None:
        """So much more of messages is here. Ends it where that is too little. Raises `RemoteLost`."""
        now = self.ground.seconds()
        self._came += octets
        if self._came >= LEAST:
            self._came, self._since = 0, now
        elif now - self._since > WINDOW:
            self.stop = self.stop or TooSlow("The server sends too slowly")
            self.drop.abort()
            raise self.stop

    async def _delete(self, mail: Mail) -> None:
        await self.drop.delete(mail.number)
        self.tally.deleted += 1

    # --- many at once -----------------------------------------------------------------------

    async def _start(self, mail: Mail, work: Callable[[Mail], Any], octets: int) -> None:
        """Begin it as soon as there is room."""
        while self._under_way and (self._under_way >= TOGETHER or self._octets + octets > IN_FLIGHT):
            await self._wait()
        if self.stop is not None:
            return
        if not self._under_way:
            self._came, self._since = 0, self.ground.seconds()
        self._under_way += 1
        self._octets += octets
        Deferred.fromCoroutine(self._do(mail, work)).addBoth(self._ended, octets)

    async def _do(self, mail: Mail, work: Callable[[Mail], Any]) -> None:
        try:
            await work(mail)
        except TakenBefore:
            pass
        except RemoteRefused as refused:
            self._leave_it(mail, f"the server says: {refused}")
        except RemoteLost as lost:
            if work == self._fetch:
                self.suspects.add(mail.name)
            self.stop = self.stop or lost
        except Refusal as refusal:
            self._leave_it(mail, refusal.reply_text)
            if refusal.temporary and not isinstance(refusal, (OverQuota, RecipientGone)):
                self.stop = self.stop or refusal  # it is in the way of all
        except Exception as error:  # noqa: BLE001  one message must not keep the others
            self.ground.journal.failure("collection.failed", error, agent=self.agent.name)
            self._leave_it(mail, "an internal fault")

    def _ended(self, _: object, octets: int) -> None:
        self._under_way -= 1
        self._octets -= octets
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.callback(None)

    async def _wait(self) -> None:
        """Until one of them has ended."""
        self._waiter = Deferred()
        await self._waiter

    async def _settled(self) -> None:
        while self._under_way:
            await self._wait()

    # --- what is told -----------------------------------------------------------------------

    def _leave_it(self, mail: Mail, why: str) -> None:
        if mail.name in self.tally.left:
            return
        self.tally.leave(mail.name, f"message {mail.number} ({mail.name[:70]}): {why}")
        self.ground.journal.record("collection.left", agent=self.agent.name, message=mail.name, reason=why)

    def _record(self, acceptance: Acceptance, placed: Placed) -> None:
        record = self.ground.journal.record
        origin, sender = acceptance.origin, acceptance.envelope.sender
        record(
            "accepted",
            session=origin.session,
            acceptance=acceptance.id,
            client=origin.client,
            sender=str(sender or "<>"),
            recipients=len(acceptance.envelope.recipients),
            size=acceptance.content.size,
            protocol=origin.protocol,
            sorted=placed.words,
        )
        for delivery in acceptance.deliveries:
            record(
                "delivered",
                session=origin.session,
                acceptance=acceptance.id,
                to=str(delivery.recipient.address),
                account=None if delivery.account is None else str(delivery.account),
                mailbox=delivery.mailbox,
            )
