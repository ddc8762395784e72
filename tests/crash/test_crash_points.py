"""The store's units of work on a disk that loses power at each of their I/O operations, one after another.

Deterministic: every point, every way of forgetting. After each the store is opened again and
must be exactly what it was after some step: no half of a unit, and nothing acknowledged is gone.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from attrs import define, field
from oracle.store_check import questions
from powerloss.undo import MODES
from powerloss.vfs import CrashingVfs

from worldmail.database import file as database_file
from worldmail.database.committer import Committer
from worldmail.database.cursor import SqliteCursor
from worldmail.database.file import DatabaseFile
from worldmail.database.group import Job
from worldmail.database.migrate import migrate
from worldmail.errors import Refusal
from worldmail.interfaces.database import Cursor, Unit
from worldmail.interfaces.messages import Appending, Flag, FlagChange, Uids
from worldmail.interfaces.store import Acceptance, StagedContent
from worldmail.mail.address import Address
from worldmail.mail.envelope import Delivery, Envelope, Origin, Recipient
from worldmail.store.acceptance import Acceptances
from worldmail.store.collector import remove_orphans
from worldmail.store.files import ContentFiles
from worldmail.store.messages.appending import Append, Replace
from worldmail.store.messages.copying import ALL, copy
from worldmail.store.messages.flagging import change_flags
from worldmail.store.messages.removing import expunge
from worldmail.store.provision import FIRST_MAILBOXES, add_mailbox, forget_expunged
from worldmail.store.space import Space
from worldmail.store.trace import Traces, file_batch
from worldmail.wire.ready import Ready

VFS = CrashingVfs("crash-points")
NOW = 1_700_000_000
Dump = dict[str, list[tuple[Any, ...]]]


@define
class OneThread:
    """The real committer, without threads: a unit is committed, or has failed, when `write` returns."""

    committer: Committer

    def write(self, unit: Unit[Any]) -> Ready[Any]:
        (result,) = self.group(unit)
        return Ready(result)

    def group(self, *units: Unit[Any]) -> list[Any]:
        """All in one transaction. Raises what the first failed one failed with, unless it raised it itself."""
        jobs = [Job(unit) for unit in units]
        self.committer.run(jobs)
        for job in jobs:
            if job.error is not None and not isinstance(job.error, Spoilt):
                raise job.error
        return [job.value for job in jobs]


class Spoilt(Exception):
    """What the failing unit of a group raises."""


@define
class Scene:
    """A store on the disk that loses power, and what is done with it."""

    place: Path
    committer: Committer = field(init=False)
    database: OneThread = field(init=False)
    acceptances: Acceptances = field(init=False)
    done: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        file = DatabaseFile(path=str(self.place / "worldmail.sqlite"), vfs=VFS.vfs_name)
        self.committer = Committer(file=file, busy_timeout=1.0)
        self.database = OneThread(self.committer)
        self.acceptances = Acceptances(
            database=self.database,  # type: ignore[arg-type]  # as much of IDatabase as it takes
            contents=ContentFiles(str(self.place / "content"), None),
            trace=Traces(self.database),  # type: ignore[arg-type]  # as above
            space=Space(directory=str(self.place), minimum_free=0, seconds=lambda: 0.0),
            inline_limit=1 << 20,
            now=lambda: NOW,
        )

    def steps(self) -> Iterator[Callable[[], object]]:
        """What is done, one durable change each."""
        yield lambda: self.accept("A", 900, 1, 2)
        yield lambda: self.accept("B", 30_000, 1)
        yield lambda: self.database.group(
            lambda cursor: add_mailbox(cursor, 1, "one", None, NOW),
            spoil,
            lambda cursor: add_mailbox(cursor, 1, "two", None, NOW),
        )
        yield lambda: self.expunge([(1, 2)], deleted_only=False)
        yield lambda: self.accept("C", 900, 2, 1)
        yield from self.steps_of_imap()
        yield lambda: self.database.write(lambda cursor: remove_orphans(cursor, NOW + 1))
        yield lambda: self.database.write(lambda cursor: file_batch(cursor, 2))
        yield lambda: self.accept("D", 200, 1)

    def steps_of_imap(self) -> Iterator[Callable[[], object]]:
        """What its commands do, in the INBOX where UID 3 is the first of all, and in the Trash."""
        deleted = FlagChange(how="add", flags=Flag.DELETED, keywords=("k",))
        yield lambda: self.append("E", "F", "E")
        yield lambda: self.database.write(lambda cursor: change_flags(cursor, inbox(cursor, 1), [(3, 4)], deleted))
        yield lambda: self.copy([(3, 5)], move=False)
        yield lambda: self.copy([(4, 6)], move=True)
        yield lambda: self.append("G", replaced=3)
        yield lambda: self.database.write(lambda cursor: change_flags(cursor, inbox(cursor, 1), [(7, 7)], deleted))
        yield lambda: self.expunge([(1, 99)], deleted_only=True)
        yield lambda: self.database.write(lambda cursor: forget_expunged(cursor, inbox(cursor, 1), 3))

    def append(self, *names: str, replaced: int | None = None) -> None:
        """APPEND to the INBOX, or REPLACE a message there."""

        def unit(cursor: Cursor) -> object:
            box = inbox(cursor, 1)
            messages = [Appending(content=staged(name, 900), flags=Flag.SEEN, keywords=("k", name)) for name in names]
            if replaced is None:
                return Append(mailbox=(1, "INBOX"), messages=messages, now=NOW)(cursor)
            return Replace(mailbox=box, messages=messages, now=NOW, replaced=(box, replaced))(cursor)

        self.database.write(unit)

    def copy(self, uids: Uids, *, move: bool) -> None:
        """COPY or MOVE from the INBOX to the Trash."""
        self.database.write(
            lambda cursor: copy(cursor, inbox(cursor, 1), uids, inbox(cursor, 1, "Trash"), ALL, NOW, move=move)
        )

    def expunge(self, uids: Uids, *, deleted_only: bool) -> None:
        """EXPUNGE in the INBOX."""
        self.database.write(lambda cursor: expunge(cursor, inbox(cursor, 1), uids, NOW, deleted_only=deleted_only))

    def accept(self, name: str, octets: int, *accounts: int) -> None:
        """One message into these accounts' mailboxes."""
        finish(self.acceptances.accept(acceptance(name, octets, accounts)))

    def run(self, checkpoint_pages: int) -> list[Dump]:
        """All steps; what the store was after each. Raises at the cut; `done` counts the steps before it."""
        self.committer.open().execute(f"PRAGMA wal_autocheckpoint={checkpoint_pages}").fetchall()
        dumps = [self.dump()]
        for step in self.steps():
            step()
            self.done += 1
            dumps.append(self.dump())
        return dumps

    def dump(self) -> Dump:
        """Every row of every table. After a cut there is nothing to read."""
        if VFS.dead:
            return {}
        return dump(self.committer.open())

    def close(self) -> None:
        """However it went."""
        self.committer.close()


def spoil(cursor: Cursor) -> None:
    add_mailbox(cursor, 2, "spoilt", None, NOW)
    raise Spoilt


def inbox(cursor: Cursor, account: int, name: str = "INBOX") -> int:
    row = cursor.one("SELECT id FROM mailbox WHERE account_id = ? AND name = ?", (account, name))
    assert row is not None
    return int(row[0])


def staged(name: str, octets: int) -> StagedContent:
    content = f"Subject: {name}\r\n\r\n".encode() + name.encode() * octets + b"\r\n"
    return StagedContent(digest=hashlib.sha256(content).digest(), size=len(content), inline=content, place=None)


def acceptance(name: str, octets: int, accounts: tuple[int, ...]) -> Acceptance:
    recipients = [Recipient(address=Address.parse(f"{account}@example.test")) for account in accounts]
    return Acceptance(
        id=name * 16,
        received=NOW,
        envelope=Envelope(sender=None, recipients=tuple(recipients)),
        origin=Origin(session="s", protocol="ESMTP", client="127.0.0.1"),
        content=staged(name, octets),
        deliveries=tuple(Delivery(account_id=a, recipient=r) for a, r in zip(accounts, recipients, strict=True)),
        message_id=f"<{name}@load.test>",
    )


def finish(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits. Raises what it raises."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits")


def dump(connection: apsw.Connection) -> Dump:
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return {table: sorted(connection.execute(f'SELECT * FROM "{table}"').fetchall(), key=repr) for table in tables}


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Path]:
    """Where stores are. In memory if that can be: syncs of a real disk prove nothing here, and take most time."""
    memory = Path("/dev/shm")
    place = tempfile.mkdtemp(dir=memory if os.access(memory, os.W_OK) else tmp_path)
    yield Path(place)
    shutil.rmtree(place)


@pytest.fixture
def template(work: Path) -> Path:
    """A store with two accounts, closed and durable."""
    place = work / "template"
    place.mkdir()
    file = DatabaseFile(path=str(place / "worldmail.sqlite"))
    file.prepare()
    connection = file.open_writer()
    migrate(connection, file.path)
    with connection:
        cursor = SqliteCursor(connection)
        cursor.run("INSERT INTO domain (id, name, kind) VALUES (1, 'example.test', 'local')")
        for account in (1, 2):
            cursor.run(
                "INSERT INTO account (id, domain_id, address, name, enabled, generation, created, password, settings)"
                " VALUES (?, 1, ?, '', 1, 1, ?, '', '{}')",
                (account, f"{account}@example.test", NOW),
            )
            for name, special_use in FIRST_MAILBOXES:
                add_mailbox(cursor, account, name, special_use, NOW)
    connection.close()
    return place


@define
class Points:
    """Runs the scene up to each of its operations."""

    template: Path
    work: Path
    checkpoint_pages: int

    def begin(self, number: int) -> Scene:
        place = self.work / str(number)
        shutil.copytree(self.template, place)
        VFS.power_on()
        return Scene(place)

    def whole(self) -> tuple[list[Dump], int]:
        """What the store is after each step, and how many operations there are."""
        scene = self.begin(0)
        dumps = scene.run(self.checkpoint_pages)
        operations = VFS.operations
        scene.close()
        return dumps, operations

    def cut(self, point: int, mode: str) -> tuple[int, Dump, list[str]]:
        """Lose power there: the steps that were acknowledged, what the store is then, its contradictions."""
        scene = self.begin(point)
        VFS.cut_at = point
        with pytest.raises(Exception):  # noqa: B017, PT012 - whatever comes of a dead disk
            scene.run(self.checkpoint_pages)
            raise EOFError("the cut came after the last step")
        scene.close()
        VFS.forget(mode, point)
        connection = apsw.Connection(str(scene.place / "worldmail.sqlite"), vfs=VFS.vfs_name)
        found = dump(connection), list(questions(connection))
        connection.close()
        shutil.rmtree(scene.place)
        return scene.done, *found


@pytest.mark.parametrize("checkpoint_pages", [database_file.CHECKPOINT_PAGES, 8], ids=["no checkpoint", "checkpoints"])
@pytest.mark.parametrize("mode", MODES)
def test_power_lost_at_any_operation_leaves_the_store_as_it_was_after_a_step(
    template: Path, work: Path, mode: str, checkpoint_pages: int
) -> None:
    points = Points(template, work, checkpoint_pages)
    dumps, operations = points.whole()
    assert operations > 2 * len(dumps)
    for point in range(1, operations + 1):
        acknowledged, found, contradictions = points.cut(point, mode)
        assert found in dumps[acknowledged : acknowledged + 2], f"operation {point}, {acknowledged} acknowledged"
        assert contradictions == []


def test_without_a_sync_at_each_commit_acknowledged_steps_are_gone_so_this_proves_something(
    template: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pragmas = database_file._PRAGMAS.replace("synchronous=FULL", "synchronous=NORMAL")
    monkeypatch.setattr(database_file, "_PRAGMAS", pragmas)
    points = Points(template, work, database_file.CHECKPOINT_PAGES)
    dumps, operations = points.whole()
    lost = 0
    for point in range(1, operations + 1):
        acknowledged, found, _ = points.cut(point, "none")
        lost += found not in dumps[acknowledged : acknowledged + 2]
    assert lost > 0


def test_an_error_at_any_operation_loses_nothing_acknowledged_and_keeps_no_half(template: Path, work: Path) -> None:
    points = Points(template, work, 8)
    _, operations = points.whole()
    for point in range(1, operations + 1):
        scene = points.begin(point)
        VFS.fail_at = point
        acknowledged = set()
        for name, accounts in (("A", (1, 2)), ("B", (1,)), ("C", (2, 1)), ("D", (1, 2))):
            try:
                scene.accept(name, 3000, *accounts)
            except Refusal:
                continue
            acknowledged.add((name * 16, len(accounts)))
        connection = scene.committer.open()
        kept = set(connection.execute("SELECT acceptance, count(*) FROM message GROUP BY acceptance"))
        assert acknowledged <= kept, f"operation {point}"
        assert kept <= {("A" * 16, 2), ("B" * 16, 1), ("C" * 16, 2), ("D" * 16, 2)}, f"operation {point}"
        assert len(acknowledged) >= 3, f"operation {point}: more than one message failed"
        assert list(questions(connection)) == []
        scene.close()
        shutil.rmtree(scene.place)
