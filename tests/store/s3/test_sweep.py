"""The collector on a bucket: what no row refers to goes, what is referred to stays."""

from __future__ import annotations

import hashlib
import time

from objects import PART
from test_contents import InABucket
from twisted.internet import reactor

from worldmail.config.sections import StoreSettings
from worldmail.database.immediate import ImmediateDatabase
from worldmail.interfaces.store import StagedContent
from worldmail.store import open_store
from worldmail.store.content import keep_content
from worldmail.testing.world import ManualClock


class TestSweep(InABucket):
    async def test_orphans_finished_or_not_are_removed_and_the_rest_is_not(self) -> None:
        database = ImmediateDatabase()
        database.start()
        settings = StoreSettings(minimum_free=0, reserve=0, orphan_grace=60.0)
        collector = open_store(settings, str(self.directory), database, self.contents, ManualClock(), reactor).collector
        data = b"kept by a row"
        kept, orphan = await self.write(data), await self.write(b"kept by nothing")
        unfinished = self.contents.create()
        await unfinished.write(bytes(PART + 1))
        staged = StagedContent(digest=hashlib.sha256(data).digest(), size=len(data), inline=None, place=kept)
        number, _ = await database.write(lambda cursor: keep_content(cursor, staged))

        now = int(time.time())
        assert await collector.sweep(now) == 0
        assert len(await self.everything()) == 3
        assert await collector.sweep(now + 200) == 2
        assert await self.everything() == [kept]
        assert orphan != kept

        await database.write(lambda cursor: cursor.run("INSERT INTO orphan VALUES (?, ?)", (number, now)))
        assert await collector.collect(now + 200) == 1
        assert await self.everything() == []
        await unfinished.abort()
        await database.stop()
