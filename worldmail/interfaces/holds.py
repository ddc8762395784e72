"""Named queues in which mail for some domains waits until it is released."""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Awaitable, Callable, Mapping

from attrs import field, frozen
from zope.interface import Interface

from worldmail.interfaces.database import Cursor
from worldmail.interfaces.outbound import Login, Security

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Release(enum.Enum):
    """Where a hold's mail goes when it is released."""

    ODMR = "odmr"  # to who asks for it, over the same connection (RFC 2645)
    MX = "mx"  # to the servers that the DNS names
    HOST = "host"  # to one host


@frozen(kw_only=True)
class Hold:
    """A named queue in which mail for some domains waits until it is released.

    Args:
        name: as administrators and ETRN (`#name`) call it.
        domains: whose mail waits here: "shop.example", or ".shop.example" for all below it; in A-labels.
        release: where it goes.
        host, port, security, implicit_tls, login, pins, renews: of HOST; `security` also of MX.
        accounts: keys of the addresses that may release it once they have signed in.
        networks: from where anybody may release it.
        keep: seconds until mail that was not released is given up, and its sender told.
        tell: seconds after which senders are told that it waits; 0 for never.
        most, messages: octets and messages that may wait there; 0 for any number.
        enabled: False if mail for these domains goes its ordinary way.
        wake: the key of the address to which a message releases it; "" for none. `wake_secret` is what it proves to
            know; without it one of the accounts must have sent it.
        finger: the word that releases it when it is asked of the finger server; "" for none.
        every: seconds between releases by the clock; 0 for none.
        at_login: True if it is released when one of its accounts signs in.
    """

    name: str
    domains: tuple[str, ...]
    release: Release = Release.ODMR
    host: str = ""
    port: int = 0
    security: Security = Security.OPPORTUNISTIC
    implicit_tls: bool = False
    login: Login | None = None
    pins: frozenset[str] = frozenset()
    renews: bool = False
    accounts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()
    keep: float = 30 * 86400
    tell: float = 0.0
    most: int = 0
    messages: int = 0
    enabled: bool = True
    wake: str = ""
    wake_secret: str = field(default="", repr=False)
    finger: str = field(default="", repr=False)
    every: float = 0.0
    at_login: bool = False


@frozen(kw_only=True)
class HoldLoad:
    """How much waits in a hold: messages, their octets, when the oldest was accepted (epoch seconds; 0 if none)."""

    messages: int
    octets: int
    oldest: int


class IHoldLoads(Interface):
    """How much waits in holds, well enough for bounds that are not sharp.

    A count may be 10 seconds old (20 times as long as counting took, if that is more), with all that this process took
    since. So of what other processes take, and of mail whose size was not declared, so much may go beyond a bound as
    comes in that time.
    """

    def load(name: str) -> Awaitable[HoldLoad]:
        """How much waits in the hold of this name. Raises `TemporaryFailure`."""

    def took(name: str, octets: int) -> None:
        """One more message is on its way there."""

    def share(name: str, address: str) -> Awaitable[int]:
        """How many octets of what waits there are for this user, with whatever detail (RFC 5233), in the same way.

        Raises: `TemporaryFailure`.
        """

    def took_for(name: str, address: str, octets: int) -> None:
        """One more message for this recipient is on its way there."""


class IHoldAdmin(Interface):
    """Changing the holds. Raises `NoSuchThing`, `AlreadyThere`, `BadValue`. No password is given: they are ""."""

    def holds() -> Awaitable[list[Hold]]:
        """All holds, by name."""

    def loads() -> Awaitable[dict[str, HoldLoad]]:
        """How much waits in each now, by name."""

    def add_hold(name: str, changes: Mapping[str, str]) -> Awaitable[Hold]:
        """Add a hold with these keys (`BadValue` names the key and what it takes)."""

    def set_hold(name: str, changes: Mapping[str, str]) -> Awaitable[Hold]:
        """Set keys of a hold."""

    def joining(name: str) -> Callable[[Cursor, str], None]:
        """A part of the unit that adds a domain: its mail waits in this hold, which is made if there is none."""

    def remove_hold(name: str) -> Awaitable[None]:
        """Remove a hold. What waits in it goes on waiting until it is released by hand, or its time is over."""
