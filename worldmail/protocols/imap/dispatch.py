"""From a command's line to its row, and through it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from worldmail.protocols.imap.completion import finish
from worldmail.protocols.imap.parser import CommandLine
from worldmail.protocols.imap.replies import BadCommand, NotNow
from worldmail.protocols.imap.rows import SELECTED, State
from worldmail.protocols.imap.work import Work
from worldmail.wire.effects import Effects

if TYPE_CHECKING:
    from worldmail.protocols.imap.session import Session

# tag = 1*<any ASTRING-CHAR except "+">; then the command's word, and that of a UID command (RFC 9051 §9)
_BEGINNING = re.compile(rb"([^\x00-\x20(){%*\"\\+\x7f-\xff]+) ((?:UID )?[A-Z0-9=.-]+)", re.IGNORECASE)
_TAG = re.compile(rb"[^\x00-\x20(){%*\"\\+\x7f-\xff]+(?= |\Z)")

_NOT_NOW = {
    State.NOT_AUTHENTICATED: "Please sign in first",
    State.AUTHENTICATED: "No mailbox is selected, or you are signed in already",
    State.SELECTED: "You are signed in already",
}


def begin(session: Session, line: bytes) -> int:
    """Look at a command's beginning: its tag and its row are known then; where its arguments begin.

    Raises: `BadCommand`, `NotNow`.
    """
    session.row = None
    found = _BEGINNING.match(line)
    if found is None:
        tag = _TAG.match(line)
        session.tag = b"*" if tag is None else tag[0]
        raise BadCommand("A tag and a command are expected")
    session.tag = found[1]
    row = session.site.commands.get(found[2].upper())
    if row is None:
        raise BadCommand("Unknown command")
    if session.state not in row.states:
        raise NotNow(_NOT_NOW[session.state])
    session.row = row
    return found.end()


async def run(session: Session, line: CommandLine) -> Effects:
    """A whole command."""
    if session.doom is not None:
        doom, session.doom = session.doom, None
        raise doom
    first = line.parts[0]
    assert isinstance(first, bytes)
    at = begin(session, first)
    row = session.command
    work = session.work = Work(session.tag)
    try:
        if session.selected is not None and row.states is SELECTED:
            await session.selected.look_at_rights(session)
        answer = await row.run(session, row.parse(session.reader(line.parts, at)))
    finally:
        if session.sinks is not None or session.progress is not None:
            session.drop_sinks()
        if not work.streams:
            session.work = None
    return await finish(session, answer)


async def go_on(session: Session, line: bytes) -> Effects:
    """A line that a verb asked for."""
    take, session.expecting = session.expecting, None
    signed_in = session.state is not State.NOT_AUTHENTICATED
    session.parser.lines.limit = session.settings.line if signed_in else session.settings.line_before_login
    assert take is not None
    return await finish(session, await take(line))
