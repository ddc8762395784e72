"""Mail that goes on to other servers, all of which are killed again and again, and an account of it."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from attrs import define, field

from oracle.ledger import Breach, Ledger
from oracle.letters import Letter, make_letter
from oracle.load import end_all
from oracle.readers import read_back
from oracle.relay_ledger import RelayLedger, read_report
from oracle.relay_site import BETWEEN, REFUSED, SENDER, RelaySite
from oracle.store_check import contradictions
from oracle.writers import Writer
from worldmail.testing.postgres import NoPostgres

_PAUSE = 0.05
_PUSH = 5.0


@define(kw_only=True)
class RelayWriter(Writer):
    """Sends letters for elsewhere, mostly small ones, one to four recipients each."""

    sender: str = SENDER

    def _next_letter(self) -> Letter:
        self._count += 1
        chance = self.chance
        count = min(len(self.site.accounts), chance.choice((1, 1, 2, 3, 4)))
        size = chance.randrange(1000, 6000) if chance.random() < 0.95 else chance.randrange(6000, 300_000)
        accounts = tuple(chance.sample(self.site.accounts, count))
        letter = make_letter(f"{self.name}-{self._count}", self.sender, accounts, size, chance)
        self.ledger.written(letter)
        return letter


@define
class SentReports(Ledger):
    """What comes to the sender's mailbox: reports, for the other ledger."""

    books: RelayLedger = field(factory=RelayLedger)

    def sighted(self, account: str, uid: str, octets: bytes) -> None:
        """A report."""
        report = read_report(octets)
        if report is None:
            self.books.at_rest([f"no report, in {account}: {octets[-300:]!r}"])
        else:
            self.books.reported(report)

    def present(self, account: str, uids: object) -> None:
        """Whether they are there for long is not asked here."""


@define(kw_only=True)
class RelayTrial:
    """Load, ends of any of the servers, and audits, all drawn from one seed.

    Args:
        victims: what is killed: "first", "second", "last", "postfix", "database"; none for a run without ends.
        patience: seconds until all has to have come to its end.
    """

    site: RelaySite
    seed: int
    sessions: int = 6
    longest: float = 1.0
    victims: Sequence[str] = ("first", "first", "last", "postfix")
    patience: float = 40.0
    ledger: RelayLedger = field(init=False)
    ends: Counter[str] = field(factory=Counter, init=False)
    _chance: random.Random = field(init=False)
    _rounds: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.ledger = RelayLedger(
            refused_there=frozenset(REFUSED),
            between=frozenset([*BETWEEN, REFUSED[1]]),
            doubtful="database" in self.victims,
        )
        self._chance = random.Random(f"{self.seed} ends")

    def run(self, ends: int, audit_every: int = 25, report: Callable[[str], None] = print) -> list[Breach]:
        """So many ends; all breaches of promises. Stops at the first audit that finds one."""
        try:
            return asyncio.run(self._run(ends, audit_every, report))
        finally:
            self.site.kill()

    async def _run(self, ends: int, audit_every: int, report: Callable[[str], None]) -> list[Breach]:
        done, found = 0, list[Breach]()
        await asyncio.to_thread(self.site.start)
        while not found and done < max(1, ends):
            group = min(audit_every, ends - done)
            async with self._load():
                for _ in range(group):
                    await self._one_life()
                await asyncio.sleep(self.longest if self.victims else 3 * self.longest)
            done += max(1, group)
            found = await self._audit(final=done >= ends)
            counts = self.ledger.counts() + self.ledger.doubles
            report(f"{done} of {ends} ends {dict(self.ends)}, {len(found)} breaches, {dict(counts)}")
            report("\n".join(map(str, found[:20])))
        return found

    @asynccontextmanager
    async def _load(self) -> AsyncIterator[None]:
        self._rounds += 1
        sites = [self.site.seen(node, *self.site.recipients) for node in self.site.nodes]
        names = [f"r{self._rounds}w{number}" for number in range(self.sessions)]
        writers = [
            RelayWriter(
                site=sites[number % len(sites)],
                ledger=self.ledger,
                name=name,
                chance=random.Random(f"{self.seed} {name}"),
                pause=_PAUSE,
            )
            for number, name in enumerate(names)
        ]
        tasks = [asyncio.create_task(writer.run()) for writer in writers]
        try:
            yield
        finally:
            await end_all(tasks)

    async def _one_life(self) -> None:
        """Live under load, end one of the servers, and have it back; seldom two of them at once."""
        await asyncio.sleep(self._chance.uniform(0.1, self.longest))
        victims = {self._chance.choice(self.victims) for _ in range(1 if self._chance.random() < 0.8 else 2)}
        if self.site.postfix is None:
            victims = {"last" if victim == "postfix" else victim for victim in victims}
        await asyncio.gather(*[asyncio.to_thread(self._end_and_start, victim) for victim in sorted(victims)])

    def _end_and_start(self, victim: str) -> None:
        process = getattr(self.site, victim)
        self.ends[victim] += 1
        if victim != "database":  # without it, the server still knows what became of an attempt
            self.ledger.kills.append(time.time())
        if victim in ("first", "second", "last") and self._chance.random() < 0.1:
            process.stop()
        else:
            process.kill()
        for _ in range(10):
            try:
                process.start()
                break
            except NoPostgres:  # one that was killed may leave children for a moment
                time.sleep(1.0)
        if victim != "database":
            self.ledger.kills.append(time.time())

    async def _audit(self, *, final: bool) -> list[Breach]:
        self.ledger.at_rest(await self._until_quiet())
        site, ledger = self.site, self.ledger
        await read_back(site.seen(site.last), ledger, site.boxes, clear=not final)
        sent = SentReports(books=ledger)
        await read_back(site.seen(site.first), sent, [SENDER], clear=True)
        for detail in sorted(map(str, sent.breaches)):
            ledger.inconsistent(detail)
        for server in (*site.nodes, site.last):
            await asyncio.to_thread(server.stop)
        for server in (site.last,) if site.database is not None else (site.first, site.last):
            for detail in contradictions(server.directory):
                ledger.inconsistent(detail)
        ledger.admitted = site.admitted()
        ledger.doubles.clear()
        found = ledger.close()
        if not final:
            for server in (site.last, *site.nodes):
                await asyncio.to_thread(server.start)
        return found

    async def _until_quiet(self) -> list[str]:
        """What is still in a queue after a long time."""
        deadline, next_push = time.monotonic() + self.patience, time.monotonic() + _PUSH
        while left := self.site.left():
            if time.monotonic() > deadline:
                break
            if self.site.postfix is not None and time.monotonic() > next_push:
                self.site.postfix.flush()  # it may not look for minutes at what it had when it was killed
                next_push += _PUSH
            await asyncio.sleep(0.2)
        return left
