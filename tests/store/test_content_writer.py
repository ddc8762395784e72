"""A message's octets on their way in: memory stays flat, and what is staged is safe."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from worldmail.database import file
from worldmail.database.worker import Threads
from worldmail.errors import StorageFull, TemporaryFailure
from worldmail.mail.mime.given import in_lines
from worldmail.store import files
from worldmail.store.files import ContentFiles
from worldmail.store.inflow import Inflow
from worldmail.store.writer import BEHIND, PIECE, ContentWriter, here

LIMIT = 1000


def enough(size: int) -> None:
    """Room for everything."""


class Disk:
    """The module `os`, but for what is given."""

    def __init__(self, **instead: Any) -> None:
        self.__dict__.update(instead)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


class SlowStore(ContentFiles):
    """Writes when it is told to."""

    def __init__(self, directory: str) -> None:
        super().__init__(directory, reactor)
        self.gates: list[Deferred[None]] = []
        self.open = False

    def create(self) -> Any:
        store, writer = self, super().create()

        class Slow:
            async def write(self, data: bytes) -> None:
                if not store.open:
                    gate: Deferred[None] = Deferred()
                    store.gates.append(gate)
                    await gate
                await writer.write(data)

            finish, abort = writer.finish, writer.abort

        return Slow()

    def let_through(self) -> None:
        self.open = True
        for gate in self.gates:
            gate.callback(None)


class TestContentWriter(TestCase):
    def setUp(self) -> None:
        self.directory = Path(os.path.abspath(self.mktemp()))
        self.contents = ContentFiles(str(self.directory), reactor)

    def writer(self, contents: Any = None) -> ContentWriter:
        return ContentWriter(contents or self.contents, LIMIT, enough, self.elsewhere)

    def elsewhere(self, work: Callable[[], None]) -> Awaitable[None]:
        """Where content is digested."""
        return here(work)

    def files(self) -> list[str]:
        return sorted(path.name for path in self.directory.rglob("*") if path.is_file())

    async def gone(self) -> None:
        """Wait until no file is left."""
        started = time.monotonic()
        while self.files():
            assert time.monotonic() < started + 60, self.files()
            await deferLater(reactor, 0.01)

    async def test_up_to_the_limit_content_stays_in_memory(self) -> None:
        writer = self.writer()
        writer.write(b"x" * LIMIT)
        staged = await writer.finish()
        assert (staged.inline, staged.place, staged.size) == (b"x" * LIMIT, None, LIMIT)
        assert not self.directory.exists()

    async def test_large_content_alone_is_counted_while_it_comes_in(self) -> None:
        inflow = Inflow()
        small, large = (ContentWriter(self.contents, LIMIT, enough, inflow=inflow) for _ in range(2))
        small.write(b"x" * LIMIT)
        await small.finish()
        assert inflow.octets == 0
        large.write(b"x" * PIECE)
        assert inflow.octets == PIECE, "before it is finished"
        large.write(b"yz")
        await large.finish(prepend=b"Received: x\r\n")
        assert inflow.octets == PIECE + 2

    async def test_beyond_the_limit_it_is_one_synced_file_with_mode_0600(self) -> None:
        synced: list[str] = []
        real = os.fsync

        def fsync(handle: int) -> None:
            synced.append(os.readlink(f"/proc/self/fd/{handle}"))
            real(handle)

        for module in (files, file):
            self.patch(module, "os", Disk(fsync=fsync))
        writer = self.writer()
        writer.write(b"x" * LIMIT)
        writer.write(b"y")
        staged = await writer.finish()
        assert staged.inline is None and staged.place is not None
        (path,) = (path for path in self.directory.rglob("*") if path.is_file())
        assert path.name == staged.place
        assert path.read_bytes() == b"x" * LIMIT + b"y"
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        file_synced = synced.index(f"{path}.part")
        assert str(path.parent) in synced[file_synced + 1 :], "the name is synced after the rename"
        assert {str(self.directory), str(self.directory.parent)} <= set(synced), "so are the new directories"
        assert staged.digest == hashlib.sha256(path.read_bytes()).digest()

    async def test_the_source_is_told_to_wait_and_memory_is_bounded(self) -> None:
        contents = SlowStore(str(self.directory))
        writer = self.writer(contents)
        taken = 0
        while not writer.behind():
            writer.write(b"x" * 65536)
            taken += 65536
        assert BEHIND < taken <= BEHIND + 2 * PIECE + 65536 < 2 << 20
        waiting = Deferred.fromCoroutine(writer.caught_up())
        assert not waiting.called
        contents.let_through()
        await waiting
        assert not writer.behind()
        assert (await writer.finish()).size == taken

    async def test_the_octets_are_in_their_order_whatever_the_pieces(self) -> None:
        writer = self.writer()
        whole = bytes(range(256)) * 12000
        start, size = 0, 1
        while start < len(whole):
            writer.write(whole[start : start + size])
            start, size = start + size, size * 3 % 100_003
            if writer.behind():
                await writer.caught_up()
        staged = await writer.finish(b"front")
        assert staged.digest == hashlib.sha256(b"front" + whole).digest()
        assert staged.place is not None
        assert await self.contents.read(staged.place, 0, 20) == (b"front" + whole)[:20]
        assert self.files() == [staged.place], "the first place is removed"

    async def test_the_size_in_lines_is_that_of_what_is_given_out_wherever_the_header_says_binary(self) -> None:
        for before in (0, PIECE // 2, PIECE - 20, PIECE, 2 * PIECE, 3 * PIECE):
            fields = b"X: y\r\n" * (before // 6) + b"Content-Transfer-Encoding: binary\r\n"
            octets = fields + b"\r\n" + bytes(range(256)) * 1000
            for step in (len(octets), 5_000):
                writer = self.writer()
                writer.may_be_binary()
                for start in range(0, len(octets), step):
                    writer.write(octets[start : start + step])
                assert (await writer.finish()).told == len(in_lines(octets)), (before, step)

    async def test_where_lines_may_end_in_other_ways_they_are_counted_as_they_are_given_out(self) -> None:
        header = b"Subject: x\r\n\r\n"
        long = b"X: y\r\n" * 70_000 + header
        for octets, odd in (
            (header + b"a\nb\rc\r", True),
            (header.replace(b"\r", b"") + b"a\n", True),
            (header + b"one\r\n" * 60_000, False),
            (header + b"one\r\n" * 60_000 + b"\n", True),
            (header + b"one\r\n" * 60_000 + b"\0\r\n", True),
            (long + b"one\r\ntwo\r\n", False),
            (long + b"one\ntwo\r\n", True),
        ):
            for cut in (len(octets), PIECE - 1, PIECE, PIECE + 1, octets.find(b"\r", PIECE) + 1, 3):
                writer = self.writer()
                writer.may_be_binary()
                writer.write(octets[:cut])
                writer.write(octets[cut:])
                staged = await writer.finish()
                assert staged.told == len(in_lines(octets)), (octets[-20:], cut)
                assert staged.inline is not None or staged.binary == odd, (octets[-20:], cut)

    async def test_an_abort_at_any_time_leaves_no_file(self) -> None:
        for size in (LIMIT + 1, PIECE, 5 * PIECE):
            writer = self.writer()
            writer.write(b"x" * size)
            writer.abort()
        await self.gone()

    async def test_a_full_disk_is_told_to_the_source_and_leaves_no_file(self) -> None:
        def write(handle: int, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        self.patch(files, "os", Disk(write=write))
        writer = self.writer()
        writer.write(b"x" * 2 * PIECE)
        while not writer.behind():
            await deferLater(reactor, 0.01)
        with pytest.raises(StorageFull):
            await writer.caught_up()
        assert writer.behind(), "the source shall ask again, and hear it again"
        with pytest.raises(StorageFull):
            await writer.finish()
        await self.gone()

    async def test_an_error_at_the_sync_leaves_no_file(self) -> None:
        def fsync(handle: int) -> None:
            raise OSError(errno.EIO, "Input/output error")

        self.patch(files, "os", Disk(fsync=fsync))
        writer = self.writer()
        writer.write(b"x" * PIECE)
        with pytest.raises(TemporaryFailure) as caught:
            await writer.finish()
        assert not isinstance(caught.value, StorageFull)
        await self.gone()

    async def test_a_system_that_takes_no_advice_is_no_reason_to_refuse_mail(self) -> None:
        def posix_fadvise(*given: int) -> None:
            raise OSError(errno.ENOSYS, "Function not implemented")

        self.patch(files, "os", Disk(posix_fadvise=posix_fadvise))
        writer = self.writer()
        writer.write(b"x" * PIECE)
        staged = await writer.finish()
        assert self.files() == [staged.place]

    async def test_too_little_room_is_told_when_content_begins_to_spill(self) -> None:
        def check(size: int) -> None:
            raise StorageFull

        writer = ContentWriter(self.contents, LIMIT, check)
        writer.write(b"x" * LIMIT)
        assert not writer.behind()
        writer.write(b"x")
        assert writer.behind()
        with pytest.raises(StorageFull):
            await writer.caught_up()
        writer.abort()
        await self.gone()

    async def test_nothing_but_a_place_leads_to_a_file(self) -> None:
        (self.directory / "ab").mkdir(parents=True)
        (self.directory / "secret").write_bytes(b"x")
        for place in ("../secret", "secret", "", "a" * 33, "A" * 32, "a" * 32 + "/../secret", "a" * 32 + ".part.part"):
            with pytest.raises(TemporaryFailure):
                await self.contents.read(place, 0, 1)
            with pytest.raises(TemporaryFailure):
                await self.contents.remove(place)


class TestDigestingInThreads(TestContentWriter):
    def setUp(self) -> None:
        super().setUp()
        self.threads = Threads(reactor, "digest", 2)
        self.addCleanup(self.threads.stop)
        self.slow = False
        self.gate = threading.Event()
        self.under_way = 0

    def elsewhere(self, work: Callable[[], None]) -> Awaitable[None]:
        return self.threads.run(partial(self.digest, work))

    def digest(self, work: Callable[[], None]) -> None:
        self.under_way += 1
        if self.slow:
            assert self.gate.wait(20)
        work()
        self.under_way -= 1

    async def begun(self) -> ContentWriter:
        """A writer whose first piece is being digested."""
        self.slow = True
        writer = self.writer()
        writer.write(b"x" * PIECE)
        while not self.under_way:
            await deferLater(reactor, 0.01)
        return writer

    async def test_content_is_not_there_before_its_digest_is(self) -> None:
        writer = await self.begun()
        writer.write(b"y" * PIECE)
        finishing = Deferred.fromCoroutine(writer.finish(b""))
        while not self.files():
            await deferLater(reactor, 0.01)
        assert not finishing.called
        self.gate.set()
        assert (await finishing).digest == hashlib.sha256(b"x" * PIECE + b"y" * PIECE).digest()

    async def test_content_that_is_given_up_while_it_is_digested_leaves_no_file(self) -> None:
        writer = await self.begun()
        writer.abort()
        self.gate.set()
        await self.gone()

    async def test_a_store_that_fails_while_content_is_digested_is_told_to_the_source(self) -> None:
        def write(handle: int, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        self.patch(files, "os", Disk(write=write))
        writer = await self.begun()
        while not writer.behind():
            await deferLater(reactor, 0.01)
        assert self.under_way
        with pytest.raises(StorageFull):
            await writer.finish()
        await self.gone()
        self.gate.set()

    async def test_a_digest_that_fails_is_told_to_the_source_and_leaves_no_file(self) -> None:
        def fail(work: Callable[[], None]) -> Awaitable[None]:
            raise RuntimeError("cannot schedule new futures after shutdown")

        self.elsewhere = fail
        writer = self.writer()
        writer.write(b"x" * PIECE)
        with pytest.raises(TemporaryFailure):
            await writer.finish()
        await self.gone()
