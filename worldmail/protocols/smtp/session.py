"""One ESMTP session: RFC 5321, without I/O.

Theory of operation. The parser cuts the peer's bytes into events; the session hands
each to the verb whose turn it is, and makes every reply. A verb is a coroutine over the
session that returns what to send, or raises the `Refusal` that is the reply. What a
session knows: who the peer says it is, who signed in, and the transaction under way.
All sessions of a listener share the rest (`Entrance`).

    NEW --EHLO--> READY --MAIL--> MAIL --DATA--> TEXT --end--> READY
                    |  ^            |
                  AUTH |          BDAT --> TEXT --end of chunk--> CHUNKS --BDAT--> TEXT ...
                    v  |
                   SASL
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from zope.interface import implementer

from worldmail.errors import Refusal
from worldmail.interfaces.directory import Account
from worldmail.interfaces.policy import Asker
from worldmail.interfaces.protocol import IDialogue, Peer
from worldmail.protocols.smtp.entrance import Entrance
from worldmail.protocols.smtp.parser import Event, Parser, Text
from worldmail.protocols.smtp.records import RECORDED, record_refusal
from worldmail.protocols.smtp.replies import reply
from worldmail.protocols.smtp.signed_in import check_account, count_in, count_out
from worldmail.protocols.smtp.states import GREETED_STATES, OUT_OF_ORDER, State
from worldmail.protocols.smtp.tally import Tally
from worldmail.protocols.smtp.transaction import Transaction
from worldmail.protocols.smtp.transfer import Transfer
from worldmail.wire.commands import Command
from worldmail.wire.effects import Close, Effects
from worldmail.wire.faults import Fault

_IDLE = frozenset((b"NOOP", b"RSET", b"VRFY", b"EXPN", b"HELP", b"EHLO", b"HELO"))
# BDAT that cannot be read, and a browser that was led here (RFC 3030 §4; the body of a POST is lines that end in CRLF).
_UNFOLLOWABLE = re.compile(rb"[ \t]*BDAT(?![A-Z0-9])|[A-Z]+ \S+ HTTP/[0-9]", re.IGNORECASE)
_WITHOUT_CODES = frozenset((b"EHLO", b"HELO"))


@implementer(IDialogue)
class Session:
    """The server's side of one connection.

    Attributes:
        peer: the connection.
        state: what is waited for.
        helo: the name the peer gave; "" before it did.
        esmtp: True if it said EHLO.
        account: who signed in.
        transaction: the one under way.
        transactions: how many there were.
        respond: takes the next line of an AUTH exchange.
    """

    __slots__ = (
        "_argument",
        "_asker",
        "_command",
        "_opened",
        "_parser",
        "_tally",
        "_transfer",
        "account",
        "entrance",
        "esmtp",
        "helo",
        "peer",
        "respond",
        "state",
        "transaction",
        "transactions",
    )

    peer: Peer
    state: State
    helo: str
    esmtp: bool
    account: Account | None
    transaction: Transaction | None
    respond: Callable[[bytes], Awaitable[Effects]] | None
    _argument: bytes
    _command: Command[Session] | None
    _asker: Asker | None
    _tally: Tally
    _transfer: Transfer | None

    def __init__(self, entrance: Entrance) -> None:
        self.entrance = entrance
        self._parser = Parser(entrance.line_limit)
        self._opened, self.transactions = 0.0, 0
        self._command = self.account = None
        self._forget()

    # --- what the driver calls -------------------------------------------------------

    @property
    def timeout(self) -> float:
        """See `IDialogue.timeout`."""
        settings = self.entrance.settings
        if self.state is State.TEXT:
            return settings.data_timeout
        if self.account is not None or not self.entrance.submission:
            return settings.command_timeout
        left = self._opened + settings.login_timeout - self.entrance.world.clock.seconds()
        return max(0.0, min(left, settings.command_timeout))

    @property
    def minimum_rate(self) -> int:
        """See `IDialogue.minimum_rate`: strangers must keep a message coming."""
        if self.state is not State.TEXT or self.account is not None or self.peer.exempt:
            return 0
        return self.entrance.settings.data_rate

    def opened(self, peer: Peer) -> Effects:
        """Greet (RFC 5321 §3.1)."""
        self.peer = peer
        self._opened = self.entrance.world.clock.seconds()
        self._tally = Tally(self.entrance.settings, exempt=peer.exempt)
        return (self.entrance.greeting,)

    def receive(self, data: bytes) -> None:
        """Take bytes."""
        self._parser.receive(data)

    def buffered(self) -> int:
        """See `IDialogue.buffered`."""
        return self._parser.buffered()

    def next_event(self) -> Event | None:
        """See `IDialogue.next_event`."""
        return self._parser.next_event()

    async def handle(self, event: object) -> Effects:
        """Act on a line, on a faulty line, on a piece of a message."""
        try:
            if isinstance(event, bytes):
                return await self._take_line(event)
            if isinstance(event, Text):
                return await self._take_text(event)
            assert isinstance(event, Fault)
            return self._take_fault(event)
        except Refusal as refusal:
            return self._refuse(refusal)
        except Exception as error:  # noqa: BLE001  # whatever it is, the peer is told and the connection ends
            return self._fail(error)

    def secured(self, peer: Peer) -> Effects:
        """Forget all that was learnt in the clear (RFC 3207 §4.2)."""
        self.peer = peer
        self._parser.clear()
        self.abandon()
        self._forget()
        return ()

    def timed_out(self) -> Effects:
        """See `IDialogue.timed_out`."""
        return (reply(421, "4.4.2", f"{self.entrance.host} Timeout, closing the connection"),)

    def shutting_down(self) -> Effects:
        """See `IDialogue.shutting_down` (RFC 5321 §3.8)."""
        return (reply(421, "4.3.2", f"{self.entrance.host} Service is shutting down"),)

    def refused(self, reason: str) -> Effects:
        """See `IDialogue.refused` (RFC 5321 §3.1, §3.8)."""
        return (reply(421, "4.7.0", f"{self.entrance.host} Too many connections or commands, try again later"),)

    def closed(self, reason: str) -> None:
        """See `IDialogue.closed`."""
        self.abandon()
        self._forget()
        self.state = State.CLOSED

    # --- what verbs call -------------------------------------------------------------

    @property
    def asker(self) -> Asker:
        """Who asks, for the policy."""
        if self._asker is None or self._asker.account is not self.account:
            self._asker = Asker(
                session=self.peer.session,
                role=self.entrance.listener.role,
                client=self.peer.host,
                helo=self.helo,
                tls=self.peer.tls is not None,
                account=self.account,
            )
        return self._asker

    @property
    def size_limit(self) -> int:
        """The most octets a message may have now (RFC 1870 §4)."""
        limit = self.entrance.settings.message_size
        account = self.account
        return limit if account is None or account.max_message is None else min(limit, account.max_message)

    def greet(self, helo: str, *, esmtp: bool) -> None:
        """The peer named itself; a transaction under way ends (RFC 5321 §4.1.4)."""
        self.abandon()
        self.helo = helo
        self.esmtp = esmtp
        self.state = State.READY
        self._asker = None

    def sign_in(self, account: Account) -> None:
        """The peer is this account's owner. Raises `TooManyRequests`."""
        count_in(self.entrance.world, account, self.peer.host)
        self.account = account
        self._asker = None

    def begin(self, transaction: Transaction) -> None:
        """MAIL was accepted."""
        self.transaction = transaction
        self.transactions += 1
        self.state = State.MAIL

    def abandon(self) -> None:
        """The transaction is over, or given up (RFC 5321 §4.1.1.5)."""
        if self.transaction is not None:
            self.transaction.abandon()
            self.transaction = None
        if self.state in GREETED_STATES:
            self.state = State.READY

    def receive_text(self, transfer: Transfer) -> None:
        """What comes next is the text of DATA, or a chunk, wanted or not."""
        if transfer.chunk is None:
            self._parser.expect_data(self.entrance.settings.text_line)
        else:
            self._parser.expect_chunk(transfer.chunk.size)
        self._transfer = transfer
        self.state = State.TEXT

    def refuse_for_good(self, refusal: Refusal, reason: str) -> Effects:
        """Reply and close: the peer cannot be followed any further."""
        return (*self._refuse(refusal), Close(reason))

    # --- events ----------------------------------------------------------------------

    async def _take_line(self, line: bytes) -> Effects:
        if self.state is State.SASL:
            return await self._take_response(line)
        if self.account is not None:
            self._command = None
            self.account = await check_account(self.entrance.world, self.account)
        # White space at the end is let pass, RFC 5321 §4.1.1.
        word, _, self._argument = line.rstrip(b" \t").partition(b" ")
        entrance = self.entrance
        self._command = command = entrance.commands.get(word.upper())
        if len(line) > entrance.settings.command_line - 2 and word.upper() != b"AUTH":
            return self._refuse_line(Refusal("Line too long", code=500, enhanced="5.5.2"), line)
        if command is None:
            return self._refuse_line(Refusal("Command not recognized", code=500, enhanced="5.5.1"), line)
        if self.state not in command.states:
            raise Refusal(OUT_OF_ORDER[self.state], code=503, enhanced="5.5.1")
        if command.word in _IDLE:
            self._tally.count_idle()
        if not command.offered(self):
            raise Refusal("Command not implemented", code=502, enhanced="5.5.1")
        return await command.run(self, command.parse(self._argument))

    async def _take_response(self, line: bytes) -> Effects:
        respond, self.respond, self.state = self.respond, None, State.READY
        assert respond is not None
        return await respond(line)

    def _take_fault(self, fault: Fault) -> Effects:
        """A faulty line (RFC 5321 §2.3.8, §4.5.3.1.4). Bare CR or LF is how smuggling looks: that peer is done."""
        start, self._command = self._parser.rejected, None
        of_auth = self.state is State.SASL or start[:5].upper() == b"AUTH "
        if self.state is State.SASL:
            self.state, self.respond = State.READY, None
        if fault is Fault.TOO_LONG:
            if of_auth:
                raise Refusal("Authentication exchange line is too long", code=500, enhanced="5.5.6")  # RFC 4954 §4
            return self._refuse_line(Refusal("Line too long", code=500, enhanced="5.5.2"), start)
        refusal = Refusal(f"A command has a {fault.value}", code=500, enhanced="5.5.2")
        if fault is Fault.NUL:
            return self._refuse_line(refusal, start)
        return self.refuse_for_good(refusal, fault.value)

    def _refuse_line(self, refusal: Refusal, line: bytes) -> Effects:
        """A line that is no command. Of some nobody can tell what follows: octets of a message, of another protocol."""
        if _UNFOLLOWABLE.match(line) is not None:
            return self.refuse_for_good(refusal, "no telling where commands begin again")
        raise refusal

    async def _take_text(self, text: Text) -> Effects:
        transfer = self._transfer
        assert transfer is not None
        await transfer.take(text)
        if not text.finished:
            return ()
        self._transfer = None
        return await self.end_text(transfer)

    async def end_text(self, transfer: Transfer) -> Effects:
        """All of it is here: the reply to its command, and, unless more of the message is to come, its end."""
        if transfer.refusal is None and not transfer.completes:
            self.state = State.CHUNKS
        try:
            answer = await transfer.end()
        finally:
            self._end_text()
        if transfer.completes:
            self._tally.message_accepted()
        return (answer,)

    # --- replies ---------------------------------------------------------------------

    def _refuse(self, refusal: Refusal) -> Effects:
        """The reply that a refusal is, and what follows from there having been so many."""
        code, command = refusal.reply_code, self._command
        word = b"" if command is None else command.word
        if word in RECORDED:
            record_refusal(self, refusal, word, self._argument)
        answer = reply(code, "" if word in _WITHOUT_CODES else refusal.reply_enhanced, refusal.reply_text)
        if code == 421:
            self.abandon()
            return (answer, Close(refusal.reason or refusal.reply_text))
        if code >= 500 and self._tally.count_error(word):
            return (reply(421, "4.7.0", f"{self.entrance.host} Too many errors"), Close("too many errors"))
        return (answer,)

    def _fail(self, error: Exception) -> Effects:
        """A fault of ours: say so, and do not go on in a state that nobody thought of."""
        self.entrance.world.journal.failure("smtp.failed", error, session=self.peer.session)
        self.abandon()
        return (reply(421, "4.3.0", f"{self.entrance.host} Internal error, try again later"), Close("internal error"))

    def _end_text(self) -> None:
        if self.state is State.TEXT:
            self.state = State.READY if self.helo else State.NEW
            self.abandon()

    def _forget(self) -> None:
        count_out(self.entrance.world, self.account)
        self.state = State.NEW
        self.helo = ""
        self.esmtp = False
        self.account = self.transaction = self.respond = self._transfer = self._asker = None
