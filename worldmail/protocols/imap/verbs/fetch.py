"""FETCH and UID FETCH: what there is of messages (RFC 9051 §6.4.5, §6.4.9)."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence
from functools import partial

from attrs import define

from worldmail.interfaces.messages import Marked, Uids
from worldmail.mail import numbers as sets
from worldmail.mail.numbers import Numbers
from worldmail.protocols.imap import partials
from worldmail.protocols.imap.afterwards import after_news
from worldmail.protocols.imap.condstore import enable_condstore
from worldmail.protocols.imap.fetch.answers import Answers
from worldmail.protocols.imap.fetch.batch import Item
from worldmail.protocols.imap.fetch.items import FLAGS, MODSEQ, UID
from worldmail.protocols.imap.fetch.parse import read_items
from worldmail.protocols.imap.fetch.plan import Plan, make_plan
from worldmail.protocols.imap.fetch.surrogates import surrogates_for
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.message_limit import Reached, last_of, most
from worldmail.protocols.imap.replies import BadCommand, No
from worldmail.protocols.imap.rows import SELECTED, Answer, Command, Done
from worldmail.protocols.imap.session import Session
from worldmail.protocols.imap.targets import selected_of, targets
from worldmail.protocols.imap.view import untagged
from worldmail.protocols.imap.view.selected import Selected
from worldmail.protocols.imap.view.untagged import style_of
from worldmail.wire.effects import Effects, Stream


@define
class Asked:
    """The arguments.

    Args:
        changed_since: only messages with a higher MODSEQ (RFC 7162 §3.1.4.1).
        vanished: and those that were expunged since (RFC 7162 §3.2.6).
        partial: only so many of them (RFC 9394 §3.2).
    """

    numbers: Numbers
    items: list[Item]
    uid: bool
    changed_since: int | None = None
    vanished: bool = False
    partial: partials.Range | None = None


def parse(reader: Reader, *, uid: bool) -> Asked:
    """SP sequence-set SP items [SP fetch-modifiers]"""
    reader.space()
    numbers = reader.numbers()
    reader.space()
    asked = Asked(numbers, read_items(reader), uid)
    if reader.take(b" ") and not reader.at_end():
        _read_modifiers(reader, asked)
    reader.end()
    if asked.vanished and (asked.changed_since is None or not uid):
        raise BadCommand("VANISHED goes with UID FETCH and CHANGEDSINCE")  # RFC 7162 §3.2.6
    return asked


def _read_modifiers(reader: Reader, asked: Asked) -> None:
    def read() -> bytes:
        name = reader.word()
        if name == b"CHANGEDSINCE":
            reader.space()
            asked.changed_since = reader.number64()
        elif name == b"VANISHED":
            asked.vanished = True
        elif name == b"PARTIAL" and asked.uid:
            reader.space()
            asked.partial = partials.read(reader)
        else:
            raise BadCommand("There is no such modifier")
        return name

    names = reader.parenthesised(read)
    if len(set(names)) < max(1, len(names)):
        raise BadCommand("Each modifier may stand once")


async def run(session: Session, asked: Asked) -> Answer:
    """Answers at once, or as a stream if there are many."""
    return await after_news(session, fetch(session, asked))


async def fetch(session: Session, asked: Asked) -> Answer:
    """The answers for messages as the client knows them now."""
    if asked.vanished and "QRESYNC" not in session.enabled:
        raise BadCommand("QRESYNC has to be enabled first")  # RFC 7162 §3.2.6
    limit = most(session)
    if asked.partial is not None and limit and abs(asked.partial[1] - asked.partial[0]) >= limit:
        raise No("These are too many messages for one command", b"MESSAGELIMIT %d" % limit)  # RFC 9738 §3.1
    selected = selected_of(session)
    before: tuple[bytes, ...] = ()
    if asked.changed_since is not None or MODSEQ in asked.items:
        before += enable_condstore(session, selected)
    if _flags_since(asked) and (uids := await _among(selected, asked)) is not None:
        before += await _vanished(selected, asked) if asked.vanished else ()
        if not limit:
            return (*before, Stream(_changed_flags(session, selected, asked, uids)))
        return await _last_changed_flags(session, selected, asked, uids, before)
    slices = await targets(session, asked.numbers, uid=asked.uid)
    if asked.partial is not None:
        slices = partials.cut(slices, asked.partial)
    if asked.changed_since is not None:
        if asked.vanished:
            before += await _vanished(selected, asked)
        slices = selected.view.newer(slices, asked.changed_since)
    if not slices:
        return before
    slices, reached = last_of(selected.view, slices, limit)
    plan, cut = _plan(session, selected, asked), None if reached is None else reached.line
    answers = Answers(selected, session.world.summaries, plan, slices, asked.uid, cut, session.work)
    return _answer((*before, *await answers.effects()), plan, reached)


def _answer(effects: Effects, plan: Plan, reached: Reached | None) -> Answer:
    answer = effects if plan.surrogates is None else Done(effects, code=plan.surrogates.code)
    return answer if reached is None else reached.told_with(answer)


def _plan(session: Session, selected: Selected, asked: Asked) -> Plan:
    return make_plan(
        asked.items,
        style_of(session.enabled),
        uid=asked.uid or "QRESYNC" in session.enabled,  # RFC 7162 §3.2.3
        modseq=asked.changed_since is not None,
        sees=selected.may("s"),
        utf8=session.utf8,
        surrogates=surrogates_for(session, selected, asked.items),
    )


def _flags_since(asked: Asked) -> bool:
    """Are the flags asked for of what changed? Then nothing else has to be loaded."""
    return (
        asked.uid
        and asked.changed_since is not None
        and asked.partial is None
        and not asked.numbers.saved
        and FLAGS in asked.items
        and all(item in (UID, FLAGS, MODSEQ) for item in asked.items)
    )


async def _among(selected: Selected, asked: Asked) -> Uids | None:
    """Among which messages the store is asked for those that changed; None where the view has to be asked."""
    view = selected.view
    if asked.numbers.star:
        await selected.load_last(1)
    if not view.before or view.dirty:
        return None
    return asked.numbers.clipped(view.uids[-1] if asked.numbers.star else view.uidnext - 1)


async def _changed_flags(session: Session, selected: Selected, asked: Asked, uids: Uids) -> AsyncIterator[bytes]:
    """The flags of what changed, slice by slice."""
    style = style_of(session.enabled)
    async for rows in _changed(selected, asked, uids):
        yield b"".join(await selected.tell_rows(rows, style))


async def _last_changed_flags(
    session: Session, selected: Selected, asked: Asked, uids: Uids, before: tuple[bytes, ...]
) -> Answer:
    """The flags of the last ones that changed, no more than one command works on (RFC 9738 §3.1)."""
    limit = most(session)
    last: deque[Marked] = deque(maxlen=limit + 1)
    async for rows in _changed(selected, asked, uids):
        last += rows
    told = await selected.tell_rows([*last][-limit:], style_of(session.enabled))
    if len(last) <= limit:
        return (*before, b"".join(told))
    return Reached(limit, last[1].uid).told_with((*before, b"".join(reversed(told))))


async def _changed(selected: Selected, asked: Asked, uids: Uids) -> AsyncIterator[Sequence[Marked]]:
    assert asked.changed_since is not None
    gone = selected.view.pending
    async for rows in selected.changed_since(asked.changed_since, uids):
        yield [row for row in rows if row.uid not in gone]


async def _vanished(selected: Selected, asked: Asked) -> tuple[bytes, ...]:
    """Those of the UIDs that went after that MODSEQ, before any FETCH (RFC 7162 §3.2.6)."""
    assert asked.changed_since is not None
    uids = asked.numbers.clipped(selected.view.uidnext - 1)
    gone = await selected.messages.vanished(selected.id, modseq=asked.changed_since, uids=uids)
    return tuple(untagged.earlier(sets.without(gone, sets.ranges_of(selected.view.leaving))))


FETCH = Command(
    word=b"FETCH",
    states=SELECTED,
    parse=partial(parse, uid=False),
    run=run,
    numbers=True,
    rfc="RFC 9051 §6.4.5",
)
UID_FETCH = Command(
    word=b"UID FETCH",
    states=SELECTED,
    parse=partial(parse, uid=True),
    run=run,
    rfc="RFC 9051 §6.4.9",
)
