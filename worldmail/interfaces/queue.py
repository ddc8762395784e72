"""The outbound queue, as others see it: mail comes in by a part of an acceptance, administrators look and steer."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from attrs import field, frozen
from zope.interface import Attribute, Interface

from worldmail.interfaces.database import Cursor
from worldmail.interfaces.holds import Hold
from worldmail.interfaces.outbound import Login, Security
from worldmail.interfaces.pairs import Known
from worldmail.mail.address import Address


class IParcel(Interface):
    """The part of one acceptance that the queue writes: a row for each recipient that the message goes on to."""

    shared = Attribute("bool: it bears others beside it (`interfaces.database.Shared`)")

    def add(cursor: Cursor, content_id: int) -> None:
        """Write it, within the unit that accepts the message. May be called again, as units are."""

    def accepted() -> None:
        """The unit is on disk: what can be sent at once is begun."""

    def dropped() -> None:
        """The message was not accepted: forget it."""


class IOnward(Interface):
    """Takes the recipients of a message that are not delivered here (`Acceptance.onward`)."""

    def parcel(acceptance: Any) -> IParcel:
        """The part of this acceptance that goes on. Cheap; nothing is written yet.

        Args:
            acceptance: an `interfaces.store.Acceptance` whose `onward` is not empty.
        """


class Via(enum.Enum):
    """The ways that mail can leave by."""

    MX = "mx"  # the servers that the DNS names for the recipient's domain (RFC 5321 §5)
    HOST = "host"  # one host and port: a smart host, or a server behind us
    LMTP = "lmtp"  # the same by LMTP (RFC 2033)
    HOLD = "hold"  # nowhere, until the queue of this name is released
    REFUSE = "refuse"  # nowhere at all
    LOCAL = "local"  # mailboxes of this server, through the queue


@frozen(kw_only=True)
class Route:
    """Where mail for some recipients, or from some senders, goes.

    Args:
        name: as administrators call it; "" for what is built in.
        domain: recipients' domains: "example.org" itself, ".example.org" all below it, "*" all; in A-labels.
        sender: reverse-paths: "user@example.org", "example.org", ".example.org", "*" all.
        via: the way.
        host, port: of HOST and LMTP; for MX and HOLD they mean nothing ("" and 0).
        security, implicit_tls, login, pins, renews: see `interfaces.outbound.Hop`.
        queue: the name of the queue of HOLD.
        text: the sentence of REFUSE, after "550 5.7.1 ".
        connections: the most at once to one destination; 0 for the setting of the queue.
        rate: messages a minute to one destination; 0 for no bound.
        enabled: False if it is to be passed over.
        hold: the hold whose mail takes it: what comes waits until it is released, and then goes this way.
    """

    name: str
    domain: str = "*"
    sender: str = "*"
    via: Via = Via.MX
    host: str = ""
    port: int = 0
    security: Security = Security.OPPORTUNISTIC
    implicit_tls: bool = False
    login: Login | None = None
    pins: frozenset[str] = frozenset()
    renews: bool = False
    queue: str = ""
    text: str = ""
    connections: int = 0
    rate: int = 0
    enabled: bool = True
    hold: Hold | None = None

    @property
    def holds(self) -> bool:
        """What comes waits until it is released."""
        return self.via is Via.HOLD or self.hold is not None

    def destination(self, domain: str) -> str:
        """The key of the destination that mail for this domain shares (a domain in A-labels, lower case).

        Mail of one destination goes over the same connections, and waits together when they fail.
        """
        if self.hold is not None:
            return f"hold {self.hold.name} {domain}"
        if self.via in (Via.MX, Via.LOCAL):
            return f"{self.via.value} {domain} {self.name}".rstrip()
        return f"{self.via.value} {self.queue if self.via is Via.HOLD else self.name}"


class IRoutes(Interface):
    """Which way mail takes. Answers from memory; follows the change feed (topic "route")."""

    triggers = Attribute("TriggerTable: the holds that something else than ETRN releases")

    loads = Attribute("IHoldLoads: how much waits in holds")

    def settled() -> Awaitable[None]:
        """Done when all changes that this process was told of are in force, or cannot be read for now."""

    def route(sender: Address | None, domain: str) -> Route:
        """The route for a recipient's domain (in A-labels, lower case) and a reverse-path. There always is one.

        The most exact domain wins, then the most exact sender; "*" for both comes last, and without one it is
        the built-in route by MX.
        """

    def onward(sender: Address | None, domain: str) -> Route:
        """The same for mail that is in the queue already: routes that lead nowhere but into a queue are passed over.

        They hold what comes. What was released, or came before them, goes on; `IQueueAdmin.hold` holds it.
        """

    def named(name: str) -> Route | None:
        """The route of this name."""

    def hold(name: str) -> Hold | None:
        """The hold of this name; None if there is none that is enabled."""

    def holds() -> list[Hold]:
        """All that are enabled."""

    def holding(domain: str) -> Hold | None:
        """The hold in which mail for this domain (in A-labels, lower case) waits."""


class IRouteAdmin(Interface):
    """Changing the routes. Raises `NoSuchThing`, `AlreadyThere`, `BadValue`. No password is given: they are ""."""

    def routes() -> Awaitable[list[Route]]:
        """All routes, in the order in which they are looked through."""

    def add_route(name: str, changes: Mapping[str, str]) -> Awaitable[Route]:
        """Add a route with these keys (`BadValue` names the key and what it takes)."""

    def set_route(name: str, changes: Mapping[str, str]) -> Awaitable[Route]:
        """Set keys of a route."""

    def remove_route(name: str) -> Awaitable[None]:
        """Remove a route; what waits for it is sent by the next that fits."""


class Standing(enum.Enum):
    """Where a recipient stands, as it is kept. (What ends a recipient is told by the trace.)"""

    WAITING = 0
    HELD = 1
    LEASED = 2  # a runner has it: it is being tried, or will be in a moment


@frozen(kw_only=True)
class QueuedRecipient:
    """One recipient of a queued message. Times are epoch seconds; `reply` is what was said last, or why it waits.

    `due`: while its destination rests, no earlier than the end of that. `expires`: 0 for never.
    """

    id: int
    address: str
    standing: Standing
    destination: str
    due: int
    attempts: int
    expires: int
    reply: str


@frozen(kw_only=True)
class QueuedMessage:
    """One queued message with those of its recipients that were asked for. `sender` "" is the null reverse-path."""

    id: str
    sender: str
    size: int
    accepted: int
    priority: int
    recipients: tuple[QueuedRecipient, ...]


@frozen(kw_only=True)
class Selection:
    """Which queued recipients are meant: those that fit everything that is given. None fits all.

    Args:
        id: the acceptance id of the message.
        recipient: an address; domain: the recipient's domain; destination: a destination's key or its beginning.
        route: the name of a route or of a hold's queue.
        standing: where they stand.
    """

    id: str | None = None
    recipient: str | None = None
    sender: str | None = None
    domain: str | None = None
    destination: str | None = None
    route: str | None = None
    standing: Standing | None = None


@frozen(kw_only=True)
class DestinationState:
    """One destination with mail. `oldest`: when its oldest was accepted; `until`: 0, or until when it rests.

    `attempts`: those that were made for what is there. `replies`: as `QueueCounters.destinations` has them. `reply`:
    why it rests, or what was said last of one of its recipients.
    """

    key: str
    waiting: int
    held: int
    leased: int
    oldest: int
    until: int
    failures: int
    reply: str
    attempts: int = 0
    replies: Mapping[str, int] = field(factory=dict)


@frozen(kw_only=True)
class QueueCounters:
    """The queue in figures: messages, recipients by standing, octets, when the oldest was accepted (0: empty),
    replies by class since they are counted ("2", "4", "5", and "x" for none), the same by destination's key for
    those with the most, and of how many recipients senders are still to be told."""

    messages: int
    recipients: Mapping[Standing, int]
    octets: int
    oldest: int
    replies: Mapping[str, int] = field(factory=dict)
    destinations: Mapping[str, Mapping[str, int]] = field(factory=dict)
    untold: int = 0


class IQueueAdmin(Interface):
    """Seeing and steering the queue, from any process, whether the server runs or not."""

    def counters() -> Awaitable[QueueCounters]:
        """The whole in figures."""

    def destinations(limit: int) -> Awaitable[list[DestinationState]]:
        """Destinations with mail, those with the most first."""

    def messages(selection: Selection, limit: int) -> Awaitable[list[QueuedMessage]]:
        """The oldest messages with a recipient that is meant (and those recipients)."""

    def retry(selection: Selection) -> Awaitable[int]:
        """Try them now, though they wait, and though their destination rests; how many.

        What its sender wants to be sent later (RFC 4865) is left out, unless a message is meant by its id.
        """

    def hold(selection: Selection) -> Awaitable[int]:
        """Let them wait until they are released. One that is being tried is held if that fails for now."""

    def release(selection: Selection) -> Awaitable[int]:
        """Let those that are held go on now, or at the later moment that their sender wants (RFC 4865).

        What waits in a hold for who fetches it, and for which there is no route, stays there, since the DNS names us
        for it: `BadValue` tells of it when the rest was let go.
        """

    def remove(selection: Selection, report: bool) -> Awaitable[int]:
        """Take them out; with `report` their senders are told, as if they had failed."""

    def redirect(selection: Selection, address: Address) -> Awaitable[int]:
        """Send them to this address instead."""

    def export(id: str, write: Callable[[bytes], None]) -> Awaitable[None]:
        """The message as it came to the queue. Raises `NoSuchThing`."""


class IRecipientSource(Interface):
    """Something that knows which recipients relay domains have: files, another directory. A plugin.

    It is asked for each recipient, each time that one is named: it remembers itself what takes long to find out. A
    recipient exists if any source says so; none does in a domain that only sources know which say that it does not.
    """

    name = Attribute("str: its name in [relay] sources")

    def exists(address: Address) -> Awaitable[bool | None]:
        """Whether there is such a recipient; None if this source does not know the domain.

        Raises: `TemporaryFailure` if it cannot tell now, which is what the client is then told.

        Args:
            address: by its `key`: in lower case, with the own name of the domain, in A-labels. It is asked with the
                detail that it came with, and without (RFC 5233).
        """

    def reload(settings: Any) -> None:
        """The configuration was read again (SIGHUP): go by it, and look again at what was remembered. Never raises."""


@frozen(kw_only=True)
class Loaded:
    """What became of a list of recipients: how many it got, lost and has."""

    added: int
    removed: int
    total: int


class IRecipientAdmin(Interface):
    """The lists of recipients that the database has of relay domains. Raises `NoSuchThing`, `BadValue`.

    A domain that has no list takes mail for everybody.
    """

    def counts() -> Awaitable[dict[str, int | None]]:
        """How many recipients each relay domain lists, by its name; None without a list. A scan."""

    def recipients(domain: str) -> Awaitable[list[Address]]:
        """The list of one domain. A scan."""

    def add(addresses: Sequence[Address]) -> Awaitable[list[str]]:
        """Add some, in one unit; the domains that had no list before."""

    def remove(addresses: Sequence[Address]) -> Awaitable[None]:
        """Remove some, in one unit. All of them must be there, and the last of a domain cannot be removed so."""

    def clear(domain: str) -> Awaitable[int]:
        """Remove the whole list; how many there were. The domain takes mail for everybody then."""

    def names(domain: str) -> Awaitable[tuple[str, ...]]:
        """The domain's own name and its other names, in A-labels. Raises too if it is no relay domain."""

    def listed(domain: str) -> Awaitable[list[Known]]:
        """The same as `recipients`, with what is known of their bounds. A scan."""

    def replace(domains: Collection[str], lists: Iterable[Known]) -> Awaitable[int]:
        """These domains have these recipients from now on, and postmaster, and no others; how many. In one unit.

        The local part "*": the domain takes mail for everybody. What is no relay domain is passed over.
        Raises `BadValue` for one of another domain than these.
        """

    def load(
        domain: str, names: Collection[str], replace: bool, progress: Callable[[int, int], None]
    ) -> Awaitable[Loaded]:
        """Add many, slice by slice; with `replace`, then remove all others.

        At no moment is a recipient refused that was taken before and will be after. If it is cut off, it can be done
        again; until then a domain that had no list takes everybody as before.

        Args:
            names: local parts, as in `Address.local_key`; not empty.
            progress: called after each slice with how many are done, and how many there are.
        """
