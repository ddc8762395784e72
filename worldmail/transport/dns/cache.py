"""Findings that are kept as long as they hold, a bounded number of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from attrs import define, evolve, field, frozen

from worldmail.transport.dns.findings import Finding, Kind
from worldmail.transport.dns.message import Question, RecordType

LEAST_SECONDS = 5.0
"""Even what a server says to be good for this moment only; else one mailing asks for it a thousand times."""

MOST_SECONDS = {
    Kind.RECORDS: 86_400.0,
    Kind.ALIAS: 86_400.0,
    Kind.NOTHING: 3_600.0,  # RFC 2308 §5: one to three hours work well
    Kind.NO_NAME: 3_600.0,
    Kind.TROUBLE: LEAST_SECONDS,  # RFC 2308 §7, RFC 9520 §3.2: a second at least, five minutes at most
}

STALE_SECONDS = 86_400.0
"""How much longer addresses serve if no server answers (RFC 8767 §5: one to three days)."""

STALE_AGAIN_SECONDS = 30.0
"""When servers are asked again for what was stale (RFC 8767 §4)."""

_OF_HOSTS = frozenset({RecordType.A, RecordType.AAAA})


@frozen
class _Kept:
    finding: Finding
    until: float
    stale_until: float


@define(kw_only=True)
class Cache:
    """Findings by their question; the one that was not asked for the longest time goes first.

    Args:
        seconds: the time, monotonic.
        room: how much is kept: a finding counts 1, with 1 for each record and each 64 characters of texts.
    """

    seconds: Callable[[], float]
    room: int = 50_000
    _kept: OrderedDict[Question, _Kept] = field(init=False, factory=OrderedDict)
    _taken: int = field(init=False, default=0)

    def get(self, question: Question) -> Finding | None:
        """What is known now."""
        kept = self._kept.get(question)
        if kept is None or kept.until <= self.seconds():
            return None
        self._kept.move_to_end(question)
        return kept.finding

    def put(self, question: Question, finding: Finding) -> None:
        """Keep it, in place of what was known."""
        now = self.seconds()
        until = now + max(LEAST_SECONDS, min(finding.ttl, MOST_SECONDS[finding.kind]))
        serves_stale = question.type in _OF_HOSTS and finding.kind in (Kind.RECORDS, Kind.ALIAS)
        self._drop(question)
        self._kept[question] = _Kept(finding, until, until + STALE_SECONDS if serves_stale else until)
        self._taken += _weight(finding)
        while self._taken > self.room:
            self._drop(next(iter(self._kept)))

    def revive(self, question: Question) -> Finding | None:
        """What was known, if it may serve once more in a time of trouble; for a while it is known again."""
        kept, now = self._kept.get(question), self.seconds()
        if kept is None or kept.stale_until <= now:
            return None
        self._kept[question] = evolve(kept, until=min(now + STALE_AGAIN_SECONDS, kept.stale_until))
        self._kept.move_to_end(question)
        return kept.finding

    def __len__(self) -> int:
        """How many findings there are."""
        return len(self._kept)

    def _drop(self, question: Question) -> None:
        kept = self._kept.pop(question, None)
        if kept is not None:
            self._taken -= _weight(kept.finding)


def _weight(finding: Finding) -> int:
    return 1 + len(finding.records) + sum(len(value) // 64 for value in finding.records if isinstance(value, str))
