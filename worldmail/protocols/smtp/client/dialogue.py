"""One connection to a server that takes mail."""

from __future__ import annotations

from collections.abc import Awaitable

from zope.interface import implementer

from worldmail.interfaces.outbound import Hop, IHandedOver, Outcome, Shipment
from worldmail.interfaces.protocol import IDialogue, IFinishing, Peer
from worldmail.protocols.smtp.client.between import say_goodbye, say_nothing
from worldmail.protocols.smtp.client.channel import Channel, Lost
from worldmail.protocols.smtp.client.fitting import most_recipients
from worldmail.protocols.smtp.client.means import Means
from worldmail.protocols.smtp.client.opening import open_conversation
from worldmail.protocols.smtp.client.transaction import Transaction
from worldmail.wire.client.woken import WokenDialogue
from worldmail.wire.courses import Promise
from worldmail.wire.effects import Effects
from worldmail.wire.ready import Ready
from worldmail.wire.wakes import WAKE

_Sending = tuple[Transaction, Promise]


@implementer(IDialogue, IHandedOver, IFinishing)
class ClientDialogue(WokenDialogue[Channel]):
    """The client's side of one connection. `ready` says when it can be used."""

    __slots__ = (
        "_ahead",
        "_beat",
        "_closing",
        "_gone",
        "_held_back",
        "_leaving",
        "_under_way",
        "_waited_for",
        "_waiting",
    )

    peer: Peer | None

    def __init__(self, hop: Hop, means: Means) -> None:
        super().__init__(Channel(hop, means))
        self._under_way: Transaction | None = None
        # Some dozens at most, and mostly none: as deques they would be the largest part of a conversation that waits.
        self._ahead: list[_Sending] = []  # said behind the one that is under way, the last perhaps not whole
        self._waiting: list[_Sending] = []
        self._held_back = False  # the first of those that wait must have its turn
        self._beat: Promise | None = None  # who waits for the answer to NOOP
        self._closing: list[Promise] = []  # who waits for the end
        self._leaving = False  # no transaction begins any more; goodbye is next
        self._gone = False
        self._waited_for = False  # somebody waits until it is ready

    # --- what the queue calls ------------------------------------------------------------

    async def ready(self) -> None:
        """See `CourseDialogue.ready`."""
        if self._gone and self.peer is None:
            raise self._channel.failed("4.4.2", "The connection was lost")
        self._waited_for = True
        await super().ready()

    @property
    def recipients(self) -> int:
        """See `IConversation.recipients`."""
        return most_recipients(self._channel)

    @property
    def dsn(self) -> bool:
        """See `IConversation.dsn`."""
        return self._channel.capabilities.dsn

    @property
    def usable(self) -> bool:
        """See `IConversation.usable` (RFC 9422 §4.1: MAILMAX)."""
        channel = self._channel
        most, begun = channel.capabilities.mail_max, channel.transactions + len(self._waiting)
        return self._opened and not self._leaving and not channel.over and not 0 < most <= begun

    @property
    def dialogue(self) -> IDialogue:
        """See `IHandedOver.dialogue`."""
        return self

    def send(self, shipment: Shipment) -> Awaitable[Outcome]:
        """See `IConversation.send`."""
        transaction = Transaction(self._channel, shipment)
        if not self.usable:
            return Ready(transaction.lost(Lost("The connection takes no more messages")))
        promise = self._channel.means.promise()
        self._waiting.append((transaction, promise))
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

    def beat(self) -> Awaitable[None]:
        """See `IHandedOver.beat`. One at a time."""
        promise = self._channel.means.promise()
        if self.usable and self._beat is None:
            self._beat = promise
            self._want_turn()
        else:
            promise.errback(self._channel.failed("4.4.2", "The connection is over"))
        return promise

    def ended(self) -> Awaitable[None]:
        """See `IHandedOver.ended`."""
        if self._gone:
            return Ready(None)
        promise = self._channel.means.promise()
        self._closing.append(promise)
        return promise

    def abort(self) -> None:
        """See `IConversation.abort`."""
        self._leaving = True
        if self.peer is not None and not self._gone:
            self.peer.abort("aborted")

    # --- what the driver calls -----------------------------------------------------------

    def next_event(self) -> object | None:
        """A whole reply, or that there is something to say."""
        replies_are_awaited = self._courses.course is None and self._ahead
        if (replies_are_awaited and not self._channel.over) or self._may_go_ahead():
            return WAKE
        event = self._channel.reader.take()
        if event is None and self._courses.course is None and self._has_more():
            return None if self._channel.over else WAKE
        return event

    def shutting_down(self) -> Effects:
        """See `IFinishing`: what is under way comes to its end."""
        self._leaving = True
        if self._courses.course is None and not self._channel.over:
            self._begin()
            return self._act(None)
        return ()

    # --- courses ---------------------------------------------------------------------------

    async def _enter(self) -> None:
        await open_conversation(self._channel)
        self._channel.timeout = self._channel.means.patience.idle

    async def _transact(self, transaction: Transaction, promise: Promise) -> None:
        self._under_way = transaction
        outcome = await transaction.run()
        self._under_way = None
        self._channel.timeout = self._channel.means.patience.idle
        promise.callback(outcome)

    async def _say_nothing(self, promise: Promise) -> None:
        try:
            await say_nothing(self._channel)
        except Lost as lost:
            promise.errback(self._channel.failed_by(lost))
        else:
            promise.callback(None)

    # --- turns -------------------------------------------------------------------------------

    def _has_more(self) -> bool:
        return bool(self._ahead or self._waiting or self._leaving or self._beat is not None)

    def _begin(self) -> None:
        """The next course."""
        if self._ahead:
            self._courses.course = self._transact(*self._ahead.pop(0))
        elif self._waiting:
            self._held_back = False
            self._courses.course = self._transact(*self._waiting.pop(0))
        elif self._beat is not None:
            beat, self._beat = self._beat, None
            self._courses.course = self._say_nothing(beat)
        else:
            self._courses.course = say_goodbye(self._channel)

    def _may_go_ahead(self) -> bool:
        """Can another be said behind the one that is under way, and those behind it, before their replies came?"""
        if not self._waiting or self._held_back or self._under_way is None or self._channel.over:
            return False
        last = self._ahead[-1][0] if self._ahead else self._under_way
        return last.sent and len(self._ahead) < self._channel.means.ahead

    async def _go_ahead(self) -> None:
        if await self._waiting[0][0].say_ahead():
            self._ahead.append(self._waiting.pop(0))
        else:
            self._held_back = True

    def _unasked(self, event: object) -> None:
        """421, most often: it closes."""
        self._leaving = True
        super()._unasked(event)

    def _leave(self, lost: Exception) -> None:
        assert isinstance(lost, Lost)
        self._gone = self._leaving = True
        self._end(lost)
        if self.peer is None and self._waited_for:  # it was to take a connection over, and never had it
            self._ready.errback(self._channel.failed_by(lost))
        left, self._ahead, self._waiting = [*self._ahead, *self._waiting], [], []
        for transaction, promise in left:
            promise.callback(transaction.lost(lost))
        beat, self._beat = self._beat, None
        if beat is not None:
            beat.errback(self._channel.failed_by(lost))
        closing, self._closing = self._closing, []
        for promise in closing:
            promise.callback(None)
