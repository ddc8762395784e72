"""One connection to a server that takes mail."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Awaitable, Coroutine, Generator
from typing import Any

from zope.interface import implementer

from worldmail.interfaces.outbound import Fate, Hop, HopFailed, IConversation, Outcome, Phase, Shipment, Trouble
from worldmail.interfaces.protocol import IDialogue, IFinishing, Peer
from worldmail.protocols.smtp.client.channel import NEXT, SECURED, Channel, Lost
from worldmail.protocols.smtp.client.fitting import most_recipients
from worldmail.protocols.smtp.client.means import Means, Promise
from worldmail.protocols.smtp.client.opening import open_conversation
from worldmail.protocols.smtp.client.transaction import Transaction
from worldmail.wire.effects import Effects
from worldmail.wire.ready import Ready
from worldmail.wire.wakes import WAKE

_QUIT = b"QUIT\r\n"
Course = Coroutine[Any, Any, None]


@implementer(IDialogue, IConversation, IFinishing)
class ClientDialogue:
    """The client's side of one connection. `ready` says when it can be used.

    Attributes:
        peer: the connection; None before it is `opened`.
    """

    __slots__ = (
        "_acting",
        "_channel",
        "_closing",
        "_course",
        "_gone",
        "_leaving",
        "_opened",
        "_ready",
        "_waiting",
        "peer",
    )

    minimum_rate = 0

    def __init__(self, hop: Hop, means: Means) -> None:
        self.peer: Peer | None = None
        self._channel = Channel(hop, means)
        self._ready = means.promise()
        self._course: Course | None = None  # what is under way
        self._waiting: tuple[Transaction, Promise] | None = None  # begins with the next turn
        self._closing: list[Promise] = []
        self._opened = False  # greeted, in TLS and signed in as the hop asks
        self._leaving = False  # no transaction begins any more; goodbye is next
        self._acting = False  # in a turn
        self._gone = False

    # --- what the queue calls ------------------------------------------------------------

    @property
    def server(self) -> str:
        """See `IConversation.server`."""
        return self._channel.server

    @property
    def recipients(self) -> int:
        """See `IConversation.recipients`."""
        return most_recipients(self._channel)

    @property
    def usable(self) -> bool:
        """See `IConversation.usable` (RFC 9422 §4.1: MAILMAX)."""
        channel = self._channel
        most = channel.capabilities.mail_max
        return self._opened and not self._leaving and not channel.over and not 0 < most <= channel.transactions

    async def ready(self) -> None:
        """Wait until it is greeted, in TLS and signed in. Raises `HopFailed`. To be called once."""
        await self._ready

    def send(self, shipment: Shipment) -> Awaitable[Outcome]:
        """See `IConversation.send`."""
        assert self._waiting is None, "one transaction at a time"
        transaction = Transaction(self._channel, shipment)
        if not self.usable:
            return Ready(transaction.lost(Lost("The connection takes no more messages")))
        promise = self._channel.means.promise()
        self._waiting = (transaction, promise)
        self._want_turn()
        return promise

    def close(self) -> Awaitable[None]:
        """See `IConversation.close`."""
        if self._gone:
            return Ready(None)
        promise = self._channel.means.promise()
        self._closing.append(promise)
        self._leaving = True
        self._want_turn()
        return promise

    def abort(self) -> None:
        """See `IConversation.abort`."""
        self._leaving = True
        if self.peer is not None and not self._gone:
            self.peer.abort("aborted")

    # --- what the driver calls -----------------------------------------------------------

    @property
    def timeout(self) -> float:
        """See `IDialogue.timeout`."""
        return self._channel.timeout

    def opened(self, peer: Peer) -> Effects:
        """The server speaks first."""
        self.peer = peer
        self._channel.meet(peer)
        self._course = self._open()
        return self._act(None)

    def refused(self, reason: str) -> Effects:
        """See `IDialogue.refused`."""
        return self._end(Lost(f"The connection is not allowed: {reason}", "4.3.2"))

    def receive(self, data: bytes) -> None:
        """Take bytes."""
        self._channel.reader.receive(data)

    def buffered(self) -> int:
        """See `IDialogue.buffered`."""
        return self._channel.reader.buffered()

    def next_event(self) -> object | None:
        """A whole reply, or that there is something to say."""
        event = self._channel.reader.take()
        if event is None and self._course is None and (self._waiting is not None or self._leaving):
            return None if self._channel.over else WAKE
        return event

    async def handle(self, event: object) -> Effects:
        """Go on."""
        self._acting = True
        try:
            if event is WAKE:
                self._begin()
                event = None
            elif self._course is None:
                self._leaving = True
                self._channel.drop("the server spoke unasked")  # 421, most often: it closes
            await self._drive(event)
        finally:
            self._acting = False
        return self._channel.taken()

    def secured(self, peer: Peer) -> Effects:
        """See `IDialogue.secured`."""
        self._channel.reader.clear()
        return self._act(SECURED)

    def timed_out(self) -> Effects:
        """See `IDialogue.timed_out`: where nothing is under way we say goodbye; who does not answer is left."""
        if self._course is None:
            return (_QUIT,)
        return self._end(Lost("The server did not answer in time"))

    def shutting_down(self) -> Effects:
        """See `IFinishing`: what is under way comes to its end."""
        self._leaving = True
        if self._course is None and not self._channel.over:
            self._begin()
            return self._act(None)
        return ()

    def closed(self, reason: str) -> None:
        """The connection is gone. What came before that still counts."""
        channel = self._channel
        while self._course is not None and (said := channel.reader.take()) is not None:
            self._act(said)
        self._gone = self._leaving = channel.over = True
        failure = None if self.peer is None else self.peer.tls_failure
        if failure is None:
            lost = Lost(f"The connection was lost: {reason}")
        else:
            lost = Lost(f"TLS could not be started: {failure}", "4.7.5")
        self._end(lost)
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            transaction, promise = waiting
            promise.callback(transaction.lost(lost))
        closing, self._closing = self._closing, []
        for promise in closing:
            promise.callback(None)

    # --- courses ---------------------------------------------------------------------------

    async def _open(self) -> None:
        channel = self._channel
        try:
            await open_conversation(channel)
        except HopFailed as failed:
            channel.put(_QUIT)
            channel.drop(failed.trouble.reason)
            self._ready.errback(failed)
        except Lost as lost:
            channel.drop(lost.reason)
            self._ready.errback(HopFailed(self._trouble(lost)))
        except Exception:
            self._ready.errback(HopFailed(self._trouble(Lost("An error of ours", "4.3.0"))))
            raise
        else:
            self._opened = True
            channel.timeout = channel.means.patience.idle
            self._ready.callback(None)

    async def _transact(self, transaction: Transaction, promise: Promise) -> None:
        outcome = await transaction.run()
        self._channel.timeout = self._channel.means.patience.idle
        promise.callback(outcome)

    async def _say_goodbye(self) -> None:
        """QUIT (RFC 5321 §4.1.1.10); whatever the answer is."""
        channel = self._channel
        with contextlib.suppress(Lost):
            await channel.ask(_QUIT, Phase.CONTENT, channel.means.patience.goodbye)
        channel.drop("finished")

    def _trouble(self, lost: Lost) -> Trouble:
        return Trouble(
            fate=Fate.DEFERRED,
            status=lost.status,
            phase=self._channel.phase,
            server=self._channel.server,
            reply=lost.reply,
            reason=lost.reason,
        )

    # --- turns -------------------------------------------------------------------------------

    def _want_turn(self) -> None:
        if not self._acting and self.peer is not None:
            self.peer.wake()

    def _begin(self) -> None:
        """The next course."""
        waiting, self._waiting = self._waiting, None
        self._course = self._say_goodbye() if waiting is None else self._transact(*waiting)

    @types.coroutine
    def _drive(self, event: object) -> Generator[Any, Any, None]:
        """Let the course go on until it awaits the next event; all else that it awaits, we await."""
        course = self._course
        if course is None:
            return
        try:
            waited = course.send(event)
            while waited is not NEXT:
                try:
                    given = yield waited
                except Exception as error:  # noqa: BLE001  it is the course's
                    waited = course.throw(error)
                else:
                    waited = course.send(given)
        except BaseException as error:
            self._course = None
            if not isinstance(error, StopIteration):
                raise

    def _act(self, event: object) -> Effects:
        """The same where nothing can be waited for."""
        course = self._course
        if course is not None:
            self._acting = True
            try:
                if course.send(event) is not NEXT:
                    course.throw(Lost("The connection was lost"))
            except StopIteration:
                self._course = None
            finally:
                self._acting = False
        return self._channel.taken()

    def _end(self, lost: Lost) -> Effects:
        """Nothing can be said any more."""
        course, self._course = self._course, None
        if course is not None:
            self._acting = True
            with contextlib.suppress(StopIteration):
                course.throw(lost)
            self._acting = False
        return self._channel.taken()
