"""No open relay: strangers reach our own domains only."""

from __future__ import annotations

from collections.abc import Awaitable

from attrs import field, frozen
from zope.interface import implementer

from worldmail.errors import RelayDenied
from worldmail.interfaces.directory import Elsewhere
from worldmail.interfaces.plugin import Foundations
from worldmail.interfaces.policy import IPolicyCheck, PolicyRequest, RecipientRequest
from worldmail.wire.networks import NetworkSet


@implementer(IPolicyCheck)
@frozen
class RelayCheck:
    """Whoever did not sign in sends to nobody elsewhere, but through aliases of ours and to domains that we relay for.

    Args:
        networks: from where anybody may send to everybody.
    """

    networks: NetworkSet = field(factory=NetworkSet)

    name: str = field(default="relay", init=False)
    requests: tuple[type[PolicyRequest], ...] = field(default=(RecipientRequest,), init=False)

    def check(self, request: PolicyRequest) -> Awaitable[None] | None:
        """See `IPolicyCheck.check`."""
        assert isinstance(request, RecipientRequest)
        if request.asker.account is not None or request.asker.client in self.networks:
            return None
        asked = request.resolution.address.key
        for destination in request.resolution.destinations:
            if isinstance(destination, Elsewhere) and not destination.relayed and destination.address.key == asked:
                raise RelayDenied
        return None


def relay_check(foundations: Foundations) -> RelayCheck:
    """The check."""
    return RelayCheck(networks=NetworkSet(foundations.settings.policy.relay_networks))
