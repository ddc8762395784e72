"""What a route refuses is refused where its sender still listens."""

from __future__ import annotations

from collections.abc import Awaitable

from attrs import field, frozen
from zope.interface import implementer

from worldmail.errors import NotPermitted
from worldmail.interfaces.directory import Elsewhere
from worldmail.interfaces.plugin import Foundations
from worldmail.interfaces.policy import IPolicyCheck, PolicyRequest, RecipientRequest
from worldmail.interfaces.queue import IRoutes, Via


@implementer(IPolicyCheck)
@frozen
class RoutesCheck:
    """A recipient whose route refuses is refused at RCPT, with the route's text (RFC 5321 §3.6.2, RFC 3463 X.7.1).

    One that is reached by an alias of ours is not: whoever writes to the alias can do nothing about where it leads.
    Mail for it is refused in the queue, as is mail whose route refuses since it came.
    """

    routes: IRoutes
    name: str = field(default="routes", init=False)
    requests: tuple[type[PolicyRequest], ...] = field(default=(RecipientRequest,), init=False)

    def check(self, request: PolicyRequest) -> Awaitable[None] | None:
        """See `IPolicyCheck.check`."""
        assert isinstance(request, RecipientRequest)
        asked = request.resolution.address.key
        for destination in request.resolution.destinations:
            if isinstance(destination, Elsewhere) and destination.address.key == asked:
                route = self.routes.route(request.sender, destination.address.domain_key)
                if route.via is Via.REFUSE:
                    raise NotPermitted(route.text or None, reason=f"route {route.name}")
        return None


def routes_check(foundations: Foundations) -> RoutesCheck:
    """The check."""
    assert foundations.routes is not None
    return RoutesCheck(foundations.routes)
