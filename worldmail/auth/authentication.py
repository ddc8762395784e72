"""The door: what protocols see of signing in."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from attrs import define, field, frozen
from twisted.cred.portal import Portal
from zope.interface import implementer

from worldmail.auth.behind import WriteBehind
from worldmail.auth.checkers import LegacyChecker, PasswordChecker, ScramChecker
from worldmail.auth.digest_holders import DigestHolders
from worldmail.auth.entrance import Caller, Entrance
from worldmail.auth.invented import Invented
from worldmail.auth.iterations import IterationCounts
from worldmail.auth.logins import RecentLogins
from worldmail.auth.mechanisms import MECHANISMS, LegacyOffer, Surroundings, surroundings
from worldmail.auth.names import LoginNames
from worldmail.auth.networks import Networks
from worldmail.auth.passwords import Passwords
from worldmail.auth.realm import AccountRealm
from worldmail.auth.sasl.digests import apop_digest, is_digest
from worldmail.auth.sasl.exchange import malformed
from worldmail.auth.server_key import ServerKey
from worldmail.auth.throttle import Throttle
from worldmail.config.settings import Settings
from worldmail.errors import AuthenticationFailed
from worldmail.interfaces.auth import IAuthentication, ILogins, ISaslExchange, LoginContext, ScramKey
from worldmail.interfaces.database import IChanges, IDatabase
from worldmail.interfaces.directory import Account, IDirectory
from worldmail.interfaces.world import IClock, IJournal


@frozen
class _Identities:
    """What an exchange may ask, on behalf of its connection."""

    _entrance: Entrance
    _caller: Caller

    async def password(self, login: str, password: str, authzid: str = "") -> Account:
        return await self._entrance.password(self._caller, login, password, authzid)

    async def scram_key(self, login: str, hash_name: str) -> ScramKey:
        return await self._entrance.scram_key(login, hash_name)

    async def scram_proof(
        self, login: str, hash_name: str, authzid: str, proves: Callable[[ScramKey], bool]
    ) -> tuple[Account, ScramKey]:
        return await self._entrance.scram_proof(self._caller, login, hash_name, authzid, proves)

    async def legacy_proof(self, login: str, proves: Callable[[bytes], bool]) -> Account:
        return await self._entrance.legacy_proof(self._caller, login, proves)


@implementer(IAuthentication, ILogins)
@define(kw_only=True)
class Authentication:
    """See `IAuthentication`; made by `open_authentication`.

    Args:
        legacy_offer: where the site announces CRAM-MD5, once somebody has a secret for it.
        plus: the site offers the -PLUS forms of SCRAM.
        hostname: the server's name, for challenges.
        portal: the twisted.cred portal that every login goes through.
    """

    _legacy_offer: LegacyOffer
    _plus: bool
    portal: Portal
    _hostname: str
    _entrance: Entrance
    _behind: WriteBehind
    _holders: DigestHolders
    _counts: IterationCounts
    _cancels: Sequence[Callable[[], None]] = field(repr=False)

    async def start(self) -> None:
        """Learn what the database says, once it is open."""
        await self._holders.look()
        await self._counts.look()

    @property
    def legacy(self) -> bool:
        """See `IAuthentication.legacy`."""
        return self._offer() != "off"

    def mechanisms(self, context: LoginContext) -> tuple[str, ...]:
        """See `IAuthentication.mechanisms`."""
        around = self._around(context)
        return tuple(row.name for row in MECHANISMS if row.announced(around))

    def begin(self, mechanism: str, context: LoginContext) -> ISaslExchange | None:
        """See `IAuthentication.begin`."""
        around = self._around(context)
        for row in MECHANISMS:
            if row.name == mechanism and row.taken(around):
                return row.begin(_Identities(self._entrance, Caller(context, mechanism)), context, around)
        return None

    def password(self, login: str, password: str, context: LoginContext) -> Awaitable[Account]:
        """See `IAuthentication.password`. A login verified lately is answered at once, without the database."""
        return self._entrance.password(Caller(context, "password"), login, password)

    async def apop(self, login: str, digest: bytes, stamp: bytes, context: LoginContext) -> Account:
        """See `IAuthentication.apop`."""
        if not is_digest(digest):
            raise malformed("APOP takes 32 lower-case hex digits")
        if not self.legacy:
            raise AuthenticationFailed(reason="APOP is off")

        def proves(secret: bytes) -> bool:
            return hmac.compare_digest(apop_digest(secret, stamp), digest)

        return await self._entrance.legacy_proof(Caller(context, "APOP"), login, proves)

    def follow(self, heard: Callable[[Account, LoginContext], object]) -> None:
        """See `ILogins.follow`."""
        self._entrance.followers.append(heard)

    def _around(self, context: LoginContext) -> Surroundings:
        return surroundings(context, self._offer(), self._hostname, plus=self._plus)

    def _offer(self) -> LegacyOffer:
        return self._legacy_offer if self._holders.any else "off"

    async def stop(self) -> None:
        """Follow the feed of changes no more, and write the counters down."""
        for cancel in self._cancels:
            cancel()
        await self._behind.stop()


def open_authentication(
    *,
    settings: Settings,
    hostname: str,
    database: IDatabase,
    changes: IChanges,
    directory: IDirectory,
    clock: IClock,
    journal: IJournal,
    passwords: Passwords,
    key: ServerKey,
) -> Authentication:
    """All parts of the way in, put together."""
    counts = IterationCounts(
        database=database, clock=clock, journal=journal, key=key, setting=settings.auth.scram_iterations
    )
    invented = Invented(key, counts)
    portal = Portal(AccountRealm(directory))
    checkers: tuple[Any, ...] = (
        PasswordChecker(database=database, passwords=passwords, journal=journal),
        LegacyChecker(database=database, key=key, invented=invented),
        ScramChecker(database=database, invented=invented),
    )
    for checker in checkers:
        portal.registerChecker(checker)
    recent = RecentLogins(settings.auth.cache_time)
    behind = WriteBehind(database=database, clock=clock, journal=journal)
    entrance = Entrance(
        database=database,
        clock=clock,
        journal=journal,
        names=LoginNames(directory, key),
        throttle=Throttle(database, clock, Networks(settings.limits.exempt), settings.auth, behind),
        portal=portal,
        recent=recent,
        invented=invented,
    )
    holders = DigestHolders(database=database, journal=journal)
    cancels = [changes.subscribe("account", follower.account_changed) for follower in (recent, holders)]
    return Authentication(
        legacy_offer=settings.auth.legacy,
        plus=settings.auth.scram_plus,
        portal=portal,
        hostname=hostname,
        entrance=entrance,
        behind=behind,
        holders=holders,
        counts=counts,
        cancels=cancels,
    )
