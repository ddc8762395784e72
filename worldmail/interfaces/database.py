"""The database's two verbs, and the feed of changes that follows from them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from attrs import frozen
from zope.interface import Interface

T = TypeVar("T")

Row = tuple[Any, ...]
Parameters = Sequence[Any]


class Cursor(Protocol):
    """What a unit of work may touch: the database, within one savepoint, and nothing else.

    SQL is what SQLite and PostgreSQL both speak, with `?` for parameters. Values are
    int, str, bytes, None; booleans are stored as 0 and 1, times as integer seconds
    since the epoch, UTC.
    """

    def run(self, sql: str, parameters: Parameters = ()) -> int:
        """Execute; the number of rows changed."""

    def run_many(self, sql: str, rows: Iterable[Parameters]) -> None:
        """Execute once for each of the rows of parameters."""

    def one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row, or None. Also for INSERT/UPDATE ... RETURNING of one row."""

    def all(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """All rows."""

    def notice(self, topic: str, key: int) -> None:
        """After commit, tell every subscriber in every process that `key` of `topic` changed.

        Nothing is told if the unit fails. Equal notices of one commit are told once.
        """


Unit = Callable[[Cursor], T]


class IDatabase(Interface):
    """Units of work on the store's database.

    A unit is a plain function of a cursor. It may be run more than once, so it has no
    effect outside its cursor. Its exception rolls back its own savepoint only and is
    what the awaitable fails with.
    """

    def write(unit: Unit[T]) -> Awaitable[T]:
        """Run `unit`; done when its commit is on disk. Units run one after another, in the order of the calls.

        Raises: whatever the unit raised; `TemporaryFailure` (or its kin `StorageFull`) if the
        database could not commit, and then nothing of the unit is kept.
        """

    def write_long(unit: Unit[T]) -> Awaitable[T]:
        """As `write`, for a unit that is known to take more than a few milliseconds: never on the reactor's thread."""

    def read(unit: Unit[T]) -> Awaitable[T]:
        """Run an indexed and bounded read; on the embedded engine at once, on the reactor's own connection."""

    def scan(unit: Unit[T]) -> Awaitable[T]:
        """Run a long read (search, export, listing) on a reader thread."""

    def spare() -> int:
        """Octets that can be stored before the database takes more of the disk; 0 if that is not known. Cheap."""

    def start() -> None:
        """Open, migrate, begin to serve. Raises `SchemaTooNew` or `ConfigurationError`; blocks."""

    def stop() -> Awaitable[None]:
        """Commit what was asked for, then close."""


@frozen
class Notice:
    """Something committed: `key` of `topic` changed in commit `number` (grows for ever)."""

    number: int
    topic: str
    key: int


class IChanges(Interface):
    """Committed changes, those of this process and of every other, in the order of their commits.

    A change of this process is told in the reactor turn that learns of its commit, one of
    another process within 200 ms. If the feed was lost (another process pruned it), each
    subscriber gets a notice with key 0: everything of the topic may have changed.
    Topics: "mailbox" (mailbox id), "account" (account id), "domain" (domain id),
    "address" (domain id of the alias).
    """

    def subscribe(topic: str, listener: Callable[[Notice], None], key: int | None = None) -> Callable[[], None]:
        """Call `listener` for each notice of `topic` (of `key` alone, and key 0, if given); returns what cancels it."""
