"""Servers elsewhere, as the queue sees them: connections and transactions that end as a test says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from zope.interface import implementer

from worldmail.interfaces.outbound import (
    Fate,
    Hop,
    HopFailed,
    IHandedOver,
    IOutbound,
    Outcome,
    Phase,
    RecipientFate,
    Reply,
    Shipment,
    Trouble,
)
from worldmail.interfaces.queue import Route
from worldmail.mail.address import Address
from worldmail.mail.envelope import TlsFacts

TAKEN = RecipientFate(
    fate=Fate.DELIVERED, status="2.0.0", phase=Phase.CONTENT, reply=Reply(code=250, enhanced="2.0.0", lines=("Ok",))
)
LATER = RecipientFate(
    fate=Fate.DEFERRED, status="4.2.1", phase=Phase.RCPT, reply=Reply(code=450, enhanced="4.2.1", lines=("Later",))
)
NEVER = RecipientFate(
    fate=Fate.FAILED, status="5.1.1", phase=Phase.RCPT, reply=Reply(code=550, enhanced="5.1.1", lines=("Nobody",))
)
UNKNOWN = RecipientFate(
    fate=Fate.UNKNOWN, status="4.4.2", phase=Phase.CONTENT, reason="The connection was lost after the end of the text"
)
NO_ROOM = RecipientFate(fate=Fate.DEFERRED, status="4.5.3", phase=Phase.RCPT, reason="No room", again=True)
OVER = RecipientFate(
    fate=Fate.DEFERRED, status="4.4.2", phase=Phase.CONTENT, reason="The connection takes no more messages"
)
GONE = RecipientFate(fate=Fate.DEFERRED, status="4.4.2", phase=Phase.MAIL, reason="The connection was closed")


def no_connection(server: str = "mx[192.0.2.1]:25", fate: Fate = Fate.DEFERRED) -> HopFailed:
    """Nobody answers there; or nobody ever will."""
    status = "4.4.1" if fate is Fate.DEFERRED else "5.1.2"
    trouble = Trouble(fate=fate, status=status, phase=Phase.CONNECT, server=server, reason="Nobody answers")
    return HopFailed(trouble)


@frozen(kw_only=True)
class Carried:
    """One transaction that was sent: to which server, over which connection, for whom."""

    server: str
    conversation: ScriptedConversation
    shipment: Shipment
    recipients: tuple[str, ...]
    octets: bytes
    outcome: Outcome | None = None


@implementer(IHandedOver)
@define(kw_only=True, eq=False)
class ScriptedConversation:
    """Answers as its `Elsewhere` says.

    Attributes:
        recipients: the most that a transaction may have; those beyond are to go `again`.
        transactions: the most that it takes; 0 for any number.
        failure: why it does not come about, if the other end opened it.
        gone: the peer closed it, which shows when something is sent.
        silent: it answers no beat.
        beats: how many there were.
        mute: it never greets, if the other end opened it.
    """

    elsewhere: Elsewhere
    hop: Hop
    recipients: int = 1000
    transactions: int = 0
    dsn: bool = False
    deliver_by: bool = False
    tls: TlsFacts | None = None
    usable: bool = True
    gone: bool = False
    closed: bool = False
    aborted: bool = False
    sent: int = 0
    failure: HopFailed | None = None
    silent: bool = False
    beats: int = 0
    mute: bool = False
    _ends: list[Deferred[None]] = field(factory=list)
    _waiting: list[Deferred[None]] = field(factory=list)

    @property
    def server(self) -> str:
        """See `IConversation.server`."""
        return f"{self.hop.host}[192.0.2.1]:25"

    @property
    def dialogue(self) -> Any:
        """See `IHandedOver.dialogue`."""
        return self

    async def ready(self) -> None:
        """See `IHandedOver.ready`."""
        if self.mute:
            await self.ended()
            raise no_connection(self.server)
        if self.failure is not None:
            raise self.failure

    async def beat(self) -> None:
        """See `IHandedOver.beat`."""
        self.beats += 1
        if self.silent or not self.usable:
            self.usable = False
            raise no_connection(self.server)

    def ended(self) -> Deferred[None]:
        """See `IHandedOver.ended`."""
        end: Deferred[None] = Deferred()
        self._ends.append(end)
        return end

    def hang_up(self) -> None:
        """The peer closes it, which is known at once."""
        self.usable = False
        ends, self._ends = self._ends, []
        for end in ends:
            end.callback(None)

    async def send(self, shipment: Shipment) -> Outcome:
        """See `IConversation.send`."""
        assert not self.closed, "nothing is sent into a connection that was closed"
        recipients = tuple([str(recipient.address) for recipient in shipment.envelope.recipients])
        if not self.usable:
            return self._outcome([OVER] * len(recipients))
        if self.gone:
            self.usable = False
            return self._outcome([GONE] * len(recipients))
        octets = b"".join([chunk async for chunk in shipment.content.chunks()])
        now, later = recipients[: self.recipients], recipients[self.recipients :]
        self.elsewhere.begun.append(
            Carried(server=self.hop.host, conversation=self, shipment=shipment, recipients=now, octets=octets)
        )
        if self.elsewhere.stalls:
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            await waiting
        if self.aborted:
            fates = [UNKNOWN] * len(now)
        else:
            fates = [self.elsewhere.answer(self.hop.host, address) for address in now]
        self.sent += 1
        if self.aborted or any(fate.fate is Fate.UNKNOWN for fate in fates):
            self.usable = False
        if self.transactions and self.sent >= self.transactions:
            self.usable = False
        for address, fate in zip(now, fates, strict=True):
            if fate.fate is Fate.DELIVERED:
                self.elsewhere.taken.append((shipment.id, address))
        return self._outcome(fates + [NO_ROOM] * len(later))

    def proceed(self) -> None:
        """The server answers at last, all that it was given."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)

    async def close(self) -> None:
        """See `IConversation.close`."""
        self.closed = True
        self.hang_up()

    def abort(self) -> None:
        """See `IConversation.abort`."""
        self.aborted = True
        self.hang_up()
        self.proceed()

    def _outcome(self, fates: Sequence[RecipientFate]) -> Outcome:
        return Outcome(fates=tuple(fates), dsn=self.dsn, server=self.server, tls=self.tls, deliver_by=self.deliver_by)


@implementer(IOutbound)
@define(kw_only=True, eq=False)
class Elsewhere:
    """All other servers. Provides `IOutbound`, and the ways to them (`carrier.Ways`).

    Attributes:
        fates: what becomes of an address (or of "host address"), time after time; the last for ever. Else it is taken.
        down: hosts (or domains, for all that they have) where nobody answers.
        hosts: the servers of a domain; else one, "mx." and the domain.
        stalls: transactions wait for `ScriptedConversation.proceed`; `stalls_at_connect`: connections for `let_in`.
        make: changes a new conversation.
        begun, taken: transactions as they were begun; what was delivered: (acceptance id, address).
        attempts: hosts that were connected to.
    """

    fates: dict[str, list[RecipientFate]] = field(factory=dict)
    down: dict[str, HopFailed] = field(factory=dict)
    hosts: dict[str, Sequence[str]] = field(factory=dict)
    stalls: bool = False
    stalls_at_connect: bool = False
    make: Callable[[ScriptedConversation], object] = lambda conversation: None
    begun: list[Carried] = field(factory=list)
    taken: list[tuple[str, str]] = field(factory=list)
    attempts: list[str] = field(factory=list)
    conversations: list[ScriptedConversation] = field(factory=list)
    _knocking: list[Deferred[None]] = field(factory=list)

    async def hops(self, route: Route, domain: str) -> AsyncIterator[Hop]:
        """See `carrier.Ways.hops`."""
        for host in self.hosts.get(domain, (route.host or f"mx.{domain}",)):
            yield Hop(host=host, addresses=("192.0.2.1",), port=25, helo="mail.example.test")

    async def connect(self, hop: Hop) -> ScriptedConversation:
        """See `IOutbound.connect`."""
        self.attempts.append(hop.host)
        if self.stalls_at_connect:
            waiting: Deferred[None] = Deferred()
            self._knocking.append(waiting)
            await waiting
        for name, failed in self.down.items():
            if name == hop.host or hop.host.endswith(f".{name}"):
                raise failed
        conversation = ScriptedConversation(elsewhere=self, hop=hop)
        self.make(conversation)
        self.conversations.append(conversation)
        return conversation

    def over(self, hop: Hop) -> ScriptedConversation:
        """See `IOutbound.over`: its other end greets at once."""
        conversation = ScriptedConversation(elsewhere=self, hop=hop)
        self.make(conversation)
        self.conversations.append(conversation)
        return conversation

    def let_in(self) -> None:
        """All that wait for a connection have one, or fail."""
        knocking, self._knocking = self._knocking, []
        for waiting in knocking:
            waiting.callback(None)

    def answer(self, host: str, address: str) -> RecipientFate:
        """What is said of this recipient now."""
        for key in (f"{host} {address}", address, Address.parse(address).domain):
            told = self.fates.get(key)
            if told:
                return told.pop(0) if len(told) > 1 else told[0]
        return TAKEN

    @property
    def open(self) -> int:
        """Connections that were not closed."""
        return sum(not (each.closed or each.aborted) for each in self.conversations)
