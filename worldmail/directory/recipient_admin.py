"""Changing the lists of recipients that the database has of relay domains."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence

from zope.interface import implementer

from worldmail.directory import recipients
from worldmail.directory.domains import domain_name
from worldmail.directory.recipient_lines import recipient_key
from worldmail.errors import BadValue
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.pairs import Known
from worldmail.interfaces.queue import IRecipientAdmin, Loaded
from worldmail.mail.address import Address

SLICE = 10_000
"""Recipients in one unit: some ten milliseconds."""
BETWEEN_SLICES = 0.1
"""Seconds in which others have their turn: SQLite looks at a lock ten times a second."""


@implementer(IRecipientAdmin)
class RecipientAdmin:
    """See `IRecipientAdmin`.

    Args:
        sleep: done after so many seconds.
    """

    def __init__(self, database: IDatabase, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._database = database
        self._sleep = sleep

    def counts(self) -> Awaitable[dict[str, int | None]]:
        """See `IRecipientAdmin.counts`."""
        return self._database.scan(recipients.counts)

    async def recipients(self, domain: str) -> list[Address]:
        """See `IRecipientAdmin.recipients`."""
        name = domain_name(domain)
        return await self._database.scan(lambda cursor: recipients.recipients(cursor, name))

    async def names(self, domain: str) -> tuple[str, ...]:
        """See `IRecipientAdmin.names`."""
        name = domain_name(domain)
        return await self._database.scan(lambda cursor: recipients.domain_names(cursor, name))

    async def listed(self, domain: str) -> list[Known]:
        """See `IRecipientAdmin.listed`."""
        name = domain_name(domain)
        return await self._database.scan(lambda cursor: recipients.listed(cursor, name))

    async def replace(self, domains: Collection[str], lists: Iterable[Known]) -> int:
        """See `IRecipientAdmin.replace`."""
        known, names = tuple(lists), tuple(domains)
        return await self._database.write_long(lambda cursor: recipients.replace(cursor, names, known))

    async def add(self, addresses: Sequence[Address]) -> list[str]:
        """See `IRecipientAdmin.add`."""
        wanted = _by_domain(addresses)
        return await self._database.write_long(lambda cursor: recipients.add(cursor, wanted))

    async def remove(self, addresses: Sequence[Address]) -> None:
        """See `IRecipientAdmin.remove`."""
        unwanted = _by_domain(addresses)
        await self._database.write_long(lambda cursor: recipients.remove(cursor, unwanted))

    async def clear(self, domain: str) -> int:
        """See `IRecipientAdmin.clear`."""
        name = domain_name(domain)
        return await self._database.write_long(lambda cursor: recipients.clear(cursor, name))

    async def load(
        self, domain: str, names: Collection[str], replace: bool, progress: Callable[[int, int], None]
    ) -> Loaded:
        """See `IRecipientAdmin.load`."""
        if not names:
            raise BadValue("there is no recipient in the list, and a domain without any takes mail for everybody")
        name = domain_name(domain)
        domain_id, before = await self._database.write(lambda cursor: recipients.begin_load(cursor, name))
        added = await self._add(domain_id, sorted(names), progress) - before
        if not replace:
            return Loaded(added=added, removed=0, total=before + added)
        await self._drop_others(domain_id, frozenset(names))
        total = await self._end(domain_id)
        return Loaded(added=added, removed=before + added - total, total=total)

    async def _add(self, domain_id: int, names: Sequence[str], progress: Callable[[int, int], None]) -> int:
        """In their order, so that neighbours of the table come together; how many there are then."""
        for start in range(0, len(names), SLICE):
            if start:
                await self._sleep(BETWEEN_SLICES)
            await self._write_slice(domain_id, names[start : start + SLICE])
            progress(min(start + SLICE, len(names)), len(names))
        return await self._end(domain_id)

    async def _write_slice(self, domain_id: int, names: Sequence[str]) -> None:
        await self._database.write_long(lambda cursor: recipients.add_slice(cursor, domain_id, names))

    async def _end(self, domain_id: int) -> int:
        return await self._database.write_long(lambda cursor: recipients.end_load(cursor, domain_id))

    async def _drop_others(self, domain_id: int, kept: frozenset[str]) -> None:
        after: str | None = ""
        while after is not None:
            await self._sleep(BETWEEN_SLICES)
            after = await self._drop_slice(domain_id, after, kept)

    async def _drop_slice(self, domain_id: int, after: str, kept: frozenset[str]) -> str | None:
        def unit(cursor: Cursor) -> str | None:
            return recipients.drop_slice(cursor, domain_id, after, kept, SLICE)

        return await self._database.write_long(unit)


def _by_domain(addresses: Sequence[Address]) -> dict[str, list[str]]:
    """Local parts by domain. Raises `BadValue` for what is no recipient."""
    found: dict[str, list[str]] = {}
    for address in addresses:
        try:
            key = recipient_key(address)
        except ValueError as error:
            raise BadValue(f"{address}: {error}") from None
        if not address.domain:
            raise BadValue(f"{address} needs a domain")
        names = found.setdefault(address.domain_key, [])
        if key not in names:
            names.append(key)
    return found
