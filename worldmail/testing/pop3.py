"""POP3 sessions in a world in memory, for tests.

    server = Pop3Server.make(b"Subject: one\r\n\r\nfirst\r\n")
    client = server.connect().login()
    assert client.say(b"STAT").startswith(b"+OK 1 ")

The server has the account bob@example.test with the password "secret"; its messages are the arguments of `make`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, evolve, field
from zope.interface import implementer

from worldmail.config.settings import AuthSettings, Settings
from worldmail.interfaces.database import IChanges, Notice
from worldmail.interfaces.directory import Account
from worldmail.interfaces.protocol import Peer
from worldmail.interfaces.world import World
from worldmail.mail.envelope import TlsFacts
from worldmail.protocols.pop3.session import Session
from worldmail.protocols.pop3.sessions import Sessions, make_site
from worldmail.protocols.pop3.settings import Pop3Settings
from worldmail.testing.feeding import Conductor, settle
from worldmail.testing.world import MemoryWorld

TLS = TlsFacts(version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", bits=256)


@implementer(IChanges)
@define(kw_only=True)
class MemoryChanges:
    """A change feed that the test speaks through: `tell`."""

    listeners: list[tuple[str, int | None, Callable[[Notice], None]]] = field(factory=list)

    def subscribe(self, topic: str, listener: Callable[[Notice], None], key: int | None = None) -> Callable[[], None]:
        """See `IChanges.subscribe`."""
        entry = (topic, key, listener)
        self.listeners.append(entry)
        return lambda: self.listeners.remove(entry)

    def tell(self, topic: str, key: int) -> None:
        """Something of this topic changed; key 0: everything may have."""
        for known, wanted, listener in list(self.listeners):
            if known == topic and (key == 0 or wanted in (None, key)):
                listener(Notice(1, topic, key))


@define(kw_only=True)
class Pop3Server:
    """One server.

    Args:
        memory: its parts.
        world: what its sessions see.
        sessions: makes them.
        tls: its connections are in TLS.
    """

    memory: MemoryWorld
    world: World
    changes: MemoryChanges
    bob: Account
    sessions: Sessions
    tls: bool

    @classmethod
    def make(
        cls,
        *messages: bytes,
        tls: bool = True,
        legacy: bool = False,
        auth: AuthSettings | None = None,
        reactor: Any = None,
        **settings: Any,
    ) -> Pop3Server:
        """A server with these messages of bob's and these settings of [pop3]."""
        memory, changes = MemoryWorld.make(reactor=reactor), MemoryChanges()
        whole = evolve(Settings(), auth=auth or AuthSettings())
        world = memory.replace(changes=changes, settings=whole)
        memory.authentication.legacy = legacy
        bob = memory.add_account("bob@example.test", "secret", legacy_auth=legacy)
        for message in messages:
            memory.mailboxes.add(bob.id, message)
        site = evolve(make_site(world, Pop3Settings(**settings)), random=lambda count: b"r" * count)
        return cls(memory=memory, world=world, changes=changes, bob=bob, sessions=Sessions(site), tls=tls)

    @property
    def peer(self) -> Peer:
        """A peer of this server."""
        tls = TLS if self.tls else None
        return Peer(session="s1", host="127.0.0.1", port=4, local_host="127.0.0.1", local_port=1, tls=tls)

    @property
    def inbox(self) -> list[bytes]:
        """Bob's messages, as they are stored."""
        return self.memory.mailboxes.texts(self.bob.id)

    def connect(self) -> Pop3Client:
        """A client that was greeted."""
        conductor = Conductor(dialogue=self.sessions(), peer=self.peer)
        settle(conductor.open())
        return Pop3Client(conductor=conductor)


@define(kw_only=True)
class Pop3Client:
    """Says lines, and gives what came back."""

    conductor: Conductor
    seen: int = 0

    def say(self, line: bytes, end: bytes = b"\r\n") -> bytes:
        """One line; what was answered since the last time."""
        self.seen = len(self.conductor.held.output)
        settle(self.conductor.feed(line + end))
        return self.conductor.held.output[self.seen :]

    def login(self) -> Pop3Client:
        """Sign in as bob."""
        self.say(b"USER bob@example.test")
        answer = self.say(b"PASS secret")
        assert answer.startswith(b"+OK"), answer
        return self

    def drop(self) -> None:
        """The connection is lost."""
        self.session.closed("peer closed")

    @property
    def closed(self) -> str | None:
        """Why the server closed; None if it did not."""
        return self.conductor.held.closed

    @property
    def session(self) -> Session:
        """The server's side."""
        session: Session = self.conductor.dialogue
        return session
