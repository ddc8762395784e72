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
            await end_all(tasks)

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


async def end_all(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel these until they have ended; raises what one of them failed with.

    Once is not enough: until Python 3.12 `asyncio.wait_for` may lose a cancellation.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=1.0)
    for task in tasks:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
