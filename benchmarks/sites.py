"""A relay that holds mail, and the site that has joined it: WorldMail both, as `worldmail init` makes them.

Beside the site's own account there is one for other customers, who may fetch the same mail.
"""

from __future__ import annotations

import json
import smtplib
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import apsw
from attrs import define, field

from benchmarks.sides import PASSWORD
from worldmail.testing.process import ServerProcess, free_port_base

ODMR = 366
RELAY, SITE = "relay.test", "site.test"
AGENT = "relay"
ACCOUNT, RECIPIENT = f"site@{RELAY}", f"box@{SITE}"
_LIMITS = {"exempt": ["127.0.0.0/8"], "connections": 20000, "connections_per_account": 1000}
_SENDER = "sender@elsewhere.test"


@define(kw_only=True)
class RelayAndSite:
    """Both of them, below `directory`."""

    directory: Path
    relay: ServerProcess = field(init=False)
    site: ServerProcess = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.relay = ServerProcess(directory=self.directory / "relay", domain=RELAY)
        self.site = ServerProcess(directory=self.directory / "site", domain=SITE)
        while abs(self.site.port_base - self.relay.port_base) < 1000:
            self.site.port_base = free_port_base()

    def prepare(self) -> None:
        """Make them, and join them."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for server in (self.relay, self.site):
            server.initialise()
            server.configure({"limits": _LIMITS, "auth": {"plaintext_without_tls": ["127.0.0.0/8"]}})
        self.relay.add_user(ACCOUNT, PASSWORD)
        self.site.add_user(RECIPIENT, PASSWORD)
        self.relay.start()
        try:
            said = self.relay.command("relay", "invite", SITE, "--host", "127.0.0.1", "--hold", "site", "--json")
            invited = json.loads(said)
            self.site.command("join", invited["code"], "--name", AGENT)
            self.relay.command("hold", "set", "site", f"accounts={invited['account']},{ACCOUNT}")
        finally:
            self.relay.stop()
        self.site.command("agent", "set", AGENT, "when=never")

    def fetch(self, port: int, seconds: float) -> None:
        """The site's agent runs once through this port, to its end. Raises CalledProcessError."""
        self.site.command("agent", "set", AGENT, f"port={port}", "stay=off")
        self.site.command("agent", "run", AGENT, "--wait", str(seconds))

    def stay(self) -> None:
        """The site's agent has a connection that stays open."""
        self.site.command("agent", "set", AGENT, f"port={self.relay.port(ODMR)}", "stay=1m")
        with suppress(subprocess.CalledProcessError):  # it goes on
            self.site.command("agent", "run", AGENT, "--wait", "1")

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve inside of the block."""
        self.relay.start()
        self.site.start()
        try:
            yield
        finally:
            self.relay.stop()
            self.site.stop()

    def fill(self, messages: int, octets: int) -> None:
        """So many come for the site, and wait at the relay."""
        text = message(octets)
        with smtplib.SMTP("127.0.0.1", self.relay.port(25), "client.test") as client:
            for _ in range(messages):
                client.sendmail(_SENDER, RECIPIENT, text)

    def waiting(self) -> int:
        """How many wait at the relay."""
        return _count(self.relay, "queued")

    def arrived(self) -> int:
        """How many the site has."""
        return _count(self.site, "message")

    def wait_until_empty(self, within: float = 10.0) -> None:
        """What was handed over is settled. Raises TimeoutError."""
        deadline = time.monotonic() + within
        while self.waiting():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.waiting()} messages are still held")
            time.sleep(0.05)


def message(octets: int) -> bytes:
    """A message of this size."""
    head = b"From: <" + _SENDER.encode() + b">\r\nTo: <" + RECIPIENT.encode() + b">\r\nSubject: held\r\n\r\n"
    line = b"The quick brown fox jumps over the lazy dog, and nobody knows why it did.\r\n"
    text = head + line * ((octets - len(head)) // len(line))
    return text + b"x" * max(0, octets - len(text) - 2) + b"\r\n"


def need(messages: int, octets: int) -> int:
    """Octets that a relay cannot do without: the messages as it got them, and the shortest commands for each.

    Neither the Received fields that it has to add count, nor TLS, nor anything that is said once for all messages.
    """
    commands = f"MAIL FROM:<{_SENDER}>\r\nRCPT TO:<{RECIPIENT}>\r\nBDAT {octets} LAST\r\n"
    return messages * (octets + len(commands))


def _count(server: ServerProcess, table: str) -> int:
    connection = apsw.Connection(str(server.directory / "worldmail.sqlite"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.set_busy_timeout(5000)
        rows: list[tuple[Any, ...]] = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
        return int(rows[0][0])
    finally:
        connection.close()
