"""Two servers of ours and a Postfix: where mail comes in, where it ends, and what is between.

`b.test` goes from the first server to the last; `c.test` goes to the Postfix, which hands it to the last server. Both
ways are found by MX records; the servers of both have one port, since the setting for that is one for all.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import apsw
from attrs import define, field

from oracle.relay_ledger import Admitted
from oracle.site import Site
from oracle.store_check import find_database
from oracle.trial import FOR_THE_LOOPBACK, PASSWORD
from worldmail.testing.names import NameServer
from worldmail.testing.postfix import PostfixProcess, missing_postfix
from worldmail.testing.process import TWISTD, ServerProcess, free_port_base

SENDER = "sender@a.test"
DIRECT = "box0@b.test", "box1@b.test"
BETWEEN = "box0@c.test", "box1@c.test"
REFUSED = "nobody@b.test", "nobody@c.test"
SOON = {"first_retry": "1s", "longest_retry": "2s"}

_UNSEEN = "SELECT acceptance, at, event, value FROM trace, json_each(trace.detail, '$.to') WHERE {}"
_OPEN_ONES = (
    "event = 'reclaimed' OR (event = 'deferred' AND (json_extract(detail, '$.said') LIKE '%no reply seen%'"
    " OR json_extract(detail, '$.said') LIKE '%before the server said whether%'))"
)


@define(kw_only=True)
class RelaySite:
    """The processes, none of which runs at first.

    Args:
        program: what runs as the first server.
    """

    place: Path
    names: NameServer
    program: tuple[str, ...] = TWISTD
    first: ServerProcess = field(init=False)
    last: ServerProcess = field(init=False)
    postfix: PostfixProcess | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        first, last = self.place / "first", self.place / "last"
        self.first = ServerProcess(directory=first, domain="a.test", program=self.program)
        self.last = ServerProcess(directory=last, domain="b.test")
        while abs(self.last.port_base - self.first.port_base) < 1000:
            self.last.port_base = free_port_base()
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
        self.first.start()

    def kill(self) -> None:
        """End all."""
        for server in (self.first, self.last):
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
            for table in ("queued", "recipient")
            for ((count,),) in [self._ask(f"SELECT count(*) FROM {table}")]
            if count
        ]
        if self.postfix is not None and (waiting := self.postfix.queued()):
            found.append(f"Postfix's queue: {waiting} messages")
        return found

    def admitted(self) -> list[Admitted]:
        """The attempts whose end the first server did not see."""
        rows = self._ask(_UNSEEN.format(_OPEN_ONES))
        return [Admitted(acceptance=id_, recipient=recipient, at=at) for id_, at, _, recipient in rows]

    def _ask(self, sql: str) -> list[tuple[object, ...]]:
        connection = apsw.Connection(str(find_database(self.first.directory)), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            connection.set_busy_timeout(5000)
            return connection.execute(sql).fetchall()
        finally:
            connection.close()
