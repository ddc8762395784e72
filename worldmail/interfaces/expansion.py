"""From a recipient to the places that its mail goes to."""

from __future__ import annotations

from collections.abc import Awaitable

from attrs import frozen
from zope.interface import Interface

from worldmail.interfaces.directory import Account, Resolution
from worldmail.interfaces.store import Onward
from worldmail.mail.address import Address
from worldmail.mail.envelope import Delivery, Recipient


@frozen(kw_only=True)
class Expanded:
    """Where the mail of one recipient goes: into mailboxes at once, and on by the queue.

    `accounts` are those of the mailboxes, whose own limits apply.
    """

    deliveries: tuple[Delivery, ...]
    onward: tuple[Onward, ...]
    accounts: tuple[Account, ...]


class IExpansion(Interface):
    """Expands recipients: aliases, subaddresses, and whatever else stands for others."""

    def expand(
        recipient: Recipient, resolution: Resolution, sender: Address | None, not_before: int = 0
    ) -> Awaitable[Expanded]:
        """Where the mail goes. Raises `NoSuchRecipient`; an alias of which only some targets exist leads to those.

        Args:
            resolution: what the directory said of the recipient's address.
            sender: the address of the account that sends and may have rights of its own to post, None for nobody.
            not_before: see `Onward`.
        """
