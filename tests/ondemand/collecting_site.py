"""A site that fetches mail: a real store in memory, a mailbox elsewhere, and an agent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred

from worldmail.config.keys import Key, KeyTable
from worldmail.interfaces.ondemand import Agent, AgentKind, Result
from worldmail.ondemand.collecting import Collection, Surroundings
from worldmail.ondemand.collecting_keys import COLLECTING_KEYS
from worldmail.ondemand.unclaimed import UnclaimedAdmin
from worldmail.store.folders import FolderAdmin
from worldmail.store.folders.unclaimed import UnclaimedFolders
from worldmail.testing.real_store import RealStoreWorld, settle
from worldmail.testing.remote_drop import MemoryRemote, hop_of

_KIND = Key(key="kind", meaning="", takes="", parse=lambda text: AgentKind(text), default=AgentKind.POP3)
KEYS = KeyTable((_KIND, *COLLECTING_KEYS), chooser="kind")


def text(to: str = "ann@example.test", more: str = "", body: str = "hello\r\n") -> bytes:
    """A message as a provider would keep it."""
    return f"{more}From: eve@far.test\r\nTo: {to}\r\nSubject: for {to}\r\n\r\n{body}".encode()


@define(kw_only=True, eq=False)
class CollectingSite:
    """ann, bob, the postmaster and full, who has no room, have accounts in example.test."""

    base: RealStoreWorld = field(factory=RealStoreWorld.make)
    remote: MemoryRemote = field(factory=MemoryRemote)
    policy: Any = None
    accounts: dict[str, Any] = field(factory=dict)
    database: Any = None

    def __attrs_post_init__(self) -> None:
        self.policy = self.policy or self.base.world.policy
        self.database = self.database or self.base.database
        for name in ("ann", "bob", "postmaster"):
            self.accounts[name] = self.base.add_account(f"{name}@example.test")
        self.accounts["full"] = self.base.add_account("full@example.test", quota=10)

    @property
    def unclaimed(self) -> UnclaimedFolders:
        """The place of what nobody claims."""
        store = self.base.store
        folders = FolderAdmin(database=self.base.database, folders=store.folders, now=self.base.memory.clock.now)
        return UnclaimedFolders(database=self.base.database, folders=folders, acceptance=store.acceptance)

    @property
    def admin(self) -> UnclaimedAdmin:
        """An administrator's hands on it."""
        world = self.base.world
        return UnclaimedAdmin(
            database=self.base.database,
            unclaimed=self.unclaimed,
            acceptance=self.base.store.acceptance,
            directory=world.directory,
            expansion=world.expansion,
            trace=world.trace,
            clock=world.clock,
        )

    def errand(self, kind: AgentKind = AgentKind.POP3) -> Collection:
        """What the agent does."""
        world = self.base.world
        return Collection(
            kind=kind,
            drops=lambda agent: self.remote,
            surroundings=Surroundings(
                database=self.database,
                acceptance=self.base.store.acceptance,
                directory=world.directory,
                expansion=world.expansion,
                policy=self.policy,
                trace=world.trace,
                unclaimed=self.unclaimed,
                clock=world.clock,
                journal=world.journal,
                host="mail.example.test",
                hop=hop_of,
            ),
        )

    def agent(self, **texts: str) -> Agent:
        """An agent of these keys; for example.test if they do not say whose mail it is."""
        if "recipient" not in texts:
            texts.setdefault("domains", "example.test")
        given = {key.replace("_", "-"): value for key, value in texts.items()}
        return Agent(name="box", kind=AgentKind.POP3, values=KEYS.read(KEYS.changed({}, given)))

    def begin(self, **texts: str) -> Deferred[Result]:
        """Begin a run."""
        return Deferred.fromCoroutine(self.errand().run(self.agent(**texts)))

    def run(self, **texts: str) -> Result:
        """A run to its end."""
        return result_of(self.begin(**texts))

    def test(self, **texts: str) -> list[str]:
        """A dry run."""
        return result_of(Deferred.fromCoroutine(self.errand().test(self.agent(**texts))))

    def mail(self, name: str) -> list[bytes]:
        """What is in somebody's INBOX."""
        return self.rows(
            "SELECT m.prefix, c.inline FROM message m JOIN content c ON c.id = m.content_id JOIN mailbox b"
            " ON b.id = m.mailbox_id WHERE b.account_id = ? AND b.name = 'INBOX' ORDER BY m.uid",
            self.accounts[name].id,
            read=lambda row: row[0] + (row[1] or b""),
        )

    def names(self) -> list[str]:
        """What is remembered."""
        return self.rows("SELECT message FROM fetched ORDER BY message", read=lambda row: row[0])

    def rows(self, sql: str, *parameters: Any, read: Callable[[Any], Any] = lambda row: row) -> list[Any]:
        """What a query gives now."""
        return [read(row) for row in settle(self.base.database.read(lambda cursor: cursor.all(sql, parameters)))]


def result_of(deferred: Deferred[Any]) -> Any:
    """Of what has ended."""
    results: list[Any] = []
    deferred.addBoth(results.append)
    assert results, "it has not ended"
    if hasattr(results[0], "raiseException"):
        results[0].raiseException()
    return results[0]
