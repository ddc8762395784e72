"""Turns with mail both ways, over a link that is cut at random moments, with ends that are killed: an account of all.

Between plain ends of ODMR what had no reply yet when the link broke may come twice, and the relay's trace tells so;
between a relay and its paired site nothing does.
"""

from __future__ import annotations

from oracle.turn_fixtures import MakeTurns
from oracle.turn_trial import TurnTrial


def test_turns_survive_cuts_of_the_link_and_kills_of_both_ends(make_turns: MakeTurns, seed: int, long: bool) -> None:
    trial = TurnTrial(place=make_turns(), seed=seed)
    breaches = trial.run(200 if long else 10, audit_every=25 if long else 10)
    assert breaches == []
    for stream in trial.streams:
        assert stream.ledger.counts()["acknowledged"] > 0
        assert stream.ledger.reports
    assert trial.turns["whole"]


def test_a_pair_survives_them_without_a_double(make_pair: MakeTurns, seed: int, long: bool) -> None:
    trial = TurnTrial(place=make_pair(), seed=seed)
    breaches = trial.run(200 if long else 10, audit_every=25 if long else 10)
    assert breaches == []
    assert trial.down.ledger.copies
    assert trial.down.ledger.doubles["ours"] == 0
