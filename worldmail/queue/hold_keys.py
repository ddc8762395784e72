"""The keys of a hold that an administrator may set, and the hold that they make."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from worldmail.config.host_keys import Ports, host_keys, host_of
from worldmail.config.keys import Key, KeyTable, listed, switch
from worldmail.config.units import Network, duration, octets
from worldmail.config.values import ANY, domain_pattern, number
from worldmail.errors import BadValue
from worldmail.interfaces.holds import Hold, Release
from worldmail.mail.address import Address
from worldmail.queue.route_keys import SMTP_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT
from worldmail.queue.trigger_keys import TRIGGER_KEYS

_HOST = frozenset({Release.HOST.value})
_SENT = _HOST | {Release.MX.value}
_YEAR = 366 * 86400
_MOST = 1 << 50


def _pattern(text: str) -> str:
    pattern = domain_pattern(text)
    if pattern == ANY or pattern.startswith("["):
        raise ValueError
    return pattern


def _account(text: str) -> str:
    address = Address.parse(text)
    if not address.domain:
        raise ValueError
    return address.key


def _network(text: str) -> Network:
    return ipaddress.ip_network(text, strict=False)


def _time(text: str) -> float:
    seconds = 0.0 if text.lower() == "never" else duration(text)
    if seconds > _YEAR:
        raise ValueError
    return seconds


def _octets(text: str) -> int:
    size = octets(text)
    if not 1 <= size <= _MOST:
        raise ValueError
    return size


def _keep(text: str) -> float:
    seconds = duration(text)
    if not 60 <= seconds <= _YEAR:
        raise ValueError
    return seconds


HOLD_KEYS = KeyTable(
    (
        Key(
            key="domains",
            meaning="The domains whose mail waits here.",
            takes="domains, and a dot and a domain for all below it, with commas between them",
            parse=listed(_pattern),
            default=(),
        ),
        Key(
            key="release",
            meaning="Where it goes when it is released: to who fetches it by ODMR, to the servers that the DNS names,"
            " or to one host.",
            takes=f"one of: {', '.join(each.value for each in Release)}",
            parse=lambda text: Release(text.lower()),
            default=Release.ODMR,
        ),
        Key(
            key="accounts",
            meaning="Who may release or fetch it, once signed in.",
            takes="addresses of accounts, with commas between them",
            parse=lambda text: frozenset(listed(_account)(text)),
            default=frozenset(),
        ),
        Key(
            key="networks",
            meaning="From where anybody may release it by ETRN; fetching takes an account in any case.",
            takes="networks such as 192.0.2.0/24 or single addresses, with commas between them",
            parse=listed(_network),
            default=(),
        ),
        *host_keys(_HOST, of_security=_SENT, ports="25, with user 587, with implicit-tls 465"),
        Key(
            key="keep",
            meaning="How long mail waits before it is given up and its sender is told; else 30d.",
            takes='a time such as "30d", from a minute to a year',
            parse=_keep,
            default=30 * 86400.0,
        ),
        Key(
            key="tell",
            meaning="After how long senders are told that their mail waits; else never.",
            takes='a time such as "1d", or never',
            parse=_time,
            default=0.0,
        ),
        Key(
            key="most",
            meaning="How much may wait, in octets; beyond it senders' servers are told to come later; else any number.",
            takes='a size such as "500MB", or a number of octets',
            parse=_octets,
            default=0,
        ),
        Key(
            key="messages",
            meaning="How many messages may wait; else any number.",
            takes="a number from 1 to 999999999",
            parse=number(1, 999_999_999),
            default=0,
        ),
        Key(
            key="enabled",
            meaning="Whether it is there; off lets mail for its domains go its ordinary way.",
            takes="on or off",
            parse=switch,
            default=True,
        ),
        *TRIGGER_KEYS,
    ),
    chooser="release",
)


def hold_of(name: str, texts: Mapping[str, str], password: str) -> Hold:
    """The hold that these make. Raises `BadValue`."""
    values = HOLD_KEYS.read(texts)
    if not values["domains"]:
        raise BadValue("a hold needs domains: domains=NAME")
    if values["release"] is Release.HOST and not values["host"]:
        raise BadValue("release=host needs a host: host=NAME")
    if values["wake"] and not values["wake_secret"] and not values["accounts"]:
        raise BadValue("wake needs who may: accounts=ADDRESS, or wake-secret=SECRET")
    if values["at_login"] and not values["accounts"]:
        raise BadValue("at-login needs whose: accounts=ADDRESS")
    ports = Ports(plain=SMTP_PORT, user=SUBMISSION_PORT, implicit_tls=SUBMISSIONS_PORT)
    return Hold(name=name, **host_of(values, password, ports))
