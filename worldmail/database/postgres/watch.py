"""The connection that stays: it holds the maildrops that are in use, and looks for changes ten times a second.

The locks are advisory locks of its session. If the session is lost, all of them are; they are taken again at once
with the next connection, and who does not get his back is told.

A process that stands still, or whose machine is gone, says nothing, and its connection stays as it is: the server ends
the session after `SILENCE` seconds of that. The process itself is in doubt before, so that when it goes on it does
nothing that another may be doing by now until it has asked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

import psycopg
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger

from worldmail.database.postgres.failures import reason_of
from worldmail.database.postgres.feed import Answer, Question, look
from worldmail.database.postgres.pool import Results
from worldmail.database.postgres.server import PostgresServer
from worldmail.errors import TemporaryFailure
from worldmail.interfaces.database import Row

_log = Logger()

BETWEEN_LOOKS = 0.1
BETWEEN_TRIES = 0.5

SILENCE = 20.0
"""Seconds in which a session said nothing after which the server ends it."""

DOUBT = 0.75
"""The part of them after which we do not know whether it has."""

# PostgreSQL 13 ends no session for its silence: there no more than a machine that is gone is noticed, within as long.
_IF_KNOWN = "SELECT set_config('idle_session_timeout', $1, false) FROM pg_settings WHERE name = 'idle_session_timeout'"
_KEEPALIVES = ("SET tcp_keepalives_idle = 5", "SET tcp_keepalives_interval = 5", "SET tcp_keepalives_count = 3")

# Sites that share a database, each in a schema of its own, share no locks.
_KEY = "(hashtext('worldmail maildrop ' || current_schema()), ($1 % 2147483647)::int4)"
_LOCK = f"SELECT pg_try_advisory_lock{_KEY}"
_UNLOCK = f"SELECT pg_advisory_unlock{_KEY}"
_FREE = (
    "SELECT number FROM unnest($1::bigint[]) AS number WHERE (number % 2147483647)::int4::oid NOT IN"
    " (SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND classid = hashtext('worldmail maildrop ' || current_schema())::oid)"
)


class Watch:
    """A thread with a connection.

    Args:
        results: brings what it finds to the reactor.
        question: what the feed has not seen; called in the thread.
        answered: told what is new.
        migrated: told the number of a schema that a later release has made.

    Attributes:
        lost: told, in the reactor, of a key whose lock is gone for good.
        schema: what this process works with.
        sessions: how many connections there were before this one.
    """

    def __init__(
        self,
        server: PostgresServer,
        results: Results,
        question: Callable[[], Question],
        answered: Callable[[Answer], None],
        migrated: Callable[[int], None],
    ) -> None:
        self._server = server
        self._results = results
        self._question = question
        self._answered = answered
        self._migrated = migrated
        self.schema = 0
        self.sessions = 0
        self.lost: Callable[[int], None] = _nobody
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._connection: psycopg.Connection[Row] | None = None
        self._held: set[int] = set()
        self._next_try = 0.0
        self._heard = 0.0
        self._stopped: Deferred[None] = Deferred()
        self._open = True

    @property
    def connected(self) -> bool:
        """False while nobody knows whose the locks are."""
        return self._connection is not None and time.monotonic() - self._heard < SILENCE * DOUBT

    def start(self, connection: psycopg.Connection[Row]) -> None:
        """Begin, with this connection. Raises `psycopg.Error`."""
        _end_if_silent(connection)
        self._connection, self._heard = connection, time.monotonic()
        threading.Thread(target=self._work, name="worldmail-watch", daemon=True).start()

    def stop(self) -> Deferred[None]:
        """End; fires when the connection is closed, and all locks are free."""
        self._open = False
        self._tasks.put(None)
        return self._stopped

    def lock(self, key: int) -> Deferred[bool]:
        """Whether the lock could be had. Fails with `TemporaryFailure`."""
        if not self._open:
            return fail(TemporaryFailure(reason="the database is closed"))
        done: Deferred[bool] = Deferred()

        def task() -> None:
            try:
                got = self._try_lock(key)
            except (psycopg.Error, OSError, TemporaryFailure) as error:
                refusal = error if isinstance(error, TemporaryFailure) else TemporaryFailure(reason=reason_of(error))
                self._results.put(done.errback, refusal)
            else:
                self._results.put(done.callback, got)

        self._tasks.put(task)
        return done

    def unlock(self, key: int) -> Deferred[None]:
        """Give it back, if it is ours, before any `lock` that is asked for later. Fires once it is free; no failure."""
        if not self._open:
            return succeed(None)  # all of them go with the connection
        done: Deferred[None] = Deferred()

        def task() -> None:
            try:
                if key in self._held:
                    self._held.discard(key)
                    if self._connection is not None:
                        self._connection.execute(_UNLOCK, (key,))
            finally:
                self._results.put(done.callback, None)

        self._tasks.put(task)
        return done

    def free(self, keys: Sequence[int]) -> Deferred[list[int]]:
        """Those of these that no session has. Fails with `TemporaryFailure`."""
        if not self._open:
            return fail(TemporaryFailure(reason="the database is closed"))
        done: Deferred[list[int]] = Deferred()

        def task() -> None:
            try:
                found = [row[0] for row in self._connected().execute(_FREE, (list(keys),)).fetchall()]
            except (psycopg.Error, OSError, TemporaryFailure) as error:
                if not isinstance(error, TemporaryFailure):
                    self._drop(error)
                refusal = error if isinstance(error, TemporaryFailure) else TemporaryFailure(reason=reason_of(error))
                self._results.put(done.errback, refusal)
            else:
                self._results.put(done.callback, found)

        self._tasks.put(task)
        return done

    def _work(self) -> None:
        next_look = time.monotonic()
        while True:
            task: Callable[[], None] | None
            try:
                task = self._tasks.get(timeout=max(0.0, next_look - time.monotonic()))
            except Empty:
                task = self._look
                next_look = time.monotonic() + BETWEEN_LOOKS
            if task is None:
                break
            try:
                task()
            except (psycopg.Error, OSError, TemporaryFailure) as error:
                self._drop(error)
            except Exception:  # noqa: BLE001 - the thread lives on
                _log.failure("database: the watch")
        self._close()
        self._results.put(self._stopped.callback, None)

    def _look(self) -> None:
        connection = self._connected()
        asked = time.monotonic()
        answer = look(connection, self._question())
        if answer is not None:
            self._results.put(self._answered, answer)
        (schema,) = connection.execute("SELECT number FROM worldmail_schema").fetchall()[0]
        self._heard = asked
        if schema > self.schema:
            self.schema = schema
            self._results.put(self._migrated, schema)

    def _try_lock(self, key: int) -> bool:
        try:
            got = self._locked(key)
        except (psycopg.Error, OSError) as error:  # an idle connection is often lost unnoticed
            self._drop(error)
            got = self._locked(key)
        if got:
            self._held.add(key)
        return got

    def _locked(self, key: int) -> bool:
        return bool(self._connected().execute(_LOCK, (key,)).fetchall()[0][0])

    def _connected(self) -> psycopg.Connection[Row]:
        """The connection; a new one takes back the locks. Raises `psycopg.Error`, `TemporaryFailure`."""
        if self._connection is not None:
            return self._connection
        if time.monotonic() < self._next_try:
            raise TemporaryFailure(reason="the PostgreSQL server cannot be reached")
        self._next_try = time.monotonic() + BETWEEN_TRIES
        asked = time.monotonic()
        connection = self._server.connect("watch")
        try:
            _end_if_silent(connection)
            for key in list(self._held):
                if not connection.execute(_LOCK, (key,)).fetchall()[0][0]:
                    self._held.discard(key)
                    self._results.put(self.lost, key)
        except BaseException:
            connection.close()  # with the locks that it has got
            raise
        self.sessions += 1  # first: who sees the connection sees that it is another
        self._connection, self._heard = connection, asked
        self._next_try = 0.0
        return connection

    def _drop(self, error: BaseException) -> None:
        if self._connection is not None:
            _log.error("database: the watch lost its connection: {reason}", reason=reason_of(error))
        self._close()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _end_if_silent(connection: psycopg.Connection[Row]) -> None:
    connection.execute(_IF_KNOWN, (f"{SILENCE:g}s",))
    for setting in _KEEPALIVES:
        connection.execute(setting)


def _nobody(key: int) -> None:
    """Nobody asks for locks."""
