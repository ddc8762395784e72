"""A server that is killed again and again under load, and held to account."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable

from attrs import define, field

from oracle.imap_clients import Book, check_all
from oracle.ledger import Breach, Ledger
from oracle.load import Load
from oracle.readers import read_back
from oracle.site import Site
from oracle.store_check import contradictions
from worldmail.testing.process import ServerProcess

PASSWORD = "correct horse battery staple"
ACCOUNTS = tuple(f"box{number}@example.test" for number in range(6))
FOR_THE_LOOPBACK = {
    "limits": {"exempt": ["127.0.0.0/8"]},
    "auth": {
        "plaintext_without_tls": ["127.0.0.0/8"],
        # Lives are short: they are for mail, not for passwords.
        "argon2_time": 1,
        "argon2_memory": 8192,
        "scram_iterations": 4096,
    },
}


def prepare(server: ServerProcess) -> None:
    """Make its data: the accounts, and no limits for the loopback."""
    server.initialise()
    server.configure(FOR_THE_LOOPBACK)
    for address in ACCOUNTS:
        server.add_user(address, PASSWORD)


def site_of(server: ServerProcess) -> Site:
    """The server as clients see it."""
    ports = {"smtp_port": server.port(25), "pop3_port": server.port(110), "imap_port": server.port(143)}
    return Site(accounts=ACCOUNTS, password=PASSWORD, **ports)


def books_of(site: Site) -> list[Book]:
    """Of the first accounts, which IMAP clients use."""
    return [Book(site=site, account=account) for account in site.accounts[:3]]


@define(kw_only=True)
class Trial:
    """Load, ends of the server of every kind, and audits, all drawn from one seed.

    Args:
        end: how a life ends; by default SIGKILL, seldom SIGTERM.
        between: what is done between an end and the next start.
        reading: False leaves the mailboxes alone until an audit; there is no IMAP client then.
        imap: False for no IMAP clients.
        sessions: of SMTP.
        longest: the longest life under load, in seconds.
    """

    server: ServerProcess
    seed: int
    reading: bool = True
    imap: bool = True
    sessions: int = 20
    longest: float = 0.7
    end: Callable[[], None] | None = None
    between: Callable[[], None] = field(default=lambda: None)
    ledger: Ledger = field(factory=Ledger)
    slowest_start: float = field(default=0.0, init=False)
    site: Site = field(init=False)
    books: list[Book] = field(init=False)
    _chance: random.Random = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.site = site_of(self.server)
        self.books = books_of(self.site) if self.reading and self.imap else []
        self._chance = random.Random(f"{self.seed} ends")

    def run(self, ends: int, audit_every: int = 10, report: Callable[[str], None] = print) -> list[Breach]:
        """So many ends of the server; all breaches of promises. Stops at the first audit that finds one."""
        try:
            return asyncio.run(self._run(ends, audit_every, report))
        finally:
            self.server.kill()

    async def _run(self, ends: int, audit_every: int, report: Callable[[str], None]) -> list[Breach]:
        load = Load(
            site=self.site,
            ledger=self.ledger,
            seed=self.seed,
            reading=self.reading,
            sessions=self.sessions,
            books=self.books,
        )
        done = 0
        await asyncio.to_thread(self._start)
        while done < ends:
            group = min(audit_every, ends - done)
            async with load.running():
                for number in range(group):
                    await self._one_life(last=number == group - 1)
            done += group
            found = await self._audit(final=done == ends)
            report(f"{done} of {ends} ends, {len(found)} breaches, {dict(self.counts())}")
            if found:
                report("\n".join(map(str, found[:20])))
                return found
        return []

    def counts(self) -> Counter[str]:
        """Of the ledger, and of IMAP commands that were answered OK."""
        answered = sum(book.answered for book in self.books)
        return self.ledger.counts() + Counter({"by IMAP": answered, "checks": sum(book.checks for book in self.books)})

    async def _one_life(self, *, last: bool) -> None:
        """Live under load, end, be back; the last of a group stays down until the load is gone."""
        await asyncio.sleep(self._chance.uniform(0.05, self.longest))
        await asyncio.to_thread(self.end or self._end)
        await asyncio.to_thread(self.between)
        if last:
            return
        if self._chance.random() < 0.1:
            await self._die_while_starting()
        await asyncio.to_thread(self._start)

    async def _die_while_starting(self) -> None:
        self.server.launch()
        await asyncio.sleep(self._chance.uniform(0.2, 1.2))
        await asyncio.to_thread(self.server.kill)
        await asyncio.to_thread(self.between)

    def _end(self) -> None:
        if self._chance.random() < 0.1:
            self.server.stop()
        else:
            self.server.kill()

    def _start(self) -> None:
        started = time.monotonic()
        self.server.start()
        self.slowest_start = max(self.slowest_start, time.monotonic() - started)

    async def _audit(self, *, final: bool) -> list[Breach]:
        await asyncio.to_thread(self._start)
        await read_back(self.site, self.ledger, self.site.accounts, clear=not final)
        await check_all(self.books)
        await asyncio.to_thread(self.server.stop)
        for detail in contradictions(self.server.directory):
            self.ledger.inconsistent(detail)
        if not final:
            await asyncio.to_thread(self._start)
        by_imap = [Breach(kind, book.account, rest) for book in self.books for kind, rest in book.breaches]
        return [*by_imap, *self.ledger.close()]
