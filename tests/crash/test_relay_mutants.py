"""The oracle of relaying is worth something: eight relays with a fault each, and it reports every one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from oracle.relay_fixtures import MakeRelay
from oracle.relay_trial import RelayTrial

MUTANTS = Path(__file__).with_name("mutants")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("reply_before_commit", {"lost", "half accepted"}),
        ("relay_settled_before_reply", {"lost"}),
        ("relay_row_removed_early", {"lost"}),
        ("relay_report_apart", {"lost"}),
        ("relay_report_first", {"report"}),
        ("relay_untold_apart", {"lost"}),
        ("relay_row_lost_with_content", {"lost"}),
    ],
)
def test_a_broken_relay_is_reported(
    make_relay: MakeRelay, seed: int, long: bool, name: str, expected: set[str]
) -> None:
    if not long:
        pytest.skip("in the long form")
    site = make_relay((sys.executable, str(MUTANTS / f"{name}.py")))
    found = RelayTrial(site=site, seed=seed, victims=("first", "first", "last"), patience=6.0, sessions=4).run(
        12, audit_every=3
    )
    print(*found[:10], sep="\n")
    assert expected & {breach.kind for breach in found}


def test_two_who_send_the_same_are_reported_also_where_nothing_was_killed(
    make_relay: MakeRelay, seed: int, long: bool
) -> None:
    if not long:
        pytest.skip("in the long form")
    site = make_relay((sys.executable, str(MUTANTS / "relay_lease_dropped_early.py")))
    found = RelayTrial(site=site, seed=seed, victims=(), patience=6.0).run(0)
    print(*found[:10], sep="\n")
    assert "doubled" in {breach.kind for breach in found}
