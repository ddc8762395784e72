"""What a run of an agent that fetches mail came to."""

from __future__ import annotations

from attrs import define, field
from twisted.internet.defer import CancelledError

from worldmail.interfaces.ondemand import Result

TOLD = 5
"""Messages that were left there of which the result says why; further ones are counted."""


@define(kw_only=True, eq=False)
class Tally:
    """Counts, over all conversations of one run.

    Attributes:
        later: messages that are for the next run.
        again: those that were fetched before, under other names.
        done: the names of those that were fetched.
        left: of those that stay there, by name: why, as far as the result says it.
    """

    fetched: int = 0
    unclaimed: int = 0
    deleted: int = 0
    later: int = 0
    again: int = 0
    done: set[str] = field(factory=set)
    left: dict[str, str] = field(factory=dict)

    def leave(self, name: str, why: str) -> None:
        """This one stays there. Of very many that do there is nothing more to be kept than their names."""
        self.left[name] = why if len(self.left) < TOLD or self.left.get(name) else ""

    def result(self, server: str, stop: BaseException | None) -> Result:
        """In words. `stop`: why it ended before its end; None if it did not."""
        words = f"{self.fetched} fetched from {server}"
        if self.unclaimed:
            words += f", {self.unclaimed} of them unclaimed"
        if self.deleted:
            words += f", {self.deleted} deleted there"
        if self.again:
            words += f", {self.again} that were fetched before have new names there"
        if self.later:
            words += f", {self.later} wait for the next run"
        if self.left:
            told = list(self.left.values())[:TOLD]
            more = f"; and {len(self.left) - len(told)} more" if len(self.left) > len(told) else ""
            words += f"; {len(self.left)} left there: {'; '.join(told)}{more}"
        if stop is not None:
            words += f"; then it ended: {'stopped' if isinstance(stop, CancelledError) else stop}"
        return Result(ok=stop is None and not self.left, words=words, messages=self.fetched)
