"""ESEARCH: a search in several mailboxes (RFC 7377)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import suppress

from attrs import frozen

from worldmail.errors import BadName
from worldmail.interfaces.folders import Folder
from worldmail.protocols.imap.afterwards import after_news
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.replies import BadCommand, No
from worldmail.protocols.imap.rows import SIGNED_IN, Answer, Command, Done
from worldmail.protocols.imap.scope import MOST_NAMES, SELECTED_FILTERS, SOURCES, Scope, choose, read_scope
from worldmail.protocols.imap.search.contexts import check_tag
from worldmail.protocols.imap.search.keys import Program
from worldmail.protocols.imap.search.nodes import Node, Numbered, leaves
from worldmail.protocols.imap.search.request import Request, read_request, read_returns
from worldmail.protocols.imap.search.results import UPDATING, Found, Returns
from worldmail.protocols.imap.search.running import (
    OPTIONS,
    Search,
    asks_by_number,
    evaluation_in,
    saving,
    search,
    unread,
)
from worldmail.protocols.imap.session import Session
from worldmail.protocols.imap.verbs.search import keep_searching
from worldmail.protocols.imap.view.selected import Selected
from worldmail.protocols.imap.view.view import View
from worldmail.protocols.imap.work import Work
from worldmail.wire.effects import Stream

MOST_SCOPES = 100
"""Filters of one command."""


@frozen
class Question:
    """What is looked for, and where; the selected mailbox if nothing was said."""

    scopes: tuple[Scope, ...]
    request: Request


def read(session: Session, reader: Reader) -> Question:
    """esearch = "ESEARCH" [SP scope-option] [SP search-return-opts] SP search-program (RFC 7377 §5)."""
    reader.space()
    scopes: list[Scope] = [Scope(b"SELECTED")]
    if reader.take_word(b"IN"):
        reader.space()
        reader.expect(b"(")
        scopes = [read_scope(reader, SOURCES)]
        while reader.take(b" "):
            if reader.peek() == b"(":
                raise BadCommand("There are no scope options")
            scopes.append(read_scope(reader, SOURCES))
            if sum(len(scope.names) for scope in scopes) > MOST_NAMES or len(scopes) > MOST_SCOPES:
                raise No("This is too much for one search", b"LIMIT")
        reader.expect(b")")
        reader.space()
    returns = read_returns(reader, OPTIONS | UPDATING)
    check_tag(session, returns)
    program = Program(
        reader=reader,
        now=int(session.world.clock.now()),
        uid_only="UIDONLY" in session.enabled,
        utf8_only="UTF8=ACCEPT" in session.enabled,
    )
    request = read_request(program, returns)
    one = all(scope.kind == b"SELECTED" for scope in scopes)
    saved = any(isinstance(leaf, Numbered) and leaf.numbers.saved for leaf in leaves(request.node))
    if (saved or "SAVE" in returns) and not one:
        raise BadCommand("The saved result belongs to one mailbox")
    if "UPDATE" in returns and session.selected is None:
        raise BadCommand("No mailbox is selected")
    return Question(tuple(scopes), request)


async def run(session: Session, reader: Reader) -> Answer:
    """One ESEARCH response for each mailbox in which something was found (RFC 7377 §2.1)."""
    question = read(session, reader)
    folders = await folders_of(session, question.scopes)
    return await after_news(session, _answer(session, question, folders))


async def _answer(session: Session, question: Question, folders: Sequence[Folder]) -> Done:
    if session.work is not None:
        session.work.streams = True
    return Done((Stream(_answers(session, question, folders)),), numbers=asks_by_number(question.request.node))


async def folders_of(session: Session, scopes: Iterable[Scope]) -> list[Folder]:
    """The mailboxes meant, each once, that may be read (right r)."""
    folders = session.world.folders
    named = [scope for scope in scopes if scope.kind not in SELECTED_FILTERS]
    chosen: dict[int, Folder] = {}
    if len(named) < len(list(scopes)) and isinstance(session.selected, Selected):
        chosen[session.selected.id] = session.selected.folder
    elif not named:
        raise BadCommand("No mailbox is selected")
    if named:
        every = await folders.folders(session.user)
        subscribed: Collection[str] = ()
        if any(scope.kind == b"SUBSCRIBED" for scope in named):
            subscribed = await folders.subscribed(session.user)
        found = [*choose(named, every, subscribed), *await _hidden(session, named, every)]
        chosen.update({folder.id: folder for folder in found if folder.id not in chosen})
    return [folder for folder in chosen.values() if "r" in folder.rights]


async def _hidden(session: Session, scopes: Iterable[Scope], listed: Iterable[Folder]) -> list[Folder]:
    """Mailboxes that are named, and without the right l not listed: r is enough for them (RFC 7377 §2.2)."""
    names = {name for scope in scopes if scope.kind == b"MAILBOXES" for name in scope.names}
    names.difference_update(folder.name for folder in listed)
    found: list[Folder | None] = []
    for name in sorted(names):
        with suppress(BadName):
            found.append(await session.world.folders.folder(session.user, name))
    return [folder for folder in found if folder is not None and folder.exists]


async def _answers(session: Session, question: Question, folders: Sequence[Folder]) -> AsyncIterator[bytes]:
    request = question.request
    returns = request.returns if request.returns.asked else Returns(asked=True, names=frozenset(("ALL",)))
    work = session.work or Work(session.tag)
    work.expect(sum(folder.messages for folder in folders))
    work.end = 0
    for folder in folders:
        work.end += folder.messages
        mailbox = b" MAILBOX %b UIDVALIDITY %d" % (session.wire_name(folder.name), folder.uidvalidity)
        kept = b""
        if session.selected is not None and session.selected.id == folder.id:
            with saving(session, returns):
                found = await search(session, request.node, unlimited=True)
            found.save(session, returns, found.places)
            if "UPDATE" in returns:
                kept = keep_searching(session, request, found, uids=True, mailbox=mailbox)
        else:
            found = await _search(session, folder, request.node)
        work.left(0)
        if found.places and not returns.only_saves:
            yield Found(
                tag=session.tag,
                numbers=found.numbers(found.places, uids=True),
                uids=True,
                returns=returns,
                modseq=found.modseq(returns, found.places) if request.modseq else None,
                mailbox=mailbox,
            ).response()
        yield kept


async def _search(session: Session, folder: Folder, node: Node) -> Search:
    """As SELECT would show it now."""
    reader = folder.reader(session.user.id)
    view = View(total=folder.messages, uidnext=folder.uidnext, modseq=folder.highestmodseq)
    selected = Selected(folder=folder, read_only=True, reader=reader, messages=session.world.messages, view=view)
    await selected.load_last(view.total)
    evaluation = evaluation_in(session, selected)
    places = await evaluation.holds(node, range(len(view.uids)))
    return Search(selected=selected, evaluation=evaluation, places=places)


ESEARCH = Command(word=b"ESEARCH", states=SIGNED_IN, parse=unread, run=run, capability="MULTISEARCH", rfc="RFC 7377 §2")
