"""The oracle is worth something: eleven servers with a fault each, and it reports every one.

Each fault is injected by a launcher in mutants/; the product has no hooks for them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from oracle.cuts import PowerCuts
from oracle.fixtures import MakeServer
from oracle.ledger import Breach
from oracle.trial import Trial
from powerloss.disk import PowerLossDisk

MUTANTS = Path(__file__).with_name("mutants")


def launcher(name: str) -> tuple[str, ...]:
    return sys.executable, str(MUTANTS / f"{name}.py")


def kinds(breaches: list[Breach]) -> set[str]:
    print(*breaches[:5], sep="\n")
    return {breach.kind for breach in breaches}


def killed(make_server: MakeServer, name: str, seed: int, ends: int = 12) -> set[str]:
    """What the oracle reports of it under kills, without IMAP."""
    return kinds(Trial(server=make_server(launcher(name)), seed=seed, imap=False).run(ends, audit_every=2))


def killed_under_imap(make_server: MakeServer, name: str, seed: int, place: Path | None = None) -> set[str]:
    """What it reports under kills with little other mail than what IMAP clients do."""
    server = make_server(launcher(name), place)
    try:
        return kinds(Trial(server=server, seed=seed, sessions=2, longest=1.5).run(8, audit_every=2))
    finally:
        server.kill()


def cut(make_server: MakeServer, disk: PowerLossDisk, name: str, seed: int, cuts: int = 8) -> set[str]:
    """What the oracle reports of it under power cuts."""
    server = make_server(launcher(name), disk.mountpoint / "data")
    return kinds(
        PowerCuts(server=server, disk=disk, seed=seed, modes=("none",), reading=False).run(cuts, audit_every=2)
    )


def test_a_reply_before_the_commit_is_reported(make_server: MakeServer, seed: int) -> None:
    assert "lost" in killed(make_server, "reply_before_commit", seed)


def test_commits_that_are_not_synced_are_reported(make_server: MakeServer, disk: PowerLossDisk, seed: int) -> None:
    assert "lost" in cut(make_server, disk, "normal_synchronous", seed)


def test_a_uid_given_out_again_is_reported(make_server: MakeServer, seed: int) -> None:
    assert "uid reused" in killed(make_server, "uid_reused", seed)


def test_a_row_before_its_content_file_is_reported(make_server: MakeServer, seed: int) -> None:
    assert {"unreadable", "store"} & killed(make_server, "row_before_file", seed)


def test_a_rename_without_a_sync_of_its_directory_is_reported(
    make_server: MakeServer, disk: PowerLossDisk, seed: int
) -> None:
    assert "unreadable" in cut(make_server, disk, "no_directory_sync", seed)


def test_a_failed_unit_that_is_kept_is_reported(make_server: MakeServer, seed: int) -> None:
    assert "invented" in killed(make_server, "failed_savepoint_kept", seed)


def test_a_failed_unit_that_is_undone_is_no_breach(make_server: MakeServer, seed: int) -> None:
    assert killed(make_server, "failing_units", seed, ends=2) == set()


def test_a_deletion_before_quit_is_reported(make_server: MakeServer, seed: int) -> None:
    assert "vanished" in killed(make_server, "deleted_before_quit", seed)


def test_shared_content_removed_while_referenced_is_reported(make_server: MakeServer, seed: int) -> None:
    assert {"changed", "invented", "store"} & killed(make_server, "shared_content_removed", seed)


def test_a_move_in_two_units_is_reported(make_server: MakeServer, seed: int) -> None:
    assert "doubled" in killed_under_imap(make_server, "move_in_two_units", seed)


def test_flags_that_change_without_their_modseq_are_reported(
    make_server: MakeServer, seed: int, tmp_path: Path
) -> None:
    """By what was told of a flag, and by what a client that comes back is told: each needs a kill at its own moment."""
    seen = killed_under_imap(make_server, "modseq_not_raised", seed)
    if not {"modseq", "qresync"} <= seen:
        seen |= killed_under_imap(make_server, "modseq_not_raised", seed + 1, tmp_path / "again")
    assert {"modseq", "qresync"} <= seen


def test_removals_that_are_not_remembered_are_reported(make_server: MakeServer, seed: int) -> None:
    assert "qresync" in killed_under_imap(make_server, "expunged_not_remembered", seed)
