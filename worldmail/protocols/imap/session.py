"""One IMAP session (RFC 9051, RFC 3501), without I/O.

Theory of operation. The parser cuts what comes into events; most are whole commands. A command is found by its word
among the rows; the row's parser takes its arguments off a `Reader`, its coroutine does it. What that gives is sent,
then what is new in the selected mailbox, then the tagged reply; `Refusal`s become the tagged reply themselves.
A line is no command if a verb asked for it (`expect`): SASL responses, and the end of IDLE.

A literal is looked at before it comes (`literals.py`). Nothing is begun before a command is whole, but for the message
of an APPEND, which is written away as it comes.

Commands are run one after another, so what a client sends without waiting for answers is as good as if it had waited
(RFC 9051 §5.5). What happens elsewhere is told at the end of each command, and in IDLE when the change feed wakes the
session (`wake`).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from attrs import define
from zope.interface import implementer

from worldmail.errors import Refusal
from worldmail.interfaces.auth import LoginContext
from worldmail.interfaces.directory import Account
from worldmail.interfaces.protocol import IDialogue, Peer
from worldmail.interfaces.world import World
from worldmail.protocols.imap import account_watch, literals
from worldmail.protocols.imap.grammar.names import read_name, write_name
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.parser import Announced, CommandLine, Event, Fault, Octets, Parser
from worldmail.protocols.imap.replies import (
    BAD_REFUSALS,
    AccountChanged,
    BadCommand,
    NotNow,
    astring,
    response_code,
    tagged,
    untagged,
)
from worldmail.protocols.imap.rows import Answer, Command, Done, Silence, State
from worldmail.protocols.imap.settings import ImapSettings
from worldmail.protocols.imap.site import Site
from worldmail.wire.effects import Close, Effects, Stream
from worldmail.wire.wakes import WAKE, Wake

if TYPE_CHECKING:
    from worldmail.protocols.imap.view.selected import Selected

# tag = 1*<any ASTRING-CHAR except "+">; then the command's word, and that of a UID command (RFC 9051 §9)
_BEGINNING = re.compile(rb"([^\x00-\x20(){%*\"\\+\x7f-\xff]+) ((?:UID )?[A-Z0-9=.-]+)", re.IGNORECASE)
_TAG = re.compile(rb"[^\x00-\x20(){%*\"\\+\x7f-\xff]+(?= |\Z)")

NOTHING_ENABLED: frozenset[str] = frozenset()
UTF8_NAMES = frozenset(("UTF8=ACCEPT", "IMAP4REV2"))


@implementer(IDialogue)
@define(kw_only=True, eq=False)
class Session:
    """One connection's dialogue.

    Attributes:
        tag: of the command under way.
        enabled: names in capitals that ENABLE took, and what they imply (RFC 5161).
        selected: the selected mailbox.
        saved_result: what "$" stands for (RFC 5182).
        notify: what NOTIFY set (RFC 5465).
        progress: for a row's `literal`, whatever it has to remember until the command is whole; None before each.
        sinks: what literals of the command under way are streamed into.
        idling: the client gave IDLE.
        compressed: COMPRESS was given (RFC 4978).
        expecting: what takes the next line in place of a command.
    """

    site: Site
    parser: Parser
    peer: Peer
    state: State = State.NOT_AUTHENTICATED
    tag: bytes = b"*"
    account: Account | None = None
    enabled: frozenset[str] = NOTHING_ENABLED
    selected: Selected | None = None
    saved_result: Any = None
    notify: Any = None
    progress: Any = None
    sinks: list[Any] | None = None
    sink: Any = None
    idling: bool = False
    compressed: bool = False
    expecting: Callable[[bytes], Awaitable[Answer | Silence]] | None = None
    gone: bool = False
    doom: Refusal | None = None
    revoked: bool = False
    forget: Callable[[], None] | None = None
    _command: Command | None = None
    _errors: int = 0
    _deadline: float = 0.0
    _woken: bool = False
    _context: LoginContext | None = None

    # --- what verbs use ---

    @property
    def world(self) -> World:
        """Every service."""
        return self.site.world

    @property
    def settings(self) -> ImapSettings:
        """The section [imap]."""
        return self.site.settings

    @property
    def user(self) -> Account:
        """Who is signed in, in the states in which somebody is."""
        assert self.account is not None
        return self.account

    @property
    def utf8(self) -> bool:
        """Are strings and names in UTF-8 (RFC 6855 §3, RFC 9051 §5.1)?"""
        return not self.enabled.isdisjoint(UTF8_NAMES)

    @property
    def append_limit(self) -> int:
        """The most octets that a message may have which the account stores (RFC 7889)."""
        limit, own = self.settings.message_size, None if self.account is None else self.account.max_message
        return limit if own is None else min(limit, own)

    def context(self) -> LoginContext:
        """Where a login on this connection comes from."""
        if self._context is None:
            peer = self.peer
            tls = peer.tls is not None
            self._context = LoginContext(
                service="imap",
                session=peer.session,
                client=peer.host,
                secure=tls or self.site.takes_plaintext(peer),
                tls=tls,
                channel_binding=peer.channel_binding,
            )
        return self._context

    def capabilities(self) -> bytes:
        """The names, separated by spaces."""
        return self.site.capabilities(self)

    def name(self, raw: bytes) -> str:
        """A mailbox name off the wire. Raises `BadName`."""
        return read_name(raw, utf8=self.utf8)

    def wire_name(self, name: str) -> bytes:
        """A mailbox name as it goes over the wire: encoded, and quoted if it must be."""
        utf8 = self.utf8
        return astring(write_name(name, utf8=utf8), utf8=utf8)

    def enable(self, *names: str) -> None:
        """From now on these are on."""
        self.enabled = self.enabled.union(names)

    def expect(self, take: Callable[[bytes], Awaitable[Answer | Silence]], limit: int) -> None:
        """The next line is not a command but belongs to this."""
        self.expecting = take
        self.parser.raw = True
        self.parser.lines.limit = limit

    def select(self, selected: Selected | None) -> None:
        """Another mailbox is selected now, or none (RFC 9051 §6.3.2, §6.4.1)."""
        before, self.selected = self.selected, selected
        self.saved_result = None
        self.state = State.AUTHENTICATED if selected is None else State.SELECTED
        if before is not None:
            before.release()

    def wake(self) -> None:
        """Something happened that the client may have to be told of; for listeners to the change feed."""
        if not self._woken:
            self._woken = True
            if self.idling or self.notify is not None:
                self.peer.wake()

    def enter(self, account: Account, forget: Callable[[], None]) -> None:
        """Signed in; `forget` ends the watch over the account's changes."""
        self.account, self.forget, self._context = account, forget, None
        self.state = State.AUTHENTICATED
        self._errors = 0
        self.parser.lines.limit = self.settings.line

    def leave(self) -> None:
        """Give everything back that login took, and be as before it. Harmless a second time."""
        if self.selected is not None:
            self.select(None)
        if self.forget is not None:
            self.forget()
            self.forget = None
        self.account = self._context = self.saved_result = self.notify = None
        self.enabled = NOTHING_ENABLED
        self.state = State.NOT_AUTHENTICATED
        self.parser.lines.limit = self.settings.line_before_login
        self.drop_sinks()

    def await_login(self) -> None:
        """From now on the time to sign in runs."""
        self._deadline = self.world.clock.seconds() + self.settings.login_timeout

    def drop_sinks(self) -> None:
        """The command is over: what its literals were written into is not needed, or was taken over."""
        sinks, self.sinks, self.sink, self.progress = self.sinks, None, None, None
        for sink in sinks or ():
            sink.abort()

    # --- IDialogue ---

    @property
    def minimum_rate(self) -> int:
        """A message must keep coming."""
        return 0 if self.sink is None else literals.MINIMUM_RATE

    @property
    def timeout(self) -> float:
        """Seconds the peer may be silent now (RFC 9051 §5.4)."""
        if self.state is not State.NOT_AUTHENTICATED:
            return self.settings.idle_timeout
        return max(0.001, self._deadline - self.world.clock.seconds())

    def opened(self, peer: Peer) -> Effects:
        """The greeting (RFC 9051 §7.1.4)."""
        self.peer = peer
        self.await_login()
        return (b"* OK [CAPABILITY " + self.capabilities() + b"] WorldMail IMAP server ready\r\n",)

    def receive(self, data: bytes) -> None:
        """Take bytes."""
        self.parser.lines.append(data)

    def buffered(self) -> int:
        """How many of them nothing has been made of yet."""
        return self.parser.lines.buffered

    def next_event(self) -> Event | Wake | None:
        """The next event of the parser; in its absence, whether there is something to tell."""
        event = self.parser.next_event()
        if event is None and self._woken and (self.idling or self.notify is not None):
            return WAKE
        return event

    async def handle(self, event: object) -> Effects:
        """Answer one event."""
        try:
            if self.revoked and self.account is not None:
                await account_watch.check(self, self.account)
            if type(event) is CommandLine:
                return await self._answer(event)
            if type(event) is bytes:
                return await self._continue(event)
            if isinstance(event, Octets):
                return await literals.take(self, event)
            if isinstance(event, Announced):
                return await literals.announced(self, event)
            if isinstance(event, Fault):
                return self._misframed(event)
            self._woken = False
            return tuple(await self.news(expunges=True))
        except Refusal as refusal:
            return self.refuse(refusal)

    def secured(self, peer: Peer) -> Effects:
        """TLS is on: what came in the clear is forgotten (RFC 9051 §6.2.1). There is no second greeting."""
        self.peer = peer
        self.parser.clear()
        self.expecting = None
        self.leave()
        return ()

    def timed_out(self) -> Effects:
        """RFC 9051 §7.1.5."""
        return (untagged(b"BYE", "You were silent for too long"),)

    def shutting_down(self) -> Effects:
        """The server stops."""
        return (untagged(b"BYE", "The server is shutting down, please try again later", b"UNAVAILABLE"),)

    def refused(self, reason: str) -> Effects:
        """One connection or command too many."""
        return (untagged(b"BYE", "Too many connections or commands, please try again later", b"UNAVAILABLE"),)

    def closed(self, reason: str) -> None:
        """The connection is gone."""
        self.gone = True
        self.expecting = None  # it refers to the connection
        self.leave()

    # --- one command ---

    def begin(self, line: bytes) -> int:
        """Look at a command's beginning: its tag and its row are known then; where its arguments begin.

        Raises: `BadCommand`, `NotNow`.
        """
        self._command = None
        found = _BEGINNING.match(line)
        if found is None:
            tag = _TAG.match(line)
            self.tag = b"*" if tag is None else tag[0]
            raise BadCommand("A tag and a command are expected")
        self.tag = found[1]
        command = self.site.commands.get(found[2].upper())
        if command is None:
            raise BadCommand("Unknown command")
        if self.state not in command.states:
            raise NotNow(_NOT_NOW[self.state])
        self._command = command
        return found.end()

    @property
    def command(self) -> Command:
        """The row of the command under way."""
        assert self._command is not None
        return self._command

    def reader(self, parts: Sequence[Any], at: int) -> Reader:
        """Reads the arguments of the command under way."""
        return Reader(parts, at, utf8=not self.enabled.isdisjoint(UTF8_NAMES))

    async def _answer(self, line: CommandLine) -> Effects:
        if self.doom is not None:
            doom, self.doom = self.doom, None
            raise doom
        first = line.parts[0]
        assert isinstance(first, bytes)
        at = self.begin(first)
        command = self.command
        try:
            answer = await command.run(self, command.parse(Reader(line.parts, at, utf8=self.utf8)))
        finally:
            if self.sinks is not None:
                self.drop_sinks()
        return await self._finish(answer)

    async def _continue(self, line: bytes) -> Effects:
        take, self.expecting = self.expecting, None
        signed_in = self.state is not State.NOT_AUTHENTICATED
        self.parser.lines.limit = self.settings.line if signed_in else self.settings.line_before_login
        assert take is not None
        return await self._finish(await take(line))

    async def _finish(self, answer: Answer | Silence) -> Effects:
        """What the verb gave, what is new, the tagged OK."""
        if isinstance(answer, Silence):
            return answer.effects
        self._errors = 0
        if isinstance(answer, Done):
            done: Done | None = answer
            effects, after = answer.effects, answer.after
        else:
            done, effects, after = None, answer, ()
        if any(type(effect) is Stream for effect in effects):
            return (Stream(self._streamed(effects, done)), *after)
        if self.selected is not None and self.selected.dirty:
            effects = (*effects, *await self.news(expunges=not self.command.numbers))
        return (*effects, self._ok(done), *after)

    async def _streamed(self, effects: Effects, done: Done | None) -> AsyncIterator[bytes]:
        """The same, where the answer is made while it is sent."""
        try:
            for effect in effects:
                if isinstance(effect, Stream):
                    async for chunk in effect.chunks:
                        yield chunk
                elif isinstance(effect, bytes):
                    yield effect
            for line in await self.news(expunges=not self.command.numbers):
                yield line
            yield self._ok(done)
        except Refusal as refusal:
            yield tagged(self.tag, b"NO", refusal.reply_text, response_code(refusal))

    def _ok(self, done: Done | None) -> bytes:
        word = self.command.word
        if done is None or (done.code is None and done.text is None):
            return b"%s OK %s completed\r\n" % (self.tag, word)
        text = done.text if done.text is not None else word.decode("ascii") + " completed"
        return tagged(self.tag, b"OK", text, done.code)

    async def news(self, *, expunges: bool) -> Sequence[bytes]:
        """What is new in the selected mailbox."""
        if self.selected is None or not self.selected.dirty:
            return ()
        return await self.selected.sync(self, expunges=expunges)

    # --- refusals ---

    def refuse(self, refusal: Refusal) -> Effects:
        """The tagged NO or BAD, and the end of the connection if there were too many."""
        self.drop_sinks()
        if isinstance(refusal, AccountChanged):
            return self._end(untagged(b"BYE", refusal.reply_text), "account changed")
        bad = isinstance(refusal, BAD_REFUSALS)
        reply = tagged(self.tag, b"BAD" if bad else b"NO", refusal.reply_text, response_code(refusal))
        before_login = self.state is State.NOT_AUTHENTICATED
        most = self.settings.errors_before_login if before_login else self.settings.errors
        if bad or before_login:
            self._errors += 1
            if most and self._errors >= most:
                return (reply, *self._end(untagged(b"BYE", "Too many errors"), "too many errors"))
        return (reply,)

    def _misframed(self, fault: Fault) -> Effects:
        """A line that is none. It may have announced a literal, so what follows could be anything: the end."""
        text = "The line is too long" if fault is Fault.TOO_LONG else "Lines end in CRLF and hold no NUL"
        begun = self.parser.begun()
        tag = _TAG.match(begun) if b" " in begun and self.expecting is None else None
        said = b"" if tag is None else tagged(tag[0], b"BAD", text)
        return (said, *self._end(untagged(b"BYE", text), fault.value))

    def _end(self, reply: bytes, reason: str) -> Effects:
        """The last words."""
        self.leave()
        return (reply, Close(reason))


_NOT_NOW = {
    State.NOT_AUTHENTICATED: "Please sign in first",
    State.AUTHENTICATED: "No mailbox is selected, or you are signed in already",
    State.SELECTED: "You are signed in already",
}
