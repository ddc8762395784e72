"""The order of messages by the keys of SORT (RFC 5256 §3, RFC 5957 §3, RFC 6203 §6)."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence

from attrs import define, field, frozen

from worldmail.mail.mime.rendered import envelope_fields, read_addresses, read_text
from worldmail.mail.text.casemap import sort_key
from worldmail.mail.text.encoded_words import header_text
from worldmail.mail.text.runs import in_order
from worldmail.mail.text.subject import base_subject


@frozen
class Criterion:
    """One key: its word in upper case, and whether REVERSE stood in front of it."""

    key: bytes
    reverse: bool = False


@frozen(kw_only=True)
class Sortable:
    """What a message is sorted by.

    Attributes:
        number: sequence number or UID; whatever grows in the order of the mailbox.
        arrival: INTERNALDATE, epoch seconds.
        size: RFC822.SIZE.
        sent: the Date field, epoch seconds; None if it cannot be read.
        envelope: rendered; what is none counts as empty.
    """

    number: int
    arrival: int = 0
    size: int = 0
    sent: int | None = None
    envelope: bytes = b""


def needs_summary(criteria: Iterable[Criterion]) -> bool:
    """True if `sent` or `envelope` is looked at."""
    return any(criterion.key not in _OF_THE_ROW for criterion in criteria)


@define(eq=False)
class Sortables:
    """Messages to be sorted, of which only the keys are kept.

    These are in a table for each criterion, by number: such tables no collection of garbage looks into, while it would
    take long for an object for each of very many messages.

    Args:
        criteria: the first above all. Raises KeyError for a key that is none of `KEYS`.
    """

    _criteria: Sequence[Criterion]
    _numbers: array[int] = field(factory=lambda: array("q"), init=False)
    _tables: dict[bytes, dict[int, int | bytes]] = field(init=False)
    _envelopes: bool = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._tables = {criterion.key: {} for criterion in self._criteria}
        for unknown in self._tables.keys() - KEYS:
            raise KeyError(unknown)
        self._envelopes = any(key in _OF_THE_ENVELOPE for key in self._tables)

    def extend(self, messages: Iterable[Sortable]) -> None:
        """Add these, in any order."""
        for message in messages:
            fields = _fields(message.envelope) if self._envelopes else _EMPTY
            self._numbers.append(message.number)
            for key, table in self._tables.items():
                table[message.number] = _value(key, message, fields)

    def in_order(self) -> list[int]:
        """Their numbers; what is equal stays in the mailbox's order."""
        numbers = in_order(self._numbers, int)
        for criterion in reversed(self._criteria):
            numbers = in_order(numbers, self._tables[criterion.key].__getitem__, reverse=criterion.reverse)
        return numbers


def _value(key: bytes, message: Sortable, fields: Sequence[bytes]) -> int | bytes:
    """What a message is sorted by; what cannot be read counts as empty."""
    of_row = _OF_THE_ROW.get(key) or _OF_THE_DATE.get(key)
    if of_row is not None:
        return of_row(message)
    place, key_of = _OF_THE_ENVELOPE[key]
    try:
        return key_of(fields[place])
    except ValueError:
        return b""


_EMPTY = (b"NIL",) * 10


def _fields(envelope: bytes) -> tuple[bytes, ...]:
    try:
        return envelope_fields(envelope)
    except ValueError:
        return _EMPTY


def _mailbox(addresses: bytes) -> bytes:
    """addr-mailbox of the first address, empty without one (RFC 5256 §3, CC)."""
    read = read_addresses(addresses)
    return sort_key(header_text(read[0].mailbox or b"")) if read else b""


def _display(addresses: bytes) -> bytes:
    """The display name of the first address, else the address itself (RFC 5957 §3)."""
    read = read_addresses(addresses)
    if not read:
        return b""
    first = read[0]
    name = header_text(first.name) if first.name else ""
    if not name.strip():
        name = header_text(first.mailbox or b"")
        if first.host is not None:
            name += "@" + header_text(first.host)
    return sort_key(" ".join(name.split()))


def _subject(subject: bytes) -> bytes:
    return sort_key(base_subject(read_text(subject)).text)


_OF_THE_ROW: dict[bytes, Callable[[Sortable], int]] = {
    b"ARRIVAL": lambda row: row.arrival,
    b"SIZE": lambda row: row.size,
    b"RELEVANCY": lambda row: 0,  # RFC 6203 §6: nothing is found that only resembles what was asked for
}
_OF_THE_DATE: dict[bytes, Callable[[Sortable], int]] = {
    b"DATE": lambda row: row.arrival if row.sent is None else row.sent,  # RFC 5256 §2.2
}
# Which field of the ENVELOPE, and what of it.
_OF_THE_ENVELOPE: dict[bytes, tuple[int, Callable[[bytes], bytes]]] = {
    b"CC": (6, _mailbox),
    b"FROM": (2, _mailbox),
    b"SUBJECT": (1, _subject),
    b"TO": (5, _mailbox),
    b"DISPLAYFROM": (2, _display),
    b"DISPLAYTO": (5, _display),
}

KEYS = frozenset((*_OF_THE_ROW, *_OF_THE_DATE, *_OF_THE_ENVELOPE))
"""The words of all keys; REVERSE is none."""
