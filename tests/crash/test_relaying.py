"""Mail for elsewhere, over two servers of ours and a Postfix that are killed at random moments: an account of all."""

from __future__ import annotations

from oracle.relay_fixtures import MakeRelay
from oracle.relay_trial import RelayTrial


def test_mail_for_elsewhere_survives_kills_of_every_server_on_its_way(
    make_relay: MakeRelay, seed: int, long: bool
) -> None:
    trial = RelayTrial(site=make_relay(), seed=seed)
    breaches = trial.run(300 if long else 8, audit_every=25 if long else 8)
    assert breaches == []
    assert trial.ledger.counts()["acknowledged"] > 0
    assert trial.ledger.reports
