"""Asking other servers for our mail: over the same connection, which is turned (RFC 2645), or that they send it."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from attrs import frozen
from zope.interface import Interface

from worldmail.interfaces.ondemand import Result
from worldmail.interfaces.outbound import Hop
from worldmail.interfaces.pairs import Joined, Known


@frozen(kw_only=True)
class Fetch:
    """What is fetched, and how it is taken.

    Args:
        agent: the name of the agent that fetches, for log and trace.
        domains: whose mail, in A-labels; none for all that waits for the account.
        listener: the name of our own listener of role mx by whose settings it is taken; "" for the first.
        stay: seconds of silence after which each end says that it is there, on a connection that stays open for what is
            yet to come, if the server can do that; 0 to end when all is fetched.
    """

    agent: str
    domains: tuple[str, ...] = ()
    listener: str = ""
    stay: int = 0


class IFetches(Interface):
    """Conversations in which we ask for our mail. Each may be cancelled: what was accepted by then stays accepted."""

    def fetch(hop: Hop, fetch: Fetch) -> Awaitable[Result]:
        """Fetch what waits there, and take it as a server does; done when the connection is over.

        Raises: `HopFailed`, if it does not come to a conversation; `ConfigurationError`, if there is no such listener.
        """

    def ask(hop: Hop, nodes: Sequence[str]) -> Awaitable[Result]:
        """Ask for these: "shop.example", "@shop.example" with all below it, "#queue" (RFC 1985 §5). Raises `HopFailed`.

        Messages are those that the server says it sends, None if it does not say of all.
        """

    def facts(hop: Hop) -> Awaitable[Joined]:
        """What our relay says of us now, as when we joined. Raises `HopFailed`."""

    def push(hop: Hop, lists: Sequence[Known]) -> Awaitable[str]:
        """Tell the relay whom we have; its words. Raises `HopFailed`."""

    def look(hop: Hop, word: str) -> Awaitable[list[str]]:
        """Sign in, and leave: what was found, a line for each step. Raises `HopFailed`.

        Args:
            word: of the command that will be needed (ATRN, ETRN).
        """
