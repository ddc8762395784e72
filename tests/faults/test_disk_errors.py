"""A disk that refuses every change for a while: temporary errors on the wire, nothing lost, recovery by itself."""

from __future__ import annotations

import asyncio

import pytest
from oracle.exchange import delete_all, eventually, send, subjects
from oracle.fixtures import MakeServer
from oracle.load import Load
from oracle.readers import read_back
from oracle.store_check import contradictions
from oracle.trial import Trial
from powerloss.disk import PowerLossDisk

from worldmail.testing.process import ServerProcess

ERRORS = ["EROFS", "EIO", "ENOSPC"]


@pytest.fixture
def server(disk: PowerLossDisk, make_server: MakeServer) -> ServerProcess:
    made = make_server(directory=disk.mountpoint / "data")
    made.start()
    return made


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("octets", [1000, 400_000], ids=["small", "large"])
def test_mail_fails_for_the_time_being_and_is_taken_after(
    server: ServerProcess, disk: PowerLossDisk, error: str, octets: int
) -> None:
    assert send(server, "before", octets) == 250
    assert subjects(server) == ["before"]
    disk.refuse(error)
    assert send(server, "during", octets) in (421, 451, 452)
    assert subjects(server) == ["before"]
    disk.allow()
    assert eventually(lambda: send(server, "after", octets) == 250)
    assert subjects(server) == ["before", "after"]
    assert delete_all(server) == 2


def test_errors_that_come_and_go_under_load_break_no_promise(
    server: ServerProcess, disk: PowerLossDisk, seed: int
) -> None:
    trial = Trial(server=server, seed=seed)

    async def run() -> None:
        async with Load(site=trial.site, ledger=trial.ledger, seed=seed, sessions=8).running():
            for error in ERRORS:
                await asyncio.sleep(0.7)
                await asyncio.to_thread(disk.refuse, error)
                await asyncio.sleep(0.3)
                await asyncio.to_thread(disk.allow)
            await asyncio.sleep(0.7)
        # What the load left behind is committed, or not, before anything is read.
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
        await read_back(trial.site, trial.ledger, trial.site.accounts, clear=False)

    asyncio.run(run())
    server.stop()
    assert list(contradictions(server.directory)) == []
    print(trial.ledger.counts())
    assert trial.ledger.close() == []
    assert trial.ledger.counts()["refused"] > 0
