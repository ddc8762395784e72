"""One IMAP session (RFC 9051, RFC 3501), without I/O.

Theory of operation. The parser cuts what comes into events; most are whole commands. A command is found by its word
among the rows; the row's parser takes its arguments off a `Reader`, its coroutine does it. What that gives is sent,
then what is new in the selected mailbox, then the tagged reply; `Refusal`s become the tagged reply themselves.
A line is no command if a verb asked for it (`expect`): SASL responses, and the end of IDLE.

A literal is looked at before it comes (`literals.py`), unless it is small and came with its line. Nothing is begun
before a command is whole, but for the message of an APPEND, which is written away as it comes.

Commands are run one after another, so what a client sends without waiting for answers is as good as if it had waited
(RFC 9051 §5.5). What happens elsewhere is told at the end of each command, and in IDLE when the change feed wakes the
session (`wake`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from attrs import define
from zope.interface import implementer

from worldmail.errors import Refusal
from worldmail.interfaces.auth import LoginContext
from worldmail.interfaces.directory import Account
from worldmail.interfaces.protocol import IDialogue, IReporting, Peer
from worldmail.interfaces.world import World
from worldmail.protocols.imap import account_watch, afterwards, completion, dispatch, literals
from worldmail.protocols.imap.grammar.names import read_name, write_name
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.parser import Announced, CommandLine, Event, Fault, Octets, Parser
from worldmail.protocols.imap.replies import astring, untagged
from worldmail.protocols.imap.rows import Answer, Command, Silence, State
from worldmail.protocols.imap.settings import ImapSettings
from worldmail.protocols.imap.site import Site
from worldmail.protocols.imap.work import Work
from worldmail.wire.effects import Close, Effects
from worldmail.wire.wakes import WAKE, Wake

if TYPE_CHECKING:
    from worldmail.protocols.imap.notify.watch import Watch
    from worldmail.protocols.imap.view.selected import Selected

NOTHING_ENABLED: frozenset[str] = frozenset()
UTF8_NAMES = frozenset(("UTF8=ACCEPT", "IMAP4REV2"))


@implementer(IDialogue, IReporting)
@define(kw_only=True, eq=False)
class Session:
    """One connection's dialogue.

    Attributes:
        tag: of the command under way.
        enabled: names in capitals that ENABLE took, and what they imply (RFC 5161).
        selected: the selected mailbox.
        saved_result: what "$" stands for (RFC 5182).
        contexts: searches whose results are kept up to date (RFC 5267).
        notify: what the client was told of by NOTIFY (RFC 5465); None as long as it gave none.
        progress: for a row's `literal`, whatever it has to remember until the command is whole; None before each.
        sinks: what literals of the command under way are streamed into.
        idling: the client gave IDLE.
        compressed: COMPRESS was given (RFC 4978).
        identified: the client's ID is in the log.
        row: of the command under way; None if it could not be found.
        work: how far it is.
        expecting: what takes the next line in place of a command.
        ending: why the connection has to be closed now, its last words being said.
        errors: refused commands since there was one that was not.
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
    contexts: Any = None
    notify: Watch | None = None
    progress: Any = None
    sinks: list[Any] | None = None
    sink: Any = None
    idling: bool = False
    compressed: bool = False
    identified: bool = False
    expecting: Callable[[bytes], Awaitable[Answer | Silence]] | None = None
    ending: str | None = None
    gone: bool = False
    doom: Refusal | None = None
    revoked: bool = False
    forget: Callable[[], None] | None = None
    row: Command | None = None
    work: Work | None = None
    errors: int = 0
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
            self._context = self.site.login_context(self.peer)
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
        self.saved_result = self.contexts = None
        if self.notify is not None:
            self.notify.unfetched = 0
        self.state = State.AUTHENTICATED if selected is None else State.SELECTED
        if before is not None:
            before.release()

    def watch(self, watch: Watch | None) -> None:
        """From now on the client is told of this (RFC 5465 §3.1)."""
        before, self.notify = self.notify, watch
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
        self.errors = 0
        self.parser.lines.limit = self.settings.line
        self.parser.at_once = self.settings.command

    def leave(self) -> None:
        """Give everything back that login took, and be as before it. Harmless a second time."""
        self.drop_sinks()
        if self.account is None:
            return
        if self.selected is not None:
            self.select(None)
        if self.notify is not None:
            self.watch(None)
        if self.forget is not None:
            self.forget()
            self.forget = None
        self.account = self._context = self.saved_result = self.contexts = None
        self.enabled = NOTHING_ENABLED
        self.state = State.NOT_AUTHENTICATED
        self.parser.lines.limit = self.settings.line_before_login
        self.parser.at_once = 0

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
        if self.ending is not None:
            return WAKE
        event = self.parser.next_event()
        if event is None and self._woken and (self.idling or self.notify is not None):
            return WAKE
        return event

    async def handle(self, event: object) -> Effects:
        """Answer one event."""
        if self.ending is not None:
            return (Close(self.ending),)
        if isinstance(event, Wake):
            self._woken = False
            return await afterwards.unasked(self)
        try:
            if self.revoked and self.account is not None and not isinstance(event, Octets | Announced):
                await account_watch.check(self, self.account)
            if type(event) is CommandLine:
                return await dispatch.run(self, event)
            if type(event) is bytes:
                return await dispatch.go_on(self, event)
            if isinstance(event, Octets):
                return await literals.take(self, event)
            if isinstance(event, Announced):
                return await literals.announced(self, event)
            assert isinstance(event, Fault)
            return completion.misframed(self, event)
        except Refusal as refusal:
            return completion.refuse(self, refusal)

    def working(self) -> bytes:
        """A command takes long (RFC 9585)."""
        return b"" if self.work is None else self.work.report()

    def secured(self, peer: Peer) -> Effects:
        """TLS is on: what came in the clear is forgotten (RFC 9051 §6.2.1). There is no second greeting."""
        self.peer = peer
        self.parser.clear()
        self.expecting = self._context = None
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

    # --- the command under way ---

    @property
    def command(self) -> Command:
        """The row of the command under way."""
        assert self.row is not None
        return self.row

    def reader(self, parts: Sequence[Any], at: int) -> Reader:
        """Reads the arguments of the command under way."""
        return Reader(parts, at, utf8=not self.enabled.isdisjoint(UTF8_NAMES))

    @property
    def has_news(self) -> bool:
        """There may be something to tell."""
        return (self.selected is not None and self.selected.dirty) or (self.notify is not None and self.notify.busy)

    async def news(self, *, expunges: bool) -> Sequence[bytes]:
        """What is new, and to be told within the command; of what was expunged only if that may be."""
        if self.notify is not None:
            return await self.notify.within_command(self, expunges=expunges)
        return await self.changes(expunges=expunges)

    async def changes(self, *, expunges: bool) -> Sequence[bytes]:
        """What is new in the selected mailbox."""
        if self.selected is None:
            return ()
        if self.contexts is not None:
            told: Sequence[bytes] = await self.contexts.around(self, expunges=expunges)
            return told
        return await self.told_by_view(expunges=expunges)

    async def told_by_view(self, *, expunges: bool) -> Sequence[bytes]:
        """What the view of the selected mailbox has to tell, as far as the client wants to know it."""
        if self.selected is None or not self.selected.dirty:
            return ()
        told = await self.selected.sync(self, expunges=expunges)
        return told if self.notify is None else self.notify.chosen(told)
