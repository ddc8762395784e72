"""What waits in a hold has a bound: beyond it senders' servers keep their mail."""

from __future__ import annotations

from collections.abc import Awaitable

from attrs import field, frozen
from zope.interface import implementer

from worldmail.errors import OverQuota
from worldmail.interfaces.directory import Elsewhere
from worldmail.interfaces.holds import Hold
from worldmail.interfaces.plugin import Foundations
from worldmail.interfaces.policy import IPolicyCheck, PolicyRequest, RecipientRequest
from worldmail.interfaces.queue import IRoutes


@implementer(IPolicyCheck)
@frozen
class HoldsCheck:
    """A recipient whose mail would wait in a hold that is full is refused for now at RCPT (RFC 3463 X.2.2).

    How full it is may be some seconds old, with what this process took since (`IHoldLoads`).
    """

    routes: IRoutes
    name: str = field(default="holds", init=False)
    requests: tuple[type[PolicyRequest], ...] = field(default=(RecipientRequest,), init=False)

    def check(self, request: PolicyRequest) -> Awaitable[None] | None:
        """See `IPolicyCheck.check`."""
        assert isinstance(request, RecipientRequest)
        domains = {end.address.domain_key for end in request.resolution.destinations if isinstance(end, Elsewhere)}
        holds = [hold for hold in map(self.routes.holding, sorted(domains)) if hold is not None]
        bounded = [hold for hold in holds if hold.most or hold.messages]
        return self._measure(bounded, request) if bounded else None

    async def _measure(self, holds: list[Hold], request: RecipientRequest) -> None:
        size = request.size or 0
        for hold in holds:
            load = await self.routes.loads.load(hold.name)
            if (hold.messages and load.messages >= hold.messages) or (
                hold.most and load.octets + max(size, 1) > hold.most
            ):
                why = f"{load.messages} messages, {load.octets} octets wait in the hold {hold.name}"
                raise OverQuota("Too much mail waits for this site, try again later", reason=why)
        if not request.count:  # once for the message
            for hold in holds:
                self.routes.loads.took(hold.name, size)


def holds_check(foundations: Foundations) -> HoldsCheck:
    """The check."""
    assert foundations.routes is not None
    return HoldsCheck(foundations.routes)
