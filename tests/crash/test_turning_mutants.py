"""The oracle of turns is worth something: relays and a site with a fault each, and it reports every one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from oracle.turn_fixtures import MakeTurns
from oracle.turn_trial import TurnTrial

MUTANTS = Path(__file__).with_name("mutants")
CUTS = ("octet", "octet", "link")


@pytest.mark.parametrize(
    ("end", "name", "victims", "expected"),
    [
        ("relay", "turn_settled_before_reply", CUTS, {"lost"}),
        ("relay", "turn_unknown_is_delivered", CUTS, {"lost"}),
        ("relay", "turn_unknown_untold", CUTS, {"doubled"}),
        ("relay", "reply_before_commit", ("relay",), {"lost", "half accepted"}),
        ("site", "reply_before_commit", ("site",), {"lost"}),
    ],
)
def test_a_broken_end_is_reported(
    make_turns: MakeTurns, seed: int, long: bool, end: str, name: str, victims: Sequence[str], expected: set[str]
) -> None:
    if not long:
        pytest.skip("in the long form")
    place = make_turns(**{end: (sys.executable, str(MUTANTS / f"{name}.py"))})
    found = TurnTrial(place=place, seed=seed, victims=victims, patience=6.0).run(16, audit_every=4)
    print(*found[:10], sep="\n")
    assert expected & {breach.kind for breach in found}


@pytest.mark.parametrize(
    ("name", "victims", "expected"),
    [("pair_forgets_arrivals", CUTS, {"doubled"}), ("pair_arrival_apart", ("site",), {"lost"})],
)
def test_a_broken_site_of_a_pair_is_reported(
    make_pair: MakeTurns, seed: int, long: bool, name: str, victims: Sequence[str], expected: set[str]
) -> None:
    if not long:
        pytest.skip("in the long form")
    place = make_pair(site=(sys.executable, str(MUTANTS / f"{name}.py")))
    found = TurnTrial(place=place, seed=seed, victims=victims, patience=6.0).run(16, audit_every=4)
    print(*found[:10], sep="\n")
    assert expected & {breach.kind for breach in found}
