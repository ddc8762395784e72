"""SIGKILL at random moments, under load: no promise is broken. (A missing fsync needs a power cut to be found.)"""

from __future__ import annotations

from oracle.fixtures import MakeServer
from oracle.trial import Trial


def test_every_promise_survives_kills_at_random_moments(make_server: MakeServer, seed: int, long: bool) -> None:
    trial = Trial(server=make_server(), seed=seed)
    breaches = trial.run(1000 if long else 20, audit_every=25 if long else 10)
    print(f"slowest start: {trial.slowest_start:.1f} s")
    assert breaches == []
    assert trial.ledger.counts()["acknowledged"] > 0


def test_what_imap_clients_were_answered_survives_kills_at_random_moments(
    make_server: MakeServer, seed: int, long: bool
) -> None:
    """With less mail beside them, so that they get farther."""
    trial = Trial(server=make_server(), seed=seed, sessions=2, longest=1.0)
    breaches = trial.run(500 if long else 10, audit_every=25 if long else 5)
    assert breaches == []
    assert trial.counts()["by IMAP"] > 100
