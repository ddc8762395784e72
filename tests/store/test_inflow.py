"""The search index waits while large content comes in: the store counts it where it comes in, for its filler."""

from __future__ import annotations

import os

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from worldmail.config.settings import StoreSettings
from worldmail.database.immediate import ImmediateDatabase
from worldmail.store.files import ContentFiles
from worldmail.store.opening import open_store
from worldmail.store.writer import PIECE
from worldmail.transport.clock import ReactorClock


class TestInflow(TestCase):
    async def test_the_filler_sees_what_comes_in(self) -> None:
        directory = os.path.abspath(self.mktemp())
        os.makedirs(directory)
        database = ImmediateDatabase()
        database.start()
        self.addCleanup(database.stop)
        settings, clock = StoreSettings(minimum_free=0), ReactorClock(reactor=reactor)
        contents = ContentFiles(f"{directory}/content", reactor)
        store = open_store(settings, directory, database, contents, clock, reactor)
        writer = store.acceptance.writer()
        writer.write(b"x" * PIECE)
        assert store.derived.filler.inflow.octets == PIECE
        await writer.finish()
        await store.derived.stop()
