"""A trial on a disk that loses power."""

from __future__ import annotations

import random

from attrs import define, field
from powerloss.disk import PowerLossDisk
from powerloss.undo import MODES

from oracle.ledger import Breach
from oracle.trial import Trial
from worldmail.testing.process import ServerProcess


@define(kw_only=True)
class PowerCuts:
    """The server's data lies on `disk`; every end of the server is a power cut."""

    server: ServerProcess
    disk: PowerLossDisk
    seed: int
    modes: tuple[str, ...] = MODES
    reading: bool = True
    _chance: random.Random = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._chance = random.Random(f"{self.seed} cuts")

    def run(self, cuts: int, audit_every: int) -> list[Breach]:
        """So many cuts; see `Trial.run`. Everything on the disk now is durable."""
        self.disk.settle()
        trial = Trial(
            server=self.server, seed=self.seed, reading=self.reading, longest=1.5, end=self._cut, between=self._power_on
        )
        return trial.run(cuts, audit_every)

    def _cut(self) -> None:
        print(self.disk.cut(self._chance.choice(self.modes), self._chance.randrange(1 << 32)))
        self.server.kill()

    def _power_on(self) -> None:
        self.disk.unmount()
        self.disk.mount()
