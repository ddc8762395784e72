"""ESMTP sessions in a world in memory, for tests.

    scene = SmtpScene()
    talk = scene.play(b"EHLO a.test\r\nMAIL FROM:<a@a.test>\r\n")
    assert talk.codes == ["220", "250", "250 2.1.0"]

Every text is played in each of the ways of `worldmail.testing.feeding.cuts`, each time in a new
world, and must give the same answers. `scene.world` is the last of these worlds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from attrs import define, evolve, field

from worldmail.config.settings import PolicySettings, Settings
from worldmail.config.units import network
from worldmail.interfaces.protocol import Peer
from worldmail.interfaces.store import StagedContent
from worldmail.mail.envelope import TlsFacts
from worldmail.policy.relay import RelayCheck
from worldmail.protocols.smtp.entrance import Entrance
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.settings import SmtpSettings
from worldmail.protocols.smtp.verbs import ROWS
from worldmail.testing.feeding import Conversation, converse, cuts, loopback_peer, settle
from worldmail.testing.world import MemoryWorld
from worldmail.wire.networks import NetworkSet

TLS = TlsFacts(version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", bits=256, server_name=None)


@define(kw_only=True)
class Talk:
    """What the server said.

    Args:
        conversation: as it was.
        replies: each reply as its lines, without line ends.
    """

    conversation: Conversation
    replies: list[list[str]]

    @classmethod
    def of(cls, conversation: Conversation) -> Talk:
        """Cut into replies."""
        replies: list[list[str]] = []
        begun = False
        for line in conversation.output.decode().split("\r\n")[:-1]:
            if begun:
                replies[-1].append(line)
            else:
                replies.append([line])
            begun = line[3:4] == "-"
        return cls(conversation=conversation, replies=replies)

    @property
    def codes(self) -> list[str]:
        """Each reply's code, with its enhanced code if it has one."""
        return [_code(lines[-1]) for lines in self.replies]

    @property
    def closed(self) -> str | None:
        """Why the server closed; None if it did not."""
        return self.conversation.closed


@define(kw_only=True)
class SmtpScene:
    """How sessions are set up.

    Args:
        listener: "smtp", "submission" or "submissions", as in the default settings.
        tls: the peer comes in TLS.
        settings: changes to `SmtpSettings`.
        changes: changes to the listener.
        prepare: called with each new world.
        peer: changes to the peer.
        relay_networks: from where anybody may send to everybody.
        world: the last world that was made.
    """

    listener: str = "smtp"
    tls: bool = False
    settings: dict[str, Any] = field(factory=dict)
    changes: dict[str, Any] = field(factory=dict)
    peer: dict[str, Any] = field(factory=dict)
    relay_networks: tuple[str, ...] = ()
    prepare: Callable[[MemoryWorld], object] = field(default=lambda world: None)
    world: MemoryWorld = field(factory=MemoryWorld.make)

    def make_session(self) -> Session:
        """A session in a new world: bob, alice and postmaster @example.test, password "secret"."""
        policy = PolicySettings(relay_networks=tuple(map(network, self.relay_networks)))
        world = self.world = MemoryWorld.make(settings=Settings(policy=policy))
        world.policy.checks.append(RelayCheck(NetworkSet(policy.relay_networks)))
        for name in ("bob", "alice", "postmaster"):
            world.add_account(f"{name}@example.test")
        self.prepare(world)
        settings = SmtpSettings(**self.settings)
        listener = next(listener for listener in settings.listeners if listener.name == self.listener)
        return Session(Entrance.make(world.world, settings, evolve(listener, **self.changes), ROWS))

    def make_peer(self) -> Peer:
        """The other end."""
        return evolve(loopback_peer(), tls=TLS if self.tls else None, **self.peer)

    def play(self, client: bytes, *, ways: Iterable[str] | None = None) -> Talk:
        """Play the client's octets in all ways, or these."""
        agreed: Conversation | None = None
        for way, segments in cuts(client).items():
            if ways is not None and way not in ways:
                continue
            conversation = settle(converse(self.make_session(), segments, self.make_peer()))
            assert agreed is None or conversation == agreed, f"fed {way}: {conversation!r}, else {agreed!r}"
            agreed = conversation
        assert agreed is not None
        return Talk.of(agreed)

    def play_segments(self, segments: Iterable[bytes]) -> Talk:
        """Play these segments, once."""
        return Talk.of(settle(converse(self.make_session(), segments, self.make_peer())))

    def texts(self, account_id: int = 1) -> list[bytes]:
        """What lies in an account's INBOX, as it was accepted (Return-Path and Delivered-To in front)."""
        return self.world.mailboxes.texts(account_id)

    def contents(self) -> list[bytes]:
        """The content of every accepted message."""
        kept = [acceptance.content for acceptance in self.world.acceptance.accepted]
        return [content.inline or b"" for content in kept if isinstance(content, StagedContent)]


def _code(line: str) -> str:
    code, _, rest = line.replace("-", " ", 1).partition(" ")
    enhanced = rest.split(" ", 1)[0]
    return f"{code} {enhanced}" if enhanced.count(".") == 2 and enhanced.replace(".", "").isdigit() else code


def with_body(body: bytes, header: bytes = b"Subject: test\r\n") -> bytes:
    """A whole transaction from a@a.test to bob, from EHLO to the end of the data."""
    return envelope() + b"DATA\r\n" + header + b"\r\n" + body + b"\r\n.\r\n"


def envelope(sender: bytes = b"<a@a.test>", *recipients: bytes) -> bytes:
    """EHLO, MAIL and RCPTs."""
    to = recipients or (b"<bob@example.test>",)
    return b"EHLO a.test\r\nMAIL FROM:" + sender + b"\r\n" + b"".join(b"RCPT TO:" + one + b"\r\n" for one in to)
