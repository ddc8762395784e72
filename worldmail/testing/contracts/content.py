"""The contract of `IContentStore`."""

from __future__ import annotations

import time

import pytest
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from worldmail.errors import TemporaryFailure
from worldmail.interfaces.store import IContentStore, IPlaceWriter


class ContentStoreContract(TestCase):
    """Set `contents` (empty) in `setUp`.

    `unfinished` is so much that a writer given it cannot have kept all of it to itself.
    """

    contents: IContentStore
    unfinished = b"unfinished"

    async def place_of(self, *pieces: bytes) -> str:
        """A finished place with these octets."""
        writer = self.contents.create()
        for piece in pieces:
            await writer.write(piece)
        return await writer.finish()

    async def test_it_provides_its_interfaces(self) -> None:
        assert verifyObject(IContentStore, self.contents)
        assert verifyObject(IPlaceWriter, self.contents.create())

    async def test_what_was_written_is_read_in_any_pieces(self) -> None:
        place = await self.place_of(b"one ", b"", b"two")
        assert await self.contents.read(place, 0, 100) == b"one two"
        assert await self.contents.read(place, 2, 3) == b"e t"
        assert await self.contents.read(place, 7, 3) == b""

    async def test_equal_octets_get_places_of_their_own(self) -> None:
        first, second = await self.place_of(b"same"), await self.place_of(b"same")
        assert first != second
        await self.contents.remove(first)
        assert await self.contents.read(second, 0, 9) == b"same"

    async def test_an_empty_place_is_a_place(self) -> None:
        assert await self.contents.read(await self.place_of(), 0, 9) == b""

    async def test_removing_twice_is_no_error(self) -> None:
        place = await self.place_of(b"x")
        await self.contents.remove(place)
        await self.contents.remove(place)

    async def test_a_removed_place_cannot_be_read(self) -> None:
        place = await self.place_of(b"x")
        await self.contents.remove(place)
        with pytest.raises(TemporaryFailure):
            await self.contents.read(place, 0, 1)

    async def test_an_aborted_place_leaves_nothing(self) -> None:
        writer = self.contents.create()
        await writer.write(b"x")
        await writer.abort()
        assert await self.contents.places(int(time.time()) + 100) == []

    async def test_places_are_listed_by_age_finished_or_not(self) -> None:
        place = await self.place_of(b"x")
        writer = self.contents.create()
        await writer.write(self.unfinished)
        now = int(time.time())
        assert await self.contents.places(now - 100) == []
        listed = await self.contents.places(now + 100)
        assert len(listed) == 2
        assert place in listed
        for found in listed:
            await self.contents.remove(found)
        assert await self.contents.places(now + 100) == []
        await writer.abort()
