"""From whom a fetched message is for to the places that it goes to: as RCPT does, but nobody can be told of a refusal.

Where one of several recipients is not here, the others get it. Where none is, it is unclaimed. Nobody is ever sent a
report about it: who wrote it handed it to another server, and what its fields say of him may be forged.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from worldmail.errors import NoSuchRecipient
from worldmail.interfaces.directory import Account, Elsewhere, IDirectory, LocalAccount, Resolution
from worldmail.interfaces.expansion import IExpansion
from worldmail.interfaces.store import Onward
from worldmail.interfaces.unclaimed import IUnclaimed
from worldmail.mail.address import Address
from worldmail.mail.envelope import Delivery, Notify, Recipient
from worldmail.ondemand.sorting import Sorted

SILENT = frozenset({Notify.NEVER})
"""What is wished of reports (RFC 3461 §4.1)."""

SHOWN = 20
"""Addresses that are shown of one message; further ones are counted."""


@frozen(kw_only=True)
class Placed:
    """Where one message goes.

    Args:
        sorted: who it is for, as its fields say.
        recipients: those of them that are here.
        missing: those that are not.
        accounts: whose own limits apply.
        unclaimed: it goes to the place for that alone.
    """

    sorted: Sorted
    recipients: tuple[Recipient, ...]
    missing: tuple[Address, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    onward: tuple[Onward, ...] = ()
    accounts: tuple[Account, ...] = ()
    unclaimed: bool = False

    @property
    def words(self) -> str:
        """For people: for whom, by what, how sure."""
        by = f", by {self.sorted.step} ({self.sorted.surety.value})" if self.sorted.step else ""
        missing = f"; not here: {_shown(self.missing)}" if self.missing else ""
        if self.recipients and not self.unclaimed:
            return f"for {_shown([one.address for one in self.recipients])}{by}{missing}"
        return f"unclaimed{by}{missing}" if missing else "unclaimed: nothing names anybody of the domains"


@frozen(kw_only=True)
class Places:
    """Finds the places."""

    directory: IDirectory
    expansion: IExpansion

    async def place(self, found: Sorted) -> Placed:
        """Where a message goes that is for these. Raises a temporary `Refusal` if that cannot be told now."""
        recipients: list[Recipient] = []
        missing: list[Address] = []
        deliveries: dict[int, Delivery] = {}
        onward: dict[str, Onward] = {}
        accounts: dict[int, Account] = {}
        for address in found.recipients:
            resolution = await self.directory.resolve(address)
            recipient = Recipient(address=address, notify=SILENT)
            if not _is_here(resolution):
                missing.append(address)
                continue
            try:
                expanded = await self.expansion.expand(recipient, resolution, None)
            except NoSuchRecipient:
                missing.append(address)
                continue
            if any(one.wakes for one in expanded.onward):  # what is fetched proves nothing, and wakes nobody
                missing.append(address)
                continue
            recipients.append(recipient)
            for delivery in expanded.deliveries:
                deliveries.setdefault(delivery.account_id, delivery)
            onward.update({one.recipient.address.key: one for one in expanded.onward})
            accounts.update({account.id: account for account in expanded.accounts})
        return Placed(
            sorted=found,
            recipients=tuple(recipients),
            missing=tuple(missing),
            deliveries=tuple(deliveries.values()),
            onward=tuple(onward.values()),
            accounts=tuple(accounts.values()),
        )


async def unclaimed(placed: Placed, store: IUnclaimed, domains: Sequence[str]) -> Placed:
    """The same in the place for what nobody claims. Raises a `Refusal` if there is none."""
    delivery: Delivery = await store.delivery(domains)
    return Placed(
        sorted=placed.sorted,
        recipients=(delivery.recipient,),
        missing=placed.missing,
        deliveries=(delivery,),
        unclaimed=True,
    )


def _shown(addresses: Sequence[Address]) -> str:
    some = ", ".join(map(str, addresses[:SHOWN]))
    return some if len(addresses) <= SHOWN else f"{some} and {len(addresses) - SHOWN} more"


def _is_here(resolution: Resolution) -> bool:
    """Not what is neither an account, nor an alias, nor in a domain that we hand mail on for: it would go round."""
    for end in resolution.destinations:
        if isinstance(end, LocalAccount):
            return True
        if isinstance(end, Elsewhere) and (end.relayed or end.address.key != resolution.address.key):
            return True
    return False
