"""Two WorldMails of which one, the relay, holds mail for the other, the site, and both know it."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Iterable, Sequence

from attrs import frozen
from zope.interface import Attribute, Interface

from worldmail.errors import Refusal


class End(enum.Enum):
    """Which of the two we are."""

    RELAY = "relay"
    SITE = "site"


@frozen(kw_only=True)
class Pair:
    """We and the other one.

    Args:
        name: at the relay that of the site's hold, at the site what it calls the relay (its host, unless told else).
        end: which of the two we are.
        account: the key of the address, one of the relay's, that the site signs in as.
        domains: those of the site that the relay holds mail for, in A-labels.
        joined: when, epoch seconds; at the relay 0 while the invitation waits.
        host, pins: of the relay, known at the site: its name, and its certificate's (`outbound.Hop.pins`).
        port, submission: of the relay, known at the site: where mail is fetched, and where ours is handed in by
            submission; 0 if that is nowhere.
        called: at the site: what the relay calls itself; "" if that is not known.
        renews: known at the site: a relay with another key is the relay if its certificate verifies for `host`.
        renewed: at the site: when its key was last seen to be another one, epoch seconds; 0 if it never was.
        starttls: of these the ones where TLS begins with STARTTLS and not with the connection.
    """

    name: str
    end: End
    account: str
    domains: tuple[str, ...]
    joined: int = 0
    host: str = ""
    pins: frozenset[str] = frozenset()
    port: int = 0
    submission: int = 0
    starttls: frozenset[int] = frozenset()
    called: str = ""
    renews: bool = False
    renewed: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The relay's, where we are the site: what we call it, and what it calls itself."""
        return tuple(name for name in (self.host, self.called) if name) if self.end is End.SITE else ()


class IPairs(Interface):
    """The pairs that we are one end of, as the database has them now; nothing here waits."""

    def site(account: str) -> Pair | None:
        """The site that signs in as this account (an address's key) and has joined; None if it is nobody's."""

    def relay(name: str) -> Pair | None:
        """The relay that we, the site, call by this name."""

    def pairs() -> Sequence[Pair]:
        """All, by name."""


class CannotJoin(Refusal):
    """There is no such invitation: unknown, over or used, nobody learns which. Or there is, and none of its domains is
    held any more, which is said."""

    code = 550
    enhanced = "5.7.1"
    text = "No such invitation"


@frozen(kw_only=True)
class Joined:
    """What a site is told once it has joined.

    Args:
        account: the address that it signs in as.
        hold, domains: where its mail waits, and for which domains.
        submission: where its own mail is taken, 0 if nowhere.
        starttls: True if TLS begins with STARTTLS there.
        host: what the relay calls itself, which need not be what it is reached by; "" if it does not say.
    """

    account: str
    hold: str
    domains: tuple[str, ...]
    submission: int
    starttls: bool
    host: str = ""


@frozen
class Known:
    """A recipient at a site.

    Args:
        local: its local part (`Address.local_key`).
        domain: its domain, in A-labels.
        most: octets that one message to it may have, None for any.
        room: octets that it has left, None if nothing bounds it.
    """

    local: str
    domain: str
    most: int | None = None
    room: int | None = None


class IRelayEnd(Interface):
    """What a site may ask of its relay."""

    inviting = Attribute("bool: an invitation is open, or was a moment ago")

    def join(secret: bytes, password: str, client: str, session: str) -> Awaitable[Joined]:
        """Redeem an invitation, once: the site's account has this password from now on.

        Raises: `CannotJoin`, `TooManyRequests`, `TemporaryFailure`.

        Args:
            secret: of the invitation.
            password: what the site signs in with from then on, also if it never sees this reply.
            client: the IP address that asks, whose tries are counted.
            session: the id of the session, for the log.
        """

    def facts(site: Pair) -> Joined:
        """What a site was told when it joined, told again."""

    def replace_recipients(site: Pair, lists: Iterable[Known]) -> Awaitable[int]:
        """The site's domains have these recipients from now on, and postmaster, and no others; how many there are.

        The local part "*" says that mail for everybody in that domain is taken. Whole or not at all.
        Raises `BadValue` for one that is no recipient of its domains; `TemporaryFailure`.
        """
