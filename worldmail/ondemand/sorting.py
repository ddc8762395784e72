"""Whom a message from a domain-wide mailbox is for, when its envelope is gone and only fields are left to tell. Pure.

A provider that puts all mail of a domain into one mailbox writes the recipient of each copy into a field, if one is
lucky: then that is certain. Where it does not, lists that are known go to whom they were ordered for, and all else to
those of ours that To and Cc name, which is a guess: who was in Bcc is named nowhere.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from attrs import frozen

from worldmail.mail.address import Address
from worldmail.mail.header import Header
from worldmail.mail.mailboxes import addresses_of
from worldmail.mail.mime.loose_addresses import read_loosely

RECEIVED, RULES, VISIBLE = "Received", "rules", "To"
"""Steps that are no plain fields: the for clause, the rules for lists, and the fields that people see."""

STEPS = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", RECEIVED, RULES, VISIBLE)
"""Where to look, in this order; the first that names somebody of ours counts."""

MOST = 1000
"""Recipients that one message may name."""

_VISIBLE = (b"to", b"cc", b"bcc")
_RESENT = (b"resent-to", b"resent-cc", b"resent-bcc")  # RFC 5322 §3.6.6
_LISTED = (b"list-id", b"list-post", b"sender", b"from", b"return-path", b"x-mailing-list", b"mailing-list")
_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:", re.MULTILINE)
# "for" Path / Mailbox, in the clauses of a Received field (RFC 5321 §4.4); comments are taken off before
_FOR = re.compile(rb"\sfor\s+(?:<(?:[^<>\s:]*:)?([^<>\s]+)>|([^<>\s;]+))(?=[\s;]|$)", re.IGNORECASE)
_COMMENT = re.compile(rb"\([^()]*\)")
_NESTED = 20


class Surety(enum.Enum):
    """How sure it is, from the surest on."""

    CERTAIN = "certain"  # who delivered the copy wrote whom to
    LIKELY = "likely"  # a server on its way did
    RULE = "rule"  # a rule of the administrator's
    GUESS = "guess"  # its author named them
    NOBODY = "nobody"


@frozen(kw_only=True)
class Rule:
    """Mail of a list, or of a sender, is for these.

    Args:
        of: a List-Id, or an address, or "@" and a domain, that identifies it; in lower case.
        recipients: who ordered it.
    """

    of: str
    recipients: tuple[Address, ...]

    def __str__(self) -> str:
        """As it is given."""
        return f"{self.of}={' '.join(map(str, self.recipients))}"


@frozen(kw_only=True)
class Sorted:
    """Whom a message is for.

    Args:
        recipients: in the order in which they are named, each once.
        step: what told: a field's name; "" if nothing did.
        surety: how sure that is.
    """

    recipients: tuple[Address, ...] = ()
    step: str = ""
    surety: Surety = Surety.NOBODY


@frozen(kw_only=True)
class Sorter:
    """Sorts the mail of one mailbox.

    Args:
        own: says whether an address stands in one of the domains whose mail lies in the mailbox.
        steps: where to look, as in `STEPS`; other names are those of fields.
        rules: for lists and senders.
        prefix: what a provider puts before the local part in those fields ("example.org-" in
            "example.org-ann@example.org"); taken off where it stands.
    """

    own: Callable[[Address], bool]
    steps: Sequence[str] = STEPS
    rules: Sequence[Rule] = ()
    prefix: str = ""

    def sort(self, header: Header) -> Sorted:
        """Whom the message with this header is for."""
        for step in self.steps:
            if step == RULES:
                found, surety = self._by_rules(header), Surety.RULE
            elif step == VISIBLE:
                found, surety = self._visible(header), Surety.GUESS
            elif step == RECEIVED:
                found, surety = self._received(header), Surety.LIKELY
            else:
                found, surety = self._in_field(header, step)
            if found:
                return Sorted(recipients=found, step=step, surety=surety)
        return Sorted()

    def _in_field(self, header: Header, name: str) -> tuple[tuple[Address, ...], Surety]:
        """The uppermost such field with somebody of ours: the last that was written.

        One above all Received fields is the delivering server's. Below the first anybody may have written it.
        """
        key = name.lower().encode("ascii", "replace")
        above = _first_of(header, key) < _first_of(header, b"received")
        for at, value in enumerate(header.values(key)):
            found = self._ours(self._without_prefix(address) for address in _addresses(value))
            if found:
                return found, Surety.CERTAIN if above and at == 0 else Surety.LIKELY
        return (), Surety.NOBODY

    def _received(self, header: Header) -> tuple[Address, ...]:
        """The uppermost for clause with somebody of ours (RFC 5321 §4.4: it names one, or is left out)."""
        for value in header.values(b"received"):
            clause = _FOR.search(_without_comments(value))
            if clause is not None and (found := self._ours(_one(clause[1] or clause[2]))):
                return found
        return ()

    def _by_rules(self, header: Header) -> tuple[Address, ...]:
        """Of all rules that fit the recipients of all."""
        if not self.rules:
            return ()
        marks = set(_marks(header))
        chosen = [address for rule in self.rules if rule.of in marks for address in rule.recipients]
        return _once(chosen)

    def _visible(self, header: Header) -> tuple[Address, ...]:
        """Who was sent it again last, else whom its author named."""
        resent = self._ours(_uppermost(header, _RESENT))
        return resent or self._ours(address for name in _VISIBLE for address in _all(header, name))

    def _ours(self, addresses: Iterable[Address]) -> tuple[Address, ...]:
        return _once(address for address in addresses if address.domain and self.own(address))

    def _without_prefix(self, address: Address) -> Address:
        if not self.prefix or not address.local.lower().startswith(self.prefix.lower()):
            return address
        try:
            return Address(address.local[len(self.prefix) :], address.domain)
        except ValueError:
            return address


def _once(addresses: Iterable[Address]) -> tuple[Address, ...]:
    """Each once, by where they lead."""
    found: dict[str, Address] = {}
    for address in addresses:
        found.setdefault(address.key, address)
        if len(found) >= MOST:
            break
    return tuple(found.values())


def _first_of(header: Header, name: bytes) -> int:
    """At which octet the first field of this name begins; behind all if there is none."""
    return next((match.start() for match in _FIELD.finditer(header.raw) if match[1].lower() == name), len(header.raw))


def _uppermost(header: Header, names: Sequence[bytes]) -> Iterator[Address]:
    """Of fields that come in blocks, those of the block that was written last: the first of each name."""
    for name in names:
        value = header.first(name)
        if value is not None:
            yield from _addresses(value)


def _all(header: Header, name: bytes) -> Iterator[Address]:
    for value in header.values(name):
        yield from _addresses(value)


def _addresses(value: bytes) -> Iterator[Address]:
    """All that can be read in it; what is wrong with one says nothing against the others."""
    try:
        yield from addresses_of(value)
    except ValueError:
        for one in read_loosely(value):
            if one.mailbox and one.host:
                yield from _one(one.mailbox + b"@" + one.host)


def _one(text: bytes) -> Iterator[Address]:
    try:
        yield Address.parse(text.decode())
    except ValueError:
        return


def _marks(header: Header) -> Iterator[str]:
    """By what a list or a sender is known: identifiers, addresses, and "@" with their domains; in lower case."""
    for name in _LISTED:
        for value in header.values(name):
            if name == b"list-id":  # [phrase] "<" list-id ">" (RFC 2919 §3)
                identifier = value.rpartition(b"<")[2].partition(b">")[0]
                yield identifier.strip().lower().decode("utf-8", "replace")
                continue
            text = value.lower().replace(b"mailto:", b"") if name == b"list-post" else value
            for address in _addresses(text):
                yield address.key
                yield f"@{address.domain_key}"


def _without_comments(value: bytes) -> bytes:
    """Comments that nest no deeper than anybody writes them become spaces."""
    for _ in range(_NESTED):
        shorter = _COMMENT.sub(b" ", value)
        if shorter == value:
            break
        value = shorter
    return b" " + value
