"""The directory that protocols ask: sources in their order, aliases followed, answers kept.

Any change of a domain, alias or account, ours or another process's, empties the memory as a whole: changes are
rare, a miss costs some tens of microseconds, and one rule leaves no answer behind that depends on a changed row.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from attrs import define, field
from zope.interface import implementer

from worldmail.directory.cache import Recent
from worldmail.directory.relaying import RelayRecipients, is_open
from worldmail.errors import TemporaryFailure
from worldmail.interfaces.database import IChanges, Notice
from worldmail.interfaces.directory import (
    Account,
    Destination,
    Elsewhere,
    IBatchSource,
    IDirectory,
    IDirectorySource,
    LocalAccount,
    NoSuchAddress,
    Resolution,
)
from worldmail.interfaces.queue import IRecipientSource
from worldmail.mail.address import Address
from worldmail.wire.ready import Ready

MAXIMUM_DEPTH = 10
MAXIMUM_DESTINATIONS = 1000
BATCH = 100
"""Addresses that a source is asked for at once: of what leads too far not much more is read than what is given up."""

_MAXIMUM_STEPS = 4 * MAXIMUM_DESTINATIONS
_TOPICS = ("domain", "address", "account")
_UNKNOWN = object()


@implementer(IDirectory)
class Directory:
    """See `IDirectory`.

    Args:
        sources: asked in this order; the first that finds something for an address answers for it.
        changes: the feed that the memory follows.
        capacity: how many resolutions, and how many accounts, are remembered.
        delimiters: the characters that part a user from a detail (see `DatabaseSource`).
        recipients: sources of the recipients of relay domains; asked each time, since nobody tells what changes there.
    """

    def __init__(
        self,
        sources: Iterable[IDirectorySource],
        changes: IChanges,
        *,
        capacity: int = 20_000,
        delimiters: str = "+",
        recipients: Iterable[IRecipientSource] = (),
    ) -> None:
        self._sources = tuple(sources)
        self._delimiters = delimiters
        self._recipients = RelayRecipients(recipients, delimiters)
        self._resolutions: Recent[Address, Resolution] = Recent(capacity)
        self._open: Recent[Address, tuple[Destination, ...]] = Recent(capacity)  # those that lead to relay domains
        self._accounts: Recent[Address, object] = Recent(capacity)
        self._epoch = 0
        self._cancels: list[Callable[[], None]] = [changes.subscribe(topic, self._changed) for topic in _TOPICS]

    def close(self) -> None:
        """Follow the feed no more."""
        for cancel in self._cancels:
            cancel()
        self._cancels.clear()

    def reload(self, settings: Any) -> None:
        """The configuration was read again: let the sources of recipients go by it."""
        self._recipients.reload(settings)

    def resolve(self, address: Address) -> Awaitable[Resolution]:
        """See `IDirectory.resolve`. Raises `TemporaryFailure` too if the expansion is too wide."""
        known = self._resolutions.get(address)
        return self._resolve(address) if known is None else Ready(known)

    def account(self, address: Address) -> Awaitable[Account | None]:
        """See `IDirectory.account`."""
        known = self._accounts.get(address, _UNKNOWN)
        if known is _UNKNOWN:
            return self._find_account(address)
        assert known is None or isinstance(known, Account)
        return Ready(known)

    async def own_form(self, address: Address) -> Address:
        """See `IDirectory.own_form`."""
        for source in self._sources:
            own = await source.own_form(address)
            if own is not None:
                return own
        return address

    async def owns(self, account: Account, address: Address) -> bool:
        """See `IDirectory.owns`."""
        own, _ = address.split_subaddress(self._delimiters)
        for candidate in (address, own):
            found = await self.account(candidate)
            if found is not None:
                return found.id == account.id
        return any(
            isinstance(destination, LocalAccount) and destination.account.id == account.id
            for destination in (await self.resolve(address)).destinations
        )

    def _changed(self, notice: Notice) -> None:
        self._epoch += 1
        self._resolutions.clear()
        self._open.clear()
        self._accounts.clear()

    async def _resolve(self, address: Address) -> Resolution:
        ends = self._open.get(address)
        if ends is None:
            epoch = self._epoch
            ends = await self._follow(address)
            unchanged = epoch == self._epoch  # else something changed while a source was asked
            if not is_open(ends):
                resolution = Resolution(address=address, destinations=ends)
                if unchanged:
                    self._resolutions.put(address, resolution)
                return resolution
            if unchanged:
                self._open.put(address, ends)
        return Resolution(address=address, destinations=await self._recipients.settle(ends))

    async def _find_account(self, address: Address) -> Account | None:
        epoch = self._epoch
        found = None
        for source in self._sources:
            found = await source.account(address)
            if found is not None:
                break
        if epoch == self._epoch:
            self._accounts.put(address, found)
        return found

    async def _follow(self, address: Address) -> tuple[Destination, ...]:
        """Level by level, each address once; what lies deeper than MAXIMUM_DEPTH is cut off, as loops are."""
        expansion = _Expansion(address)
        for _ in range(MAXIMUM_DEPTH + 1):
            level = expansion.next_level()
            for start in range(0, len(level), BATCH):
                batch = level[start : start + BATCH]
                for each, found in zip(batch, await self._steps(batch), strict=True):
                    expansion.take(each, found)
        return tuple(expansion.ends.values()) or (NoSuchAddress(address=address),)

    async def _steps(self, addresses: Sequence[Address]) -> Iterable[tuple[Destination, ...]]:
        """One step from each: what the first source that leads anywhere says of it."""
        answers = {address: _unknown(address) for address in addresses}
        asked = addresses
        for source in self._sources:
            left = []
            for address, found in zip(asked, await _ask(source, asked), strict=True):
                if found is not None:
                    answers[address] = found
                if found is None or all(isinstance(each, NoSuchAddress) for each in found):
                    left.append(address)
            asked = left
            if not asked:
                break
        return answers.values()


async def _ask(source: IDirectorySource, addresses: Sequence[Address]) -> Sequence[tuple[Destination, ...] | None]:
    if len(addresses) > 1 and IBatchSource.providedBy(source):
        many: list[tuple[Destination, ...] | None] = await source.resolve_all(addresses)
        return many
    return [await source.resolve(address) for address in addresses]


def _unknown(address: Address) -> tuple[Destination, ...]:
    """Where an address leads that no source knows. An unqualified name can only be one of ours."""
    return ((Elsewhere if address.domain else NoSuchAddress)(address=address),)


@define
class _Expansion:
    """What an address was found to lead to so far: `ends` by what makes them the same, and what to look at next."""

    _start: Address
    ends: dict[object, Destination] = field(factory=dict)
    _seen: set[str] = field(factory=set)
    _following: list[Address] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self._look_at(self._start)

    def next_level(self) -> list[Address]:
        """The addresses that the last level led to."""
        level, self._following = self._following, []
        return level

    def take(self, address: Address, destinations: tuple[Destination, ...]) -> None:
        """`address` leads to these."""
        for each in destinations:
            if isinstance(each, Elsewhere) and each.address.key != address.key:
                self._look_at(each.address)
            else:
                self._end(address, each)
        if len(self.ends) > MAXIMUM_DESTINATIONS or len(self._seen) > _MAXIMUM_STEPS:
            raise TemporaryFailure(reason=f"{self._start} leads to too many destinations")

    def _look_at(self, address: Address) -> None:
        if address.key not in self._seen:
            self._seen.add(address.key)
            self._following.append(address)

    def _end(self, address: Address, destination: Destination) -> None:
        if isinstance(destination, LocalAccount):
            if destination.account.enabled:
                self.ends.setdefault(destination.account.id, destination)
            else:
                disabled = NoSuchAddress(address=address, disabled=True)
                self.ends.setdefault(destination.account.address.key, disabled)
        else:
            self.ends.setdefault(destination.address.key, destination)
