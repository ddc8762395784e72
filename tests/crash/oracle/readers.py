"""POP3 sessions that read, delete, and leave in every way there is; and the reading back of everything."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable

from attrs import define

from oracle.ledger import Ledger
from oracle.pop3 import Pop3, Refused
from oracle.site import Site

_RETRY = 0.02
_AT_ONCE = 20
_GONE = (OSError, asyncio.IncompleteReadError, TimeoutError)


@define(kw_only=True)
class Reader:
    """Reads some messages of a mailbox, marks some, and then quits, resets, or drops the connection."""

    site: Site
    ledger: Ledger
    account: str
    chance: random.Random

    async def run(self) -> None:
        """For ever; the end is cancellation."""
        while True:
            try:
                await self._session()
            except (*_GONE, Refused):
                pass
            await asyncio.sleep(_RETRY)

    async def _session(self) -> None:
        client = await Pop3.connect(self.site)
        try:
            await client.login(self.account, self.site.password)
            uids = await client.uids()
            self.ledger.listed(self.account, uids.values())
            chosen = self.chance.sample(sorted(uids), min(len(uids), self.chance.randrange(1, _AT_ONCE)))
            if uids and self.chance.random() < 0.5:
                chosen = sorted({*chosen, max(uids)})
            for number in chosen:
                await read_one(client, self.ledger, self.account, number, uids[number])
            marked = [number for number in chosen if self.chance.random() < 0.7]
            for number in marked:
                await client.ask(f"DELE {number}")
            await self._leave(client, [uids[number] for number in marked])
        finally:
            client.drop()

    async def _leave(self, client: Pop3, marked: list[str]) -> None:
        way = self.chance.random()
        if way < 0.15:
            return
        if way < 0.25:
            await client.ask("RSET")
            marked = []
        await quit_after(client, self.ledger, self.account, marked)


async def quit_after(client: Pop3, ledger: Ledger, account: str, marked: list[str]) -> None:
    """QUIT, with what the ledger must know before and after it."""
    ledger.deleting(account, marked)
    try:
        await client.ask("QUIT")
    except Refused:
        ledger.kept(account, marked)
        raise
    ledger.deleted(account, marked)


async def read_one(client: Pop3, ledger: Ledger, account: str, number: int, uid: str) -> None:
    """RETR into the ledger. A listed message that cannot be read is a breach, but not where the server soon ends."""
    try:
        octets = await client.lines(f"RETR {number}")
    except Refused as refused:
        if "[SYS/TEMP]" not in str(refused):
            ledger.unreadable(account, uid, str(refused).encode())
        raise
    ledger.sighted(account, uid, octets)


async def read_back(site: Site, ledger: Ledger, accounts: Iterable[str], *, clear: bool) -> None:
    """Read every message of these accounts; then, if `clear`, delete them all."""
    for account in accounts:
        client = await _sign_in(site, account)
        try:
            uids = await client.uids()
            for number, uid in uids.items():
                if not await _read_or_lose(client, ledger, account, number, uid):
                    client.drop()
                    client = await _sign_in(site, account)
            ledger.present(account, uids.values())
            if clear:
                for number in uids:
                    await client.ask(f"DELE {number}")
            await quit_after(client, ledger, account, list(uids.values()) if clear else [])
        finally:
            client.drop()


async def _read_or_lose(client: Pop3, ledger: Ledger, account: str, number: int, uid: str) -> bool:
    """False if it cannot be read, and the connection is of no more use."""
    try:
        await read_one(client, ledger, account, number, uid)
    except (*_GONE, Refused) as lost:
        ledger.unreadable(account, uid, repr(lost).encode())
        return False
    return True


async def _sign_in(site: Site, account: str) -> Pop3:
    """Retries for a while: a session that was cut off may still hold the maildrop."""
    for attempt in range(100):
        try:
            client = await Pop3.connect(site)
        except _GONE:
            await asyncio.sleep(_RETRY * (1 + attempt))
            continue
        try:
            await client.login(account, site.password)
        except (*_GONE, Refused):
            client.drop()
            await asyncio.sleep(_RETRY * (1 + attempt))
            continue
        return client
    raise AssertionError(f"nobody can sign in as {account}")
