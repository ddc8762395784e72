"""Mail that goes over links which are not always there, as the queue knows it."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping

from attrs import frozen
from zope.interface import Interface

ANY_ROUTE = "*"
"""All ways that leave, but for those that are named beside it, and what is held for others."""


@frozen(kw_only=True)
class Behind:
    """How it is with what lies behind a link.

    Args:
        since: the link is down since then (epoch seconds), 0 if it is up.
        small_first: what waited goes in the order of its urgency and size when it is up again.
    """

    since: int = 0
    small_first: bool = False


@frozen(kw_only=True)
class Waiting:
    """What there is to do over a link. `due`: something could be tried now; `under_way`: so many recipients are."""

    due: bool
    under_way: int


class IResting(Interface):
    """The clock of mail whose link is down: nothing is tried, nobody is warned, nothing expires.

    Routes are told by their names; "" is the way that no route made, `ANY_ROUTE` all that are not named.
    """

    def follow(links: Mapping[str, Behind]) -> Awaitable[None]:
        """How it is with the links of all routes that have one, from now on, also for mail that comes later.

        What waited behind a link that is up again, or that has none any more, is due, and expires later by the time
        that the link was down. May be called again; what was cut off is gone on with then.
        """

    def is_back(route: str) -> Awaitable[None]:
        """The host of this route has shown that it is there: what could not reach it is due now."""

    def waiting(routes: Collection[str], most: int | None) -> Awaitable[Waiting]:
        """What there is to do for these routes; of messages up to so many octets."""


class IMeter(Interface):
    """Bounds what goes over links that cost by the octet."""

    def ours(route: str) -> bool:
        """Does this process send what goes by this route? Of several on one database one counts what is metered."""

    def refuses(route: str, octets: int) -> str | None:
        """Why a message of this size cannot go by this route now; None if it can."""

    def spend(route: str, octets: int) -> bool:
        """It is about to be sent, and counts; False if it cannot be any more."""
