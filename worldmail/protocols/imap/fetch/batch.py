"""Some messages of a view with what is needed to answer for them, each column in their order."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field, frozen

from worldmail.interfaces.derived import Summary
from worldmail.interfaces.messages import Stored, Uids
from worldmail.mail.mime.given import Text
from worldmail.protocols.imap.view.states import FlagStates


class Need(enum.Flag):
    """What an item takes from the store, beside what a view knows."""

    NOTHING = 0
    STORED = 1
    SUMMARY = 2
    PREVIEW = 4  # those summaries that are in memory
    OCTETS = 8
    CONTENT = 16  # which content it is


NAMED = Need.STORED | Need.SUMMARY | Need.PREVIEW | Need.CONTENT
"""For these it has to be known which content a message has."""


@define(eq=False)
class Batch:
    """Messages by column; those that no item needs are empty.

    Attributes:
        numbers: sequence numbers (UIDs where only those may be told: RFC 9586).
        places: where they are in the view.
        ranges: UIDs that hold all of them and no other message.
        raws: their octets as they are kept; None for those that are not in the database.
        is_binary: some of these may be binary.
        large: how many octets each is given with, and whether it may be binary, if there are any such.
        changed: UIDs whose flags this very command has changed.
    """

    numbers: Sequence[int]
    places: Sequence[int]
    uids: Sequence[int]
    states: Sequence[int]
    modseqs: Sequence[int]
    ranges: Uids
    flag_states: FlagStates
    stored: Sequence[Stored] = ()
    content_ids: Sequence[int] = ()
    summaries: Sequence[Summary | None] = ()
    raws: Sequence[Any] = ()
    is_binary: bool = False
    large: Sequence[tuple[int, bool]] = ()
    changed: frozenset[int] = frozenset()
    _texts: Sequence[Text] = field(default=(), init=False)

    def __len__(self) -> int:
        return len(self.uids)

    @property
    def texts(self) -> Sequence[Text]:
        """Their octets, for who looks for something in them."""
        if not self._texts:
            self._texts = [Text(raw, self.is_binary) for raw in self.raws]
        return self._texts

    @property
    def octets(self) -> Sequence[bytes]:
        """Their octets as BODY[] gives them."""
        return [text.octets for text in self.texts] if self.is_binary else self.raws

    def only(self, rows: Sequence[int]) -> Batch:
        """These of them."""
        return self._with(lambda column: [column[row] for row in rows])

    def part(self, start: int, end: int) -> Batch:
        """Those from `start` to `end`."""
        if start == 0 and end == len(self):
            return self
        return self._with(lambda column: column[start:end])

    def _with(self, cut: Callable[[Sequence[Any]], Sequence[Any]]) -> Batch:
        return Batch(
            cut(self.numbers),
            cut(self.places),
            cut(self.uids),
            cut(self.states),
            cut(self.modseqs),
            self.ranges,
            self.flag_states,
            cut(self.stored) if self.stored else (),
            cut(self.content_ids) if self.content_ids else (),
            cut(self.summaries) if self.summaries else (),
            cut(self.raws) if self.raws else (),
            self.is_binary,
            cut(self.large) if self.large else (),
            self.changed,
        )


Columns = Callable[[Batch], Sequence[Sequence[Any]]]


@frozen(eq=False)
class Item:
    """Something that FETCH gives of a message.

    Args:
        form: its format, such as b"UID %d".
        columns: what goes into the format; with `octets` the last of them follows it.
        need: what it takes.
        sees: sets \\Seen (RFC 9051 §6.4.5: BODY[...] and its kin without PEEK).
        octets: what it gives is long, and not worth copying into a format.
        extent: of an item of octets, where a large message has them; None for all others.
    """

    form: bytes
    columns: Columns
    need: Need = Need.NOTHING
    sees: bool = False
    octets: bool = False
    extent: Any = None
