"""The keys of agents that fetch mail from mailboxes on other servers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from worldmail.config.keys import Key, listed
from worldmail.config.units import duration, octets
from worldmail.config.values import credential, domain_pattern, number
from worldmail.errors import BadValue
from worldmail.interfaces.ondemand import AgentKind
from worldmail.mail.address import Address
from worldmail.ondemand.sorting import STEPS, Rule

FOREVER = math.inf
"""Seconds that mail stays on the server if it is never to be deleted there."""

_FETCHING = frozenset({AgentKind.POP3.value, AgentKind.IMAP.value})
_IMAP = frozenset({AgentKind.IMAP.value})
_DAY = 86400.0
_MOST_DAYS = 3660
_FIELD_NAME = frozenset(map(chr, range(33, 127))) - {":"}  # RFC 5322 §2.2
_DOMAIN_OF_LABELS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-._")


def _address(text: str) -> Address:
    address = Address.parse(text)
    if not address.domain:
        raise ValueError
    return address


def _domain(text: str) -> str:
    pattern = domain_pattern(text)
    if pattern == "*" or pattern.startswith((".", "[")):
        raise ValueError
    return pattern


def _step(text: str) -> str:
    """A field's name, or one of the words that stand for more."""
    for known in STEPS:
        if known.lower() == text.lower():
            return known
    if not text or len(text) > 76 or not _FIELD_NAME.issuperset(text):
        raise ValueError
    return text


def _rule(text: str) -> Rule:
    of, equals, recipients = text.partition("=")
    if not equals or not of.strip() or not recipients.split():
        raise ValueError
    mark = of.strip().lower()
    if mark.startswith("@"):
        mark = f"@{_domain(mark[1:])}"
    elif "@" in mark:
        mark = _address(mark).key
    elif not _DOMAIN_OF_LABELS.issuperset(mark):  # list-id = list-label "." list-id-namespace (RFC 2919 §2)
        raise ValueError
    return Rule(of=mark, recipients=tuple([_address(each) for each in recipients.split()]))


def _leave(text: str) -> float:
    if text.lower() == "forever":
        return FOREVER
    seconds = int(text) * _DAY if text.isdecimal() and len(text) < 6 else duration(text)
    if not 0 <= seconds <= _MOST_DAYS * _DAY:
        raise ValueError
    return seconds


def _largest(text: str) -> int:
    size = int(octets(text))
    if not 1024 <= size <= 1 << 40:
        raise ValueError
    return size


COLLECTING_KEYS: tuple[Key, ...] = (
    Key(
        key="recipient",
        meaning="Whose mail all of it is; in place of domains.",
        takes="an address of this server",
        parse=_address,
        of=_FETCHING,
    ),
    Key(
        key="domains",
        meaning="The domains whose mail lies there; each message is sorted to its recipients.",
        takes="domains, with commas between them",
        parse=listed(_domain),
        default=(),
        of=_FETCHING,
    ),
    Key(
        key="steps",
        meaning="Where it is looked who a message is for, the first place that names somebody of the domains counts;"
        f" else {','.join(STEPS)}.",
        takes='names of fields, with commas between them; "Received" is its clause "for", "To" what people see,'
        ' "rules" the key rules',
        parse=listed(_step, 50),
        default=STEPS,
        of=_FETCHING,
    ),
    Key(
        key="rules",
        meaning="Who gets the mail of which list or sender.",
        takes='"LIST=ADDRESS ADDRESS" with commas between them, where LIST is a List-Id, an address, or @ and a domain',
        parse=listed(_rule),
        default=(),
        of=_FETCHING,
    ),
    Key(
        key="prefix",
        meaning="What the provider puts before the local part in the fields that it adds.",
        takes="a text such as example.org-",
        parse=credential,
        default="",
        of=_FETCHING,
    ),
    Key(
        key="mailbox",
        meaning="The mailbox there; else INBOX.",
        takes="the name of a mailbox",
        parse=credential,
        default="INBOX",
        of=_IMAP,
    ),
    Key(
        key="leave",
        meaning="How long mail stays there after it was fetched; else it is deleted as soon as it is safe here.",
        takes='days such as "7", a time such as "12h", or forever',
        parse=_leave,
        default=0.0,
        of=_FETCHING,
    ),
    Key(
        key="largest",
        meaning="The largest message that is fetched; larger ones stay there. Else 64MB.",
        takes='a size such as "25MB"',
        parse=_largest,
        default=64 * 1000 * 1000,
        of=_FETCHING,
    ),
    Key(
        key="at-once",
        meaning="Messages of one run; what is left comes with the next. Else 2000.",
        takes="a number from 1 to 100000",
        parse=number(1, 100_000),
        default=2000,
        of=_FETCHING,
    ),
)


def check_collecting(values: Mapping[str, Any]) -> None:
    """Whether it can be known whom fetched mail is for. Raises `BadValue`."""
    if bool(values["domains"]) == (values["recipient"] is not None):
        raise BadValue("mail is fetched for one address, recipient=ADDRESS, or for domains, domains=NAME: one of these")
