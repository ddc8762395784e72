"""A POP3 server in memory, with the account bob@example.test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from attrs import define, evolve, field

from worldmail.config.settings import Settings
from worldmail.errors import TemporaryFailure
from worldmail.interfaces.database import Notice
from worldmail.interfaces.directory import Account
from worldmail.interfaces.protocol import Peer
from worldmail.interfaces.store import MessageRow
from worldmail.mail.envelope import TlsFacts
from worldmail.protocols.pop3.session import Session
from worldmail.protocols.pop3.sessions import Sessions, make_site
from worldmail.protocols.pop3.settings import Pop3Settings
from worldmail.testing.feeding import Conductor, Conversation, feed_three_ways, settle
from worldmail.testing.memory_store import MemoryMailboxes
from worldmail.testing.world import MemoryWorld

TLS = TlsFacts(version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", bits=256)


@define(kw_only=True)
class MemoryChanges:
    """A change feed that the test speaks through."""

    listeners: list[tuple[str, int | None, Callable[[Notice], None]]] = field(factory=list)

    def subscribe(self, topic: str, listener: Callable[[Notice], None], key: int | None = None) -> Callable[[], None]:
        entry = (topic, key, listener)
        self.listeners.append(entry)
        return lambda: self.listeners.remove(entry)

    def tell(self, topic: str, key: int) -> None:
        for known, wanted, listener in list(self.listeners):
            if known == topic and wanted in (None, key):
                listener(Notice(1, topic, key))


class Mailboxes(MemoryMailboxes):
    """Text that is gone is told as the store tells it."""

    async def content(self, message: MessageRow) -> AsyncIterator[bytes]:
        try:
            async for chunk in super().content(message):
                yield chunk
        except KeyError:
            raise TemporaryFailure(reason="gone") from None


@define(kw_only=True)
class Server:
    """One server: its world, and the sessions that were made."""

    memory: MemoryWorld
    changes: MemoryChanges
    bob: Account
    sessions: Sessions
    tls: bool = True

    @classmethod
    def make(
        cls, *messages: bytes, tls: bool = True, legacy: bool = False, auth: Any = None, **settings: Any
    ) -> Server:
        memory, changes = MemoryWorld.make(), MemoryChanges()
        whole = Settings() if auth is None else evolve(Settings(), auth=auth)
        memory.mailboxes = memory.acceptance.mailboxes = Mailboxes()
        world = memory.replace(changes=changes, settings=whole, mailboxes=memory.mailboxes)
        memory.authentication.legacy = legacy
        bob = memory.add_account("bob@example.test", "secret", legacy_auth=legacy)
        for message in messages:
            memory.mailboxes.add(bob.id, message)
        site = evolve(make_site(world, Pop3Settings(**settings)), random=lambda count: b"r" * count)
        return cls(memory=memory, changes=changes, bob=bob, sessions=Sessions(site), tls=tls)

    def peer(self) -> Peer:
        return Peer(
            session="s1", host="127.0.0.1", port=4, local_host="127.0.0.1", local_port=1, tls=TLS if self.tls else None
        )

    def session(self) -> Session:
        """A session that takes its peer from the server, whoever opens it."""
        made = self.sessions()
        if not self.tls:
            return made
        opened = made.opened
        return _Secured(made, opened, self.peer())  # type: ignore[return-value]  # a dialogue all the same

    @property
    def inbox(self) -> list[bytes]:
        return self.memory.mailboxes.texts(self.bob.id)

    def connect(self) -> Client:
        """A client that speaks step by step."""
        conductor = Conductor(dialogue=self.sessions(), peer=self.peer())
        settle(conductor.open())
        return Client(conductor=conductor)


class _Secured:
    """A session whose connection is in TLS from the start."""

    def __init__(self, session: Session, opened: Any, peer: Peer) -> None:
        self._session, self._opened, self._peer = session, opened, peer

    def opened(self, peer: Peer) -> Any:
        return self._opened(self._peer)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


@define(kw_only=True)
class Client:
    """Says lines and gives what came back since."""

    conductor: Conductor
    seen: int = 0

    def say(self, line: bytes, end: bytes = b"\r\n") -> bytes:
        """One line; the answer."""
        settle(self.conductor.feed(line + end))
        return self.read()

    def read(self) -> bytes:
        """What came since the last time."""
        output = self.conductor.held.output
        new, self.seen = output[self.seen :], len(output)
        return new

    def login(self) -> Client:
        """Sign in as bob."""
        self.read()
        self.say(b"USER bob@example.test")
        assert self.say(b"PASS secret").startswith(b"+OK")
        return self

    def drop(self) -> None:
        """The connection is lost."""
        self.conductor.dialogue.closed("peer closed")

    @property
    def closed(self) -> str | None:
        return self.conductor.held.closed

    @property
    def session(self) -> Session:
        session: Session = self.conductor.dialogue
        return session


@pytest.fixture
def serve() -> Callable[..., Server]:
    """Makes servers: messages of bob's, then settings."""
    return Server.make


@pytest.fixture
def talk() -> Callable[..., Conversation]:
    """A whole conversation, fed in every way; each way has a server of its own."""

    def run(client_bytes: bytes, *messages: bytes, **options: Any) -> Conversation:
        return feed_three_ways(lambda: Server.make(*messages, **options).session(), client_bytes)

    return run
