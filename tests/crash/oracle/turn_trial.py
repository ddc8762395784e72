"""Mail both ways between a relay and its site, whose link is cut and who are killed again and again, and an account."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager

from attrs import define, field

from oracle.ledger import Breach
from oracle.load import end_all
from oracle.readers import read_back
from oracle.relay_ledger import RelayLedger
from oracle.relay_trial import RelayWriter, SentReports
from oracle.store_check import contradictions
from oracle.turn_site import End, TurnSite
from worldmail.testing.odmr_customer import NotTurned

_PAUSE = 0.03
_NOTHING = 0.1
_HOWS = "rst", "fin"
_MOST_OCTETS = 120_000
_LATEST_CUT = 1.5
"""Seconds after which a cut at an octet that never came is forgotten."""


@define(kw_only=True)
class Stream:
    """Mail from one end to the other, and its books.

    Args:
        excused: what had no reply yet when a connection broke may come twice.

    Attributes:
        unseen: (message, recipient) tries whose end the first did not see.
    """

    first: End
    last: End
    excused: bool = True
    unseen: int = field(default=0, init=False)
    ledger: RelayLedger = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.ledger = RelayLedger(refused_there=frozenset([self.last.refused]))

    async def read_back(self, *, clear: bool) -> None:
        """What came, and what its senders were told."""
        await read_back(self.last.seen(), self.ledger, self.last.boxes, clear=clear)
        sent = SentReports(books=self.ledger)
        await read_back(self.first.seen(), sent, [self.first.sender], clear=True)
        for detail in sorted(map(str, sent.breaches)):
            self.ledger.inconsistent(detail)

    def weigh(self) -> list[Breach]:
        """All breaches; the servers do not run."""
        for detail in contradictions(self.last.server.directory):
            self.ledger.inconsistent(detail)
        admitted = self.first.admitted()
        self.unseen = len(admitted)
        self.ledger.admitted = admitted if self.excused else []
        self.ledger.doubles.clear()
        return self.ledger.close()


@define(kw_only=True)
class TurnTrial:
    """Load both ways, turns one after the other, cuts and kills, and audits, all drawn from one seed.

    Args:
        victims: what ends: "link" (now), "octet" (the link, at an octet of a turn), "relay", "site"; none for no ends.
        patience: seconds until all has to have come.
    """

    place: TurnSite
    seed: int
    sessions: int = 3
    longest: float = 0.6
    victims: Sequence[str] = ("link", "octet", "octet", "octet", "relay", "site")
    patience: float = 40.0
    down: Stream = field(init=False)
    up: Stream = field(init=False)
    ends: Counter[str] = field(factory=Counter, init=False)
    turns: Counter[str] = field(factory=Counter, init=False)
    _chance: random.Random = field(init=False)
    _rounds: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.down = Stream(first=self.place.relay, last=self.place.site, excused=not self.place.paired)
        self.up = Stream(first=self.place.site, last=self.place.relay)
        self._chance = random.Random(f"{self.seed} ends")

    @property
    def streams(self) -> tuple[Stream, Stream]:
        """Both."""
        return self.down, self.up

    def run(self, ends: int, audit_every: int = 25, report: Callable[[str], None] = print) -> list[Breach]:
        """So many ends; all breaches of promises. Stops at the first audit that finds one."""
        try:
            return asyncio.run(self._run(ends, audit_every, report))
        finally:
            for link in self.place.links:
                link.no_cut()
            self.place.kill()

    async def _run(self, ends: int, audit_every: int, report: Callable[[str], None]) -> list[Breach]:
        done, found = 0, list[Breach]()
        await asyncio.to_thread(self.place.start)
        while not found and done < max(1, ends):
            group = min(audit_every, ends - done)
            fetching = asyncio.create_task(self._fetch())
            try:
                async with self._load():
                    for _ in range(group):
                        await self._one_life()
                    await asyncio.sleep(self.longest)
                done += max(1, group)
                found = await self._audit(fetching, final=done >= ends)
            finally:
                await end_all([fetching])
            report(f"{done} of {ends} ends {dict(self.ends)}, {len(found)} breaches, turns {dict(self.turns)}")
            for stream in self.streams:
                counts = stream.ledger.counts() + stream.ledger.doubles
                report(f"to {stream.last.boxes[0]}: {dict(counts)}, {stream.unseen} ends of tries were not seen")
            report("\n".join(map(str, found[:20])))
        return found

    async def _fetch(self) -> None:
        """One turn after the other, for ever."""
        while True:
            try:
                await self.place.fetch()
                self.turns["whole"] += 1
            except NotTurned as refused:
                self.turns["other" if self.place.paired else str(refused)[:3]] += 1
                await asyncio.sleep(_NOTHING)
            except (OSError, asyncio.IncompleteReadError):
                self.turns["broken"] += 1
                await asyncio.sleep(_NOTHING)

    @asynccontextmanager
    async def _load(self) -> AsyncIterator[None]:
        self._rounds += 1
        tasks = [asyncio.create_task(writer.run()) for writer in self._writers()]
        try:
            yield
        finally:
            await end_all(tasks)

    def _writers(self) -> Iterator[RelayWriter]:
        for way, stream in zip(("d", "u"), self.streams, strict=True):
            for number in range(self.sessions):
                name = f"r{self._rounds}{way}{number}"
                yield RelayWriter(
                    site=stream.first.seen(*stream.last.recipients),
                    ledger=stream.ledger,
                    name=name,
                    chance=random.Random(f"{self.seed} {name}"),
                    pause=_PAUSE,
                    sender=stream.first.sender,
                )

    # --- ends -----------------------------------------------------------------------------

    async def _one_life(self) -> None:
        """Live under load, and have an end; seldom two at once."""
        await asyncio.sleep(self._chance.uniform(0.05, self.longest))
        victims = {self._chance.choice(self.victims) for _ in range(1 if self._chance.random() < 0.8 else 2)}
        drawn = [(victim, self._chance.random(), self._chance.choice(_HOWS)) for victim in sorted(victims)]
        self._ended()
        await asyncio.gather(*[asyncio.to_thread(self._end, *one) for one in drawn])
        self._ended()

    def _ended(self) -> None:
        """Something ends about now."""
        for stream in self.streams:
            stream.ledger.kills.append(time.time())

    def _end(self, victim: str, chance: float, how: str) -> None:
        self.ends[victim] += 1
        if victim == "link":
            for link in self.place.links:
                link.cut("rst" if how == "rst" else "fin")
        elif victim == "octet":
            self._cut_at(int(chance * _MOST_OCTETS), how)
        else:
            server = getattr(self.place, victim).server
            if chance < 0.1:
                server.stop()
            else:
                server.kill()
            server.start()

    def _cut_at(self, octets: int, how: str) -> None:
        """At an octet that the relay says in a turn, or at one of the replies to it, which are few."""
        link = self.place.links[0]
        before = link.counts.cuts
        link.cut_after(
            octets // 40 if octets % 2 else octets, "up" if octets % 2 else "down", "rst" if how == "rst" else "fin"
        )
        deadline = time.monotonic() + _LATEST_CUT
        while link.counts.cuts == before and time.monotonic() < deadline:
            time.sleep(0.01)
        link.no_cut()

    # --- audits ---------------------------------------------------------------------------

    async def _audit(self, fetching: asyncio.Task[None], *, final: bool) -> list[Breach]:
        left = await self._until_quiet()
        await end_all([fetching])
        for stream in self.streams:
            await stream.read_back(clear=not final)
        self.down.ledger.at_rest(left)
        for end in self.place.ends:
            await asyncio.to_thread(end.server.stop)
        found = [breach for stream in self.streams for breach in stream.weigh()]
        if not final:
            await asyncio.to_thread(self.place.start)
        return found

    async def _until_quiet(self) -> list[str]:
        """What is still in a queue after a long time."""
        deadline = time.monotonic() + self.patience
        while left := [what for end in self.place.ends for what in end.left()]:
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.1)
        return left
