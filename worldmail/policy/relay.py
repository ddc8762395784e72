"""No open relay: strangers reach our own domains only."""

from __future__ import annotations

from collections.abc import Awaitable

from attrs import field, frozen
from zope.interface import implementer

from worldmail.errors import RelayDenied
from worldmail.interfaces.directory import Elsewhere
from worldmail.interfaces.plugin import Foundations
from worldmail.interfaces.policy import IPolicyCheck, PolicyRequest, RecipientRequest
from worldmail.interfaces.queue import IRoutes
from worldmail.wire.networks import NetworkSet

_ROUTING = frozenset("%!@")


@implementer(IPolicyCheck)
@frozen
class RelayCheck:
    """Whoever did not sign in sends to nobody elsewhere, but through aliases of ours and to domains that we relay for.

    In a domain of which nobody has a list of recipients, a local part that a server could take for a route to elsewhere
    (user%far.example, far.example!user, RFC 5321 appendix F.2, RFC 1123 §5.2.16) is not theirs: the domain's server may
    trust us more than them.

    A hold for all that lies below a domain takes mail for it as relay domains do; those below that are relay domains
    themselves have their lists.

    Args:
        networks: from where anybody may send to everybody.
        routes: knows the holds; None where nothing is held.
    """

    networks: NetworkSet = field(factory=NetworkSet)
    routes: IRoutes | None = None

    name: str = field(default="relay", init=False)
    requests: tuple[type[PolicyRequest], ...] = field(default=(RecipientRequest,), init=False)

    def check(self, request: PolicyRequest) -> Awaitable[None] | None:
        """See `IPolicyCheck.check`."""
        assert isinstance(request, RecipientRequest)
        if request.asker.account is not None or request.asker.within(self.networks):
            return None
        asked = request.resolution.address.key
        for destination in request.resolution.destinations:
            if isinstance(destination, Elsewhere) and destination.address.key == asked and self._is_far(destination):
                raise RelayDenied
        return None

    def _is_far(self, destination: Elsewhere) -> bool:
        """Is it in no domain of ours, or could the domain's server take it for such an address?"""
        if not (destination.relayed or self._is_held(destination.address.domain_key)):
            return True
        return destination.listed is None and not _ROUTING.isdisjoint(destination.address.local)

    def _is_held(self, domain: str) -> bool:
        hold = None if self.routes is None else self.routes.holding(domain)
        return hold is not None and any(is_below(domain, each) for each in hold.domains)


def is_below(domain: str, pattern: str) -> bool:
    """Is it one of those that ".example.org" stands for? All below a top-level domain is nobody's: who wrote that meant
    something else."""
    return pattern.startswith(".") and pattern.count(".") > 1 and domain.endswith(pattern)


def relay_check(foundations: Foundations) -> RelayCheck:
    """The check."""
    return RelayCheck(networks=NetworkSet(foundations.settings.policy.relay_networks), routes=foundations.routes)
