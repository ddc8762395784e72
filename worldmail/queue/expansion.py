"""From a recipient to the places that its mail goes to.

What leads to mailboxes goes there in the unit that accepts the message. Two kinds of recipients come to mailboxes by
way of the queue all the same: those whose sender wants to hear of success, since the queue is who reports (RFC 3461
§5.2), and those that are to be held first (RFC 4865).
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen
from zope.interface import implementer

from worldmail.errors import NoSuchRecipient
from worldmail.interfaces.directory import Account, Elsewhere, LocalAccount, NoSuchAddress, Resolution
from worldmail.interfaces.expansion import Expanded, IExpansion
from worldmail.interfaces.folders import IFolders
from worldmail.interfaces.store import Onward
from worldmail.mail.address import Address
from worldmail.mail.dsn.rules import forwarded
from worldmail.mail.envelope import Delivery, Notify, Recipient


def _nothing_wakes(key: str) -> bool:
    return False


@implementer(IExpansion)
@frozen(kw_only=True)
class Expansion:
    """Provides `IExpansion`.

    Args:
        delimiters: the characters that part a user from a detail (RFC 5233).
        wakes: is this the key of an address that wakes holds?
    """

    folders: IFolders
    delimiters: str
    wakes: Callable[[str], bool] = _nothing_wakes

    async def expand(
        self, recipient: Recipient, resolution: Resolution, sender: Address | None, not_before: int = 0
    ) -> Expanded:
        """See `IExpansion.expand`."""
        if self.wakes(recipient.address.key) and not _is_account(recipient.address, resolution):
            return Expanded(deliveries=(), onward=(Onward(recipient=recipient, wakes=True),), accounts=())
        accounts, others = sort_out(resolution)
        if is_elsewhere(recipient, accounts, others):
            return Expanded(deliveries=(), onward=(Onward(recipient=recipient, not_before=not_before),), accounts=())
        if not_before or (recipient.notify is not None and Notify.SUCCESS in recipient.notify):
            onward = Onward(recipient=recipient, not_before=not_before, here=True)
            return Expanded(deliveries=(), onward=(onward,), accounts=tuple(accounts))
        return await self.places(recipient, accounts, others, sender)

    async def places(
        self, recipient: Recipient, accounts: list[Account], others: list[Address], sender: Address | None
    ) -> Expanded:
        """Mailboxes and other addresses, now."""
        mailboxes = await self._tagged(recipient.address, accounts, sender)
        deliveries = [
            Delivery(
                account_id=account.id,
                mailbox=mailboxes.get(account.id, "INBOX"),
                recipient=recipient,
                account=account.address,
            )
            for account in accounts
        ]
        onward: tuple[Onward, ...] = ()
        if others:
            forwarding = forwarded(recipient, others, null_sender=False)
            onward = tuple([Onward(recipient=target) for target in forwarding.recipients])
        return Expanded(deliveries=tuple(deliveries), onward=onward, accounts=tuple(accounts))

    async def _tagged(self, address: Address, accounts: list[Account], sender: Address | None) -> dict[int, str]:
        """The mailboxes that a detail asks for, by account: of those that the address without it names themselves.

        A sender who signed in may have a right of its own to post there (RFC 5233 §1, RFC 4314 §2.1).
        """
        base, tag = address.split_subaddress(self.delimiters)
        found: dict[int, str] = {}
        if tag is None:
            return found
        for account in accounts:
            if account.address.local_key == base.local_key != address.local_key:
                name = await self.folders.delivery_folder(account.id, tag, sender)
                if name is not None:
                    found[account.id] = name
        return found


def sort_out(resolution: Resolution) -> tuple[list[Account], list[Address]]:
    """Accounts of ours, and addresses elsewhere. Raises `NoSuchRecipient` if there are neither."""
    accounts, others = [], []
    disabled = False
    for destination in resolution.destinations:
        if isinstance(destination, LocalAccount):
            accounts.append(destination.account)
        elif isinstance(destination, Elsewhere):
            others.append(destination.address)
        elif isinstance(destination, NoSuchAddress):
            disabled = disabled or destination.disabled
    if not accounts and not others:
        if disabled:
            raise NoSuchRecipient("Mailbox is disabled", enhanced="5.2.1")  # RFC 3463 §3.3
        raise NoSuchRecipient
    return accounts, others


def _is_account(address: Address, resolution: Resolution) -> bool:
    """Is it an account's own? Its mail is not to be lost because a hold was given its address."""
    return any(
        isinstance(each, LocalAccount) and each.account.address.key == address.key for each in resolution.destinations
    )


def is_elsewhere(recipient: Recipient, accounts: list[Account], others: list[Address]) -> bool:
    """Is it not ours to expand?"""
    return not accounts and len(others) == 1 and others[0].key == recipient.address.key
