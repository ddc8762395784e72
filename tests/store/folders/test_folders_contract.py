"""The contract of `IFolders` over each database."""

from __future__ import annotations

import pytest

from tests.store.test_store_contract import OnImmediate, OnPostgres, OnSqlite
from worldmail.interfaces.database import Cursor
from worldmail.store.folders import Folders
from worldmail.store.space import Reserve
from worldmail.testing.contracts import folder_rights, folders
from worldmail.testing.world import ManualClock


class WithFolders(OnSqlite):
    """Accounts with what folders keep for them; octets that are called random are counted."""

    folders: Folders

    def setUp(self) -> None:
        super().setUp()
        self.drawn = 0
        clock = ManualClock()
        reserve = Reserve(path=self.mktemp(), size=0, space=None)
        self.folders = Folders(
            database=self.database, reserve=reserve, now=clock.now, sleep=clock.sleep, random=self.draw
        )

    def draw(self, octets: int) -> bytes:
        self.drawn += 1
        return self.drawn.to_bytes(octets, "big")

    async def new_account(self, quota: int | None = None) -> int:
        number = await super().new_account(quota)

        def unit(cursor: Cursor) -> None:
            self.folders.account_added(cursor, number)

        await self.database.write(unit)
        return number

    async def empty(self) -> None:
        await self.folders.empty()


class TestFoldersOnSqlite(WithFolders, OnSqlite, folders.FoldersContract):
    pass


class TestRightsOnSqlite(WithFolders, OnSqlite, folder_rights.FolderRightsContract):
    pass


class TestMattersOnSqlite(WithFolders, OnSqlite, folder_rights.FolderMattersContract):
    pass


class TestFoldersInMemory(WithFolders, OnImmediate, folders.FoldersContract):
    pass


class TestRightsInMemory(WithFolders, OnImmediate, folder_rights.FolderRightsContract):
    pass


class TestMattersInMemory(WithFolders, OnImmediate, folder_rights.FolderMattersContract):
    pass


@pytest.mark.usefixtures("postgres")
class TestFoldersOnPostgres(WithFolders, OnPostgres, folders.FoldersContract):
    pass


@pytest.mark.usefixtures("postgres")
class TestRightsOnPostgres(WithFolders, OnPostgres, folder_rights.FolderRightsContract):
    pass


@pytest.mark.usefixtures("postgres")
class TestMattersOnPostgres(WithFolders, OnPostgres, folder_rights.FolderMattersContract):
    pass
