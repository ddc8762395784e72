"""No open relay: strangers reach our own domains only."""

from __future__ import annotations

from collections.abc import Awaitable

from attrs import field, frozen
from zope.interface import implementer

from worldmail.errors import RelayDenied
from worldmail.interfaces.directory import Elsewhere
from worldmail.interfaces.plugin import Foundations
from worldmail.interfaces.policy import IPolicyCheck, PolicyRequest, RecipientRequest


@implementer(IPolicyCheck)
@frozen
class RelayCheck:
    """Whoever did not sign in sends to nobody elsewhere, not through an alias of ours either."""

    name: str = field(default="relay", init=False)
    requests: tuple[type[PolicyRequest], ...] = field(default=(RecipientRequest,), init=False)

    def check(self, request: PolicyRequest) -> Awaitable[None] | None:
        """See `IPolicyCheck.check`."""
        assert isinstance(request, RecipientRequest)
        if request.asker.account is None:
            for destination in request.resolution.destinations:
                if isinstance(destination, Elsewhere):
                    raise RelayDenied
        return None


def relay_check(foundations: Foundations) -> RelayCheck:
    """The check."""
    return RelayCheck()
