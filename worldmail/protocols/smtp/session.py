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
from worldmail.interfaces.protocol import IDialogue, IPredecessor, Peer
from worldmail.mail.envelope import Facts
from worldmail.protocols.smtp.askers import make_asker
from worldmail.protocols.smtp.entrance import Entrance
from worldmail.protocols.smtp.lone_feeds import may_end_in_feed
from worldmail.protocols.smtp.parser import Parser, Text
from worldmail.protocols.smtp.records import RECORDED, record_refusal
from worldmail.protocols.smtp.replies import reply
from worldmail.protocols.smtp.signed_in import check_account, count_in, count_out
from worldmail.protocols.smtp.states import GREETED_STATES, OUT_OF_ORDER, State
from worldmail.protocols.smtp.tally import Tally
from worldmail.protocols.smtp.transaction import Transaction
from worldmail.protocols.smtp.transfer import Transfer
from worldmail.protocols.smtp.turned import Turn
from worldmail.wire.commands import Command
from worldmail.wire.effects import Close, Effects
from worldmail.wire.faults import Fault
from worldmail.wire.wakes import WAKE

_IDLE = frozenset((b"NOOP", b"RSET", b"VRFY", b"EXPN", b"HELP", b"EHLO", b"HELO", b"ETRN", b"ATRN"))
# Who asks for what is not theirs, again and again, seeks something (RFC 1985 §5.1, RFC 2645 §4).
_TEMPORARY_ERRORS = frozenset(((b"ETRN", 459), (b"ATRN", 450)))
# BDAT that cannot be read, and a browser that was led here (RFC 3030 §4; the body of a POST is lines that end in CRLF).
_UNFOLLOWABLE = re.compile(rb"[ \t]*BDAT(?![A-Z0-9])|[A-Z]+ \S+ HTTP/[0-9]", re.IGNORECASE)
_WITHOUT_CODES = frozenset((b"EHLO", b"HELO"))


@implementer(IDialogue, IPredecessor)
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
        turn: how it came about where we opened the connection; else None.
        told: what the peer says of where it had the next message from; None if nothing (XFORWARD).
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
        "told",
        "transaction",
        "transactions",
        "turn",
    )

    peer: Peer
    state: State
    helo: str
    esmtp: bool
    account: Account | None
    told: Facts | None
    transaction: Transaction | None
    respond: Callable[[bytes], Awaitable[Effects]] | None
    _argument: bytes
    _command: Command[Session] | None
    _asker: Asker | None
    _tally: Tally
    _transfer: Transfer | None

    def __init__(self, entrance: Entrance, turn: Turn | None = None) -> None:
        self.entrance, self.turn = entrance, turn
        self._parser = Parser(entrance.line_limit)
        self._opened, self.transactions = 0.0, 0
        self._command = self.account = self.told = None
        self._forget()

    # --- what the driver calls -------------------------------------------------------

    @property
    def timeout(self) -> float:
        """See `IDialogue.timeout`."""
        settings = self.entrance.settings
        if self.state is State.TEXT:
            return settings.data_timeout
        if self.turn is not None:
            return self.turn.silence or settings.command_timeout
        if self.account is not None or not self.entrance.signs_in_first:
            return settings.command_timeout
        left = self._opened + settings.login_timeout - self.entrance.world.clock.seconds()
        return max(0.0, min(left, settings.command_timeout))

    @property
    def minimum_rate(self) -> int:
        """See `IDialogue.minimum_rate`: strangers must keep a message coming."""
        if self.state is not State.TEXT or self.account is not None or self.turn is not None or self.peer.exempt:
            return 0
        return self.entrance.settings.data_rate

    def opened(self, peer: Peer) -> Effects:
        """Greet (RFC 5321 §3.1)."""
        self.peer = peer
        self._opened = self.entrance.world.clock.seconds()
        self._tally = Tally(self.entrance.settings, exempt=peer.exempt, invited=self.turn is not None)
        if self.turn is not None:
            self.turn.wake, self.turn.abort = peer.wake, peer.abort
        return (self.entrance.greeting,)

    def receive(self, data: bytes) -> None:
        """Take bytes."""
        self._parser.receive(data)

    def buffered(self) -> int:
        """See `IDialogue.buffered`."""
        return self._parser.buffered()

    def next_event(self) -> object | None:
        """See `IDialogue.next_event`."""
        leaving = self.turn is not None and self.turn.leaving and self.state is not State.TEXT
        return WAKE if leaving else self._parser.next_event()

    async def handle(self, event: object) -> Effects:
        """Act on a line, on a faulty line, on a piece of a message."""
        try:
            if isinstance(event, bytes):
                return await self._take_line(event)
            if isinstance(event, Text):
                return await self._take_text(event)
            if event is WAKE:
                return (*self.shutting_down(), Close("leaving"))
            assert isinstance(event, Fault)
            return await _take_faulty(self, event)
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
        return _words_of_silence(self)

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
        if self.turn is not None:
            self.turn.end(reason)

    def rest(self) -> bytes:
        """See `IPredecessor.rest`."""
        return self._parser.rest()

    # --- what verbs call -------------------------------------------------------------

    @property
    def asker(self) -> Asker:
        """Who asks, for the policy."""
        if self._asker is None or self._asker.account is not self.account:
            self._asker = make_asker(self)
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
        if self.turn is not None:
            self.turn.greet()
        self.helo, self.esmtp = helo, esmtp
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
        if self.told is not None:
            self.tell(None)
        if self.state in GREETED_STATES:
            self.state = State.READY

    def tell(self, told: Facts | None) -> None:
        """The next message came to the peer like this."""
        self.told, self._asker = told, None

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
        self._command = None
        if self.account is not None:
            self.account = await check_account(self.entrance.world, self.account)
        # White space at the end is let pass, RFC 5321 §4.1.1.
        word, _, self._argument = line.rstrip(b" \t").partition(b" ")
        entrance = self.entrance
        self._command = command = entrance.find(word.upper())
        if len(line) > entrance.settings.command_line - 2 and word.upper() != b"AUTH":
            return _refuse_line(self, Refusal("Line too long", code=500, enhanced="5.5.2"), line)
        if command is None:
            return _refuse_line(self, Refusal("Command not recognized", code=500, enhanced="5.5.1"), line)
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
            if self.turn is not None:
                self.turn.messages += 1
        return (answer,)

    # --- replies ---------------------------------------------------------------------

    def _refuse(self, refusal: Refusal) -> Effects:
        """The reply that a refusal is, and what follows from there having been so many."""
        code, word = refusal.reply_code, b"" if self._command is None else self._command.word
        if word in RECORDED:
            record_refusal(self, refusal, word, self._argument)
        ours = f"{self.entrance.host} " if code == 421 else ""  # RFC 5321 §4.2.3
        answer = reply(code, "" if word in _WITHOUT_CODES else refusal.reply_enhanced, ours + refusal.reply_text)
        if code == 421:
            self.abandon()
            return (answer, Close(refusal.reason or refusal.reply_text))
        error = code >= 500 or (word, code) in _TEMPORARY_ERRORS
        if error and self._tally.count_error(word):
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
        self.account = self.transaction = self.respond = self._transfer = self._asker = self.told = None


def _refuse_line(session: Session, refusal: Refusal, line: bytes) -> Effects:
    """A line that is no command. Of some nobody can tell what follows: octets of a message, of another protocol."""
    if _UNFOLLOWABLE.match(line) is not None:
        return session.refuse_for_good(refusal, "no telling where commands begin again")
    raise refusal


async def _take_faulty(session: Session, fault: Fault) -> Effects:
    if fault is Fault.BARE_LF and may_end_in_feed(session, session._parser.rejected):
        return await session._take_line(session._parser.take_back())
    return _take_fault(session, fault)


def _take_fault(session: Session, fault: Fault) -> Effects:
    """A faulty line (RFC 5321 §2.3.8, §4.5.3.1.4). Bare CR or LF is how smuggling looks: that peer is done."""
    start, session._command = session._parser.rejected, None
    of_auth = session.state is State.SASL or start[:5].upper() == b"AUTH "
    if session.state is State.SASL:
        session.state, session.respond = State.READY, None
    if fault is Fault.TOO_LONG:
        if of_auth:
            raise Refusal("Authentication exchange line is too long", code=500, enhanced="5.5.6")  # RFC 4954 §4
        return _refuse_line(session, Refusal("Line too long", code=500, enhanced="5.5.2"), start)
    refusal = Refusal(f"A command has a {fault.value}", code=500, enhanced="5.5.2")
    if fault is Fault.NUL:
        return _refuse_line(session, refusal, start)
    return session.refuse_for_good(refusal, fault.value)


def _words_of_silence(session: Session) -> Effects:
    """A relay that left out what it had agreed to say is not there to hear any."""
    if session.turn is not None and session.turn.is_cut_off():
        return ()
    return (reply(421, "4.4.2", f"{session.entrance.host} Timeout, closing the connection"),)
