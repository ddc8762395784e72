"""Runs dialogues on connections.

How it works: bytes that come in are given to the dialogue; if it is not busy, a *turn*
begins: one coroutine that takes event after event, lets the dialogue handle each and carries
its effects out, until no whole event is left. A turn that must wait (for the database, for a
slow reader, for a TLS handshake) is resumed where it was; bytes that come meanwhile are only
kept, and past `INPUT_LIMIT` not even read. What is to be sent is joined and written when
the turn waits or ends. A turn lets others in after `TURN_EVENTS` events or `TURN_SECONDS`. A dialogue that has
something to tell asks for a turn itself (`Peer.wake`); one that works for long is asked for reports (`IReporting`).

Deadlines are floats that one sweep a second looks at. The deadline is renewed by a whole
event, not by each byte: a command that dribbles in is as late as one that does not come.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from worldmail.interfaces.protocol import Peer
from worldmail.transport.ends import make_peer, no_binding, no_wake
from worldmail.transport.factory import ConnectionFactory
from worldmail.transport.facts import channel_binding, tls_facts
from worldmail.transport.incoming import INPUT_LIMIT, Incoming
from worldmail.transport.outgoing import NEVER, OUTPUT_LIMIT, TURN_SECONDS, WORKING_SECONDS, why
from worldmail.transport.steps import Steps
from worldmail.wire.effects import Close, Compress, Decompress, Effects, Flush, Later, StartTls, Stream
from worldmail.wire.wakes import WAKE

TURN_EVENTS = 50
"""Events of one connection in one go, while others wait."""

RATE_WINDOW = 30.0
"""Seconds over which a dialogue's `minimum_rate` is measured."""


@implementer(IHandshakeListener)
class DialogueProtocol(Incoming):
    """One connection and its dialogue."""

    factory: ConnectionFactory
    peer: Peer
    _busy = False  # a turn is under way
    _acted = False  # it has had an event
    _opened = False  # the dialogue was told of the connection
    _stopping = False  # the server stops
    _securing = False  # a TLS handshake is under way
    _silent_until = NEVER
    _window_end = 0.0
    _window_start = 0  # _octets_in when the window began

    # -- what Twisted and the transport call -----------------------------------

    def connectionMade(self) -> None:
        """Greet, or refuse."""
        factory = self.factory
        self._output = []
        self._began = time.monotonic()
        self.dialogue = factory.make_dialogue()
        peer = self.peer = make_peer(self.transport, factory.limits)
        peer.wake = self._wake
        refusal = factory.joined(self)
        self.transport.registerProducer(self, True)
        if factory.implicit_tls:
            refusal = refusal or factory.no_handshake(peer)
            if refusal is not None:
                self.abort(refusal)
                return
            self._secure()
        if refusal is not None:
            self._refuse(refusal)
        elif factory.stopping:
            self.stop()
        elif not (self._securing and factory.greets_secured):
            self._begin(self._open())

    def dataReceived(self, data: bytes) -> None:
        """Keep it, and act on it if nothing is under way."""
        self._octets_in += len(data)
        if self._over:
            return
        self.take_in(data)
        if not self._busy:
            self._begin(self._take_events())
        elif not self._unread and self.behind() > INPUT_LIMIT:
            self._window_end = 0.0
            self.read_no_more()

    def handshakeCompleted(self) -> None:
        """TLS is there."""
        self._securing = False
        self.peer.tls = tls_facts(self.transport.getHandle())
        self.peer.channel_binding = self._channel_binding
        if self._waiting is not None:
            self.go_on()
        elif not self._busy:
            if self._opened:
                self._await_input()
            else:
                self._begin(self._open())

    def input_ended(self) -> bool:
        """The peer sends no more: is there still something to do or to send? (`EagerServer` asks.)"""
        self._ended = True
        return not self._over and (self._busy or self._full)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is gone. A turn under way comes to its end: what it waits for is not undone."""
        self._reason = self._reason or why(reason, self._securing)
        self._gone = self._over = True
        if self._busy:
            self.go_on()
        else:
            self._finish()

    # -- what the factory and the sweep call -------------------------------------

    def stop(self) -> None:
        """The server stops: last words now, or after what is under way."""
        self._stopping = True
        if self._securing:
            self.abort("server stopping")
        elif not self._busy:
            self._last_words(self.dialogue.shutting_down, "server stopping")

    def woken(self) -> None:
        """The dialogue asked for a turn."""
        if not self._busy and not self._over and not self._securing:
            self._begin(self._take_events())

    def look(self, now: float) -> None:
        """The deadline has passed."""
        if self._securing:
            self.abort("TLS handshake timed out")
        elif self._working and not self._over:
            self.report(now)
        elif self._full or self._over:
            self.look_at_reader(now)
        elif self._busy:
            self.deadline = now + WORKING_SECONDS  # it is our turn, not the peer's
        elif now >= self._silent_until:
            self._last_words(self.dialogue.timed_out, "timed out")
        else:
            self._look_at_rate(now)

    # -- turns ---------------------------------------------------------------------

    def _begin(self, turn: Coroutine[Any, None, None]) -> None:
        self._busy = True
        Steps(turn, self.waits, self._turn_over).go()

    async def _open(self) -> None:
        self._acted = self._opened = True
        await self._carry_out(self.dialogue.opened(self.peer))
        await self._take_events()

    async def _take_events(self) -> None:
        """Everything that is there, one after another."""
        dialogue = self.dialogue
        events, until = 0, time.monotonic() + TURN_SECONDS
        while not self._over:
            event = self.next_event()
            if event is not None:
                self._working = True
                effects = await dialogue.handle(event)
                self._working = False
                if effects:
                    await self._carry_out(effects)
                self._reporting = False
                if event is not WAKE:  # that is no act of the peer's
                    self._acted = True
                    events += 1
                if self._stopping:
                    break
            elif not self.expand():
                self.flush()
                if not self._full:
                    break
            if self._full:
                await self._reader()
            elif events >= TURN_EVENTS or time.monotonic() > until:
                self._spend(events)
                await self.let_others_in()
                events, until = 0, time.monotonic() + TURN_SECONDS
        self._spend(events)

    async def _carry_out(self, effects: Effects) -> None:
        """Do what the dialogue asks for, in its order."""
        for effect in effects:
            if isinstance(effect, bytes):
                if not self._over:
                    self._output.append(effect)
                    self._queued += len(effect)
            elif isinstance(effect, Stream | Flush):
                await self.in_writes(effect)
            elif not self._over:
                await self._act(effect)
        if self._queued > OUTPUT_LIMIT:
            self.flush()

    async def _act(self, effect: StartTls | Compress | Decompress | Later | Close) -> None:
        if isinstance(effect, Close):
            self._shut(effect.reason)
        elif isinstance(effect, StartTls):
            await self._start_tls()
        else:
            self.take_up(effect)

    async def _reader(self) -> None:
        """Wait until the peer has read. Its own time begins anew after that."""
        self._acted = True
        await self.room()

    def _spend(self, events: int) -> None:
        """Take events from the address's allowance."""
        if events and not self._over:
            refusal = self.factory.overspent(self.peer, events)
            if refusal is not None:
                self._refuse(refusal)

    def _turn_over(self, error: Exception | None) -> None:
        self._busy = self._working = self._reporting = False
        if self._deflate is not None:
            self._deflate.rest()
        if error is not None:
            self.factory.journal.failure("dialogue.failed", error, session=self.peer.session)
        if self._gone:
            self._finish()
        elif error is not None:
            self.close("internal error")
        elif not self._over:
            if self._unread:
                self.read_again()
            if self._stopping:
                self._last_words(self.dialogue.shutting_down, "server stopping")
            elif self._ended:
                self.close("closed by peer")
            elif self._acted:
                self._acted = False
                self._await_input()

    # -- waiting for input ---------------------------------------------------------

    def _await_input(self) -> None:
        """Set the deadlines for the next event."""
        if self._securing:
            return
        now = time.monotonic()
        self.deadline = self._silent_until = now + self.dialogue.timeout
        if not self.dialogue.minimum_rate:
            self._window_end = 0.0
            return
        if not self._window_end:
            self._window_end = now + RATE_WINDOW
            self._window_start = self._octets_in
        self.deadline = min(self.deadline, self._window_end)

    def _look_at_rate(self, now: float) -> None:
        """A window is over: did the peer send enough in it?"""
        if now < self._window_end:  # the deadline was that of a report
            self.deadline = min(self._silent_until, self._window_end)
            return
        rate = self.dialogue.minimum_rate
        if rate and self._window_end and self._octets_in - self._window_start < rate * RATE_WINDOW:
            self._last_words(self.dialogue.timed_out, "too slow")
            return
        self._window_end = now + RATE_WINDOW if rate else 0.0
        self._window_start = self._octets_in
        self.deadline = min(self._silent_until, self._window_end or NEVER)

    def _wake(self) -> None:
        self.factory.wakes.add(self)

    # -- TLS -------------------------------------------------------------------------

    async def _start_tls(self) -> None:
        """RFC 3207 §4, RFC 2595 §4. What came in the clear behind the command is never executed."""
        self.flush()
        if self.dialogue.buffered() or self._unread:
            self.abort("input behind STARTTLS")
            return
        refusal = self.factory.no_handshake(self.peer)
        if refusal is not None:
            self._shut(refusal)
            return
        self._secure()
        while self._securing and not self._gone:
            await self.pause()
        if not self._over:
            await self._carry_out(self.dialogue.secured(self.peer))

    def _secure(self) -> None:
        self._securing = True
        self.deadline = time.monotonic() + self.factory.handshake_timeout
        self.transport.startTLS(self.factory.context_factory())

    def _channel_binding(self, kind: str) -> bytes | None:
        return None if self._gone else channel_binding(self.transport.getHandle(), kind)

    # -- the end -----------------------------------------------------------------------

    def _shut(self, reason: str) -> None:
        self.close(reason, unread=self._unread or self.behind() > 0)

    def _refuse(self, reason: str) -> None:
        self._last_words(lambda: self.dialogue.refused(reason), reason)

    def _last_words(self, words: Callable[[], Effects], reason: str) -> None:
        """Let the dialogue say a last thing, then close."""
        if self._over:
            return
        try:
            self._output += [effect for effect in words() if isinstance(effect, bytes)]
        except Exception as error:  # noqa: BLE001  a dialogue's fault is logged, and must not spread
            self.factory.journal.failure("dialogue.failed", error, session=self.peer.session)
        self._shut(reason)

    def _finish(self) -> None:
        """Tell the dialogue, once, and the log."""
        factory, peer = self.factory, self.peer
        try:
            self.dialogue.closed(self._reason)
        except Exception as error:  # noqa: BLE001  a dialogue's fault is logged, and must not spread
            factory.journal.failure("dialogue.failed", error, session=peer.session)
        factory.journal.record(
            "connection",
            session=peer.session,
            listener=factory.name,
            peer=peer.host,
            seconds=round(time.monotonic() - self._began, 3),
            octets_in=self._octets_in,
            octets_out=self._octets_out,
            reason=self._reason,
            tls=None if peer.tls is None else peer.tls.version,
        )
        peer.channel_binding, peer.wake = no_binding, no_wake  # they refer to us
        factory.left(self)


class DialogueFactory(ConnectionFactory):
    """Makes a `DialogueProtocol` for each connection of a listener."""

    protocol = DialogueProtocol
