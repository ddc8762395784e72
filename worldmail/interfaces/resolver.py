"""Names of the Domain Name System, for those who deliver mail."""

from __future__ import annotations

from collections.abc import Awaitable

from attrs import frozen
from zope.interface import Interface

from worldmail.errors import WorldMailError


class NameTrouble(WorldMailError):
    """The name could not be looked up now: no answer in time, SERVFAIL, a lying or broken server. Try again later."""


class NoSuchName(WorldMailError):
    """The name does not exist (NXDOMAIN), or cannot be one: that is final."""


@frozen(kw_only=True)
class MailExchanger:
    """One MX record: `host` is the exchange, lower case, in A-labels, without a final dot; "" for the root."""

    preference: int
    host: str


class IResolver(Interface):
    """Looks names up without ever holding up the reactor. Answers are kept as long as their TTL allows.

    Names are absolute, with or without final dot, of any case, in A-labels. Each look-up ends within a bounded time.
    """

    def exchangers(domain: str) -> Awaitable[tuple[MailExchanger, ...]]:
        """The MX records of a domain in no particular order; none if it exists without any (RFC 5321 §5.1).

        A null MX (RFC 7505) is given as it is: one record of preference 0 whose host is "". Aliases (CNAME) are
        followed. Raises `NameTrouble`, `NoSuchName`.
        """

    def addresses(host: str) -> Awaitable[tuple[str, ...]]:
        """IPv6 and IPv4 addresses of a host, IPv6 first; none if it exists without any. Literals are themselves.

        Within IPv6 and IPv4 their order is by chance, but for those that this machine itself names. They may be a day
        out of date when no server answers (RFC 8767): whoever connects finds that out.

        Fails only if nothing at all is known: with addresses of one kind and trouble with the other it gives those.
        Raises `NameTrouble`, `NoSuchName`.
        """

    def texts(name: str) -> Awaitable[tuple[str, ...]]:
        """The TXT records of a name, the strings of each joined, a character for each octet (ISO 8859-1).

        Raises `NameTrouble`, `NoSuchName`.
        """
