"""SIGKILL at random moments, under load: no promise is broken. (A missing fsync needs a power cut to be found.)"""

from __future__ import annotations

from oracle.fixtures import MakeServer
from oracle.trial import Trial


def test_every_promise_survives_kills_at_random_moments(make_server: MakeServer, seed: int, long: bool) -> None:
    trial = Trial(server=make_server(), seed=seed)
    breaches = trial.run(1000 if long else 30, audit_every=25 if long else 10)
    print(f"slowest start: {trial.slowest_start:.1f} s")
    assert breaches == []
    assert trial.ledger.counts()["acknowledged"] > 0
