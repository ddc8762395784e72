"""Letting go what waits in holds: to where it belongs (ETRN), or to who asks, over its own connection (ODMR)."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Sequence

from attrs import frozen
from zope.interface import Interface

from worldmail.errors import Refusal
from worldmail.interfaces.directory import Account
from worldmail.interfaces.protocol import IDialogue


class Wanted(enum.Enum):
    """What a request for a release names (RFC 1985 §5.2, §5.3)."""

    DOMAIN = ""  # one domain
    BELOW = "@"  # a domain and all below it
    QUEUE = "#"  # a hold


@frozen(kw_only=True)
class ReleaseRequest:
    """Somebody wants mail to be let go.

    Args:
        wanted, name: what it names: a domain in A-labels, or the name of a hold, in lower case.
        session: the id of the session, for the log.
        client: the IP address that asks.
        account: who signed in there.
    """

    wanted: Wanted
    name: str
    session: str
    client: str
    account: Account | None


@frozen(kw_only=True)
class Started:
    """What a release began.

    Args:
        messages: how many wait that are tried now, each counted once.
        under_way: others are on their way already, by an earlier release. Not looked for where some wait.
    """

    messages: int
    under_way: bool = False


class NotAllowed(Refusal):
    """There is no such hold, or not for this client: which of the two nobody learns."""

    code = 459  # RFC 1985 §5.1
    enhanced = "4.7.1"
    text = "Not allowed"


class CannotRelease(Refusal):
    """Not now."""

    code = 458  # RFC 1985 §5.1
    enhanced = "4.3.0"
    text = "Unable to queue messages"


class TurnBusy(Refusal):
    """Somebody else fetches this mail at the moment."""

    code = 451  # RFC 2645 §4
    enhanced = "4.3.0"
    text = "Unable to process the request now"


class NothingWaits(Refusal):
    """There is nothing to fetch."""

    code = 453  # RFC 2645 §4
    enhanced = "4.3.0"
    text = "You have no mail"


class NotYours(Refusal):
    """One of the domains is not the account's, or the account has none."""

    code = 450  # RFC 2645 §4
    enhanced = "4.7.1"
    text = "Request refused"


class IReleases(Interface):
    """Releases, for protocols. All of it follows the holds as they are now."""

    def release(request: ReleaseRequest) -> Awaitable[Started]:
        """Let mail go to where it belongs.

        Raises: `NotAllowed`, `CannotRelease`, `TemporaryFailure`.
        """

    def may_ask(client: str) -> bool:
        """May who comes from this address release a hold without signing in? Raises `TemporaryFailure`."""

    def turn(account: Account, domains: Sequence[str] | None, session: str, stay: int = 0) -> Awaitable[IDialogue]:
        """The client's dialogue that hands over what waits for these domains, or all of the account's.

        It takes the connection over at once, or is dropped by `closed`; until then nobody else gets this mail.
        Raises: `NotYours`, `TurnBusy`, `NothingWaits`, `TemporaryFailure`.

        Args:
            domains: in A-labels, lower case; None for all.
            session: the id of the session, for the log.
            stay: the turn is not over when nothing waits (it never raises `NothingWaits`), new mail is handed over as
                it comes, and after so many seconds of silence something is said; 0 for a turn that ends. While such a
                turn only waits, another of the same account takes its place.
        """
