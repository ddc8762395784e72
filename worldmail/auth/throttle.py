"""How often may be guessed: one counter over all protocols.

    per address (IPv4 /32, IPv6 /64)        10 a minute, 50 a day; three times that for its /24 or /48
    per account, from whatever address      100 a day
    per account, from one network           10 a minute, 100 a day (IPv4 /24, IPv6 /64)

The figures are settings; "a minute" is this minute and the last. A try counts from its beginning, so that many at
once are no way around a limit: those that could exceed it wait for those before them. A failure is answered after a
delay that doubles with each from its address.

Over one of the first limits nobody is let in but an owner from a network that he is known in, whom the last alone
holds up. None of this may tell whether an account exists: every name has all the counters, known or not, and over a
limit all hear the same after the same time, the owner's wrong password as a name that nobody has.
"""

from __future__ import annotations

from collections import Counter

from attrs import define, evolve, field, frozen

from worldmail.auth.behind import WriteBehind
from worldmail.auth.failures import Key, Tally
from worldmail.auth.networks import Networks
from worldmail.auth.turns import Turns
from worldmail.config.settings import AuthSettings
from worldmail.errors import AuthenticationDelayed
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.world import IClock

_WIDER = 3
_MAXIMUM_WAITING = 1000
_MAXIMUM_DELAYED = 2000
_MAXIMUM_FULL = 20_000


@frozen(kw_only=True)
class Limit:
    """At most so many failures of `key` in a minute (None: no limit) and in a day."""

    key: Key
    minute: int | None
    day: int

    def reached(self, tally: Tally, under_way: int) -> bool:
        """True if these failures, and tries that may become such, leave no room for one more."""
        in_minute = self.minute is not None and tally.lately + under_way >= self.minute
        return in_minute or tally.day + under_way >= self.day


@frozen(kw_only=True)
class Counters:
    """What is counted of one who wants to try.

    Args:
        known: True if the account's owner signed in from this network before.
        limits: what holds everybody up; the first is that of the address.
        tallies: the failures under each of them.
        own: the limit of this account in this network, the only one that its owner has where he is known.
        own_tally: the failures under it.
    """

    known: bool
    limits: tuple[Limit, ...]
    tallies: tuple[Tally, ...]
    own: Limit
    own_tally: Tally


@frozen(kw_only=True)
class Standing:
    """How one who wants to try stands.

    Args:
        known: True if the account's owner signed in from this network before.
        limits: under which his try is under way.
        counted: the keys under which his failure counts.
        failures: those of his address within a day, by which he waits; None if he does not.
        over: why nobody else than a known owner would be let in; "" if everybody is.
        hopeless: True if he is not let in whatever his credentials.
        preferred: True for whoever comes from a network that owners are known in, whichever name he tries.
    """

    known: bool = False
    limits: tuple[Limit, ...] = ()
    counted: tuple[Key, ...] = ()
    failures: int | None = None
    over: str = ""
    hopeless: bool = False
    preferred: bool = False


_EXEMPT = Standing(known=True, preferred=True)


class Throttle:
    """See the module's text.

    Args:
        database: keeps the counters over a restart.
        clock: the wall clock counts, `sleep` delays.
        networks: which networks an address stands for.
        settings: the limits.
        behind: holds and writes the counters.
    """

    def __init__(
        self, database: IDatabase, clock: IClock, networks: Networks, settings: AuthSettings, behind: WriteBehind
    ) -> None:
        self._database = database
        self._clock = clock
        self._networks = networks
        self._settings = settings
        self._behind = behind
        self._under_way: Counter[Key] = Counter()
        self._turns: Turns[Key] = Turns(_MAXIMUM_WAITING)
        self._delayed = 0
        self._full: dict[Key, None] = {}

    def is_open(self, client: str, account_key: str, account_id: int) -> bool:
        """Whether a login verified lately may pass without a look at the database; notes where it came from.

        Where a limit was reached it says False, for else it would tell right guesses from wrong ones; then
        `enter` has to be asked.
        """
        networks = self._networks.of(client)
        if self._full and not networks.exempt and self._is_full(client, account_key):
            return False
        now = int(self._clock.now())
        if not self._behind.known.is_fresh(account_id, networks.home, now):
            self.owner_seen(account_id, client)
        return True

    async def enter(self, client: str, account_key: str, account_id: int) -> Attempt:
        """Begin a try; its end has to be told to the `Attempt`.

        Args:
            client: the peer's IP address.
            account_key: stands for the account, known or not, in the counters.
            account_id: 0 for an unknown account.

        Returns: the attempt, which may be `hopeless`. Raises: `TemporaryFailure`.
        """
        standing, began = _EXEMPT, self._clock.seconds()
        if not self._networks.of(client).exempt:
            standing = await self._admitted(client, account_key, account_id)
            self._under_way.update(limit.key for limit in standing.limits)
        return Attempt(throttle=self, client=client, account_id=account_id, standing=standing, began=began)

    async def delay(self, failures: int) -> None:
        """Wait as one does who failed so often before."""
        self._delayed += 1
        try:
            await self._clock.sleep(self._seconds(failures))
        finally:
            self._delayed -= 1

    async def hold(self, began: float, failures: int) -> None:
        """Wait as long from the beginning of a try over a limit, whether or not anything was verified for it.

        Only connections bound these: they may not take the place of those that `delay` is for.
        """
        await self._clock.sleep(max(0.0, began + self._seconds(failures) - self._clock.seconds()))

    def count(self, keys: tuple[Key, ...]) -> None:
        """A failure."""
        if keys:
            self._behind.failures.record(keys, self._minute())
            self._behind.wake()

    def owner_seen(self, account_id: int, client: str) -> None:
        """The owner signed in from there."""
        self._behind.known.note(account_id, self._networks.of(client).home, int(self._clock.now()))
        if self._behind.known.pending:
            self._behind.wake()

    def leave(self, limits: tuple[Limit, ...]) -> None:
        """A try is over: one that waits for it may go on."""
        for limit in limits:
            self._under_way[limit.key] -= 1
            if self._under_way[limit.key] <= 0:
                del self._under_way[limit.key]
        for limit in limits:
            self._turns.wake(limit.key)

    async def _admitted(self, client: str, account_key: str, account_id: int) -> Standing:
        """Wait until there is room; a turn that is not used is passed on."""
        turn: Key | None = None
        try:
            while True:
                counters = await self._counters(client, account_key, account_id)
                standing, blocking = self._standing(counters, self._networks.of(client).home)
                used = {limit.key for limit in standing.limits} if blocking is None else {blocking}
                if turn is not None and turn not in used:
                    self._turns.wake(turn)
                turn = None
                if blocking is None:
                    return standing
                await self._turns.wait(blocking)
                turn = blocking
        except BaseException:
            if turn is not None:
                self._turns.wake(turn)
            raise

    def _standing(self, counters: Counters, home: str) -> tuple[Standing, Key | None]:
        """How one stands, and the key of which too many tries are under way (None if there is room)."""
        own, preferred = counters.own, self._behind.known.is_home(home)
        limits, tallies = (*counters.limits, own), (*counters.tallies, counters.own_tally)
        standing = Standing(
            known=counters.known,
            limits=limits,
            counted=tuple(limit.key for limit in limits),
            failures=counters.tallies[0].day,
            preferred=preferred,
        )
        try:
            if self._delayed >= _MAXIMUM_DELAYED:
                raise AuthenticationDelayed(reason="too many failed logins wait for their answer")
            return standing, self._blocking(limits, tallies)
        except AuthenticationDelayed as refusal:
            over = refusal.reason or refusal.reply_text
        spent = own.reached(counters.own_tally, 0)
        standing = evolve(standing, limits=(own,), counted=() if spent else (own.key,), over=over)
        try:
            if counters.known:
                return standing, self._blocking((own,), (counters.own_tally,))
        except AuthenticationDelayed:
            pass
        return evolve(standing, limits=(), hopeless=True), None

    def _blocking(self, limits: tuple[Limit, ...], tallies: tuple[Tally, ...]) -> Key | None:
        """The key of which too many tries are under way, None if there is room. Raises if there will be none."""
        if any(map(Limit.reached, limits, tallies, (0,) * len(limits))):
            raise AuthenticationDelayed(reason="too many failed logins")
        for limit, tally in zip(limits, tallies, strict=True):
            if limit.reached(tally, self._under_way[limit.key]):
                if self._turns.full:
                    raise AuthenticationDelayed(reason="too many logins at once")
                return limit.key
        return None

    async def _counters(self, client: str, account_key: str, account_id: int) -> Counters:
        home, now, minute = self._networks.of(client).home, int(self._clock.now()), self._minute()
        limits, own = self._strangers(client, account_key), self._own(home, account_key)
        failures, known_networks = self._behind.failures, self._behind.known

        def unit(cursor: Cursor) -> Counters:
            return Counters(
                known=known_networks.is_known(cursor, account_id, home, now),
                limits=limits,
                tallies=tuple(failures.tally(cursor, limit.key, minute) for limit in limits),
                own=own,
                own_tally=failures.tally(cursor, own.key, minute),
            )

        counters = await self._database.read(unit)
        self._remember_full(limits, counters.tallies)
        if counters.known:
            known_networks.note_home(home)
        return counters

    def _seconds(self, failures: int) -> float:
        settings = self._settings
        return min(settings.failure_delay * 2.0 ** min(failures, 30), settings.failure_delay_maximum)

    def _is_full(self, client: str, account_key: str) -> bool:
        return any(limit.key in self._full for limit in self._strangers(client, account_key))

    def _remember_full(self, limits: tuple[Limit, ...], tallies: tuple[Tally, ...]) -> None:
        for limit, tally in zip(limits, tallies, strict=True):
            if not limit.reached(tally, 0):
                self._full.pop(limit.key, None)
                continue
            self._full[limit.key] = None
            if len(self._full) > _MAXIMUM_FULL:
                del self._full[next(iter(self._full))]

    def _strangers(self, client: str, account_key: str) -> tuple[Limit, ...]:
        networks, settings = self._networks.of(client), self._settings
        minute, day = settings.failures_per_minute, settings.failures_per_day
        return (
            Limit(key=("client", networks.narrow), minute=minute, day=day),
            Limit(key=("client", networks.wide), minute=_WIDER * minute, day=_WIDER * day),
            Limit(key=("account", account_key), minute=None, day=settings.account_failures_per_day),
        )

    def _own(self, home: str, account_key: str) -> Limit:
        settings = self._settings
        return Limit(
            key=("owner", f"{home} {account_key}"),
            minute=settings.failures_per_minute,
            day=settings.account_failures_per_day,
        )

    def _minute(self) -> int:
        return int(self._clock.now() // 60)


@define(kw_only=True)
class Attempt:
    """One try. Exactly one of its ends counts, the first that is told.

    Attributes:
        counted: True once it counted as a failure.
    """

    _throttle: Throttle
    _client: str
    _account_id: int
    _standing: Standing
    _began: float
    _ended: bool = field(default=False, init=False)
    counted: bool = field(default=False, init=False)

    @property
    def known(self) -> bool:
        """True for one who comes from where the owner is known."""
        return self._standing.known

    @property
    def preferred(self) -> bool:
        """True for one who comes from where any owner is known."""
        return self._standing.preferred

    @property
    def over(self) -> str:
        """Why its failure is answered as that of all is who may not try now; "" if it is answered as a failure."""
        return self._standing.over

    @property
    def hopeless(self) -> bool:
        """True if nothing is to be verified for it: it failed."""
        return self._standing.hopeless

    def succeeded(self) -> None:
        """The credentials were right."""
        if not self._ended:
            self._throttle.owner_seen(self._account_id, self._client)
            self.forget()

    def failed(self) -> None:
        """The credentials were wrong. Also told of a try that was given up: it may have been a guess."""
        if not self._ended:
            self._throttle.count(self._standing.counted)
            self.counted = True
            self.forget()

    def forget(self) -> None:
        """Nothing was guessed."""
        if not self._ended:
            self._ended = True
            self._throttle.leave(self._standing.limits)

    async def delay(self) -> None:
        """Wait before a failure is answered."""
        failures = self._standing.failures
        if failures is None:
            return
        await (self._throttle.hold(self._began, failures) if self.over else self._throttle.delay(failures))
