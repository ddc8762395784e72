"""Handing over what waits in holds to who asks for it, over the asker's own connection (ODMR, RFC 2645)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from attrs import define, field
from twisted.internet.defer import Deferred

from worldmail.errors import Refusal
from worldmail.interfaces.database import Cursor, IChanges, IDatabase, Notice
from worldmail.interfaces.directory import Account, IDirectory
from worldmail.interfaces.outbound import Hop, IOutbound, Security
from worldmail.interfaces.pairs import IPairs
from worldmail.interfaces.protocol import IDialogue
from worldmail.interfaces.queue import IRoutes
from worldmail.interfaces.releases import NothingWaits, TurnBusy
from worldmail.interfaces.world import IJournal
from worldmail.queue.releasing import are_leased, count_waiting
from worldmail.queue.rows import NEWS
from worldmail.queue.runner import Runner
from worldmail.queue.shares import Shares
from worldmail.queue.turn import IN_FLIGHT, Turn
from worldmail.queue.waiting import any_of

__all__ = ["IN_FLIGHT", "Turns"]

TURNED = "queue-turned"
"""The topic of turns that begin, by the id of the account: another server may think that it has the customer."""

KNOWN = 10_000
"""Destinations whose hold is remembered."""


@define(kw_only=True, eq=False)
class Turns:
    """Begins turns, one at a time for what can be fetched.

    Args:
        pairs: None where nobody is paired with us.
        host: our own name.
    """

    database: IDatabase
    changes: IChanges
    directory: IDirectory
    routes: IRoutes
    runner: Runner
    outbound: IOutbound
    journal: IJournal
    pairs: IPairs | None = None
    host: str
    _turns: dict[Turn, Deferred[None]] = field(factory=dict, init=False)
    _holds: dict[int, str] = field(factory=dict, init=False)
    _cease: Sequence[Callable[[], None]] = field(default=(), init=False)

    async def begin(self, account: Account, domains: Sequence[str] | None, session: str, stay: int = 0) -> IDialogue:
        """See `IReleases.turn`."""
        wanted = Shares.of(self.database, self.routes, account.address.key, domains)
        await self.database.write(lambda cursor: cursor.notice(TURNED, account.id))
        shares = self._free(wanted, every=domains is None)
        if not stay and not await self._count(shares):
            others = [held for _, held in await wanted.waiting()]  # it may wait again in a moment
            busy = await self.database.scan(partial(are_leased, others)) or await self._count(wanted)
            raise TurnBusy if busy else NothingWaits
        shares = self._free(wanted, every=domains is None)
        superseded = {turn: end for turn, end in self._turns.items() if turn.shares.meet(shares)}
        for turn, end in superseded.items():
            turn.give_way()
            await any_of([end])  # what was on its way there waits again then
        if superseded:
            shares = self._free(wanted, every=domains is None)
        return self._begin(account, shares, session, stay, every=domains is None)

    def _free(self, wanted: Shares, *, every: bool) -> Shares:
        """What of it may be fetched now: all of it or, of every hold of a customer, what nobody else is at.

        Raises `TurnBusy`. What the same customer is at may be fetched if its turn is idle: one whose address
        changed comes back before anybody can tell that its old connection is dead.
        """
        busy = [turn.shares for turn in self._turns if not (turn.idle and turn.shares.account == wanted.account)]
        free = wanted.apart_from(busy)
        if not self.runner.going or not free.asked or (not every and free.asked != wanted.asked):
            raise TurnBusy
        return free

    def _has_more(self, turn: Turn) -> bool:
        """May its customer have another hold by now, at which nobody is?"""
        try:
            wanted = Shares.of(self.database, self.routes, turn.shares.account, None)
        except Refusal:
            return False
        free = wanted.apart_from([each.shares for each in self._turns if each is not turn])
        return not {share.hold for share in free.asked} <= {share.hold for share in turn.shares.asked}

    async def _count(self, shares: Shares) -> int:
        """Messages that wait there."""
        waiting = [held for _, held in await shares.waiting()]
        found: int = await self.database.scan(partial(count_waiting, waiting, int(self.runner.clock.now())))
        return found

    def _begin(self, account: Account, shares: Shares, session: str, stay: int, *, every: bool) -> IDialogue:
        paired = self.pairs is not None and self.pairs.site(account.address.key) is not None
        hop = Hop(
            host=str(account.address),
            addresses=(),
            port=0,
            helo=self.host,
            security=Security.NEVER,
            tells_origin=paired,
            signed_in=True,
        )
        conversation = self.outbound.over(hop)
        turn = Turn(
            database=self.database,
            runner=self.runner,
            carriage=self.runner.carriage,
            journal=self.journal,
            conversation=conversation,
            session=session,
            customer=account,
            shares=shares,
            stay=stay,
            paired=paired,
            allowed=partial(self._allowed, account, shares),
            has_more=self._has_more if every else lambda turn: False,
        )
        if stay and not self._cease:
            subscribe = self.changes.subscribe
            self._cease = (subscribe(NEWS, self._told), subscribe(TURNED, self._told_of_turn))
        self._turns[turn] = under_way = Deferred.fromCoroutine(turn.run())

        def over(result: object) -> None:
            self.runner.carriers.discard(under_way)
            self._forget(turn)
            if hasattr(result, "value"):
                self.journal.failure("turn.failed", result.value, session=session)

        self.runner.carriers.add(under_way)
        under_way.addBoth(over)
        dialogue: IDialogue = conversation.dialogue
        return dialogue

    def _forget(self, turn: Turn) -> None:
        self._turns.pop(turn, None)
        if not any(each.stay for each in self._turns):
            for cease in self._cease:
                cease()
            self._cease = ()

    async def _allowed(self, account: Account, shares: Shares) -> bool:
        """May it go on? If that cannot be told now, it may."""
        if not shares.holds():
            return False
        try:
            return account.is_still(await self.directory.account(account.address))
        except Refusal:
            return True

    # -- news ----------------------------------------------------------------------------------

    def _told_of_turn(self, notice: Notice) -> None:
        """An account has begun a turn, here or at another server."""
        for turn in list(self._turns):
            if notice.key in (0, turn.customer.id):
                turn.doubt()

    def _told(self, notice: Notice) -> None:
        """Something came into a hold."""
        hold = self._holds.get(notice.key)
        if hold is not None or not notice.key:
            self._tell(notice.key, hold)
        else:
            Deferred.fromCoroutine(self._find_out(notice.key))

    async def _find_out(self, destination: int) -> None:
        """A destination that was never heard of; if it cannot be read now, it may be anybody's."""
        if len(self._holds) >= KNOWN:
            self._holds.clear()
        try:
            key = await self.database.read(partial(_key_of, destination=destination))
        except Refusal:
            self._tell(destination, None)
            return
        words = key.split(" ")
        self._holds[destination] = words[1] if len(words) > 1 else ""
        self._tell(destination, self._holds[destination])

    def _tell(self, destination: int, hold: str | None) -> None:
        """Tell those who stay of the hold, None for any."""
        for turn in self._turns:
            if turn.stay and (hold is None or any(share.hold == hold for share in turn.shares.asked)):
                turn.tell(destination)


def _key_of(cursor: Cursor, *, destination: int) -> str:
    row = cursor.one("SELECT key FROM destination WHERE id = ?", (destination,))
    return "" if row is None else str(row[0])
