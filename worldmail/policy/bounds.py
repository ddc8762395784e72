"""How large, how far, how full: size, hops and quota."""

from __future__ import annotations

from collections.abc import Awaitable

from attrs import field, frozen
from zope.interface import implementer

from worldmail.errors import MailLoop, MessageTooLarge, OverQuota
from worldmail.interfaces.directory import Account, LocalAccount
from worldmail.interfaces.plugin import Foundations
from worldmail.interfaces.policy import IPolicyCheck, MessageRequest, PolicyRequest, RecipientRequest
from worldmail.interfaces.store import IMailboxStore
from worldmail.mail.header import Header


@implementer(IPolicyCheck)
@frozen
class SizeCheck:
    """A message declared larger than its recipient takes is refused before it is sent (RFC 1870 §6.1)."""

    name: str = field(default="size", init=False)
    requests: tuple[type[PolicyRequest], ...] = field(default=(RecipientRequest,), init=False)

    def check(self, request: PolicyRequest) -> Awaitable[None] | None:
        """See `IPolicyCheck.check`."""
        assert isinstance(request, RecipientRequest)
        if request.size is not None:
            for account in local_accounts(request):
                if account.max_message is not None and request.size > account.max_message:
                    raise MessageTooLarge
        return None


@implementer(IPolicyCheck)
@frozen
class HopsCheck:
    """A message that went through too many servers goes round in circles (RFC 5321 §6.3)."""

    limit: int
    name: str = field(default="hops", init=False)
    requests: tuple[type[PolicyRequest], ...] = field(default=(MessageRequest,), init=False)

    def check(self, request: PolicyRequest) -> Awaitable[None] | None:
        """See `IPolicyCheck.check`."""
        assert isinstance(request, MessageRequest)
        # A cheap look first: each field has its name at least once.
        if request.header.lower().count(b"received") > self.limit:
            hops = Header(request.header).count(b"received")
            if hops > self.limit:
                raise MailLoop(reason=f"{hops} Received fields")
        return None


@implementer(IPolicyCheck)
@frozen
class QuotaCheck:
    """Mail for a full mailbox is refused at RCPT; of an alias for several, where one of them is full.

    Mail for postmaster is taken all the same (RFC 5321 §4.5.1).
    """

    mailboxes: IMailboxStore
    permanent: bool
    name: str = field(default="quota", init=False)
    requests: tuple[type[PolicyRequest], ...] = field(default=(RecipientRequest,), init=False)

    def check(self, request: PolicyRequest) -> Awaitable[None] | None:
        """See `IPolicyCheck.check`."""
        assert isinstance(request, RecipientRequest)
        limited = [account for account in local_accounts(request) if account.quota is not None]
        if not limited or request.recipient.address.local_key == "postmaster":
            return None
        return self._measure(limited, request.size or 0)

    async def _measure(self, accounts: list[Account], size: int) -> None:
        for account in accounts:
            used = sum(mailbox.octets for mailbox in await self.mailboxes.mailboxes(account.id))
            assert account.quota is not None
            if used + size > account.quota or used >= account.quota:
                reason = f"{account.address} holds {used} of {account.quota} octets"
                if self.permanent:
                    raise OverQuota(code=552, enhanced="5.2.2", reason=reason)
                raise OverQuota(reason=reason)


def local_accounts(request: RecipientRequest) -> list[Account]:
    """The accounts that the recipient leads to."""
    return [end.account for end in request.resolution.destinations if isinstance(end, LocalAccount)]


def size_check(foundations: Foundations) -> SizeCheck:
    """The check."""
    return SizeCheck()


def hops_check(foundations: Foundations) -> HopsCheck:
    """The check."""
    return HopsCheck(foundations.settings.policy.hop_limit)


def quota_check(foundations: Foundations) -> QuotaCheck:
    """The check."""
    assert foundations.mailboxes is not None
    return QuotaCheck(foundations.mailboxes, permanent=foundations.settings.policy.over_quota == "permanent")
