"""How large, how far, how full: size, hops and quota."""

from __future__ import annotations

from collections.abc import Awaitable

from attrs import field, frozen
from zope.interface import implementer

from worldmail.errors import MailLoop, MessageTooLarge, OverQuota
from worldmail.interfaces.directory import Account, Elsewhere, LocalAccount
from worldmail.interfaces.plugin import Foundations
from worldmail.interfaces.policy import IPolicyCheck, MessageRequest, PolicyRequest, RecipientRequest
from worldmail.interfaces.queue import IRoutes
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
            limits = [account.max_message for account in local_accounts(request)]
            limits += [end.most for end in request.resolution.destinations if isinstance(end, Elsewhere)]
            if any(limit is not None and request.size > limit for limit in limits):
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

    Mail for postmaster is taken all the same (RFC 5321 §4.5.1). Of a mailbox at a site that told us of its room, what
    it told counts until it tells again, less what waits here for it, as far as that is known (`IHoldLoads`).
    """

    mailboxes: IMailboxStore
    permanent: bool
    routes: IRoutes | None = None
    name: str = field(default="quota", init=False)
    requests: tuple[type[PolicyRequest], ...] = field(default=(RecipientRequest,), init=False)

    def check(self, request: PolicyRequest) -> Awaitable[None] | None:
        """See `IPolicyCheck.check`."""
        assert isinstance(request, RecipientRequest)
        if request.recipient.address.local_key == "postmaster":
            return None
        told = [end for end in request.resolution.destinations if isinstance(end, Elsewhere) and end.room is not None]
        for end in told:
            if (request.size or 1) > (end.room or 0):
                raise self._full(f"{end.address} had room for {end.room} octets")
        limited = [account for account in local_accounts(request) if account.quota is not None]
        held = [] if self.routes is None else told
        return self._measure(limited, held, request.size or 0) if limited or held else None

    async def _measure(self, accounts: list[Account], told: list[Elsewhere], size: int) -> None:
        for end in told:
            await self._measure_there(end, size)
        for account in accounts:
            used = sum(mailbox.octets for mailbox in await self.mailboxes.mailboxes(account.id))
            assert account.quota is not None
            if used + size > account.quota or used >= account.quota:
                raise self._full(f"{account.address} holds {used} of {account.quota} octets")

    async def _measure_there(self, end: Elsewhere, size: int) -> None:
        hold = None if self.routes is None else self.routes.holding(end.address.domain_key)
        if self.routes is None or hold is None:
            return
        waits = await self.routes.loads.share(hold.name, str(end.address))
        if waits + max(size, 1) > (end.room or 0):
            # For now, always: what was only declared counts as well until it is counted again.
            raise OverQuota(reason=f"{end.address} had room for {end.room} octets, and {waits} wait for it")
        self.routes.loads.took_for(hold.name, str(end.address), size)

    def _full(self, reason: str) -> OverQuota:
        return OverQuota(code=552, enhanced="5.2.2", reason=reason) if self.permanent else OverQuota(reason=reason)


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
    permanent = foundations.settings.policy.over_quota == "permanent"
    return QuotaCheck(foundations.mailboxes, permanent=permanent, routes=foundations.routes)
