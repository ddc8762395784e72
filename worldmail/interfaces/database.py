"""The database's two verbs, and the feed of changes that follows from them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from attrs import frozen
from zope.interface import Interface

T = TypeVar("T")

Row = tuple[Any, ...]
Parameters = Sequence[Any]


class Cursor(Protocol):
    """What a unit of work may touch: the database, within one savepoint, and nothing else.

    SQL is what SQLite and PostgreSQL both speak, with `?` for parameters. Values are
    int (64 bits), str (a NUL in it may come back as U+FFFD), bytes, None; booleans are
    stored as 0 and 1, times as integer seconds since the epoch, UTC. After a statement
    that failed the unit has failed: let the error go.
    """

    def run(self, sql: str, parameters: Parameters = ()) -> int:
        """Execute; the number of rows changed."""

    def run_many(self, sql: str, rows: Iterable[Parameters]) -> None:
        """Execute once for each of the rows of parameters."""

    def one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row, or None. Also for INSERT/UPDATE ... RETURNING of one row."""

    def all(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """All rows."""

    def lock(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """All rows of a SELECT of one table by its key; until the unit ends nobody changes, removes or refers to them.

        For units marked `Shared`: a later statement sees all that was committed before the rows were had.
        """

    def notice(self, topic: str, key: int) -> None:
        """After commit, tell every subscriber in every process that `key` of `topic` changed.

        Nothing is told if the unit fails. Equal notices of one commit are told once.
        """


Unit = Callable[[Cursor], T]


@frozen
class Shared(Generic[T]):
    """A unit of the hot path that bears others beside it, statement by statement. For writes.

    Units are safe without this mark: on PostgreSQL one that met another is run again. A unit with it is not, but
    waits where they meet, and each of its statements sees what was committed before that statement. So it decides
    nothing by a row that it read before, unless it changed that row itself (and so locked it); it counts with
    `SET n = n + ?`, adds with ON CONFLICT, takes with DELETE ... RETURNING, and comes to the rows in an order that
    others keep as well. On the embedded engine, where units run one after another, the mark means nothing.
    """

    unit: Unit[T]

    def __call__(self, cursor: Cursor) -> T:
        return self.unit(cursor)


class IDatabase(Interface):
    """Units of work on the store's database.

    A unit is a plain function of a cursor. It may be run more than once, so it has no
    effect outside its cursor. Its exception takes back what it did itself and nothing
    else, and is what the awaitable fails with.

    What is committed is as if the units of all processes had run one after another. On the
    embedded engine they do, those of one process in the order of the calls. On PostgreSQL
    they run side by side, so whoever needs one before another awaits the first; a caller
    may lean on no more than that.
    """

    def write(unit: Unit[T]) -> Awaitable[T]:
        """Run `unit`; done when its commit is on disk.

        Raises: whatever the unit raised; `TemporaryFailure` (or its kin `StorageFull`) if the database could not
        commit. Nothing of the unit is kept then, but where the connection to a database server was lost during the
        commit: that commit may have come about.
        """

    def write_long(unit: Unit[T]) -> Awaitable[T]:
        """As `write`, for a unit that is known to take more than a few milliseconds: never on the reactor's thread."""

    def read(unit: Unit[T]) -> Awaitable[T]:
        """Run an indexed and bounded read; on the embedded engine at once, on the reactor's own connection."""

    def scan(unit: Unit[T]) -> Awaitable[T]:
        """Run a long read (search, export, listing) on a reader thread."""

    def spare() -> int:
        """Octets that can be stored before the database takes more of this machine's disk; 0 if not known. Cheap."""

    def start() -> None:
        """Open, migrate, begin to serve. Raises `SchemaTooNew` or `ConfigurationError`; blocks."""

    def stop() -> Awaitable[None]:
        """Commit what was asked for, then close."""


@frozen
class Notice:
    """Something committed: `key` of `topic` changed. No other notice has this `number`; later commits have higher ones,
    but for commits of several PostgreSQL clients within the same moment."""

    number: int
    topic: str
    key: int


class IChanges(Interface):
    """Committed changes, those of this process and of every other, in the order of their commits (as far as they have
    one: see `Notice`).

    A change of this process is told in the reactor turn that learns of its commit, one of
    another process within 200 ms. If the feed was lost (another process pruned it), each
    subscriber gets a notice with key 0: everything of the topic may have changed. A unit may say so too.
    Topics: "mailbox" (mailbox id; also its rights and annotations), "folders" (id of an account whose list of
    mailboxes, subscriptions or rights changed, or what is said of the server to it), "account" (account id), "domain"
    (domain id), "address" (domain id of the alias), "url-key" (mailbox id: some account's key was forgotten), "route"
    (always 0: some route changed).
    """

    def subscribe(topic: str, listener: Callable[[Notice], None], key: int | None = None) -> Callable[[], None]:
        """Call `listener` for each notice of `topic` (of `key` alone, and key 0, if given); returns what cancels it."""
