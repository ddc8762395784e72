"""A protocol as the server sees it: a plugin outside, a dialogue on each connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import define, field
from zope.interface import Attribute, Interface

from worldmail.mail.envelope import TlsFacts
from worldmail.wire.effects import Effects


@define(kw_only=True)
class Peer:
    """The connection as its dialogue may know it.

    Args:
        session: a new session id, for the log.
        host, port: the peer's IP address as text, and its port.
        local_host, local_port: our end.
        tls: what was negotiated, None in the clear; set by the driver once a handshake is done.
        channel_binding: see `LoginContext.channel_binding`.
        exempt: True if the peer is in a network that rates, caps and bans leave alone.
        wake: asks the driver to look at `next_event` soon, though nothing came from the peer; set by the driver.
        abort: cuts the connection off now, whatever is under way, for this reason; set by the driver.
        tls_failure: on a connection that we opened: why the TLS handshake did not come to its end, in words ("the
            certificate has expired"); set before `closed`. None if that is not how it ended.
        pin: on a connection that we opened: the pin of the server's key (`outbound.Hop.pins`); None in the clear.
    """

    session: str
    host: str
    port: int
    local_host: str
    local_port: int
    tls: TlsFacts | None = None
    channel_binding: Callable[[str], bytes | None] = field(default=lambda name: None)
    exempt: bool = False
    wake: Callable[[], None] = field(default=lambda: None)
    abort: Callable[[str], None] = field(default=lambda reason: None)
    tls_failure: str | None = None
    pin: Callable[[], str | None] = field(default=lambda: None)


class IDialogue(Interface):
    """One conversation, without I/O.

    The driver calls `opened` once, then feeds `receive` and takes events from `next_event`
    until it gives None, handing each to `handle`, strictly one after another: while a
    `handle` is under way only `receive` may be called. The effects of all are carried out in order.
    """

    timeout = Attribute(
        "float: seconds the peer may take for its next event now; read by the driver at each wait. They begin with the "
        "last event, a client's also with what it sends when woken"
    )
    minimum_rate = Attribute("int: octets a second the peer must send now, over half a minute; 0 for no such rule")

    def opened(peer: Peer) -> Effects:
        """The connection is there, ours or theirs.

        In implicit TLS: before the handshake, if the listener does not want it after; if we opened it, after.
        """

    def refused(reason: str) -> Effects:
        """Too many connections or commands: last words before the driver closes (421 4.7.0, -ERR [SYS/TEMP]).

        Instead of `opened`, or later between two events. `reason` is a sentence for the peer.
        """

    def receive(data: bytes) -> None:
        """Take bytes; only buffers. Never blocks, never raises."""

    def buffered() -> int:
        """How many received bytes no event has been made of yet."""

    def next_event() -> object | None:
        """The next whole event in what was received, or None if more bytes are needed.

        `worldmail.wire.wakes.WAKE` if the dialogue called `Peer.wake` and has something to tell.
        """

    def handle(event: object) -> Awaitable[Effects]:
        """Act on it. Raises nothing on purpose; what is raised all the same is logged and closes the connection."""

    def secured(peer: Peer) -> Effects:
        """TLS was started by this dialogue's `StartTls`: forget everything learnt in the clear."""

    def timed_out() -> Effects:
        """The peer was silent for `timeout`; last words before the driver closes."""

    def shutting_down() -> Effects:
        """The server stops; last words before the driver closes (421, -ERR [SYS/TEMP]). But see `IFinishing`."""

    def closed(reason: str) -> None:
        """The connection is gone, or another dialogue's. Give back everything held. Called exactly once."""


class IReporting(Interface):
    """What a dialogue may provide whose work can take long."""

    def working() -> bytes:
        """Work has gone on for a while since the last word: something to tell the peer, or nothing.

        Asked while a `handle` is under way, or while a chunk of a `Stream` is made; it goes out at once.
        """


class IPredecessor(Interface):
    """What a dialogue provides that another may follow on its connection (`worldmail.wire.effects.Become`)."""

    def rest() -> bytes:
        """What was received and no event was made of, given away: for its successor. `closed` follows."""


class IFinishing(Interface):
    """What a dialogue provides that ends by itself when the server stops: `shutting_down` is not its last word.

    The effects of `shutting_down` are carried out like others; it goes on until it closes, or until its time is up.
    """


class ISuccessor(Interface):
    """What a maker of dialogues may provide: it goes on from what the one before it learnt.

    After SIGHUP a listener makes its dialogues by new settings, with a new maker.
    """

    def succeed(predecessor: Any) -> None:
        """Take over from the maker that the listener had until now. Never fails."""


class IProtocol(Interface):
    """A protocol that the server can speak. A plugin, found with `twisted.plugin.getPlugins`."""

    name = Attribute("str: its name, and that of its section in the configuration")

    def settings() -> type[Any]:
        """The attrs class of its section: every field has a default and `metadata` with its documentation."""

    def service(world: Any, settings: Any) -> Any:
        """An `IService` that serves it. Binds in `privilegedStartService`, serves after `startService`."""
