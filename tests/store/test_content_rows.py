"""Which content is kept once, whoever brings it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import pytest

from worldmail.database.immediate import ImmediateDatabase
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.store import StagedContent
from worldmail.store.content import BINARY, UNREPEATABLE, keep_content

T = TypeVar("T")
STAGED = StagedContent(digest=b"d" * 32, size=3, inline=b"abc", place=None)


@pytest.fixture
def database() -> ImmediateDatabase:
    made = ImmediateDatabase()
    made.start()
    return made


def now(waiting: Awaitable[T]) -> T:
    async def wait() -> T:
        return await waiting

    return asyncio.run(wait())


def rows(cursor: Cursor) -> list[tuple[int, int]]:
    return [(row[0], row[1]) for row in cursor.all("SELECT id, flags FROM content ORDER BY id")]


def test_the_same_octets_are_one_row(database: ImmediateDatabase) -> None:
    first, _ = now(database.write(lambda cursor: keep_content(cursor, STAGED)))
    again, _ = now(database.write(lambda cursor: keep_content(cursor, STAGED)))
    assert first == again
    assert now(database.read(rows)) == [(1, 0)]


def test_unrepeatable_octets_are_not_looked_for_and_never_found(database: ImmediateDatabase) -> None:
    for unrepeatable in (True, False, True):
        now(database.write(lambda cursor, is_so=unrepeatable: keep_content(cursor, STAGED, unrepeatable=is_so)))
    assert now(database.read(rows)) == [(1, UNREPEATABLE), (2, 0), (3, UNREPEATABLE)]


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"Content-Transfer-Encoding: base64\r\n\r\nbinary\r\n", 0),
        (b"Content-Transfer-Encoding: binary\r\n\r\n\1", BINARY),
        (b"CONTENT-TRANSFER-ENCODING: BINARY\r\n\r\n\1", BINARY),
        (b"Content-Transfer-Encoding: binary", BINARY),
        (b"Content-Transfer-Encoding: 8bit\r\nSubject: binary\r\n\r\nx\r\n", 0),
        (b"Subject: x\r\n\r\n\0\r\n", BINARY),
    ],
)
def test_what_has_binary_is_known_from_then_on(database: ImmediateDatabase, octets: bytes, expected: int) -> None:
    staged = StagedContent(digest=b"d" * 32, size=len(octets), inline=octets, place=None)
    now(database.write(lambda cursor: keep_content(cursor, staged)))
    assert now(database.read(rows)) == [(1, expected)]
