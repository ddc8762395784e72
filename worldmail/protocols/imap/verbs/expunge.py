"""EXPUNGE and UID EXPUNGE: remove what has \\Deleted (RFC 9051 §6.4.3, RFC 4315 §2.1)."""

from __future__ import annotations

from worldmail.interfaces.messages import Flag
from worldmail.mail.numbers import Numbers
from worldmail.protocols.imap.completion import news_of_done
from worldmail.protocols.imap.grammar.reader import Reader, nothing
from worldmail.protocols.imap.message_limit import Reached, most
from worldmail.protocols.imap.rows import SELECTED, Answer, Command, Done
from worldmail.protocols.imap.session import Session
from worldmail.protocols.imap.targets import need, selected_of, targets
from worldmail.protocols.imap.view.view import Slices, View


def parse_uids(reader: Reader) -> Numbers:
    """SP sequence-set"""
    reader.space()
    numbers = reader.numbers()
    reader.end()
    return numbers


async def run(session: Session, numbers: Numbers | None) -> Answer:
    """Remove them; that they are gone is told with everything else that is new."""
    selected = selected_of(session)
    need(selected, "e")
    # What arrived and was not told yet is removed too, as the client asked for all (RFC 9051 §6.4.3).
    uids, reached = [(1, 0xFFFFFFFF)], None
    if numbers is not None:
        slices, reached = _last(selected.view, await targets(session, numbers, uid=True), most(session))
        uids = selected.view.uid_ranges(slices)
    if uids:
        await selected.messages.expunge(selected.id, uids, deleted_only=True)
        selected.touch()
    told = await news_of_done(session, expunges=True)
    done = Done(effects=tuple(told))
    if "QRESYNC" in session.enabled and told:  # RFC 7162 §3.2.7
        done = Done(effects=tuple(told), code=selected.highest)
    return done if reached is None else reached.told_with(done)


def _last(view: View, slices: Slices, limit: int) -> tuple[Slices, Reached | None]:
    """Those of these messages that hold no more than `limit` (0: any number) with \\Deleted (RFC 9738 §3.1)."""
    if not limit:
        return slices, None
    deleted = [bool(flags & Flag.DELETED) for flags in view.flag_states.flags]
    states = view.states
    places = [at for start, end in slices for at in range(start, end) if deleted[states[at]]]
    if len(places) <= limit:
        return slices, None
    lowest = places[-limit]
    return [(max(start, lowest), end) for start, end in slices if end > lowest], Reached(limit, view.uids[lowest])


EXPUNGE = Command(word=b"EXPUNGE", states=SELECTED, parse=nothing, run=run, rfc="RFC 9051 §6.4.3")
UID_EXPUNGE = Command(
    word=b"UID EXPUNGE",
    states=SELECTED,
    parse=parse_uids,
    run=run,
    capability="UIDPLUS",
    rfc="RFC 4315 §2.1, RFC 9051 §6.4.9",
)
