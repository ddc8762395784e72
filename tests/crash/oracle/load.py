"""Writers and readers together, and IMAP clients, on and off."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager

from attrs import define, field

from oracle.imap_clients import Book, Mover, Observer
from oracle.ledger import Ledger
from oracle.readers import Reader
from oracle.site import Site
from oracle.writers import Writer


@define(kw_only=True)
class Load:
    """20 SMTP sessions, a POP3 session an account, two IMAP sessions a book, from one seed.

    What each session asks follows from the seed; how far it comes depends on the server.
    """

    site: Site
    ledger: Ledger
    seed: int
    sessions: int = 20
    reading: bool = True
    pause: float = 0.0
    books: Sequence[Book] = ()
    _rounds: int = field(default=0, init=False)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The load runs inside of the block."""
        self._rounds += 1
        tasks = [asyncio.create_task(run) for run in (*self._writers(), *self._readers(), *self._clients())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException) and not isinstance(end, asyncio.CancelledError):
                raise end

    def _writers(self) -> Iterator[Coroutine[None, None, None]]:
        for number in range(self.sessions):
            name = f"r{self._rounds}w{number}"
            chance = random.Random(f"{self.seed} {name}")
            yield Writer(site=self.site, ledger=self.ledger, name=name, chance=chance, pause=self.pause).run()

    def _readers(self) -> Iterator[Coroutine[None, None, None]]:
        for account in self.site.accounts if self.reading else ():
            chance = random.Random(f"{self.seed} {self._rounds} {account}")
            yield Reader(site=self.site, ledger=self.ledger, account=account, chance=chance).run()

    def _clients(self) -> Iterator[Coroutine[None, None, None]]:
        for book in self.books:
            name = f"r{self._rounds}i{book.account}"
            yield Mover(book=book, name=name, chance=random.Random(f"{self.seed} {name}")).run()
            yield Observer(book=book, chance=random.Random(f"{self.seed} {name} on")).run()
