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
from collections.abc import Coroutine
from typing import Any

from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from worldmail.interfaces.protocol import IDialogue, IFinishing, IPredecessor
from worldmail.transport.ends import watch_link
from worldmail.transport.incoming import INPUT_LIMIT
from worldmail.transport.outgoing import NEVER, OUTPUT_LIMIT, TURN_SECONDS, WORKING_SECONDS
from worldmail.transport.standing import Standing
from worldmail.transport.steps import Steps
from worldmail.wire.effects import Become, Close, Compress, Decompress, Effects, Flush, Later, StartTls, Stream
from worldmail.wire.wakes import WAKE

TURN_EVENTS = 50
"""Events of one connection in one go, while others wait."""

RATE_WINDOW = 30.0
"""Seconds over which a dialogue's `minimum_rate` is measured."""


@implementer(IHandshakeListener)
class Turns(Standing):
    """One connection and its dialogue, whoever opened it."""

    _busy = False  # a turn is under way
    _acted = False  # it has had an event
    _stopping = False  # the server stops
    _exchanged = False  # the dialogue is not the first
    _calls = False  # it is the client, the peer the server
    _silent_until = NEVER
    _window_end = 0.0
    _window_start = 0  # _octets_in when the window began

    # -- what Twisted and the transport call -----------------------------------

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
        self.peer.tls = self.facts()
        self.peer.channel_binding = self._channel_binding
        if self._waiting is not None:
            self.go_on()
        elif not self._busy:
            if self._unopened:
                self.open()
            else:
                self._await_input()

    def input_ended(self) -> bool:
        """The peer sends no more: is there still something to do or to send? (`EagerServer` asks.)"""
        self._ended = True
        return not self._over and (self._busy or self._full)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is gone. A turn under way comes to its end: what it waits for is not undone."""
        self._reason = self._reason or self.why(reason)
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
            self._wind_up()

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

    def open(self) -> None:
        """The dialogue's first turn."""
        self._unopened = False
        self._begin(self._open())

    def _begin(self, turn: Coroutine[Any, None, None]) -> None:
        self._busy = True
        Steps(turn, self.waits, self._turn_over).go()

    async def _open(self) -> None:
        self._acted = True
        await self._carry_out(self.dialogue.opened(self.peer))
        await self._take_events()

    async def _take_events(self) -> None:
        """Everything that is there, one after another."""
        dialogue = self.dialogue
        events, until = 0, time.monotonic() + TURN_SECONDS
        self._has_waited = False
        while not self._over:
            event = self.next_event()
            if event is not None:
                self._working = True
                effects = await dialogue.handle(event)
                self._working = False
                if effects:
                    await self._carry_out(effects)
                    dialogue = self.dialogue  # it may be another
                self._reporting = False
                # A wake is no act of the peer's; but it has something to answer if its client then speaks.
                if event is not WAKE or (self._calls and effects):
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
                self.spend(events)
                await self.make_way()
                events, until = 0, time.monotonic() + TURN_SECONDS
        self.spend(events)

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
            elif isinstance(effect, Become):
                self._tell_end(effect.dialogue, self._reason)
        if self._queued > OUTPUT_LIMIT:
            self.flush()

    async def _act(self, effect: StartTls | Compress | Decompress | Later | Become | Close) -> None:
        if isinstance(effect, Close):
            self._shut(effect.reason)
        elif isinstance(effect, StartTls):
            await self._start_tls()
        elif isinstance(effect, Become):
            await self._become(effect.dialogue)
        else:
            self.take_up(effect)

    async def _become(self, successor: IDialogue) -> None:
        """The connection is another dialogue's from here on. What came and was not acted upon is for it.

        Such connections may stay for days, and whoever lost one wants another: its link is watched.
        """
        before = self.dialogue
        rest = before.rest() if IPredecessor.providedBy(before) else b""
        if before.buffered():
            self.abort("input behind an exchange of dialogues")
            self._tell_end(successor, self._reason)
            return
        self.dialogue, self._exchanged, self._calls = successor, True, not self._calls
        self._tell_end(before, "exchanged")
        watch_link(self.transport)
        effects = successor.opened(self.peer)
        if rest:
            successor.receive(rest)
        await self._carry_out(effects)

    async def _reader(self) -> None:
        """Wait until the peer has read. Its own time begins anew after that."""
        self._acted = True
        await self.room()

    def _turn_over(self, error: Exception | None) -> None:
        self._busy = self._working = self._reporting = False
        if self._deflate is not None:
            self._deflate.rest()
        if error is not None:
            self._fault(error)
        if self._gone:
            self._finish()
        elif error is not None:
            self.close("internal error")
        elif not self._over:
            if self._unread:
                self.read_again()
            if self._stopping:
                self._wind_up()
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

    # -- TLS -------------------------------------------------------------------------

    async def _start_tls(self) -> None:
        """RFC 3207 §4, RFC 2595 §4. What came in the clear behind the command, or its reply, is never acted upon."""
        self.flush()
        if self.dialogue.buffered() or self._unread:
            self.abort("input behind STARTTLS")
            return
        refusal = "no TLS after an exchange of dialogues" if self._exchanged else self.no_handshake()
        if refusal is not None:
            self._shut(refusal)
            return
        self.secure()
        while self._securing and not self._gone:
            await self.pause()
        if not self._over:
            await self._carry_out(self.dialogue.secured(self.peer))

    # -- the end -----------------------------------------------------------------------

    def _wind_up(self) -> None:
        """The server stops and nothing is under way."""
        if not IFinishing.providedBy(self.dialogue):
            self._last_words(self.dialogue.shutting_down, "server stopping")
        elif not self._over:
            self._stopping = False
            self._begin(self._finish_up())

    async def _finish_up(self) -> None:
        await self._carry_out(self.dialogue.shutting_down())
        await self._take_events()
