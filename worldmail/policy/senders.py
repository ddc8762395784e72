"""Our users send as themselves (RFC 6409 §6.1, §8.1)."""

from __future__ import annotations

from collections.abc import Awaitable

from attrs import field, frozen
from zope.interface import implementer

from worldmail.errors import NotPermitted
from worldmail.interfaces.directory import Account, Elsewhere, IDirectory
from worldmail.interfaces.pairs import IPairs
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

    A site that has joined us hands in its users' mail, and what its aliases lead elsewhere: it uses the addresses of
    its own domains, and of any that we have nothing to do with.
    """

    directory: IDirectory
    pairs: IPairs | None = None
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
            if address == account.address or self._is_of_a_site(account, address):
                continue
            if not await self.directory.owns(account, address) and not await self._is_forwarded(account, address):
                raise NotPermitted("The sender's address is not yours", reason=f"{account.address} sends as {address}")

    def _is_of_a_site(self, account: Account, address: Address) -> bool:
        site = None if self.pairs is None else self.pairs.site(account.address.key)
        return site is not None and address.domain_key in site.domains

    async def _is_forwarded(self, account: Account, address: Address) -> bool:
        """A site hands in what others sent it; what is ours or another site's is not that."""
        if self.pairs is None or self.pairs.site(account.address.key) is None:
            return False
        ends = (await self.directory.resolve(address)).destinations
        return all(isinstance(end, Elsewhere) and not end.relayed and end.address == address for end in ends)


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
    return SendersCheck(foundations.directory, foundations.pairs)
