"""Who there is in relay domains.

A source of the directory says that an address stands in such a domain, and what its own list of recipients says of it;
the sources of recipients that [relay] names are asked too. Whom any of them knows is taken, whom nobody can know is
taken too: a domain that nobody has a list of takes everybody. Two names always lead on: postmaster, whom every domain
has (RFC 5321 §4.5.1), and abuse (RFC 2142 §4), to the postmaster unless there is such a recipient.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from worldmail.errors import TemporaryFailure
from worldmail.interfaces.directory import Destination, Elsewhere, NoSuchAddress
from worldmail.interfaces.queue import IRecipientSource
from worldmail.mail.address import Address

POSTMASTER, ABUSE = "postmaster", "abuse"


def is_open(destinations: Iterable[Destination]) -> bool:
    """Whether any of these is in a relay domain, so that its recipients have to be asked for."""
    return any(isinstance(end, Elsewhere) and end.relayed for end in destinations)


class RelayRecipients:
    """Asks all who know the recipients of relay domains.

    Args:
        sources: asked in this order.
        delimiters: the characters that part a user from a detail.
    """

    def __init__(self, sources: Iterable[IRecipientSource], delimiters: str) -> None:
        self._sources = tuple(sources)
        self._delimiters = delimiters

    def reload(self, settings: Any) -> None:
        """Let all sources go by this configuration."""
        for source in self._sources:
            source.reload(settings)

    async def settle(self, destinations: Iterable[Destination]) -> tuple[Destination, ...]:
        """The same, those in relay domains as what they are. Raises `TemporaryFailure` if that cannot be told now."""
        return tuple(
            [await self._settle(end) if isinstance(end, Elsewhere) and end.relayed else end for end in destinations]
        )

    async def _settle(self, end: Elsewhere) -> Destination:
        own = end.own or end.address
        names = list(dict.fromkeys((own, own.split_subaddress(self._delimiters)[0])))
        locals_ = {name.local_key for name in names}
        known = True if POSTMASTER in locals_ else await self._exists(names, end.listed)
        if known is not False:
            return Elsewhere(address=end.address, relayed=True, listed=known, most=end.most, room=end.room)
        if ABUSE in locals_:
            return Elsewhere(address=Address(POSTMASTER, end.address.domain), relayed=True, listed=True)
        return NoSuchAddress(address=end.address)

    async def _exists(self, names: Sequence[Address], known: bool | None) -> bool | None:
        """Whether any of the names does, from what the directory's own list says; None if nobody knows the domain."""
        trouble: TemporaryFailure | None = None
        for source in self._sources:
            for name in names:
                if known:
                    return True
                try:
                    answer = await source.exists(name)
                except TemporaryFailure as error:  # another may know the recipient all the same
                    trouble = error
                else:
                    known = known if answer is None else answer
        if trouble is not None and not known:
            raise trouble
        return known
