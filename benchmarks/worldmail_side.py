"""WorldMail, as `worldmail init` makes it, with no limits for the loopback."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
from attrs import define, field

from benchmarks.sides import DOMAIN, PASSWORD, mailbox_address
from worldmail.testing.process import ServerProcess

_PATIENCE = 300.0


@define(kw_only=True)
class WorldMail:
    """A server below `directory` with that many mailboxes. `next_hop` is a port that takes what is for elsewhere."""

    directory: Path
    mailboxes: int
    name: str = "WorldMail"
    next_hop: int | None = None
    server: ServerProcess = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.server = ServerProcess(directory=self.directory / "worldmail", domain=DOMAIN)

    @property
    def smtp_port(self) -> int:
        """SMTP, as other servers reach it."""
        return self.server.port(25)

    @property
    def pop3_port(self) -> int:
        """POP3 without TLS."""
        return self.server.port(110)

    @property
    def imap_port(self) -> int:
        """IMAP without TLS."""
        return self.server.port(143)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve inside of the block."""
        if not self.directory.exists():
            self.prepare()
        self.server.start()
        try:
            yield
        finally:
            self.server.stop()

    def wait_until_delivered(self) -> None:
        """Nothing to wait for: what was accepted lies in the mailbox."""

    def messages(self) -> int:
        """Rows of the store."""
        ((count,),) = self._query("SELECT count(*) FROM message")
        return int(count)

    def empty(self) -> None:
        """Not needed: the store's speed does not depend on what lies in it."""

    def catch_up(self) -> None:
        """Return when all messages are in the search index."""
        deadline = time.monotonic() + _PATIENCE
        while waiting := json.loads(self.server.command("search", "status", "--json"))["waiting"]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{waiting} messages are still not indexed")
            time.sleep(0.5)

    def prepare(self) -> None:
        """Make the server and its mailboxes."""
        self.directory.mkdir(parents=True)
        self.server.initialise()
        self.server.configure(
            {
                "limits": {"exempt": ["127.0.0.0/8"], "connections": 20000, "connections_per_account": 1000},
                "auth": {"plaintext_without_tls": ["127.0.0.0/8"]},
                "policy": {"relay_networks": ["127.0.0.0/8"]},
            }
        )
        if self.next_hop is not None:
            way = ("via=host", "host=127.0.0.1", f"port={self.next_hop}", "security=never")
            self.server.command("route", "add", "sink", *way)
        self.server.add_user(mailbox_address(1), PASSWORD)
        copy_account(self._database(), self.mailboxes)

    def _database(self) -> Path:
        return self.server.directory / "worldmail.sqlite"

    def _query(self, sql: str) -> list[tuple[Any, ...]]:
        connection = apsw.Connection(str(self._database()), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()


def copy_account(database: Path, count: int) -> None:
    """Copy the account 1box, password, mailboxes and all, up to `count`: `user add` would hash 5,000 passwords."""
    connection = apsw.Connection(str(database))
    with connection:
        ((first,),) = connection.execute("SELECT id FROM account WHERE address = ?", (mailbox_address(1),)).fetchall()
        for number in range(2, count + 1):
            columns = _columns(connection, "account", "id", "address")
            connection.execute(
                f"INSERT INTO account (address, {columns}) SELECT ?, {columns} FROM account WHERE id = ?",
                (mailbox_address(number), first),
            )
            account = connection.last_insert_rowid()
            for table in ("scram_key", "mailbox"):
                columns = _columns(connection, table, "id", "account_id")
                copied = f"SELECT ?, {columns} FROM {table} WHERE account_id = ?"
                connection.execute(f"INSERT INTO {table} (account_id, {columns}) {copied}", (account, first))
    connection.close()


def _columns(connection: apsw.Connection, table: str, *without: str) -> str:
    names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    return ", ".join(name for name in names if name not in without)
