"""A relay that holds mail for a site, the site, and the two links between them.

`b.test` waits in a hold of the relay and is fetched by ODMR over the first link; what the site's people send to
`a.test` goes to the relay over the second one. The relay is reached by anybody, the site only from within.

Plain ends of ODMR know nothing of each other: a customer that carries to the site's port for mail. A pair has joined
by a code, and its agent fetches with turns that stay open.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import apsw
from attrs import define, field, frozen

from oracle.relay_ledger import Admitted
from oracle.site import Site
from oracle.store_check import find_database
from oracle.trial import FOR_THE_LOOPBACK, PASSWORD
from worldmail.testing.odmr_customer import NotTurned, OdmrCustomer
from worldmail.testing.process import TWISTD, ServerProcess, free_port_base
from worldmail.testing.slow_link import SlowLink

ODMR = 366
ACCOUNT = "site@a.test"
AGENT = "relay"
SOON = {"first_retry": "1s", "longest_retry": "2s"}
_HAPPENED = "SELECT acceptance, at, event, detail FROM trace WHERE event IN ('reclaimed', 'deferred')"
_UNSEEN = "no reply seen", "before the server said whether"


@frozen(kw_only=True)
class End:
    """One of the two servers: its people, and what is sent to it from the other side.

    Args:
        sender: who sends from here, and is told what could not be delivered.
        boxes: mailboxes here; refused: an address that there is not.
    """

    server: ServerProcess
    sender: str
    boxes: tuple[str, ...]
    refused: str

    @property
    def recipients(self) -> tuple[str, ...]:
        """All that mail is sent to."""
        return (*self.boxes, self.refused)

    def seen(self, *accounts: str) -> Site:
        """As clients see it; `accounts` are those that mail is sent to."""
        server = self.server
        ports = {"smtp_port": server.port(25), "pop3_port": server.port(110), "imap_port": server.port(143)}
        return Site(accounts=accounts, password=PASSWORD, **ports)

    def left(self) -> list[str]:
        """What is in its queue."""
        counts = {table: self.ask(f"SELECT count(*) FROM {table}")[0][0] for table in ("queued", "recipient", "untold")}
        return [f"{table} at {self.sender}: {count} rows" for table, count in counts.items() if count]

    def admitted(self) -> list[Admitted]:
        """The attempts whose end it did not see, as its trace tells."""
        found = []
        for acceptance, at, event, text in self.ask(_HAPPENED):
            detail = json.loads(text)
            if event == "reclaimed" or any(words in detail["said"] for words in _UNSEEN):
                found += [Admitted(acceptance=acceptance, recipient=to, at=at) for to in detail["to"]]
        return found

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """What its database says."""
        connection = apsw.Connection(str(find_database(self.server.directory)), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            connection.set_busy_timeout(5000)
            return connection.execute(sql).fetchall()
        finally:
            connection.close()


@define(kw_only=True)
class TurnSite:
    """The servers, none of which runs at first, and the links, which are there as long as the ports are the same.

    Args:
        relay_program, site_program: what runs as them.
        links: to the relay's ODMR port, and to its port for mail.
        paired: the site has joined the relay by a code.
    """

    place: Path
    paired: bool = False
    relay_program: tuple[str, ...] = TWISTD
    site_program: tuple[str, ...] = TWISTD
    links: tuple[SlowLink, ...] = ()
    relay: End = field(init=False)
    site: End = field(init=False)

    def __attrs_post_init__(self) -> None:
        relay = ServerProcess(directory=self.place / "relay", domain="a.test", program=self.relay_program, forked=True)
        site = ServerProcess(directory=self.place / "site", domain="b.test", program=self.site_program, forked=True)
        while abs(site.port_base - relay.port_base) < 1000:
            site.port_base = free_port_base()
        self.relay = End(
            server=relay, sender="sender@a.test", boxes=("back0@a.test", "back1@a.test"), refused="nobody@a.test"
        )
        self.site = End(
            server=site, sender="writer@b.test", boxes=("box0@b.test", "box1@b.test"), refused="nobody@b.test"
        )

    @property
    def ends(self) -> tuple[End, End]:
        """Both."""
        return self.relay, self.site

    async def fetch(self) -> None:
        """One turn to its end; of a pair it may still go on. Raises NotTurned, or what a connection raises."""
        if self.paired:
            await asyncio.to_thread(self._run_agent)
            return
        customer = OdmrCustomer(account=ACCOUNT, password=PASSWORD, server=self.site.server.port(25))
        await customer.fetch(self.links[0].port)

    def _run_agent(self) -> None:
        try:
            self.site.server.command("agent", "run", AGENT, "--wait", "1")
        except subprocess.CalledProcessError as failed:
            raise NotTurned(failed.stderr) from None

    def prepare(self) -> None:
        """Make all of it."""
        self.place.mkdir(parents=True, exist_ok=True)
        for end in self.ends:
            end.server.initialise()
            end.server.configure({**FOR_THE_LOOPBACK, "policy": {"relay_networks": ["127.0.0.0/8"]}, "queue": SOON})
            for address in (end.sender, *end.boxes):
                end.server.add_user(address, PASSWORD)
        relay, site = self.relay.server, self.site.server
        way = ("via=host", "host=127.0.0.1", f"port={self.links[1].port}", "security=never")
        site.command("route", "add", "up", "domain=a.test", *way)
        if self.paired:
            self._join(relay, site)
            return
        relay.add_user(ACCOUNT, PASSWORD)
        relay.command("domain", "add", "b.test", "--kind", "relay")
        relay.command("hold", "add", "site", "domains=b.test", f"accounts={ACCOUNT}")

    def _join(self, relay: ServerProcess, site: ServerProcess) -> None:
        """By the command, and then the agent goes over the link."""
        relay.start()
        try:
            invited = relay.command("relay", "invite", "b.test", "--host", "127.0.0.1", "--json")
            site.command("join", json.loads(invited)["code"], "--name", AGENT, "--no-route")
        finally:
            relay.stop()
        site.command("agent", "set", AGENT, f"port={self.links[0].port}", "when=never")

    def copy(self, place: Path, relay_program: tuple[str, ...], site_program: tuple[str, ...]) -> TurnSite:
        """The same in another place, on the same ports and links."""
        made = TurnSite(
            place=place, paired=self.paired, relay_program=relay_program, site_program=site_program, links=self.links
        )
        for mine, its in zip(self.ends, made.ends, strict=True):
            its.server.port_base = mine.server.port_base
            shutil.copytree(mine.server.directory, its.server.directory)
        return made

    def link(self) -> None:
        """Make the links."""
        ports = self.relay.server.port(ODMR), self.relay.server.port(25)
        self.links = tuple(SlowLink(target=port, delay=0.01, rate=4_000_000) for port in ports)
        for link in self.links:
            link.__enter__()

    def start(self) -> None:
        """Start both."""
        for end in self.ends:
            end.server.start()

    def kill(self) -> None:
        """End both."""
        for end in self.ends:
            end.server.kill()

    def unlink(self) -> None:
        """End the links."""
        for link in self.links:
            link.__exit__(None, None, None)
