"""Our users send as themselves (RFC 6409 §6.1, §8.1)."""

from __future__ import annotations

from collections.abc import Awaitable

from attrs import field, frozen
from zope.interface import implementer

from worldmail.errors import NotPermitted
from worldmail.interfaces.directory import Account, IDirectory
from worldmail.interfaces.plugin import Foundations
from worldmail.interfaces.policy import IPolicyCheck, MessageRequest, PolicyRequest, SenderRequest
from worldmail.mail.address import Address
from worldmail.mail.header import Header
from worldmail.mail.mailboxes import addresses_of

_FIELDS = (b"from", b"sender", b"resent-from", b"resent-sender")


@implementer(IPolicyCheck)
@frozen
class SendersCheck:
    """Whoever signed in uses only addresses that lead to the own account: in MAIL FROM, From and Sender.

    The null reverse-path is anybody's. A From or Sender that cannot be read for sure is refused, as is a
    second one: what one program takes for the sender, another might not.
    """

    directory: IDirectory
    name: str = field(default="senders", init=False)
    requests: tuple[type[PolicyRequest], ...] = field(default=(SenderRequest, MessageRequest), init=False)

    def check(self, request: PolicyRequest) -> Awaitable[None] | None:
        """See `IPolicyCheck.check`."""
        account = request.asker.account
        if account is None:
            return None
        if isinstance(request, SenderRequest):
            return None if request.sender is None else self._hold(account, [request.sender])
        assert isinstance(request, MessageRequest)
        return self._hold(account, _authors(request.header, account))

    async def _hold(self, account: Account, addresses: list[Address]) -> None:
        for address in addresses:
            if address != account.address and not await self.directory.owns(account, address):
                raise NotPermitted("The sender's address is not yours", reason=f"{account.address} sends as {address}")


def _authors(raw: bytes, account: Account) -> list[Address]:
    """Every address that the message claims to be from."""
    header = Header(raw)
    found: list[Address] = []
    for name in _FIELDS:
        values = header.values(name)
        if len(values) > 1 and not name.startswith(b"resent-"):
            raise NotPermitted("More than one From or Sender field")
        for value in values:
            try:
                addresses = addresses_of(value)
            except ValueError as error:
                raise NotPermitted("The From or Sender field cannot be read", reason=str(error)) from None
            if not addresses:
                raise NotPermitted("The From or Sender field names nobody")  # RFC 5322 §3.6.2: at least one mailbox
            found += [address.qualified(account.address.domain) for address in addresses]
    return found


def senders_check(foundations: Foundations) -> SendersCheck:
    """The check."""
    assert foundations.directory is not None
    return SendersCheck(foundations.directory)
