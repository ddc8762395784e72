"""The content store "s3" against a real server."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
import tracemalloc
from pathlib import Path

import pytest
from hostile import Hostile, stall
from objects import PART, Service, contents_of, credentials_file, exchange_of, settings_for, soon
from twisted.trial.unittest import TestCase

from worldmail.database.immediate import ImmediateDatabase
from worldmail.errors import TemporaryFailure
from worldmail.store.s3 import exchange
from worldmail.store.s3.bucket import Bucket
from worldmail.store.s3.contents import ContentObjects
from worldmail.store.s3.exchange import Ask
from worldmail.store.s3.owner import KEY, owner_of
from worldmail.testing.contracts import content

PIECE = 256 * 1024


class InABucket(TestCase):
    """A content store below a prefix of its own."""

    contents: ContentObjects

    @pytest.fixture(autouse=True)
    def _open(self, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(exchange, "FIRST_PAUSE", 0.001)
        self.prefix = f"test/{secrets.token_hex(4)}/"
        self.directory = tmp_path / "spool"
        self.directory.mkdir()
        self.settings = settings_for(service, credentials_file(tmp_path), prefix=self.prefix)

    def setUp(self) -> None:
        self.contents = contents_of(self.settings, self.directory)
        self.bucket: Bucket = self.contents.bucket

    def tearDown(self) -> None:
        self.contents.stop()

    async def write(self, data: bytes) -> str:
        """A finished place, written in pieces as they arrive."""
        writer = self.contents.create()
        for start in range(0, len(data), PIECE):
            await writer.write(data[start : start + PIECE])
        return await writer.finish()

    async def whole(self, place: str, size: int) -> bytes:
        """All of a place, read as the store reads it."""
        return b"".join([await self.contents.read(place, start, PIECE) for start in range(0, size, PIECE)])

    async def everything(self) -> list[str]:
        """Every place there is."""
        return await self.contents.places(int(time.time()) + 100)


class TestContract(InABucket, content.ContentStoreContract):
    unfinished = bytes(PART + 1)


class TestParts(InABucket):
    async def test_content_of_any_size_about_a_part_comes_back_as_it_was(self) -> None:
        for size in (PART - 1, PART, PART + 1, 2 * PART + 77_777):
            data = os.urandom(size)
            place = await self.write(data)
            assert self.bucket.size(self.prefix + place, soon()) == size
            assert hashlib.sha256(await self.whole(place, size)).digest() == hashlib.sha256(data).digest()
        assert not [place for place in await self.everything() if "/" in place]

    async def test_memory_stays_below_a_part_however_much_is_written_and_read(self) -> None:
        piece, writer = bytes(PIECE), self.contents.create()
        await writer.write(piece)
        tracemalloc.start()
        for _ in range(3 * PART // PIECE):
            await writer.write(piece)
        place = await writer.finish()
        for start in range(0, 3 * PART, PIECE):
            await self.contents.read(place, start, PIECE)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < PART // 2

    async def test_one_write_may_be_larger_than_a_part(self) -> None:
        data = os.urandom(2 * PART + 5)
        writer = self.contents.create()
        await writer.write(data)
        place = await writer.finish()
        assert await self.contents.read(place, 2 * PART - 1, 100) == data[-6:]

    async def test_an_upload_that_is_aborted_leaves_nothing_in_the_bucket(self) -> None:
        writer = self.contents.create()
        await writer.write(bytes(2 * PART))
        assert len(await self.everything()) == 1
        await writer.abort()
        await writer.abort()
        assert await self.everything() == []

    async def test_what_was_finished_and_then_given_up_is_removed(self) -> None:
        for size in (10, PART + 10):
            writer = self.contents.create()
            await writer.write(bytes(size))
            await writer.finish()
            await writer.abort()
        assert await self.everything() == []

    async def test_nothing_is_left_in_the_spool(self) -> None:
        writer = self.contents.create()
        await writer.write(bytes(PART + 1))
        assert list(self.directory.iterdir()) == []
        await writer.finish()
        assert list(self.directory.iterdir()) == []

    async def test_an_upload_to_which_a_part_was_added_lately_is_not_old(self) -> None:
        writer = self.contents.create()
        await writer.write(bytes(PART + 1))
        (upload,) = await self.everything()
        key, number = self.contents.key(upload)
        assert number is not None
        newest = self.bucket.last_part_at(key, number, 30)
        assert newest is not None
        assert abs(newest - time.time()) < 60
        await self.contents.remove(upload)
        await self.contents.remove(upload)
        assert self.bucket.last_part_at(key, number, 30) is None
        with pytest.raises(TemporaryFailure):
            await writer.finish()


class TestListing(InABucket):
    async def test_a_listing_of_many_pages_is_whole(self) -> None:
        places = {await self.write(b"x") for _ in range(7)}
        pages = self.bucket._pages(
            Ask(method="GET", query=[("list-type", "2"), ("max-keys", "2"), ("prefix", self.prefix)]),
            {"continuation-token": "NextContinuationToken"},
            30,
        )
        found = [[one.get("Key") for one in page.all("Contents")] for page in pages]
        assert {key for page in found for key in page} == {self.prefix + place for place in [*places, KEY]}
        assert len(found) == 4

    async def test_what_others_keep_in_the_bucket_is_let_alone(self) -> None:
        for key in ("notes.txt", "sub/3f" + "0" * 30, "3F" + "0" * 30):
            answer = self.bucket.exchange.ask(Ask(method="PUT", key=self.prefix + key), soon())
            assert answer.status == 200
        place = await self.write(b"mine")
        assert await self.everything() == [place]

    async def test_nothing_but_a_place_leads_anywhere(self) -> None:
        for place in ("", "../" + "0" * 32, "0" * 31, "0" * 33, "A" * 32, "0" * 32 + "/", "0" * 32 + "/a b"):
            with pytest.raises(TemporaryFailure, match="temporary|Temporary"):
                await self.contents.read(place, 0, 1)


class TestOwner(InABucket):
    async def test_a_prefix_that_is_another_sites_is_neither_written_nor_swept(self) -> None:
        place = await self.write(b"ours")
        other = contents_of(self.settings, self.directory, owner="they")
        writer = other.create()
        for refused in (writer.write(b"theirs"), writer.finish(), other.places(int(time.time()) + 100)):
            with pytest.raises(TemporaryFailure) as caught:
                await refused
            assert f"another site, as the object {self.prefix}owner says" in str(caught.value.reason)
        await writer.abort()
        other.stop()
        assert await self.everything() == [place]

    async def test_a_site_comes_back_to_what_is_its_own(self) -> None:
        place = await self.write(b"ours")
        again = contents_of(self.settings, self.directory)
        assert await again.places(int(time.time()) + 100) == [place]
        assert await again.read(place, 0, 4) == b"ours"
        again.stop()

    async def test_of_two_who_come_at_once_one_has_it(self) -> None:
        key = self.prefix + KEY
        self.bucket.put_new(key, b"first", soon())
        self.bucket.put_new(key, b"second", soon())
        assert self.bucket.small(key, soon()) == b"first"

    async def test_a_site_has_one_name_for_ever(self) -> None:
        database = ImmediateDatabase()
        database.start()
        names = {await database.write(owner_of) for _ in range(3)}
        assert len(names) == 1
        await database.stop()


class TestTurns(TestCase):
    @pytest.fixture(autouse=True)
    def _open(self, tmp_path: Path) -> None:
        self.directory = tmp_path

    def setUp(self) -> None:
        self.server = Hostile()
        service = Service(url=self.server.url, bucket="mail")
        settings = settings_for(service, credentials_file(self.directory), connections=1, timeout=1, patience=0.3)
        self.contents = contents_of(settings, self.directory)

    def tearDown(self) -> None:
        self.contents.stop()
        self.server.stop()

    async def test_who_gets_no_turn_in_time_fails_for_the_time_being(self) -> None:
        self.server.always = stall
        for read in [self.contents.read("0" * 32, 0, 1) for _ in range(5)]:
            with pytest.raises(TemporaryFailure) as caught:
                await read
            told = str(caught.value.reason)
            assert "the time was up" in told or "timed out" in told or "no thread was free in time" in told
        assert len(self.server.asked) < 5
        self.server.always = None
        for _ in range(100):  # on a machine that does much else so little time may be up once more
            with pytest.raises(TemporaryFailure) as caught:
                await self.contents.read("0" * 32, 0, 1)
            if "404 NoSuchKey" in str(caught.value.reason):
                return
        self.fail(str(caught.value.reason))


class TestRefusals(InABucket):
    async def test_a_wrong_secret_is_a_temporary_failure_that_says_no_secret(self) -> None:
        file = credentials_file(self.directory, secret="another")
        other = exchange_of(settings_for(Service(url=self.settings.endpoint, bucket="mail"), file))
        answer = other.ask(Ask(method="GET", key="x"), soon())
        assert answer.status == 403

    async def test_what_arrives_changed_is_refused(self) -> None:
        writer = self.contents.create()
        await writer.write(b"as it was")
        writer._spool._file.seek(0)  # type: ignore[union-attr]  # the file is there after a write
        writer._spool._file.write(b"as it IS.")  # type: ignore[union-attr]  # the same
        with pytest.raises(TemporaryFailure) as caught:
            await writer.finish()
        assert "BadDigest" in str(caught.value.reason)
        await writer.abort()
        assert await self.everything() == []
