"""Searches whose results are kept up to date (RFC 5267 §4.3).

After whatever is told of the selected mailbox, each search is made again and compared with what the client knows.
What was expunged is told before the news of the mailbox (an EXPUNGE moves the numbers); what left the results for
another reason, and what came, behind them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Awaitable, Callable, Sequence

from attrs import define, field

from worldmail.errors import Refusal
from worldmail.mail.numbers import ranges_of, render
from worldmail.protocols.imap.fetch import unasked
from worldmail.protocols.imap.fetch.batch import Item
from worldmail.protocols.imap.piecemeal import all_of
from worldmail.protocols.imap.replies import AccountChanged, BadCommand, untagged
from worldmail.protocols.imap.search.results import Returns, quoted
from worldmail.protocols.imap.session import Session
from worldmail.protocols.imap.view.selected import Selected
from worldmail.protocols.imap.view.view import View

MOST = 5
"""Searches that a session may have kept up to date."""


@define(kw_only=True)
class Context:
    """One search.

    Args:
        tag: of the command that asked for it.
        uids: its results are UIDs.
        ordered: it is a sort: positions are told (RFC 5267 §4.3.2).
        again: makes it once more; UIDs in the order of the results.
        known: what the client knows of them.
        mailbox: as `Found.mailbox`.
        items: what is fetched of messages that arrive and are among them (RFC 5465 §7).
    """

    tag: bytes
    uids: bool
    ordered: bool
    again: Callable[[], Awaitable[Sequence[int]]]
    known: list[int]
    items: Sequence[Item] = ()
    mailbox: bytes = b""

    def removed(self, gone: Sequence[int], names: Callable[[int], int]) -> bytes:
        """REMOVEFROM: of a sort with the position of each, the last first; 0 says that it is not told (§4.3.4)."""
        if self.ordered:
            left = frozenset(gone)
            places = ((place, uid) for place, uid in enumerate(self.known, 1) if uid in left)
            pairs = [b"%d %d" % (place, names(uid)) for place, uid in places]
            return self._line(b"REMOVEFROM (%b)" % b" ".join(reversed(pairs)))
        numbers = sorted(names(uid) for uid in gone)
        return self._line(b"REMOVEFROM (0 %b)" % render(ranges_of(numbers)))

    def added(self, results: Sequence[int], names: Callable[[int], int]) -> bytes:
        """ADDTO: of a sort with the position of each, in the order in which they have to be put in."""
        known = frozenset(self.known)
        if not self.ordered:
            numbers = sorted(names(uid) for uid in results if uid not in known)
            return self._line(b"ADDTO (0 %b)" % render(ranges_of(numbers)))
        places = (b"%d %d" % (place, names(uid)) for place, uid in enumerate(results, 1) if uid not in known)
        return self._line(b"ADDTO (%b)" % b" ".join(places))

    def _line(self, data: bytes) -> bytes:
        correlator = quoted(self.tag) + self.mailbox
        return b"* ESEARCH (TAG %b)%b %b\r\n" % (correlator, b" UID" if self.uids else b"", data)


@define
class Contexts:
    """Those of one session, by their tags."""

    _contexts: dict[bytes, Context] = field(factory=dict, init=False)
    _state: tuple[int, int, int] = field(default=(0, 0, 0), init=False)

    def add(self, context: Context) -> bool:
        """Keep it up to date; False if there are too many."""
        if len(self._contexts) >= MOST:
            return False
        self._contexts[context.tag] = context
        return True

    def __contains__(self, tag: bytes) -> bool:
        return tag in self._contexts

    def cancel(self, tag: bytes) -> None:
        """CANCELUPDATE; harmless if there is none (any more)."""
        self._contexts.pop(tag, None)

    async def around(self, session: Session, *, expunges: bool) -> Sequence[bytes]:
        """What is new in the selected mailbox, with what it means for the searches around it."""
        selected = session.selected
        if not isinstance(selected, Selected):
            return ()
        view = selected.view
        number_before, uidnext = _numbers(view), view.uidnext
        news = await all_of(session, session.told_by_view, expunges=expunges)
        state = (view.modseq, view.total, len(view.pending))
        if state == self._state:
            return news
        self._state = state
        before: list[bytes] = []
        after: list[bytes] = []
        fetched: list[bytes] = []
        for context in list(self._contexts.values()):
            try:
                results = list(await context.again())
            except AccountChanged:
                raise
            except Refusal as refusal:  # what the view has learnt has to be told all the same
                self.cancel(context.tag)
                after.append(not_updated(context.tag, refusal.reply_text))
                continue
            there = frozenset(results)
            gone = [uid for uid in context.known if uid not in there]
            left = frozenset(uid for uid in gone if view.place(uid) >= 0 and uid not in view.pending)
            expunged = [uid for uid in gone if uid not in left and (context.uids or number_before(uid))]
            if expunged:  # while the client's numbers are what they were (RFC 5267 §4.3.4)
                before.append(context.removed(expunged, _same if context.uids else number_before))
            names = _same if context.uids else _numbers(view)
            if left:  # behind the FETCH that tells why (RFC 5465 §5.1)
                context.known = [uid for uid in context.known if uid in there or uid in left]
                after.append(context.removed(sorted(left), names))
            if not there.issubset(context.known):
                after.append(context.added(results, names))
                arrived = ranges_of(sorted(uid for uid in there.difference(context.known) if uid >= uidnext))
                fetched += await unasked.lines(session, context.items, arrived) if context.items else ()
            context.known = results
        return (*before, *news, *fetched, *after)


def check_tag(session: Session, returns: Returns) -> None:
    """Updates are told by the tag of their command: no other may have it (RFC 5267 §4.3). Raises `BadCommand`."""
    if "UPDATE" in returns and session.tag in contexts_of(session):
        raise BadCommand("A search that is kept up to date has this tag")


def keep(session: Session, context: Context) -> bytes:
    """Keep a search up to date; NOUPDATE if there are too many of them (RFC 5267 §4.3.1)."""
    if contexts_of(session).add(context):
        return b""
    return not_updated(context.tag, "Too many searches are kept up to date")


def not_updated(tag: bytes, text: str) -> bytes:
    """The results of this command are not kept up to date (any more) (RFC 5267 §4.3.1)."""
    return untagged(b"NO", text, b"NOUPDATE " + quoted(tag))


def _numbers(view: View) -> Callable[[int], int]:
    """The sequence numbers, as they are now, of messages that are loaded; 0 if the client knows that one is gone."""
    uids, first = view.uids[:], view.before + 1

    def number(uid: int) -> int:
        place = bisect_left(uids, uid)
        return first + place if place < len(uids) and uids[place] == uid else 0

    return number


def _same(uid: int) -> int:
    return uid


def contexts_of(session: Session) -> Contexts:
    """Those of this session."""
    if session.contexts is None:
        session.contexts = Contexts()
    kept: Contexts = session.contexts
    return kept
