"""SEARCH and UID SEARCH (RFC 9051 §6.4.4, RFC 3501 §6.4.4, RFC 4731, RFC 5182, RFC 9394)."""

from __future__ import annotations

from worldmail.protocols.imap.afterwards import after_news
from worldmail.protocols.imap.condstore import enable_condstore
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.replies import UidRequired
from worldmail.protocols.imap.rows import SELECTED, Answer, Command, Done
from worldmail.protocols.imap.search.contexts import Context, check_tag, keep
from worldmail.protocols.imap.search.keys import Program
from worldmail.protocols.imap.search.request import Request, read_request, read_returns
from worldmail.protocols.imap.search.results import UPDATING, Found, Returns, search_response
from worldmail.protocols.imap.search.running import (
    OPTIONS,
    Search,
    as_named_now,
    asks_by_number,
    saving,
    search,
    selected_of,
    unread,
)
from worldmail.protocols.imap.session import Session
from worldmail.wire.effects import Effects


def read(session: Session, reader: Reader, returns: Returns) -> Request:
    """The request of this session, behind its result options."""
    program = Program(
        reader=reader,
        now=int(session.world.clock.now()),
        uid_only="UIDONLY" in session.enabled,
        utf8_only="UTF8=ACCEPT" in session.enabled,
    )
    return read_request(program, returns)


async def run(session: Session, reader: Reader) -> Answer:
    """Message sequence numbers."""
    if "UIDONLY" in session.enabled:
        raise UidRequired("Use UID SEARCH")
    return await _search(session, reader, uids=False)


async def run_uid(session: Session, reader: Reader) -> Answer:
    """UIDs."""
    return await _search(session, reader, uids=True)


async def _search(session: Session, reader: Reader, *, uids: bool) -> Answer:
    reader.space()
    returns = read_returns(reader, OPTIONS | UPDATING)
    check_tag(session, returns)
    with saving(session, returns):
        request = read(session, reader, returns)
    return await after_news(session, _found(session, request, uids=uids))


async def _found(session: Session, request: Request, *, uids: bool) -> Done:
    """The answer, for messages as the client knows them now."""
    returns = request.returns
    with saving(session, returns):
        highest = enable_condstore(session, selected_of(session)) if request.modseq else ()  # RFC 7162 §3.1
        found = await search(session, request.node)
    found.save(session, returns, found.places)
    kept = b"" if "UPDATE" not in returns else keep_searching(session, request, found, uids=uids)
    effects = (*highest, *answer(session, request, found, uids=uids), kept)
    done = Done(effects, numbers=asks_by_number(request.node))
    return done if found.reached is None else found.reached.told_with(done)


def keep_searching(session: Session, request: Request, found: Search, *, uids: bool, mailbox: bytes = b"") -> bytes:
    """Keep the results up to date from now on (RFC 5267 §4.3)."""
    node = as_named_now(found, request.node)

    async def again() -> list[int]:
        now = await search(session, node)
        return now.numbers(now.places, uids=True)

    known = found.numbers(found.places, uids=True)
    items = request.returns.items
    return keep(
        session,
        Context(tag=session.tag, uids=uids, ordered=False, again=again, known=known, items=items, mailbox=mailbox),
    )


def answer(session: Session, request: Request, found: Search, *, uids: bool) -> Effects:
    """The untagged response: ESEARCH where it was asked for, or IMAP4rev2 is on (RFC 9051 §6.4.4)."""
    returns = request.returns
    numbers = found.numbers(found.places, uids=uids)
    modseq = found.modseq(returns, found.places) if request.modseq and numbers else None
    if not returns.asked:
        if "IMAP4REV2" not in session.enabled:
            return (search_response(numbers if found.reached is None else numbers[::-1], modseq),)  # RFC 9738 §3.1
        returns = Returns(asked=True, names=frozenset(("ALL",)))
    if returns.only_saves:
        return ()
    return (Found(tag=session.tag, numbers=numbers, uids=uids, returns=returns, modseq=modseq).response(),)


SEARCH = Command(word=b"SEARCH", states=SELECTED, parse=unread, run=run, rfc="RFC 9051 §6.4.4", numbers=True)

UID_SEARCH = Command(word=b"UID SEARCH", states=SELECTED, parse=unread, run=run_uid, rfc="RFC 9051 §6.4.9")
