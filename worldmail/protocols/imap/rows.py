"""Rows: one for each command, one for each capability that is no command.

A new command is a module in `verbs/` with its `Command`, and a line in the list of `verbs/__init__.py`. What is
announced without being a command is an `Extension`, and a line in the list of `extensions.py`.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.parser import Announced
from worldmail.wire.effects import Effects

if TYPE_CHECKING:
    from worldmail.protocols.imap.session import Session


class State(enum.Enum):
    """RFC 9051 §3. The logout state is the end of the connection."""

    NOT_AUTHENTICATED = "NOT AUTHENTICATED"
    AUTHENTICATED = "AUTHENTICATED"
    SELECTED = "SELECTED"


ANY_STATE = frozenset(State)
NOT_AUTHENTICATED = frozenset((State.NOT_AUTHENTICATED,))
SIGNED_IN = frozenset((State.AUTHENTICATED, State.SELECTED))
SELECTED = frozenset((State.SELECTED,))


@frozen
class Done:
    """What a verb gives back that wants something of its own in the tagged OK.

    Args:
        effects: what comes before it.
        code: its response code, without the brackets; or gives it, or that there is none, when all else was told.
        text: its text; "<WORD> completed" if None.
        after: what comes right behind it (StartTls, Compress, Close).
        numbers: as `Command.numbers`, where that depends on the arguments.
    """

    effects: Effects = ()
    code: bytes | Callable[[], bytes | None] | None = field(default=None, kw_only=True)
    text: str | None = field(default=None, kw_only=True)
    after: Effects = field(default=(), kw_only=True)
    numbers: bool = field(default=False, kw_only=True)


Answer = Effects | Done


class Silence:
    """What a verb gives back whose tagged reply comes later (IDLE, AUTHENTICATE): these effects and no more."""

    __slots__ = ("effects",)

    def __init__(self, effects: Effects) -> None:
        self.effects = effects


@frozen(kw_only=True)
class Command:
    """One IMAP command (see `worldmail.wire.commands`: with a reader for its arguments, and more in its answer).

    Args:
        word: in capitals; that of a UID command begins with "UID ".
        states: in which it is legal.
        parse: takes the arguments off a `Reader` that stands right behind the word.
        run: gives effects, to which the session adds what is new in the mailbox and the tagged OK; or `Done`; or
            `Silence`. A `Stream` among the effects is sent before those. Raises `Refusal`.
        capability: as in `Extension`; announced before the login if the command is legal then.
        before_login: announced before it too though it is not legal yet: for clients that ask once, at the beginning.
        rfc: the section that defines it.
        numbers: message sequence numbers are in its arguments or answers, so nothing may be told of an EXPUNGE
            before its tagged reply (RFC 9051 §7.5.1).
        literal: asked at each literal of the command that the parser announces, with what came before it: something
            to stream it into (with the methods of `IContentWriter` that take octets), or None to keep it in memory.
            What it raises is the reply to the command.
    """

    word: bytes
    states: frozenset[State]
    parse: Callable[[Reader], Any]
    run: Callable[[Session, Any], Awaitable[Answer | Silence]]
    rfc: str
    capability: str | Callable[[Session], Iterable[str]] | None = None
    before_login: bool = False
    numbers: bool = False
    literal: Callable[[Session, Reader, Announced], Awaitable[Any]] | None = None


@frozen(kw_only=True)
class Extension:
    """Something that is announced and is no command.

    Args:
        capability: its name; or says, for a session, which names there are now.
        rfc: the section that defines it.
        before_login: announced to those too who have not signed in.
        enable: ENABLE takes it (RFC 5161): called with the session when it is enabled.
    """

    capability: str | Callable[[Session], Iterable[str]]
    rfc: str
    before_login: bool = False
    enable: Callable[[Session], None] | None = None


def command_table(rows: Iterable[Command]) -> dict[bytes, Command]:
    """The rows by their word. Two rows with one word are a mistake: ValueError."""
    table: dict[bytes, Command] = {}
    for row in rows:
        if row.word in table:
            raise ValueError(f"two rows for {row.word!r}")
        table[row.word] = row
    return table
