"""PostgreSQL: several nodes on one database, their changes, locks and migrations."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg
import pytest
from twisted.internet import reactor
from twisted.internet.defer import DeferredList, ensureDeferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from worldmail.config.sections import DatabaseSettings
from worldmail.database.changes import BACKLOG, KEPT_CHANGES, prune_changes
from worldmail.database.migrate import known_migrations
from worldmail.database.opening import look_at
from worldmail.database.postgres import lane, watch
from worldmail.database.postgres.migrate import migrate
from worldmail.database.postgres.server import PostgresServer
from worldmail.errors import ConfigurationError, SchemaTooNew, TemporaryFailure
from worldmail.testing.postgres import PASSWORD, PostgresProcess


async def until(look: Any) -> None:
    """Wait until `look` finds something."""
    while not look():
        await deferLater(reactor, 0.02, lambda: None)


async def _await(awaitable: Any) -> Any:
    return await awaitable


def note(key: int) -> Any:
    """A unit that tells of a change in a mailbox."""
    return lambda cursor: cursor.notice("mailbox", key)


class NodesCase(TestCase):
    postgres: PostgresProcess

    def setUp(self) -> None:
        self.url = self.postgres.url()

    def node(self, **options: Any) -> Any:
        made = self.postgres.database(reactor, self.url, **options)
        made.start()
        self.addCleanup(made.stop)
        return made

    def listening(self, node: Any) -> list[int]:
        """The keys of mailboxes that a node is told."""
        told: list[int] = []
        node.changes.subscribe("mailbox", lambda notice: told.append(notice.key))
        return told


@pytest.mark.usefixtures("postgres")
class TestChangesOfNodes(NodesCase):
    async def test_each_node_is_told_what_any_of_them_committed(self) -> None:
        nodes = [self.node() for _ in range(3)]
        told = [self.listening(node) for node in nodes]
        for key, node in enumerate(nodes, 1):
            await node.write(note(key))
        await until(lambda: all(sorted(keys) == [1, 2, 3] for keys in told))

    def begin(self, key: int) -> Any:
        """Another client's transaction that has its number and is not committed."""
        other = psycopg.connect(self.url, cursor_factory=psycopg.RawCursor)
        self.addCleanup(other.close)
        other.execute(lane._FILE_NOTICES.encode(), (["mailbox"], [key]))
        return other

    async def test_a_lower_number_that_is_committed_later_is_told_later(self) -> None:
        node, second = self.node(), self.node()
        told = self.listening(node)
        late = self.begin(1)
        await second.write(note(2))
        await until(lambda: told)
        assert told == [2]
        for _ in range(5):  # it waits for that number however often it looks
            await deferLater(reactor, 0.1, lambda: None)
        late.commit()
        await until(lambda: told[1:])
        assert told == [2, 1]

    async def test_a_number_that_is_under_way_when_a_node_starts_is_told(self) -> None:
        await self.node().write(note(1))
        late = self.begin(2)
        await self.node().write(note(3))
        starting = self.node()
        told = self.listening(starting)
        late.commit()
        await until(lambda: told)
        assert told == [2]

    async def test_a_number_that_was_rolled_back_is_given_up(self) -> None:
        node, second = self.node(), self.node()
        told = self.listening(node)
        lost = self.begin(1)
        await second.write(note(2))
        await until(lambda: told)
        assert node.changes.question().missing == (1,)
        lost.rollback()
        await until(lambda: not node.changes.question().missing)
        assert told == [2]

    async def test_a_node_that_missed_too_much_is_told_that_everything_may_have_changed(self) -> None:
        node, second = self.node(), self.node()
        told = self.listening(node)
        await second.write(lambda cursor: [cursor.notice("mailbox", key) for key in range(1, BACKLOG + 50)])
        await until(lambda: told)
        assert told == [0]
        await second.write(note(5))
        await until(lambda: told[1:])
        assert told == [0, 5]

    async def test_an_older_database_in_its_place_is_noticed(self) -> None:
        node = self.node()
        await self.node().write(lambda cursor: [cursor.notice("mailbox", key) for key in range(1, 9)])
        told = self.listening(node)
        await until(lambda: node.changes.question().highest == 8)
        self.postgres.rows(self.url, "DELETE FROM change WHERE number > 3 RETURNING number")
        await until(lambda: 0 in told)

    async def test_old_changes_are_removed_and_the_newest_stay(self) -> None:
        node = self.node()
        self.postgres.rows(
            self.url,
            f"INSERT INTO change (topic, key) SELECT 'x', n FROM generate_series(1, {KEPT_CHANGES + 50}) AS n"
            " RETURNING number",
        )
        assert await node.write_long(prune_changes) == 49
        assert self.postgres.rows(self.url, "SELECT min(number) FROM change") == [(50,)]


@pytest.mark.usefixtures("postgres")
class TestLocksOfNodes(NodesCase):
    async def test_one_session_has_a_maildrop_over_all_nodes(self) -> None:
        first, second = self.node(), self.node()
        lock = await first.locks.lock(7)
        assert lock.held()
        assert await first.locks.lock(7) is None
        assert await second.locks.lock(7) is None
        assert await second.locks.lock(8) is not None
        await lock.release()
        again = await second.locks.lock(7)
        assert again is not None
        assert again.held()
        await lock.release()
        assert await first.locks.lock(7) is None, "a lock that was given back gives nothing back"

    async def test_giving_back_ends_though_the_connection_is_lost_or_the_node_stops(self) -> None:
        first = self.postgres.database(reactor, self.url)
        first.start()
        lost, kept = await first.locks.lock(7), await first.locks.lock(8)
        await self.end_sessions("worldmail watch")
        await lost.release()
        await first.stop()
        await kept.release()
        second = self.node()
        assert await second.locks.lock(7) is not None
        assert await second.locks.lock(8) is not None

    async def test_two_sites_in_one_database_share_no_locks(self) -> None:
        assert await self.node().locks.lock(7) is not None
        self.url = self.postgres.url()
        assert await self.node().locks.lock(7) is not None

    async def test_a_node_that_stops_gives_its_maildrops_back(self) -> None:
        first = self.postgres.database(reactor, self.url)
        first.start()
        assert await first.locks.lock(7) is not None
        await first.stop()
        assert await self.node().locks.lock(7) is not None

    async def test_a_lock_outlives_the_connection_unless_another_node_was_faster(self) -> None:
        first = self.node()
        kept, lost = await first.locks.lock(1), await first.locks.lock(2)
        with psycopg.connect(self.url, autocommit=True) as other:
            key = "hashtext('worldmail maildrop ' || current_schema())"
            waiting = deferToThread(other.execute, f"SELECT pg_advisory_lock({key}, 2)".encode())
            await self.end_sessions("worldmail watch")
            await waiting
            await until(lambda: kept.held() and not lost.held())
            assert await first.locks.lock(2) is None
        regained = None
        while regained is None:
            regained = await first.locks.lock(2)
        assert regained.held()
        assert not lost.held()

    async def test_a_node_that_stands_still_is_in_doubt_and_then_loses_its_locks_to_who_goes_on(self) -> None:
        silence = patch.object(watch, "SILENCE", 2.0)
        silence.start()
        self.addCleanup(silence.stop)
        hangs, goes_on = self.node(), self.node()
        lock = await hangs.locks.lock(7)
        assert lock.held()
        going_on = threading.Event()
        self.addCleanup(going_on.set)
        hangs._watch._tasks.put(going_on.wait)
        await until(lambda: not lock.held())
        assert not lock.lost()
        taken = None
        while taken is None:
            taken = await goes_on.locks.lock(7)
        assert not lock.held()
        going_on.set()
        await until(lock.lost)
        assert taken.held()

    async def test_a_session_that_left_while_it_waited_for_the_lock_holds_nothing(self) -> None:
        node, second = self.node(), self.node()
        asked = node.locks.lock(7)
        coroutine = asked.__await__()
        next(coroutine)
        coroutine.close()
        got = None
        while got is None:
            got = await second.locks.lock(7)
        assert got.held()

    async def end_sessions(self, name: str) -> None:
        await deferToThread(
            self.postgres.rows,
            self.url,
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{name}'",
        )


@pytest.mark.usefixtures("postgres")
class TestMigrationsOfNodes(NodesCase):
    async def test_nodes_that_start_at_once_make_the_schema_once(self) -> None:
        nodes = [self.postgres.database(reactor, self.url) for _ in range(4)]
        await DeferredList([deferToThread(node.start) for node in nodes], fireOnOneErrback=True)
        assert self.postgres.rows(self.url, "SELECT number FROM worldmail_schema") == [(max(known_migrations()),)]
        for node in nodes:
            await node.stop()

    def test_a_newer_schema_is_refused_and_not_touched(self) -> None:
        self.node()
        self.postgres.rows(self.url, "UPDATE worldmail_schema SET number = 99 RETURNING number")
        with pytest.raises(SchemaTooNew, match="99"):
            self.postgres.database(reactor, self.url).start()
        with pytest.raises(SchemaTooNew, match="99"), look_at(DatabaseSettings(engine="postgres", url=self.url), ""):
            pass

    async def test_a_node_whose_database_a_later_release_migrates_writes_nothing_more_and_gives_up(self) -> None:
        node = self.node()
        later = psycopg.connect(self.url)
        self.addCleanup(later.close)
        later.execute("LOCK TABLE worldmail_schema IN ACCESS EXCLUSIVE MODE")
        waiting = ensureDeferred(_await(node.write(lambda cursor: cursor.notice("mailbox", 1))))
        await deferLater(reactor, 0.1, lambda: None)
        later.execute("UPDATE worldmail_schema SET number = 99")
        later.commit()
        with pytest.raises(TemporaryFailure):
            await waiting
        assert self.postgres.rows(self.url, "SELECT 1 FROM change") == []
        await until(lambda: node._pool is None)
        for verb in (node.write, node.read):
            with pytest.raises(TemporaryFailure):
                await verb(lambda cursor: None)
        with pytest.raises(TemporaryFailure):
            await node.locks.lock(1)

    def test_a_migration_that_fails_leaves_the_schema_as_it_was(self) -> None:
        self.node()
        newest = max(known_migrations())
        modules: Mapping[int, str] = {**known_migrations(), newest + 1: "tests_next_migration"}
        following = type(sys)("tests_next_migration")
        following.STATEMENTS = ("CREATE TABLE later (id {id})", "CREATE TABLE broken (")
        sys.modules["tests_next_migration"] = following
        self.addCleanup(sys.modules.pop, "tests_next_migration")
        server = PostgresServer(url=self.url, password_file=None, lock_timeout=5.0)
        connection = server.first_connection("tests")
        with pytest.raises(ConfigurationError, match="tables cannot be made"):
            migrate(connection, modules)
        connection.close()
        assert self.postgres.rows(self.url, "SELECT number, to_regclass('later') FROM worldmail_schema") == [
            (newest, None)
        ]

    def test_a_look_changes_nothing_in_an_empty_database(self) -> None:
        with look_at(DatabaseSettings(engine="postgres", url=self.url), "") as look:
            assert look.schema == 0
        assert self.postgres.rows(self.url, "SELECT to_regclass('worldmail_schema')") == [(None,)]

    def test_a_look_can_only_read(self) -> None:
        self.node()
        with (
            pytest.raises(ConfigurationError, match="read-only"),
            look_at(DatabaseSettings(engine="postgres", url=self.url), "") as look,
        ):
            look.cursor.run("INSERT INTO counter (name, value) VALUES ('a', 1)")


@pytest.mark.usefixtures("postgres")
class TestWhatAnAdministratorIsTold(NodesCase):
    def refusal(self, url: str, **options: Any) -> str:
        server = PostgresServer(url=url, lock_timeout=5.0, **{"password_file": None, **options})
        with pytest.raises(ConfigurationError) as told:
            server.first_connection("tests")
        text = str(told.value)
        assert PASSWORD not in text
        assert "of%20the%20tests" not in text
        assert "hidden" not in text + repr(server)
        return text

    def test_a_server_that_cannot_be_reached(self) -> None:
        assert "127.0.0.1" in self.refusal("postgresql://u:hidden@127.0.0.1:1/x")

    def test_a_wrong_password(self) -> None:
        assert "password authentication failed" in self.refusal(self.url.replace("of%20the%20tests", "hidden"))

    def test_a_string_that_is_none_is_not_shown(self) -> None:
        assert "not a connection string" in self.refusal("password=hidden hidden")

    def test_a_password_file_that_is_missing(self) -> None:
        assert "No such file" in self.refusal(self.url, password_file="/nonexistent/password")

    def test_a_password_file_is_taken_in_place_of_the_password_in_the_url(self) -> None:
        file = Path(self.mktemp())
        file.write_text(f"{PASSWORD}\n")
        url = self.url.replace("of%20the%20tests", "wrong")
        PostgresServer(url=url, password_file=str(file), lock_timeout=5.0).first_connection("tests").close()

    def test_another_encoding_than_UTF8(self) -> None:
        self.postgres.rows(
            self.postgres.url("public"), "CREATE DATABASE latin ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C'"
        )
        self.addCleanup(self.postgres.rows, self.postgres.url("public"), "DROP DATABASE latin WITH (FORCE)")
        assert "UTF8" in self.refusal(self.postgres.url("public", database="latin"))


def test_without_the_driver_the_rest_works_and_it_is_named_with_how_to_install_it() -> None:
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from worldmail.app.preload import preload\n"
        "from worldmail.config.sections import DatabaseSettings\n"
        "from worldmail.database import open_database\n"
        "from worldmail.errors import ConfigurationError\n"
        "preload()\n"
        "try: open_database(DatabaseSettings(engine='postgres'), '', None)\n"
        "except ConfigurationError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 'pip install "worldmail[postgres]"' in done.stdout


def test_question_marks_in_quotes_are_no_parameters() -> None:
    from worldmail.database.postgres.cursor import numbered

    assert numbered("SELECT '?', \"a?\", 'it''s ?' WHERE a = ? AND b = ?") == (
        "SELECT '?', \"a?\", 'it''s ?' WHERE a = $1 AND b = $2"
    )
