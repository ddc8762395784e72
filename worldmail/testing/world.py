"""A `World` in memory, for tests of protocols: no database, no threads, no sockets, no waiting.

    world = MemoryWorld.make()
    bob = world.add_account("bob@example.test", "secret")
    dialogue = SomeSession(world.world, ...)

Every part is a plain object that the test may look into or make fail.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from attrs import define, evolve, field
from zope.interface import implementer

from worldmail.config.settings import Settings
from worldmail.interfaces.directory import (
    Account,
    Destination,
    Elsewhere,
    IDirectory,
    LocalAccount,
    NoSuchAddress,
    Resolution,
)
from worldmail.interfaces.policy import IPolicy, IPolicyCheck, PolicyRequest
from worldmail.interfaces.world import IClock, IJournal, ITls, World
from worldmail.mail.address import Address
from worldmail.queue.expansion import Expansion
from worldmail.testing.memory_acceptance import MemoryAcceptance
from worldmail.testing.memory_auth import MemoryAuthentication
from worldmail.testing.memory_store import MemoryMailboxes, MemoryTrace
from worldmail.transport.limits import Limits
from worldmail.wire.ready import Ready

EPOCH = 1_900_000_000.0
"""What a `ManualClock` shows at first: 2030-03-17 17:46:40 UTC."""


@implementer(IClock)
@define(kw_only=True)
class ManualClock:
    """Time that moves when the test says so; `sleep` is over at once and moves it."""

    time: float = EPOCH
    slept: list[float] = field(factory=list)

    def seconds(self) -> float:
        """Seconds that only grow."""
        return self.time

    def now(self) -> float:
        """Epoch seconds."""
        return self.time

    def sleep(self, seconds: float) -> Awaitable[None]:
        """Moves the time."""
        self.slept.append(seconds)
        self.time += seconds
        return Ready(None)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.time += seconds


@implementer(IJournal)
@define(kw_only=True)
class MemoryJournal:
    """Records as (event, fields) in a list; failures apart."""

    records: list[tuple[str, dict[str, Any]]] = field(factory=list)
    failures: list[tuple[str, BaseException]] = field(factory=list)
    keep: bool = True

    def record(self, event: str, **fields: Any) -> None:
        """Keep it."""
        if self.keep:
            self.records.append((event, {name: value for name, value in fields.items() if value is not None}))

    def failure(self, event: str, error: BaseException, **fields: Any) -> None:
        """Keep it."""
        self.failures.append((event, error))

    def named(self, event: str) -> list[dict[str, Any]]:
        """The fields of every record of this event."""
        return [fields for name, fields in self.records if name == event]


@implementer(ITls)
@define(kw_only=True)
class MemoryTls:
    """There is a certificate, or there is none."""

    offered: bool = True

    def available(self) -> bool:
        """`offered`."""
        return self.offered

    def context_factory(self) -> Any:
        """Nothing that a transport could use."""
        return None


@implementer(IDirectory)
@define(kw_only=True)
class MemoryDirectory:
    """Domains, domains that we relay for, accounts by key, aliases (key to a list of targets). user+tag is user."""

    domains: list[str] = field(factory=lambda: ["example.test"])
    relayed: list[str] = field(factory=list)
    accounts: dict[str, Account] = field(factory=dict)
    aliases: dict[str, list[Address]] = field(factory=dict)
    fail: Exception | None = None

    def resolve(self, address: Address) -> Awaitable[Resolution]:
        """See `IDirectory.resolve`."""
        if self.fail is not None:
            raise self.fail
        found: list[Destination] = []
        self._follow(address, found, 0)
        return Ready(Resolution(address=address, destinations=tuple(found)))

    def account(self, address: Address) -> Awaitable[Account | None]:
        """See `IDirectory.account`."""
        return Ready(self.accounts.get(address.key))

    def own_form(self, address: Address) -> Awaitable[Address]:
        """See `IDirectory.own_form`; no domain has another name here."""
        return Ready(address)

    def owns(self, account: Account, address: Address) -> Awaitable[bool]:
        """See `IDirectory.owns`."""
        found: list[Destination] = []
        self._follow(address, found, 0)
        return Ready(any(isinstance(end, LocalAccount) and end.account.id == account.id for end in found))

    def _follow(self, address: Address, found: list[Destination], depth: int) -> None:
        if not address.domain and address.local.lower() == "postmaster":
            address = Address(local="postmaster", domain=self.domains[0])
        local, _, domain = address.key.rpartition("@")
        if domain not in self.domains:
            self._add(found, Elsewhere(address=address, relayed=domain in self.relayed))
            return
        for key in (address.key, f"{local.partition('+')[0]}@{domain}"):
            if (account := self.accounts.get(key)) is not None:
                self._add(found, LocalAccount(account=account))
                return
            if key in self.aliases and depth < 10:
                for target in self.aliases[key]:
                    self._follow(target, found, depth + 1)
                return
        self._add(found, NoSuchAddress(address=address))

    @staticmethod
    def _add(found: list[Destination], end: Destination) -> None:
        if end not in found:
            found.append(end)


@implementer(IPolicy)
@define(kw_only=True)
class MemoryPolicy:
    """Any checks, in order; none at first, so that everything is allowed."""

    checks: list[IPolicyCheck] = field(factory=list)
    asked: list[PolicyRequest] = field(factory=list)
    keep: bool = True

    def ask(self, request: PolicyRequest) -> Awaitable[None] | None:
        """Ask each check that wants it."""
        if self.keep:
            self.asked.append(request)
        wanted = [check for check in self.checks if type(request) in check.requests]
        return self._all(wanted, request) if wanted else None

    @staticmethod
    async def _all(checks: list[IPolicyCheck], request: PolicyRequest) -> None:
        for check in checks:
            waiting = check.check(request)
            if waiting is not None:
                await waiting


@define(kw_only=True)
class PostingFolders:
    """Of `IFolders` what delivery asks: `posting` has the mailbox for (account id, tag, sender or None)."""

    posting: dict[tuple[int, str, Address | None], str] = field(factory=dict)

    def delivery_folder(self, account_id: int, tag: str, sender: Address | None) -> Awaitable[str | None]:
        """See `IFolders.delivery_folder`."""
        return Ready(self.posting.get((account_id, tag, sender)))


@define(kw_only=True)
class MemoryWorld:
    """The parts, and `world`, the `World` made of them."""

    clock: ManualClock
    journal: MemoryJournal
    tls: MemoryTls
    directory: MemoryDirectory
    authentication: MemoryAuthentication
    policy: MemoryPolicy
    mailboxes: MemoryMailboxes
    folders: PostingFolders
    acceptance: MemoryAcceptance
    trace: MemoryTrace
    world: World

    @classmethod
    def make(cls, *, hostname: str = "mail.example.test", settings: Any = None, reactor: Any = None) -> MemoryWorld:
        """A world with the domain example.test and no account."""
        mailboxes, trace = MemoryMailboxes(), MemoryTrace()
        # No protocol touches the database, its changes or the directory's administration.
        absent: dict[str, Any] = dict.fromkeys(
            ("database", "changes", "directory_admin", "messages", "summaries", "search", "urls")
        )
        parts: dict[str, Any] = {
            "clock": ManualClock(),
            "journal": MemoryJournal(),
            "tls": MemoryTls(),
            "directory": MemoryDirectory(),
            "authentication": MemoryAuthentication(),
            "policy": MemoryPolicy(),
            "mailboxes": mailboxes,
            "folders": PostingFolders(),
            "acceptance": MemoryAcceptance(mailboxes=mailboxes, trace=trace),
            "trace": trace,
        }
        world = World(
            expansion=Expansion(folders=parts["folders"], delimiters="+"),
            hostname=hostname,
            settings=Settings() if settings is None else settings,
            reactor=reactor,
            limits=Limits(),
            aside=lambda work: Ready(work()),
            **parts,
            **absent,
        )
        return cls(world=world, **parts)

    def add_account(self, address: str, password: str = "secret", **changes: Any) -> Account:
        """An account, as `IDirectoryAdmin.add_account` would make it; `changes` are fields of `Account`."""
        parsed = Address.parse(address)
        account = Account(
            id=len(self.directory.accounts) + 1,
            address=parsed,
            name="",
            enabled=True,
            generation=1,
            quota=None,
            max_message=None,
            legacy_auth=False,
        )
        account = evolve(account, **changes)
        self.directory.accounts[parsed.key] = account
        self.authentication.add(account, password)
        self.mailboxes.add_account(account.id, account.quota)
        return account

    def add_alias(self, address: str, *targets: str) -> None:
        """An alias to these addresses."""
        self.directory.aliases[Address.parse(address).key] = [Address.parse(target) for target in targets]

    def replace(self, **parts: Any) -> World:
        """A `World` with some parts exchanged."""
        return evolve(self.world, **parts)
