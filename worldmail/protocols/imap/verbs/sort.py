"""SORT and UID SORT (RFC 5256 §3, RFC 5957, RFC 5267 §3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from worldmail.interfaces.derived import Summary
from worldmail.interfaces.messages import Stored
from worldmail.mail.text.sorting import KEYS, Criterion, Sortable, needs_summary, sort_messages
from worldmail.protocols.imap.afterwards import after_news
from worldmail.protocols.imap.condstore import enable_condstore
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.replies import BadCommand, UidRequired
from worldmail.protocols.imap.rows import SELECTED, Answer, Command, Done
from worldmail.protocols.imap.search.contexts import Context, check_tag, keep
from worldmail.protocols.imap.search.evaluate import ENVELOPES
from worldmail.protocols.imap.search.keys import Program, read_charset
from worldmail.protocols.imap.search.request import Request, read_request, read_returns
from worldmail.protocols.imap.search.results import Found, search_response
from worldmail.protocols.imap.search.running import (
    OPTIONS,
    UPDATING,
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

MOST_CRITERIA = 20
AT_ONCE = 200
"""More messages than this are sorted aside."""


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
    effects = (*highest, *_answer(session, request, found, places, uids=uids), kept)
    return Done(effects, numbers=asks_by_number(request.node))


async def in_order(session: Session, found: Search, criteria: list[Criterion]) -> list[int]:
    """The places of what was found, sorted; messages that are gone meanwhile are left out."""
    rows = dict(await found.evaluation.stored(found.places))
    summaries = dict(await found.evaluation.summaries(found.places)) if needs_summary(criteria) else {}

    def ordered() -> list[int]:
        return sort_messages(_sortable(found.places, rows, summaries), criteria)

    if not takes_long(found.places, summaries):
        return ordered()
    sorted_aside: list[int] = await session.world.aside(ordered)
    return sorted_aside


def takes_long(places: Sequence[int], summaries: Mapping[int, Summary]) -> bool:
    """Is it better done aside? Somebody may have written thousands of addresses into one message."""
    return len(places) > AT_ONCE or sum(len(summary.envelope) for summary in summaries.values()) > ENVELOPES


def _sortable(
    places: Iterable[int], rows: Mapping[int, Stored], summaries: Mapping[int, Summary]
) -> Iterator[Sortable]:
    for place in places:
        row = rows.get(place)
        if row is None:
            continue
        summary = summaries.get(row.content_id)
        yield Sortable(
            number=place,
            arrival=row.received,
            size=row.size,
            sent=None if summary is None else summary.sent,
            envelope=b"" if summary is None else summary.envelope,
        )


def _answer(session: Session, request: Request, found: Search, places: list[int], *, uids: bool) -> Effects:
    returns = request.returns
    numbers = found.numbers(places, uids=uids)
    modseq = found.modseq(returns, places) if request.modseq and numbers else None
    if not returns.asked:
        return (search_response(numbers, modseq, b"SORT"),)
    if returns.only_saves:
        return ()
    return (Found(tag=session.tag, numbers=numbers, uids=uids, returns=returns, modseq=modseq).response(),)


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
