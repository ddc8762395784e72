"""The file of derived data: whatever becomes of it costs time, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.store.derived.mail import Message, add, memory_database, now
from worldmail.interfaces.derived import Needle
from worldmail.store.derived import Derived
from worldmail.store.derived.connections import RETRY, Connections
from worldmail.store.derived.contents import ContentReader
from worldmail.store.derived.embedded import EmbeddedShelf
from worldmail.store.derived.file import DerivedFile
from worldmail.store.derived.opening import derived_on
from worldmail.wire.ready import Ready

MESSAGES = [Message([("Subject", f"number {number}")], f"the word{number}\r\n").octets() for number in range(30)]
NEEDLE = Needle(where="body", text="ord2")
HOLDING = {3, *range(21, 31)}


class Site:
    """A store in memory with derived data in a file, as any number of processes have it open; all in one thread."""

    def __init__(self, directory: Path) -> None:
        self.path = str(directory / "derived.sqlite")
        self.database = memory_database()
        self.ids = add(self.database, MESSAGES)
        self.time = 0.0
        self.has_room = True
        self.processes: list[Derived] = []

    def process(self, path: str | None = None) -> Derived:
        """One more process."""
        connections = Connections(
            file=DerivedFile(path=path or self.path), seconds=lambda: self.time, room=lambda: self.has_room
        )
        shelf = EmbeddedShelf(database=self.database, connections=connections, writing=_here, searching=_here)
        reader = ContentReader(database=self.database, contents=None, directory=None, inline_limit=1 << 16)
        derived = derived_on(shelf, reader, 1 << 20, lambda: self.time, lambda _: Ready(None))
        self.processes.append(derived)
        return derived

    def check(self, derived: Derived) -> None:
        """All is found, and can be put into the index."""
        assert len(now(derived.summaries.summaries(self.ids))) == len(self.ids)
        derived.summaries.forget(self.ids)
        assert now(derived.search.holding(NEEDLE, self.ids, limit=60)) == HOLDING
        assert len(now(derived.summaries.summaries(self.ids))) == len(self.ids)


def _here(work: Callable[[], Any]) -> Awaitable[Any]:
    return Ready(work())


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    for derived in site.processes:
        now(derived.stop())


@pytest.fixture
def filled(site: Site) -> Site:
    """A site whose index was filled by a process that has ended."""
    derived = site.process()
    assert now(derived.filler.catch_up()) == 30
    now(derived.stop())
    return site


def test_what_was_filled_is_there_for_the_next_process(filled: Site) -> None:
    derived = filled.process()
    assert len(now(derived.shelf.kept(filled.ids))) == 30
    assert now(derived.search.behind()) == 0
    filled.check(derived)


def test_nobody_else_can_read_the_file(filled: Site) -> None:
    modes = {os.stat(filled.path + suffix).st_mode & 0o777 for suffix in ("", ".lock")}
    assert modes == {0o600}


def _damage(path: str) -> None:
    with open(path, "r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 3000)


def _not_a_database(path: str) -> None:
    Path(path).write_bytes(b"this is no database at all" * 500)


def _later_version(path: str) -> None:
    connection = apsw.Connection(path)
    connection.execute("PRAGMA user_version=99")
    connection.close()


def _other_store(path: str) -> None:
    connection = apsw.Connection(path)
    connection.execute("UPDATE fact SET value = 'another' WHERE name = 'instance'")
    connection.close()


def _no_tables(path: str) -> None:
    connection = apsw.Connection(path)
    connection.execute("DROP TABLE fact")
    connection.close()


def _content_from_the_future(path: str) -> None:
    connection = apsw.Connection(path)
    connection.execute("INSERT INTO indexed (content_id, whole) VALUES (31, 1)")
    connection.close()


@pytest.mark.parametrize(
    "spoil", [_damage, _not_a_database, _later_version, _other_store, _no_tables, _content_from_the_future, os.unlink]
)
def test_a_file_that_is_not_fit_for_use_is_made_anew(filled: Site, spoil: Callable[[str], None]) -> None:
    spoil(filled.path)
    derived = filled.process()
    filled.check(derived)
    assert now(derived.filler.catch_up()) == 30
    filled.check(derived)
    assert now(derived.search.behind()) == 0


def test_the_file_may_be_removed_while_it_is_used(site: Site) -> None:
    first, second = site.process(), site.process()
    for _ in range(2):
        now(first.filler.catch_up())
        site.check(first)
        site.check(second)
        for suffix in ("", "-wal", "-shm"):
            os.unlink(site.path + suffix)
        site.check(second)
        site.check(first)
        assert now(first.search.behind()) == 30


@pytest.mark.parametrize("left", [("-wal", "-shm"), ("-wal",), ("-shm",)])
def test_what_the_file_before_left_is_not_taken_for_a_part_of_the_new_one(site: Site, left: tuple[str, ...]) -> None:
    first, second = site.process(), site.process()
    assert now(first.filler.catch_up()) == 30
    for suffix in {"", "-wal", "-shm"} - set(left):
        os.unlink(site.path + suffix)
    site.check(second)
    assert now(second.search.behind()) == 30
    assert now(first.filler.catch_up()) == 30
    site.check(first)
    site.check(second)
    connection = apsw.Connection(site.path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_a_term_of_the_file_before_is_not_taken_for_one_of_the_new_file(site: Site) -> None:
    derived = site.process()
    assert now(derived.filler.catch_up()) == 30
    for suffix in ("", "-wal", "-shm"):
        os.unlink(site.path + suffix)
    assert now(derived.filler.catch_up()) == 30
    site.check(derived)


def test_two_processes_may_begin_at_once(site: Site) -> None:
    processes = [site.process() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda derived: derived.shelf.connections.file.open("one", 99), processes))
    assert len({one.identity for one in opened}) == 1
    for one in opened:
        assert one.connection.execute("SELECT value FROM fact").fetchall() == [("one",)]
        one.connection.close()


def test_one_process_fills_and_another_takes_over_when_it_ends(site: Site) -> None:
    first, second = site.process(), site.process()
    assert now(first.filler.catch_up()) == 30
    add(site.database, MESSAGES[:1])
    assert now(second.filler.catch_up()) == 0
    site.check(second)
    now(first.stop())
    assert now(second.filler.catch_up()) == 1


def test_without_a_file_all_is_made_anew_each_time(site: Site, tmp_path: Path) -> None:
    derived = site.process(str(tmp_path / "nowhere" / "derived.sqlite"))
    site.check(derived)
    assert now(derived.filler.catch_up()) == 0
    os.mkdir(tmp_path / "nowhere")
    site.check(derived)
    assert now(derived.shelf.kept(site.ids)) == {}, "it is not tried again and again"
    site.time += RETRY
    site.check(derived)
    assert len(now(derived.shelf.kept(site.ids))) == 30


def test_nothing_is_written_while_the_disk_is_nearly_full(site: Site) -> None:
    site.has_room = False
    derived = site.process()
    site.check(derived)
    assert now(derived.filler.catch_up()) == 0
    assert now(derived.shelf.kept(site.ids)) == {}
    site.has_room = True
    assert now(derived.filler.catch_up()) == 30


def test_content_that_was_removed_unnoticed_makes_no_other_store_of_it(filled: Site) -> None:
    now(filled.database.write(lambda cursor: cursor.run("DELETE FROM content WHERE id > 20")))
    derived = filled.process()
    assert len(now(derived.shelf.kept(filled.ids))) == 30
    assert now(derived.sweep()) == 10
    assert len(now(derived.shelf.kept(filled.ids))) == 20


def test_a_store_that_was_set_back_does_not_get_what_its_later_contents_were(filled: Site) -> None:
    """Ids that are given out again after a copy of the store was put back mean other contents."""
    back = memory_database()
    add(back, MESSAGES[:10])
    fact = now(filled.database.read(lambda cursor: cursor.all("SELECT name, value FROM fact")))
    now(back.write(lambda cursor: cursor.run_many("INSERT INTO fact (name, value) VALUES (?, ?)", fact)))
    filled.database = back
    derived = filled.process()
    assert now(derived.shelf.kept(filled.ids)) == {}


def test_a_store_that_was_set_back_and_got_mail_since_does_not_either(filled: Site) -> None:
    """Before anybody asks for what is derived there may have come more than there was before."""
    back = memory_database()
    add(back, MESSAGES[:10])
    others = [Message([("Subject", f"another {number}")], f"the other{number}\r\n").octets() for number in range(40)]
    add(back, others)
    fact = now(filled.database.read(lambda cursor: cursor.all("SELECT name, value FROM fact")))
    now(back.write(lambda cursor: cursor.run_many("INSERT INTO fact (name, value) VALUES (?, ?)", fact)))
    filled.database = back
    derived = filled.process()
    made = now(derived.summaries.summaries([11, 30, 31]))
    assert [b"another" in made[number].envelope for number in (11, 30, 31)] == [True, True, True]
    assert now(derived.search.holding(NEEDLE, range(1, 51), limit=60)) == {3}


def test_mail_that_came_since_the_file_was_written_makes_no_other_store_of_it(filled: Site) -> None:
    add(filled.database, [b"Subject: x\r\n\r\nnew\r\n"] * 3)
    assert len(now(filled.process().shelf.kept(filled.ids))) == 30
