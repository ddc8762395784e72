"""A relay in memory, from whom mail is fetched: it follows a script, then hands messages over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from zope.interface import implementer

from worldmail.interfaces.ondemand import Result
from worldmail.interfaces.outbound import Hop, HopFailed, IConnector, Login, Security
from worldmail.interfaces.protocol import IDialogue, Peer
from worldmail.interfaces.turned import Fetch
from worldmail.mail.envelope import TlsFacts
from worldmail.protocols.smtp.fetches import Fetches
from worldmail.protocols.smtp.settings import SmtpSettings
from worldmail.testing.feeding import settle
from worldmail.testing.scripted_smtp import ScriptedServer
from worldmail.testing.smtp import SmtpScene
from worldmail.testing.smtp_client import CUTS, TLS, make_means
from worldmail.wire.effects import Become, Close, Effects, StartTls

HOP = Hop(
    host="relay.test",
    addresses=("192.0.2.1",),
    port=366,
    helo="site.test",
    security=Security.VERIFIED,
    login=Login(user="shop@relay.test", password="secret"),
)
OFFERS = ("STARTTLS", "AUTH CRAM-MD5", "ATRN")
MESSAGE = b"MAIL FROM:<a@a.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n"
TEXT = b"Subject: one\r\n\r\ntext\r\n.\r\n"
TAKEN = b"EHLO relay.test\r\n" + MESSAGE + TEXT + b"QUIT\r\n"


@define(kw_only=True)
class Relay:
    """What is on the other side: a server, and once it has turned the connection a client.

    Args:
        says: what the client says once it is greeted; with `hasty` the first piece of it comes with the 250.
        leaves: why the connection ends behind that; None if it does not by itself.
    """

    server: ScriptedServer = field(
        factory=lambda: ScriptedServer(
            offers=OFFERS, answers={"AUTH": ["334 PDEyMzQ+"], "*": ["235 2.7.0 ok"], "ATRN": ["250 2.0.0 reversing"]}
        )
    )
    says: bytes = TAKEN
    leaves: str | None = None
    turned: bool = False
    heard: bytes = b""
    closed: str | None = None

    def receive(self, data: bytes) -> bytes:
        """What it says to that."""
        if not self.turned:
            said = self.server.receive(data)
            self.turned = bool(self.server.commands) and self.server.commands[-1][:4] == "ATRN" and said[:3] == b"250"
            if self.server.closed:
                self.closed = "closed by peer"
            return said
        before, self.heard = self.heard, self.heard + data
        if b"220 " in self.heard and b"220 " not in before:
            self.closed = self.leaves
            return self.says
        return b""

    @property
    def commands(self) -> list[str]:
        """What it was told as a server."""
        return [line.split(" ")[0] for line in self.server.commands]

    @property
    def codes(self) -> list[str]:
        """What it was answered as a client, without the middle of long replies."""
        return [line[:3] for line in self.heard.decode().split("\r\n") if line[3:4] == " "]


@implementer(IConnector)
@define(kw_only=True)
class Lines:
    """The connector: each connection leads to the same relay.

    Args:
        tls, pin: what TLS comes to, and the pin of the relay's key.

    Attributes:
        dialogue: whose the connection is now.
        gone: why it ended.
    """

    relay: Relay
    cut: str = "whole"
    tls: TlsFacts = TLS
    pin: str | None = None
    dialogue: Any = None
    peer: Any = None
    gone: str | None = None
    _inbox: list[bytes] = field(factory=list)
    _woken: bool = False
    _running: bool = False

    def connect(self, make_dialogue: Callable[[], IDialogue], hop: Hop) -> Any:
        self.dialogue = dialogue = make_dialogue()
        self.peer = Peer(session="c1", host="192.0.2.1", port=366, local_host="192.0.2.9", local_port=40000)
        self.peer.wake, self.peer.abort, self.peer.pin = self._wake, self.lose, lambda: self.pin
        self._inbox += CUTS[self.cut](self.relay.server.open())
        if self.relay.server.closed:
            self.relay.closed = "closed by peer"
        self._carry_out(self.dialogue.opened(self.peer))
        self.go_on()
        ready: Deferred[Any] = Deferred()
        ready.callback(dialogue)
        return ready

    def go_on(self) -> None:
        """Until nobody has anything to say."""
        if self._running:
            return
        self._running = True
        while self.gone is None and (self._inbox or self._woken):
            self._woken = False
            if self._inbox:
                self.dialogue.receive(self._inbox.pop(0))
            while self.gone is None and (event := self.dialogue.next_event()) is not None:
                self._carry_out(settle(self.dialogue.handle(event)))
        self._running = False
        if self.relay.closed is not None:
            self.lose(self.relay.closed)

    def say(self, data: bytes) -> None:
        """The relay says this by itself."""
        self._inbox += CUTS[self.cut](data)
        self.go_on()

    def time_out(self) -> None:
        """It says nothing for too long."""
        self._carry_out(self.dialogue.timed_out())
        self.lose("timed out")

    def lose(self, reason: str) -> None:
        """The connection ends."""
        if self.gone is None:
            self.gone = reason
            self.dialogue.closed(reason)

    def _wake(self) -> None:
        self._woken = True
        self.go_on()

    def _carry_out(self, effects: Effects) -> None:
        for effect in effects:
            if isinstance(effect, bytes):
                self._inbox += CUTS[self.cut](self.relay.receive(effect))
            elif isinstance(effect, StartTls):
                self.peer.tls = self.tls
                self.relay.server.secure()
                self._carry_out(self.dialogue.secured(self.peer))
            elif isinstance(effect, Become):
                before, self.dialogue = self.dialogue, effect.dialogue
                assert not before.buffered()
                before.closed("exchanged")
                self._carry_out(self.dialogue.opened(self.peer))
            elif isinstance(effect, Close):
                self.lose(effect.reason)


@define(kw_only=True)
class Site:
    """Who fetches: our own server's sessions, in a world in memory.

    Attributes:
        results: what the fetch came to, or why there was none.
    """

    lines: Lines
    scene: SmtpScene = field(factory=SmtpScene)
    settings: dict[str, Any] = field(factory=dict)
    fetches: Fetches = field(init=False)
    results: list[Any] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.scene.make_session()
        world = self.scene.world.world
        settings = evolve(world.settings, protocols={"smtp": SmtpSettings(**self.settings)})
        self.fetches = Fetches(connector=self.lines, means=make_means(), world=evolve(world, settings=settings))

    def begin(self, *domains: str, listener: str = "", hop: Hop = HOP) -> Deferred[Result]:
        """One fetch."""
        fetch = Fetch(agent="shop", domains=domains, listener=listener)
        running: Deferred[Result] = Deferred.fromCoroutine(self.fetches.fetch(hop, fetch))
        running.addBoth(self._over)
        return running

    def fetch(self, *domains: str, **changes: Any) -> Result:
        """One that comes to its end."""
        self.begin(*domains, **changes)
        (result,) = self.results
        if isinstance(result, Exception):
            raise result
        assert isinstance(result, Result)
        return result

    def _over(self, result: Any) -> None:
        self.results.append(getattr(result, "value", result))


def fetch(relay: Relay, cut: str = "whole", **changes: Any) -> tuple[Site, Result]:
    """One fetch from it."""
    site = Site(lines=Lines(relay=relay, cut=cut), **changes)
    return site, site.fetch()


def trouble(relay: Relay, cut: str = "whole") -> HopFailed:
    """Why there was none."""
    site = Site(lines=Lines(relay=relay, cut=cut))
    site.begin()
    (failed,) = site.results
    assert isinstance(failed, HopFailed), failed
    return failed
