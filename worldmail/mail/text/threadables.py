"""What messages are threaded by, in columns: an object for each message would take every collection of garbage long."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

from attrs import define, field, frozen

from worldmail.mail.text.casemap import sort_key
from worldmail.mail.text.forest import NONE

NO_SUBJECT = 0
"""The number of the empty base subject."""


@frozen(kw_only=True)
class Threadable:
    """What a message is threaded by.

    Attributes:
        number: sequence number or UID, as the answer shows it.
        message_id: normalised; None without one.
        references: those of References, else the first of In-Reply-To; the oldest first.
        subject: base subject (RFC 5256 §2.1).
        is_reply: true if something was taken off for that which says reply or forward.
        sent: epoch seconds; the INTERNALDATE where the Date field cannot be read.
        arrival: INTERNALDATE, epoch seconds.
    """

    number: int
    message_id: bytes | None = None
    references: Sequence[bytes] = ()
    subject: str = ""
    is_reply: bool = False
    sent: int = 0
    arrival: int = 0


def _numbers() -> array[int]:
    return array("q")


@define(eq=False)
class Threadables:
    """Messages in the order of their numbers. Message-ids and base subjects are counted, each is one number.

    Attributes:
        numbers, sent, arrival, replies: of each message as in `Threadable`.
        subjects: of each message the number of its base subject; those that i;unicode-casemap calls equal are one.
        names: of each message the number of its message-id, `NONE` without one.
    """

    numbers: array[int] = field(factory=_numbers, init=False)
    sent: array[int] = field(factory=_numbers, init=False)
    arrival: array[int] = field(factory=_numbers, init=False)
    replies: bytearray = field(factory=bytearray, init=False)
    subjects: array[int] = field(factory=_numbers, init=False)
    names: array[int] = field(factory=_numbers, init=False)
    _references: array[int] = field(factory=_numbers, init=False)
    _starts: array[int] = field(factory=lambda: array("q", [0]), init=False)
    _subject_numbers: dict[bytes, int] = field(factory=lambda: {b"": NO_SUBJECT}, init=False)
    _name_numbers: dict[bytes, int] = field(factory=dict, init=False)

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def subject_count(self) -> int:
        """How many base subjects there are, with the empty one."""
        return len(self._subject_numbers)

    @property
    def name_count(self) -> int:
        """How many message-ids there are, of messages and in references."""
        return len(self._name_numbers)

    def extend(self, messages: Iterable[Threadable]) -> None:
        """Add these; their numbers ascend, and are above those of the messages that are here."""
        for message in messages:
            self._add(message)

    def references(self, place: int) -> array[int]:
        """The numbers of the message-ids that a message refers to, the oldest first."""
        return self._references[self._starts[place] : self._starts[place + 1]]

    def _add(self, message: Threadable) -> None:
        names, subjects = self._name_numbers, self._subject_numbers
        self.numbers.append(message.number)
        self.sent.append(message.sent)
        self.arrival.append(message.arrival)
        self.replies.append(message.is_reply)
        self.subjects.append(subjects.setdefault(sort_key(message.subject), len(subjects)))
        name = message.message_id
        self.names.append(NONE if name is None else names.setdefault(name, len(names)))
        for name in message.references:
            self._references.append(names.setdefault(name, len(names)))
        self._starts.append(len(self._references))
