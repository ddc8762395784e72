"""Mail that was fetched from elsewhere, and of which nothing tells whom it is for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence

from attrs import frozen
from zope.interface import Interface

from worldmail.interfaces.database import Cursor
from worldmail.mail.envelope import Delivery


@frozen(kw_only=True)
class Unclaimed:
    """One message.

    Args:
        id: its acceptance id.
        mailbox_id, uid, content_id: where it lies.
        domain: whose public folder has it.
        size: octets of the content; `told` as everybody gets them (see `interfaces.store.StagedContent`).
        received: epoch seconds.
        sender: its envelope's sender, "" for none.
    """

    id: str
    mailbox_id: int
    uid: int
    content_id: int
    domain: str
    size: int
    told: int
    received: int
    sender: str


class IUnclaimed(Interface):
    """The place of unclaimed mail: a public folder of a local domain, which who has the rights sees by IMAP too."""

    def delivery(domains: Sequence[str]) -> Awaitable[Delivery]:
        """Into the folder of the first of these domains that is local, else of our first local domain.

        It is made where it is missing. Raises `TemporaryFailure` if there is no local domain.
        """

    def messages() -> Awaitable[list[Unclaimed]]:
        """All of it, oldest first. A scan."""

    def find(id: str) -> Awaitable[Unclaimed]:
        """One message. Raises `NoSuchThing`."""

    def content(message: Unclaimed) -> AsyncIterator[bytes]:
        """Its octets without what the folder put in front. Raises `TemporaryFailure` if they cannot be had now."""

    def take(cursor: Cursor, message: Unclaimed) -> None:
        """Remove it from the folder, within a unit. Raises `NoSuchThing` if it is not there any more."""
