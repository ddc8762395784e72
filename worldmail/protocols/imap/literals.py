"""What becomes of a literal: it is kept, streamed, refused before it comes, or thrown away.

A client that waits for a continuation gets it only once the command so far is one that may go on (RFC 9051 §4.3);
of one that does not wait (RFC 7888) a refused literal is read and thrown away, or, where that would be too much, the
connection ends (RFC 7888 §4). A refusal is told when the command is whole: not before its octets are through.
What is small, came with its line and does not wait is no matter of this: the parser keeps it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worldmail.errors import MessageTooLarge, Refusal
from worldmail.protocols.imap.completion import refuse
from worldmail.protocols.imap.dispatch import begin
from worldmail.protocols.imap.parser import Announced, Octets
from worldmail.protocols.imap.replies import BadCommand, response_code, untagged
from worldmail.protocols.imap.rows import State
from worldmail.wire.effects import Close, Effects

if TYPE_CHECKING:
    from worldmail.protocols.imap.session import Session

MINIMUM_RATE = 100
"""Octets a second that a client must send of a message, over half a minute."""

THROWN_AWAY = 64 * 1024 * 1024
"""Octets of a refused literal of a signed-in client that are read; beyond that the connection ends."""

_BETWEEN = 256  # octets that may stand between two messages of a command, beyond those of other commands

_GO_ON = (b"+ OK\r\n",)


async def announced(session: Session, ahead: Announced) -> Effects:
    """A literal is to come."""
    parser = session.parser
    if session.doom is None:
        try:
            sink = await _sink(session, ahead)
        except Refusal as refusal:
            if ahead.waits:
                parser.forget()
                return refuse(session, refusal)
            session.doom = refusal
        else:
            if sink is None:
                parser.keep()
            else:
                session.sinks = session.sinks or []
                if not session.sinks or session.sinks[-1] is not sink:
                    session.sinks.append(sink)
                session.sink = sink
                parser.stream(sink)
            return _GO_ON if ahead.waits else ()
    doom = session.doom
    if ahead.waits:
        session.doom = None
        parser.forget()
        return refuse(session, doom)
    before_login = session.state is State.NOT_AUTHENTICATED
    if ahead.size > (session.settings.line_before_login if before_login else THROWN_AWAY):
        session.doom = None
        session.leave()
        return (untagged(b"BYE", doom.reply_text, response_code(doom)), Close("literal too large"))
    parser.skip()
    return ()


async def _sink(session: Session, ahead: Announced) -> object | None:
    """What the literal is streamed into; None if it is kept. Raises `Refusal`."""
    at = begin(session, _first(ahead))
    command, settings = session.command, session.settings
    before_login = session.state is State.NOT_AUTHENTICATED
    most = settings.line_before_login if before_login else settings.command
    if ahead.kept > most + _BETWEEN * len(ahead.parts):
        raise TooBig
    if command.literal is not None:
        sink: object | None = await command.literal(session, session.reader(ahead.parts, at), ahead)
        if sink is not None:
            return sink
    if ahead.kept + ahead.size > most:
        raise TooBig
    return None


async def take(session: Session, octets: Octets) -> Effects:
    """The next octets of a literal that is streamed."""
    sink = session.sink
    if octets.last:
        session.sink = None
    if session.doom is not None or sink is None:
        return ()
    try:
        if octets.nul:
            raise BadCommand("NUL in a literal")  # RFC 9051 §4.3
        if octets.data:
            sink.write(octets.data)
            if sink.behind():
                await sink.caught_up()
    except Refusal as refusal:
        session.doom = refusal
        session.drop_sinks()
        if not octets.last:
            session.parser.skip()
    return ()


class TooBig(MessageTooLarge):
    """The command takes more memory than it may."""

    text = "The literal is too large"


def _first(ahead: Announced) -> bytes:
    first = ahead.parts[0]
    if not isinstance(first, bytes):
        raise BadCommand
    return first
