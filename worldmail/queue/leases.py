"""What is leased to a runner: how many recipients, which of them it has in hand, and their content in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from attrs import define, field

from worldmail.queue.destinations import Destination
from worldmail.queue.jobs import Job, Leased

INLINE = 64 << 20
"""Octets of content that are kept in memory for what is leased; beyond them it is read when it is sent."""


@define(kw_only=True, eq=False)
class Leases:
    """Those of one runner.

    Attributes:
        runner_id: of its row; 0 while it has none.
        count: recipients that are leased to it, with those that units under way lease.
        known: those that came, by their ids, and where they go.
    """

    runner_id: int = field(default=0, init=False)
    count: int = field(default=0, init=False)
    known: dict[int, tuple[Leased, Destination]] = field(factory=dict, init=False)
    _inline: int = field(default=0, init=False)

    def came(self, destination: Destination, job: Job) -> bool:
        """What was counted is here. False if our lock was lost meanwhile: then it is free for anybody."""
        if job.recipients[0].runner_id != self.runner_id:
            self.count -= len(job.recipients)
            return False
        self.known.update({leased.id: (leased, destination) for leased in job.recipients})
        if job.content is not None and job.content.inline is not None:
            if self._inline + job.content.size > INLINE:
                job.content = None
            else:
                job.held = job.content.size
                self._inline += job.held
        return True

    def are_ours(self, job: Job) -> bool:
        """Are all recipients of this job leased to us still, as far as we know?"""
        return all(leased.runner_id == self.runner_id for leased in job.recipients)

    def only_ours(self, job: Job) -> bool:
        """Leave in this job, which nobody sends at the moment, what is ours still; False if nothing is."""
        ours = [leased for leased in job.recipients if leased.runner_id == self.runner_id]
        self.count -= len(job.recipients) - len(ours)
        job.recipients = ours
        if not ours:
            self._let_go(job)
        return bool(ours)

    def settled(self, job: Job, some: Sequence[Leased], *, failed: bool) -> None:
        """These are not leased any more. What failed stays as it is: nothing may be done twice."""
        self.count -= len(some)
        self._let_go(job)
        for leased in () if failed else some:
            known = self.known.get(leased.id)
            if known is not None and known[0] is leased:  # not leased to us once more, under another id
                del self.known[leased.id]

    def let_go(self, some: Sequence[Leased]) -> None:
        """These were given back."""
        self.count -= len(some)
        for leased in some:
            self.known.pop(leased.id, None)

    def keep(self, runner_id: int, ours: Collection[int]) -> None:
        """These are leased to us under this id now; all else that was in hand another has, or will have."""
        self.runner_id = runner_id
        self.known = {number: pair for number, pair in self.known.items() if number in ours}
        for leased, _ in self.known.values():
            leased.runner_id = runner_id

    def _let_go(self, job: Job) -> None:
        self._inline -= job.held
        job.held = 0
