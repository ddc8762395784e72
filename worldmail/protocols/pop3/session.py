"""One POP3 session (RFC 1939), without I/O.

A session is in the AUTHORIZATION state until a verb calls `enter`, and in the TRANSACTION state from then on;
QUIT there is the UPDATE state. Lines come from the parser one by one; a line is a command, unless a verb asked for
the next one itself (`expect`), as AUTH does. Verbs raise `Refusal`; only `handle` makes replies of them.

Nothing is deleted but by QUIT in the TRANSACTION state: every other end just drops the maildrop (RFC 1939 §6).
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable

from attrs import define
from zope.interface import implementer

from worldmail.errors import Refusal
from worldmail.interfaces.auth import LoginContext
from worldmail.interfaces.directory import Account
from worldmail.interfaces.protocol import IDialogue, Peer
from worldmail.interfaces.world import World
from worldmail.protocols.pop3.language import DEFAULT, translated
from worldmail.protocols.pop3.maildrop import Maildrop
from worldmail.protocols.pop3.parser import FRAMING_FAULTS, Event, Fault, LineBuffer, split_command
from worldmail.protocols.pop3.replies import CommandRefused, NoCommand, err, ok, response_code
from worldmail.protocols.pop3.settings import Pop3Settings
from worldmail.protocols.pop3.site import Site
from worldmail.wire.effects import Close, Effects
from worldmail.wire.ready import Ready


class State(enum.Enum):
    """RFC 1939 §3. The UPDATE state is QUIT's own."""

    AUTHORIZATION = "AUTHORIZATION"
    TRANSACTION = "TRANSACTION"


BOTH = frozenset(State)
AUTHORIZATION = frozenset((State.AUTHORIZATION,))
TRANSACTION = frozenset((State.TRANSACTION,))


@implementer(IDialogue)
@define(kw_only=True, eq=False)
class Session:
    """One connection's dialogue.

    Attributes:
        user: the name that USER gave, until the next command (RFC 1939 §7: PASS follows it immediately).
        expecting: what takes the next line in place of a command.
        utf8: UTF-8 mode (RFC 6856 §2.1).
    """

    site: Site
    lines: LineBuffer
    peer: Peer
    state: State = State.AUTHORIZATION
    stamp: bytes | None = None
    user: str | None = None
    expecting: Callable[[bytes], Awaitable[Effects]] | None = None
    utf8: bool = False
    language: str = DEFAULT
    account: Account | None = None
    maildrop: Maildrop | None = None
    gone: bool = False
    _errors: int = 0
    _faults: int = 0
    _deadline: float = 0.0
    _revoked: bool = False
    _forget: Callable[[], None] | None = None
    _context: LoginContext | None = None

    # --- what verbs use ---

    @property
    def world(self) -> World:
        """Every service."""
        return self.site.world

    @property
    def settings(self) -> Pop3Settings:
        """The section [pop3]."""
        return self.site.settings

    @property
    def open_maildrop(self) -> Maildrop:
        """The maildrop, in the TRANSACTION state."""
        assert self.maildrop is not None
        return self.maildrop

    def context(self) -> LoginContext:
        """Where a login on this connection comes from."""
        if self._context is None:
            self._context = LoginContext.of("pop3", self.peer, plaintext=self.site.takes_plaintext(self.peer))
        return self._context

    def ok(self, text: str = "") -> Effects:
        """A positive reply."""
        return (ok(translated(text, self.language)),)

    def expect(self, take: Callable[[bytes], Awaitable[Effects]]) -> None:
        """The next line is not a command but belongs to this."""
        self.expecting = take
        self.lines.limit = self.settings.sasl_line

    def enter(self, account: Account, maildrop: Maildrop, forget: Callable[[], None]) -> None:
        """The TRANSACTION state begins; `forget` ends the watch over the account's changes."""
        self.account, self.maildrop, self._forget = account, maildrop, forget
        self.state = State.TRANSACTION
        self._errors = 0

    def leave(self) -> Awaitable[None]:
        """Give everything back that login took; fires once the maildrop is free. Harmless a second time."""
        if self._forget is not None:
            self._forget()
            self._forget = None
        return Ready(None) if self.maildrop is None else self.maildrop.release()

    def account_changed(self, notice: object) -> None:
        """The account was changed; whether that ends the session is found out before its next command."""
        self._revoked = True

    async def check_account(self, known: Account) -> None:
        """Raise `AccountChanged` if the account is gone or switched off, or has other credentials or rights."""
        self._revoked = False
        try:
            if not known.is_still(await self.world.directory.account(known.address)):
                raise AccountChanged
        except BaseException:
            self._revoked = True  # it has to be looked at again
            raise

    # --- IDialogue ---

    minimum_rate = 0

    @property
    def timeout(self) -> float:
        """Seconds the peer may be silent now."""
        if self.state is State.TRANSACTION:
            return self.settings.idle_timeout
        return max(0.001, self._deadline - self.world.clock.seconds())

    def opened(self, peer: Peer) -> Effects:
        """The greeting, with the stamp for APOP where CRAM-MD5 is announced (RFC 1939 §7).

        Clients take APOP wherever they see a stamp (fdm, s-nail), which fails for all accounts without a secret.
        """
        self.peer = peer
        self._deadline = self.world.clock.seconds() + self.settings.login_timeout
        if "CRAM-MD5" not in self.world.authentication.mechanisms(self.context()):
            return (b"+OK WorldMail POP3 server ready\r\n",)
        self.stamp = self.site.new_stamp()
        return (b"+OK WorldMail POP3 server ready " + self.stamp + b"\r\n",)

    def receive(self, data: bytes) -> None:
        """Take bytes."""
        self.lines.append(data)

    def buffered(self) -> int:
        """How many of them nothing has been made of yet."""
        return self.lines.buffered

    def next_event(self) -> Event | None:
        """The next line, or what is wrong with it."""
        return self.lines.take()

    async def handle(self, event: object) -> Effects:
        """Answer one line."""
        try:
            if isinstance(event, Fault):
                return self._misframed(event)
            assert isinstance(event, bytes)
            if self._revoked and self.account is not None:
                await self.check_account(self.account)
            if self.expecting is not None:
                return await self._continue(event)
            return await self._command(event)
        except Refusal as refusal:
            return self._refuse(refusal)

    def secured(self, peer: Peer) -> Effects:
        """TLS is on: what came in the clear is forgotten (RFC 2595 §4). There is no second greeting."""
        self.peer = peer
        self.user = self.expecting = self._context = None
        self.utf8 = False
        self.language = DEFAULT
        return ()

    def timed_out(self) -> Effects:
        """Nothing is said (RFC 1939 §3)."""
        return ()

    def shutting_down(self) -> Effects:
        """The server stops."""
        return (self._err("The server is shutting down, please try again later", b"SYS/TEMP"),)

    def refused(self, reason: str) -> Effects:
        """One connection or command too many."""
        return (self._err("Too many connections or commands, please try again later", b"SYS/TEMP"),)

    def closed(self, reason: str) -> None:
        """The connection is gone."""
        self.gone = True
        self.expecting = self._context = None  # they refer to the connection
        self.leave()

    # --- one line ---

    async def _command(self, line: bytes) -> Effects:
        word, argument = split_command(line)
        command = self.site.commands.get(word)
        try:
            if command is None:
                raise NoCommand("Unknown command")
            if self.state not in command.states:
                raise CommandRefused(_NOT_NOW[self.state])
            return await command.run(self, command.parse(argument))
        finally:
            if word != b"USER":
                self.user = None

    async def _continue(self, line: bytes) -> Effects:
        take, self.expecting = self.expecting, None
        self.lines.limit = self.settings.command_line
        assert take is not None
        return await take(line)

    def _misframed(self, fault: Fault) -> Effects:
        """A line that is none (RFC 1939 §3: all lines end in CRLF)."""
        if self.expecting is not None:
            self.expecting = None
            self.lines.limit = self.settings.command_line
        self.user = None
        if fault in FRAMING_FAULTS:
            return self._end(self._err("Lines end in CRLF"), fault.value)
        return self._refuse(NoCommand("The line is too long" if fault is Fault.TOO_LONG else "NUL in a command"))

    def _refuse(self, refusal: Refusal) -> Effects:
        """The negative reply, and the end of the connection if there were too many."""
        reply = self._err(refusal.reply_text, response_code(refusal))
        if isinstance(refusal, AccountChanged):
            return self._end(reply, "account changed")
        self._errors += 1
        # Whoever asks for what is not offered here, or not now, guesses nothing by that.
        self._faults += isinstance(refusal, NoCommand) or not isinstance(refusal, CommandRefused)
        return self._end(reply, "too many errors") if self._refused_too_often() else (reply,)

    def _refused_too_often(self) -> bool:
        """Failed logins and what is no command have a bound of their own before login; all together have one always."""
        settings = self.settings
        before_login, most = self.state is State.AUTHORIZATION, settings.errors_before_login
        return 0 < settings.errors <= self._errors or (before_login and 0 < most <= self._faults)

    def _end(self, reply: bytes, reason: str) -> Effects:
        """The last reply. The maildrop is given back now: the peer may be back before its connection is gone."""
        self.leave()
        return (reply, Close(reason))

    def _err(self, text: str, code: bytes | None = None) -> bytes:
        return err(translated(text, self.language), code)


class AccountChanged(Refusal):
    """The session's account is not any more what signed in."""

    code = 421
    enhanced = "4.7.0"
    text = "Your account was changed, please sign in again"


_NOT_NOW = {
    State.AUTHORIZATION: "Please sign in first",
    State.TRANSACTION: "You are signed in already",
}
