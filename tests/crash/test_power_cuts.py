"""Power cuts at random moments, under load, on a disk that forgets what was not synced."""

from __future__ import annotations

import shutil

import pytest
from oracle.cuts import PowerCuts
from oracle.fixtures import MakeServer
from powerloss.disk import PowerLossDisk

from worldmail.testing.process import TWISTD


def test_every_promise_survives_power_cuts(disk: PowerLossDisk, make_server: MakeServer, seed: int, long: bool) -> None:
    server = make_server(directory=disk.mountpoint / "data")
    assert PowerCuts(server=server, disk=disk, seed=seed).run(100 if long else 6, audit_every=10 if long else 3) == []


@pytest.mark.skipif(shutil.which("eatmydata") is None, reason="needs eatmydata")
def test_without_fsync_power_cuts_break_promises_so_the_run_proves_something(
    disk: PowerLossDisk, make_server: MakeServer, seed: int
) -> None:
    server = make_server(("eatmydata", *TWISTD), disk.mountpoint / "data")
    breaches = PowerCuts(server=server, disk=disk, seed=seed, modes=("none",), reading=False).run(6, audit_every=1)
    assert "lost" in {breach.kind for breach in breaches}
