"""Two servers of ours and a Postfix: where mail comes in, where it ends, and what is between.

`b.test` goes from the first server to the last; `c.test` goes to the Postfix, which hands it to the last server. Both
ways are found by MX records; the servers of both have one port, since the setting for that is one for all.
"""

from __future__ import annotations

import enum
import json
import shutil
from pathlib import Path
from typing import Any

import apsw
from attrs import define, field

from oracle.relay_ledger import Admitted
from oracle.site import Site
from oracle.store_check import find_database
from oracle.trial import FOR_THE_LOOPBACK, PASSWORD
from worldmail.testing.names import NameServer
from worldmail.testing.postfix import PostfixProcess, missing_postfix
from worldmail.testing.postgres import PostgresProcess
from worldmail.testing.process import TWISTD, ServerProcess, free_port_base

SENDER = "sender@a.test"
DIRECT = "box0@b.test", "box1@b.test"
BETWEEN = "box0@c.test", "box1@c.test"
REFUSED = "nobody@b.test", "nobody@c.test"
SOON = {"first_retry": "1s", "longest_retry": "2s"}

_HAPPENED = "SELECT acceptance, at, event, detail FROM trace WHERE event IN ('reclaimed', 'deferred')"
_UNSEEN = "no reply seen", "before the server said whether"


class Nodes(enum.Enum):
    """What the first server is."""

    ONE = "one process"
    TWO_ON_ONE_FILE = "two processes on one embedded database"
    TWO_ON_POSTGRES = "two processes on one PostgreSQL"


@define(kw_only=True)
class RelaySite:
    """The processes, none of which runs at first.

    Args:
        program: what runs as the first server.
        database: the PostgreSQL of two nodes.
    """

    place: Path
    names: NameServer
    program: tuple[str, ...] = TWISTD
    kind: Nodes = Nodes.ONE
    database: PostgresProcess | None = None
    first: ServerProcess = field(init=False)
    second: ServerProcess | None = field(default=None, init=False)
    last: ServerProcess = field(init=False)
    postfix: PostfixProcess | None = field(default=None, init=False)
    _url: str = field(default="", init=False)

    def __attrs_post_init__(self) -> None:
        first, last = self.place / "first", self.place / "last"
        if self.database is not None:
            self._url = self.database.url()
        options = ("--database", self._url) if self._url else ()
        self.first = ServerProcess(directory=first, domain="a.test", program=self.program, init_options=options)
        self.last = ServerProcess(directory=last, domain="b.test")
        _apart(self.last, self.first)
        if self.kind is not Nodes.ONE:
            self.second = ServerProcess(directory=self.place / "second", program=self.program)
            _apart(self.second, self.first, self.last)
        if missing_postfix() is None:
            self.postfix = PostfixProcess(
                hostname="mx.c.test",
                address="127.0.0.3",
                port=self.last.port(25),
                ways={"c.test": ("127.0.0.1", self.last.port(25)), "a.test": ("127.0.0.1", self.first.port(25))},
            )

    @property
    def recipients(self) -> tuple[str, ...]:
        """All that mail is sent to."""
        return (*DIRECT, *BETWEEN, *REFUSED) if self.postfix is not None else (*DIRECT, REFUSED[0])

    @property
    def boxes(self) -> tuple[str, ...]:
        """The mailboxes of the last server."""
        return (*DIRECT, *BETWEEN)

    @property
    def nodes(self) -> tuple[ServerProcess, ...]:
        """The processes that are the first server."""
        return (self.first,) if self.second is None else (self.first, self.second)

    def prepare(self) -> None:
        """Make all of it."""
        self.place.mkdir(parents=True, exist_ok=True)
        for server in (self.first, self.last):
            server.initialise()
            server.configure(FOR_THE_LOOPBACK)
        self.first.configure(
            {
                "policy": {"relay_networks": ["127.0.0.0/8"]},
                "queue": {**SOON, "port": self.last.port(25)},
                "dns": {"servers": [self.names.setting], "timeout": "2s"},
            }
        )
        self.first.add_user(SENDER, PASSWORD)
        self.last.command("domain", "add", "c.test")
        for box in self.boxes:
            self.last.add_user(box, PASSWORD)
        self.zone()
        if self.second is not None:
            self._make_second(self.second)

    def _make_second(self, second: ServerProcess) -> None:
        shutil.copytree(self.first.directory, second.directory)
        text = second.config.read_text()
        for port in (25, 465, 587, 110, 995, 143, 993, 366):
            text = text.replace(f":{self.first.port(port)}", f":{second.port(port)}")
        second.config.write_text(text)
        # Large messages lie in files, which both have to see.
        second.configure({"server": {"data": str(self.first.directory)}})

    def zone(self) -> None:
        """What the DNS says."""
        self.names.set("b.test", MX=["10 mx.b.test."])
        self.names.set("mx.b.test", A=["127.0.0.1"])
        self.names.set("c.test", MX=["10 mx.c.test."])
        self.names.set("mx.c.test", A=["127.0.0.3"])

    def copy(self, place: Path, program: tuple[str, ...]) -> RelaySite:
        """The same in another place, on the same ports."""
        made = RelaySite(place=place, names=self.names, program=program)
        for mine, its in ((self.first, made.first), (self.last, made.last)):
            its.port_base = mine.port_base
            shutil.copytree(mine.directory, its.directory)
        if self.postfix is not None and made.postfix is not None:
            made.postfix.port, made.postfix.ways = self.postfix.port, self.postfix.ways
            made.postfix.initialise()
        return made

    def start(self) -> None:
        """Start all."""
        self.last.start()
        if self.postfix is not None:
            self.postfix.start()
        for node in self.nodes:
            node.start()

    def kill(self) -> None:
        """End all."""
        for server in (*self.nodes, self.last):
            server.kill()
        if self.postfix is not None:
            self.postfix.kill()

    def remove(self) -> None:
        """End all, and throw away what is not below `place`."""
        self.kill()
        if self.postfix is not None:
            self.postfix.remove()

    def seen(self, server: ServerProcess, *accounts: str) -> Site:
        """A server as clients see it; `accounts` are those that mail is sent to."""
        ports = {"smtp_port": server.port(25), "pop3_port": server.port(110), "imap_port": server.port(143)}
        return Site(accounts=accounts, password=PASSWORD, **ports)

    def left(self) -> list[str]:
        """What is in a queue."""
        found = [
            f"{table} of the first server: {count} rows"
            for table in ("queued", "recipient", "untold")
            for ((count,),) in [self.ask(f"SELECT count(*) FROM {table}")]
            if count
        ]
        if self.postfix is not None and (waiting := self.postfix.queued()):
            found.append(f"Postfix's queue: {waiting} messages; its log ends: {self.postfix.tail(1500)}")
        return found

    def admitted(self) -> list[Admitted]:
        """The attempts whose end the first server did not see."""
        found = []
        for acceptance, at, event, text in self.ask(_HAPPENED):
            detail = json.loads(text)
            if event == "reclaimed" or any(words in detail["said"] for words in _UNSEEN):
                found += [Admitted(acceptance=acceptance, recipient=to, at=at) for to in detail["to"]]
        return found

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """What the first server's database says."""
        if self.database is not None:
            return self.database.rows(self._url, sql)
        connection = apsw.Connection(str(find_database(self.first.directory)), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            connection.set_busy_timeout(5000)
            return connection.execute(sql).fetchall()
        finally:
            connection.close()


def _apart(server: ServerProcess, *others: ServerProcess) -> None:
    """Ports that none of the others has."""
    while server.port_base in [other.port_base for other in others]:
        server.port_base = free_port_base()
