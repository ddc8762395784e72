"""SORT and UID SORT (RFC 5256 §3, RFC 5957, RFC 5267 §3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from worldmail.mail.text.sorting import KEYS, Criterion, Sortable, Sortables, needs_summary
from worldmail.protocols.imap.afterwards import after_news
from worldmail.protocols.imap.condstore import enable_condstore
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.replies import BadCommand, UidRequired
from worldmail.protocols.imap.rows import SELECTED, Answer, Command, Done
from worldmail.protocols.imap.search.contexts import Context, check_tag, keep
from worldmail.protocols.imap.search.evaluate import ENVELOPES, Looked
from worldmail.protocols.imap.search.keys import Program, read_charset
from worldmail.protocols.imap.search.request import Request, read_request, read_returns
from worldmail.protocols.imap.search.results import UPDATING, Found, search_response
from worldmail.protocols.imap.search.running import (
    OPTIONS,
    Search,
    as_named_now,
    asks_by_number,
    saving,
    search,
    search_all,
    selected_of,
    unread,
)
from worldmail.protocols.imap.session import Session
from worldmail.wire.effects import Effects

T = TypeVar("T")

MOST_CRITERIA = 20
AT_ONCE = 200
"""More messages than this are sorted aside."""

NUMBERS = 5000
"""More numbers than this are written aside: a millisecond."""


def read_criteria(reader: Reader) -> list[Criterion]:
    """sort-criteria = "(" sort-criterion *(SP sort-criterion) ")" (RFC 5256 §5)."""

    def criterion() -> Criterion:
        word = reader.word()
        reverse = word == b"REVERSE"
        if reverse:
            reader.space()
            word = reader.word()
        if word not in KEYS:
            raise BadCommand("There is no such sort key")
        return Criterion(word, reverse)

    criteria = reader.parenthesised(criterion)
    if not criteria or len(criteria) > MOST_CRITERIA:
        raise BadCommand("Sort keys are expected")
    return criteria


def read_behind_charset(session: Session, reader: Reader) -> Program:
    """The charset that SORT and THREAD have to name (RFC 5256 §3), and a program to read behind it."""
    reader.space()
    charset = read_charset(reader.astring())
    reader.space()
    return Program(
        reader=reader, charset=charset, now=int(session.world.clock.now()), uid_only="UIDONLY" in session.enabled
    )


async def run(session: Session, reader: Reader) -> Answer:
    """Message sequence numbers."""
    if "UIDONLY" in session.enabled:
        raise UidRequired("Use UID SORT")
    return await _sort(session, reader, uids=False)


async def run_uid(session: Session, reader: Reader) -> Answer:
    """UIDs."""
    return await _sort(session, reader, uids=True)


async def _sort(session: Session, reader: Reader, *, uids: bool) -> Answer:
    reader.space()
    returns = read_returns(reader, OPTIONS | UPDATING)
    check_tag(session, returns)
    criteria = read_criteria(reader)
    with saving(session, returns):
        request = read_request(read_behind_charset(session, reader), returns)
    return await after_news(session, _sorted(session, request, criteria, uids=uids))


async def _sorted(session: Session, request: Request, criteria: list[Criterion], *, uids: bool) -> Done:
    """The answer, for messages as the client knows them now."""
    returns = request.returns
    with saving(session, returns):
        highest = enable_condstore(session, selected_of(session)) if request.modseq else ()  # RFC 7162 §3.1
        found = await search_all(session, request.node)
        places = await in_order(session, found, criteria)
    found.save(session, returns, places)
    kept = b""
    if "UPDATE" in returns:
        node = as_named_now(found, request.node)

        async def again() -> list[int]:
            now = await search(session, node)
            return now.numbers(await in_order(session, now, criteria), uids=True)

        known = found.numbers(places, uids=True)
        kept = keep(
            session, Context(tag=session.tag, uids=uids, ordered=True, again=again, known=known, items=returns.items)
        )
    answer = partial(_answer, session.tag, request, found, places, uids=uids)
    told = await where_it_belongs(session, answer, long=len(places) > NUMBERS)
    return Done((*highest, *told, kept), numbers=asks_by_number(request.node))


async def in_order(session: Session, found: Search, criteria: list[Criterion]) -> list[int]:
    """The places of what was found, sorted; messages that are gone meanwhile are left out."""
    messages = Sortables(criteria)
    await take_all(
        session, found, lambda batch: messages.extend(map(_sortable, batch)), summaries=needs_summary(criteria)
    )
    return await where_it_belongs(session, messages.in_order, long=len(found.places) > AT_ONCE)


async def take_all(
    session: Session, found: Search, take: Callable[[Sequence[Looked]], None], *, summaries: bool
) -> None:
    """Have all that was found taken, some at once; aside if it is much, or there are thousands of addresses in it."""
    async for batch in found.evaluation.each(found.places, summaries=summaries):
        envelopes = sum(len(summary.envelope) for _, _, summary in batch if summary is not None)
        long = len(found.places) > AT_ONCE or envelopes > ENVELOPES
        await where_it_belongs(session, partial(take, batch), long=long)


async def where_it_belongs(session: Session, work: Callable[[], T], *, long: bool) -> T:
    """The result of work that needs nobody else: done aside if it takes long."""
    if not long:
        return work()
    done: T = await session.world.aside(work)
    return done


def _sortable(looked: Looked) -> Sortable:
    place, row, summary = looked
    return Sortable(
        number=place,
        arrival=row.received,
        size=row.size,
        sent=None if summary is None else summary.sent,
        envelope=b"" if summary is None else summary.envelope,
    )


def _answer(tag: bytes, request: Request, found: Search, places: list[int], *, uids: bool) -> Effects:
    returns = request.returns
    numbers = found.numbers(places, uids=uids)
    modseq = found.modseq(returns, places) if request.modseq and numbers else None
    if not returns.asked:
        return (search_response(numbers, modseq, b"SORT"),)
    if returns.only_saves:
        return ()
    return (Found(tag=tag, numbers=numbers, uids=uids, returns=returns, modseq=modseq).response(),)


SORT = Command(
    word=b"SORT",
    states=SELECTED,
    parse=unread,
    run=run,
    capability="SORT",
    rfc="RFC 5256 §3",
    numbers=True,
)

UID_SORT = Command(word=b"UID SORT", states=SELECTED, parse=unread, run=run_uid, rfc="RFC 5256 §3")
