"""Who and what there is: domains, accounts, addresses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from attrs import field, frozen
from zope.interface import Attribute, Interface

from worldmail.interfaces.database import Cursor
from worldmail.mail.address import Address


@frozen(kw_only=True)
class Account:
    """An account as sessions see it: the avatar of twisted.cred.

    `generation` grows with every change of credentials, rights or state, so that caches and live
    sessions can tell. `quota` and `max_message` are octets, None for no limit of its own.
    """

    id: int
    address: Address
    name: str
    enabled: bool
    generation: int
    quota: int | None
    max_message: int | None
    legacy_auth: bool
    settings: Mapping[str, str] = field(factory=dict)

    def is_still(self, now: Account | None) -> bool:
        """May who signed in as this account go on? It is there and switched on, its credentials and rights the same."""
        if now is None or not now.enabled:
            return False
        return (now.id, now.generation) == (self.id, self.generation)


@frozen(kw_only=True)
class LocalAccount:
    """The address leads to a mailbox of ours."""

    account: Account


@frozen(kw_only=True)
class Elsewhere:
    """The address is in no domain whose mailboxes are ours.

    `relayed`: we take mail for its domain from everybody, and hand it on (RFC 5321 §2.3.10). Of such an address:

    `own`: what stands for it in lists of the domain's recipients, by its `key`: with the domain's own name.
    `listed`: whether it, or it without its detail, stands in the list that the source has; None if it has none. Where
    the directory says it, it has asked others too (`interfaces.queue.IRecipientSource`), and it is True or None.
    `most`, `room`: octets that one message to it may have, and that it had left, as its own server told; None for any.
    """

    address: Address
    relayed: bool = False
    own: Address | None = None
    listed: bool | None = None
    most: int | None = None
    room: int | None = None


@frozen(kw_only=True)
class NoSuchAddress:
    """The domain is ours and the address leads nowhere.

    `disabled` tells that there is an account, but it is switched off (RFC 3463 X.2.1).
    """

    address: Address
    disabled: bool = False


Destination = LocalAccount | Elsewhere | NoSuchAddress


@frozen(kw_only=True)
class Resolution:
    """What an address resolves to, aliases followed (each destination once)."""

    address: Address
    destinations: tuple[Destination, ...]


@frozen(kw_only=True)
class Domain:
    """A domain of ours. `alias_of` is the name of the domain it is another name of, or None.

    `quota` is octets for all its accounts together, None for no bound.
    """

    id: int
    name: str
    kind: str
    alias_of: str | None
    quota: int | None = None


class IDirectorySource(Interface):
    """Something that knows addresses: the database, a file, another directory. A plugin."""

    name = Attribute("str: its name in [directory] sources")

    def resolve(address: Address) -> Awaitable[tuple[Destination, ...] | None]:
        """Where one address leads, one step; None if this source does not know its domain.

        An address of a relay domain leads to itself, `Elsewhere` with all that is said there of `relayed`. Any
        other `Elsewhere` stands for "look there next": every target of an alias, of our domains or not. An account that
        is switched off is given as the account that it is.
        """

    def account(address: Address) -> Awaitable[Account | None]:
        """The account whose own address this is (domain aliases followed), switched off or not; None if unknown here.

        An unqualified address stands in the first local domain.
        """

    def own_form(address: Address) -> Awaitable[Address | None]:
        """How the account of this address would be written, whether there is one or not; None if not known here.

        Other names of a domain become the domain, an unqualified address stands in the first local domain.
        """


class IBatchSource(IDirectorySource):
    """A source that can be asked for many addresses at once: for the targets of a wide alias."""

    def resolve_all(addresses: Sequence[Address]) -> Awaitable[list[tuple[Destination, ...] | None]]:
        """What `resolve` says of each, in this order, from one look and without holding up the reactor."""


class IDirectory(Interface):
    """The directory that protocols ask. Answers are cached and follow the change feed."""

    def resolve(address: Address) -> Awaitable[Resolution]:
        """Follow aliases, domain aliases, subaddresses (user+tag) and catch-alls to their ends.

        An unqualified postmaster is the postmaster of the first local domain (RFC 5321 §4.5.1). Raises
        `TemporaryFailure` if the recipients of a relay domain cannot be told now.
        """

    def account(address: Address) -> Awaitable[Account | None]:
        """The account whose own address this is (domain aliases followed); no aliases, no subaddress.

        An unqualified address stands in the first local domain. The account may be switched off.
        """

    def own_form(address: Address) -> Awaitable[Address]:
        """How the account of this address would be written, whether there is one or not.

        Two addresses that would name one account have one form: what is told of accounts that do not exist can
        thus be alike under every name (no other use).
        """

    def owns(account: Account, address: Address) -> Awaitable[bool]:
        """True if mail to `address` leads to `account` and the account may thus send as it."""


class IDomainParticipant(Interface):
    """A room that counts what the accounts of a domain hold, and is asked within the unit that sets a quota."""

    def domain_quota_set(cursor: Cursor, domain_id: int) -> None:
        """The domain has another quota, or none: count what is counted only while there is one.

        The unit is `Shared`: it has read nothing that this depends on.
        """


class IDirectoryAdmin(Interface):
    """Changing the directory. Raises `NoSuchThing`, `AlreadyThere`, `BadValue`."""

    def domains() -> Awaitable[list[Domain]]:
        """All domains by name."""

    def add_domain(
        name: str,
        kind: str = "local",
        alias_of: str | None = None,
        joining: Callable[[Cursor, str], None] | None = None,
    ) -> Awaitable[Domain]:
        """Add a domain; creates no account.

        Args:
            kind: "local", or "relay" for one whose mail is handed on; another name of a domain is of the domain's kind.
            joining: a part of the same unit, given the name: where else the domain is to be known.
        """

    def set_domain(name: str, changes: Mapping[str, str]) -> Awaitable[Domain]:
        """Set keys of a domain (quota); `BadValue` names the key and what it takes."""

    def remove_domain(name: str) -> Awaitable[None]:
        """Remove a domain that holds no account and no public folder; its aliases, or its recipients, go with it.

        It leaves the hold that names it, unless that is for no other.
        """

    def accounts(domain: str | None = None) -> Awaitable[list[Account]]:
        """All accounts by address (a scan)."""

    def add_account(address: Address, password: str, name: str = "") -> Awaitable[Account]:
        """Add an account with its mailboxes in one unit."""

    def remove_account(address: Address) -> Awaitable[tuple[Address, ...]]:
        """Remove an account: in one unit it is gone for everybody, in that one and later ones its mail is removed.

        What a crash leaves of that mail, or a database that could not go on, is removed by `finish_removals`. Aliases
        are left as they are; the answer names those that now lead nowhere because of it.
        """

    def finish_removals(going_on: Callable[[], bool]) -> Awaitable[None]:
        """Remove what is left of accounts whose removal was cut off.

        `going_on` is asked before each slice; once it says False, the rest is left to the next time.
        """

    def set_password(address: Address, password: str) -> Awaitable[None]:
        """Change the password; every cache and live session of the account learns of it."""

    def set_account(address: Address, changes: Mapping[str, str]) -> Awaitable[Account]:
        """Set keys of the account (quota, max-message, ...); `BadValue` names the key and what it takes."""

    def make_legacy_secret(address: Address, secret: str | None = None) -> Awaitable[str]:
        """Make the separate secret for CRAM-MD5 and APOP (or take this one) and allow them; it is shown this once."""

    def aliases(domain: str | None = None) -> Awaitable[list[tuple[Address, tuple[Address, ...]]]]:
        """All aliases with their targets; a catch-all has the local part "*"."""

    def set_alias(address: Address, targets: tuple[Address, ...]) -> Awaitable[None]:
        """Make (or change) an alias; local part "*" is the domain's catch-all. Its targets need not be there yet."""

    def dead_ends(address: Address, targets: Iterable[Address], delimiters: str) -> Awaitable[list[Address]]:
        """The targets of an alias that are of our domains, and at which there is nothing (but this catch-all).

        `delimiters`: the characters that part a user from a detail.
        """

    def remove_alias(address: Address) -> Awaitable[None]:
        """Remove an alias or catch-all."""
