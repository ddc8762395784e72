"""The order of messages by the keys of SORT (RFC 5256 §3, RFC 5957 §3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from attrs import frozen

from worldmail.mail.mime.rendered import Envelope, EnvelopeAddress, read_envelope
from worldmail.mail.text.casemap import sort_key
from worldmail.mail.text.encoded_words import header_text
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


def sort_messages(messages: Iterable[Sortable], criteria: Sequence[Criterion]) -> list[int]:
    """The numbers in the order of the criteria, the first above all; what is equal stays in the mailbox's order.

    Raises: KeyError for a key that is none of `KEYS`.
    """
    rows = sorted(messages, key=lambda row: row.number)
    fields = {criterion.key for criterion in criteria} & _OF_THE_ENVELOPE.keys()
    envelopes = {row.number: _envelope(row.envelope) for row in rows} if fields else {}
    for criterion in reversed(criteria):
        of_row = _OF_THE_ROW.get(criterion.key) or _OF_THE_DATE.get(criterion.key)
        if of_row is not None:
            rows.sort(key=of_row, reverse=criterion.reverse)
        else:
            of_envelope = _OF_THE_ENVELOPE[criterion.key]
            keys = {number: of_envelope(envelope) for number, envelope in envelopes.items()}
            rows.sort(key=lambda row: keys[row.number], reverse=criterion.reverse)
    return [row.number for row in rows]


_EMPTY = Envelope(None, None, (), (), (), (), (), (), None, None)


def _envelope(rendered: bytes) -> Envelope:
    try:
        return read_envelope(rendered)
    except ValueError:
        return _EMPTY


def _mailbox(addresses: Sequence[EnvelopeAddress]) -> bytes:
    """addr-mailbox of the first address, empty without one (RFC 5256 §3, CC)."""
    return sort_key(header_text(addresses[0].mailbox or b"")) if addresses else b""


def _display(addresses: Sequence[EnvelopeAddress]) -> bytes:
    """The display name of the first address, else the address itself (RFC 5957 §3)."""
    if not addresses:
        return b""
    first = addresses[0]
    name = header_text(first.name) if first.name else ""
    if not name.strip():
        name = header_text(first.mailbox or b"")
        if first.host is not None:
            name += "@" + header_text(first.host)
    return sort_key(" ".join(name.split()))


_OF_THE_ROW: dict[bytes, Callable[[Sortable], int]] = {
    b"ARRIVAL": lambda row: row.arrival,
    b"SIZE": lambda row: row.size,
}
_OF_THE_DATE: dict[bytes, Callable[[Sortable], int]] = {
    b"DATE": lambda row: row.arrival if row.sent is None else row.sent,  # RFC 5256 §2.2
}
_OF_THE_ENVELOPE: dict[bytes, Callable[[Envelope], bytes]] = {
    b"CC": lambda envelope: _mailbox(envelope.cc),
    b"FROM": lambda envelope: _mailbox(envelope.from_),
    b"SUBJECT": lambda envelope: sort_key(base_subject(envelope.subject).text),
    b"TO": lambda envelope: _mailbox(envelope.to),
    b"DISPLAYFROM": lambda envelope: _display(envelope.from_),
    b"DISPLAYTO": lambda envelope: _display(envelope.to),
}

KEYS = frozenset((*_OF_THE_ROW, *_OF_THE_DATE, *_OF_THE_ENVELOPE))
"""The words of all keys; REVERSE is none."""
