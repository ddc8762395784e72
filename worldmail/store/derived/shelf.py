"""Where derived data is kept: the seam between the two engines and what fills and asks them."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping, Sequence
from typing import Any, Protocol

from attrs import frozen

from worldmail.interfaces.derived import Needle, Summary
from worldmail.store.derived.making import Searched
from worldmail.store.derived.postings import Candidates

Entry = Any
"""What an engine makes of a content's text, for its index."""


@frozen
class Waiting:
    """Contents that are not in the index.

    Attributes:
        content_ids: the next ones, ascending.
        reached: there are no others up to this id.
    """

    content_ids: list[int]
    reached: int


class Shelf(Protocol):
    """Summaries and the index as they are kept. What cannot be kept or read now is as if it were not there."""

    def kept(self, content_ids: Sequence[int]) -> Awaitable[dict[int, Summary]]:
        """The summaries that are kept of these."""

    def summarised(self, content_ids: Sequence[int]) -> Awaitable[Collection[int]]:
        """Of which of these, which are ascending, a summary is kept."""

    def keep(self, summaries: Mapping[int, Summary]) -> Awaitable[bool]:
        """Keep these; False if that cannot be done now."""

    def entry(self, text: Searched) -> Entry:
        """What `index` takes for a content with this text."""

    def index(self, entries: Mapping[int, Entry]) -> Awaitable[bool]:
        """Put these contents into the index; False if that cannot be done now."""

    def waiting(self, after: int, limit: int) -> Awaitable[Waiting]:
        """The next contents that are not in the index, above this id."""

    def behind(self) -> Awaitable[int]:
        """How many contents are not in the index."""

    def candidates(self, needle: Needle, content_ids: Collection[int], limit: float) -> Awaitable[Candidates]:
        """Which of these hold the needle, and which may. Raises `SearchTooLong`."""

    def remove(self, content_ids: Sequence[int]) -> Awaitable[bool]:
        """Forget these contents."""

    def clear(self) -> Awaitable[bool]:
        """Forget all."""

    def known(self, after: int, limit: int) -> Awaitable[list[int]]:
        """The ids of the next contents of which anything is kept, ascending."""

    def settled(self) -> Awaitable[int]:
        """Contents up to this id are in the index, if they are at all; more may have come in above."""

    def settle(self, content_id: int) -> Awaitable[bool]:
        """What `settled` says from now on."""

    def lead(self) -> Awaitable[bool]:
        """Whether this process fills the index; one of those at work on the store does."""

    def stop(self) -> Awaitable[None]:
        """Close what is open."""
