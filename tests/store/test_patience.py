"""A clock that is set forward makes nothing old at once; refused content is not kept; a lock file we may not open."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from worldmail.config.sections import StoreSettings
from worldmail.database.immediate import ImmediateDatabase
from worldmail.errors import OverQuota, RecipientGone, StorageFull, TemporaryFailure
from worldmail.interfaces.store import Acceptance
from worldmail.mail.address import Address
from worldmail.mail.envelope import Delivery, Envelope, Origin, Recipient
from worldmail.store import ContentFiles, open_store
from worldmail.store.maildrop import FileLocks
from worldmail.store.patience import PatientTime
from worldmail.store.space import Space
from worldmail.testing.world import ManualClock

USER = Recipient(address=Address.parse("user@example.test"))
GRACE = 1000.0


@define
class TwoClocks:
    """A wall clock that can be set, and one that only grows."""

    wall: float = 1_800_000_000.0
    steady: float = 50.0

    def now(self) -> float:
        return self.wall

    def seconds(self) -> float:
        return self.steady

    def sleep(self, seconds: float) -> Any:
        raise AssertionError

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


class TestPatientTime:
    def setup_method(self) -> None:
        self.clocks = TwoClocks()
        self.time = PatientTime(self.clocks, GRACE)
        self.began = int(self.clocks.wall)

    def test_undisturbed_it_is_the_wall_clocks(self) -> None:
        for _ in range(5):
            self.clocks.pass_(3600)
            assert self.time.now() == int(self.clocks.wall)

    def test_a_step_forward_counts_after_the_grace(self) -> None:
        self.clocks.wall += 86_400
        self.clocks.pass_(10)
        assert self.time.now() == self.began + 10
        self.clocks.pass_(GRACE)
        assert self.time.now() == self.began + 10 + GRACE
        self.clocks.pass_(1)
        assert self.time.now() == int(self.clocks.wall)

    def test_a_step_back_counts_at_once(self) -> None:
        self.clocks.wall -= 86_400
        assert self.time.now() == self.began - 86_400
        self.clocks.pass_(10)
        assert self.time.now() == self.began - 86_400 + 10

    def test_a_step_back_and_forward_again_makes_nothing_older_than_it_is(self) -> None:
        self.clocks.wall -= 86_400
        self.time.now()
        self.clocks.wall += 86_400
        assert self.time.now() <= self.began


class TestRefusedContent(TestCase):
    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        os.makedirs(self.directory)
        self.database = ImmediateDatabase()
        self.database.start()
        self.contents = ContentFiles(f"{self.directory}/content", reactor)
        settings = StoreSettings(inline_limit=1000, minimum_free=0, reserve=0)
        self.store = open_store(settings, self.directory, self.database, self.contents, ManualClock(), reactor)

        def account(cursor: Any) -> None:
            cursor.run("INSERT INTO domain (id, name, kind) VALUES (1, 'example.test', 'local')")
            cursor.run(
                "INSERT INTO account (id, domain_id, address, name, enabled, generation, created, password, settings,"
                " quota) VALUES (1, 1, 'user@example.test', '', 1, 1, 0, '', '{}', 150000)"
            )
            self.store.mailboxes.account_added(cursor, 1)

        self.successResultOf(self.result(account))

    def tearDown(self) -> None:
        self.database.stop()

    def result(self, unit: Any) -> Any:
        from twisted.internet.defer import Deferred

        async def write() -> Any:
            return await self.database.write(unit)

        return Deferred.fromCoroutine(write())

    def files(self) -> list[Path]:
        return [path for path in Path(self.directory, "content").rglob("*") if path.is_file()]

    async def offer(self, octets: bytes = b"x" * 100_000) -> Acceptance:
        writer = self.store.acceptance.writer()
        writer.write(octets)
        return Acceptance(
            id=self.store.acceptance.new_id(),
            received=1,
            envelope=Envelope(sender=None, recipients=(USER,)),
            origin=Origin(session="s", protocol="ESMTP", client="192.0.2.1", helo="client.example.test"),
            content=await writer.finish(),
            deliveries=(Delivery(account_id=1, recipient=USER),),
            message_id=None,
        )

    async def only(self, number: int) -> None:
        """So many files are left, soon."""
        for _ in range(6000):
            if len(self.files()) == number:
                return
            await deferLater(reactor, 0.01)
        raise AssertionError(self.files())

    async def test_what_a_full_mailbox_or_a_gone_one_refuses_leaves_no_file(self) -> None:
        offered = await self.offer(b"x" * 200_000)
        with pytest.raises(OverQuota):
            await self.store.acceptance.accept(offered)
        await self.only(0)
        offered = await self.offer()
        gone = evolve(offered, deliveries=(Delivery(account_id=9, recipient=USER),))
        with pytest.raises(RecipientGone):
            await self.store.acceptance.accept(gone)
        await self.only(0)

    async def test_what_a_full_disk_refuses_leaves_no_file(self) -> None:
        offered = await self.offer()

        def check(size: int) -> None:
            raise StorageFull

        self.patch(Space, "check", lambda space, size: check(size))
        with pytest.raises(StorageFull):
            await self.store.acceptance.accept(offered)
        await self.only(0)

    async def test_content_that_another_acceptance_took_stays(self) -> None:
        offered = await self.offer()
        await self.store.acceptance.accept(offered)
        with pytest.raises(OverQuota):
            await self.store.acceptance.accept(evolve(offered, id=self.store.acceptance.new_id()))
        await deferLater(reactor, 0.1)
        assert len(self.files()) == 1

    async def test_a_finished_place_is_as_young_as_its_end(self) -> None:
        writer = self.contents.create()
        await writer.write(b"slow")
        (part,) = self.files()
        os.utime(part, (1, 1))
        place = await writer.finish()
        assert os.stat(self.contents.path(place)).st_mtime > 1_000_000


def test_a_lock_file_that_cannot_be_opened_is_a_fault_and_not_a_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> int:
        raise PermissionError(13, "Permission denied")

    locks = FileLocks(str(tmp_path / "locks"))
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(TemporaryFailure):
        next(locks.lock(1).__await__())
