"""Searching the selected mailbox of a session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from attrs import frozen

from worldmail.errors import Refusal
from worldmail.interfaces.messages import Uids
from worldmail.mail.numbers import Numbers, ranges_of
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.message_limit import Reached, most
from worldmail.protocols.imap.replies import BAD_REFUSALS, NotNow
from worldmail.protocols.imap.search.evaluate import Evaluation, Places
from worldmail.protocols.imap.search.nodes import AllOf, AnyOf, Node, Not, Nothing, Numbered, leaves
from worldmail.protocols.imap.search.results import Returns
from worldmail.protocols.imap.session import Session
from worldmail.protocols.imap.view.selected import Selected

OPTIONS = frozenset(("MIN", "MAX", "ALL", "COUNT", "SAVE", "PARTIAL", "RELEVANCY"))
"""The result options of SEARCH."""


def unread(reader: Reader) -> Reader:
    """For the rows: what can be asked depends on the session, so the arguments are read when the command is run."""
    return reader


def selected_of(session: Session) -> Selected:
    """The selected mailbox."""
    selected = session.selected
    if not isinstance(selected, Selected):
        raise NotNow
    return selected


@frozen(kw_only=True)
class Search:
    """A search that was made: what was found, and what was looked up for it.

    `reached`: there were more messages to look at than one command works on (RFC 9738 §3.1).
    """

    selected: Selected
    evaluation: Evaluation
    places: Places
    reached: Reached | None = None

    def numbers(self, places: Sequence[int], *, uids: bool) -> list[int]:
        """Those messages as the client names them."""
        view = self.selected.view
        if uids:
            known = view.uids
            return [known[place] for place in places]
        first = view.before + 1
        return [first + place for place in places]

    def modseq(self, returns: Returns, results: Places) -> int:
        """The MODSEQ to be told of what was found: of the extreme ones if only those are (RFC 7162 §3.1.10)."""
        modseqs = self.selected.view.modseqs
        asked = returns.names - {"SAVE"}
        if asked and asked <= {"MIN", "MAX"}:
            ends = ([results[0]] if "MIN" in asked else []) + ([results[-1]] if "MAX" in asked else [])
            return max(modseqs[place] for place in ends)
        return max(modseqs[place] for place in results)

    def save(self, session: Session, returns: Returns, results: Places) -> None:
        """Keep what was found for "$", if that was asked for; `results` in the order in which they are told."""
        if "SAVE" in returns:
            session.saved_result = ranges_of(self.numbers(returns.saved(results), uids=True))


@contextmanager
def saving(session: Session, returns: Returns) -> Iterator[None]:
    """A search that ends in NO leaves nothing in "$", if it was to be saved (RFC 5182 §2.1)."""
    try:
        yield
    except BAD_REFUSALS:
        raise
    except Refusal:
        if "SAVE" in returns:
            session.saved_result = ()
        raise


def asks_by_number(node: Node) -> bool:
    """Are there sequence numbers in it? Then nothing is told that would change them (RFC 7162 §3.2.10.2)."""
    return any(isinstance(leaf, Numbered) and not (leaf.by_uid or leaf.numbers.saved) for leaf in leaves(node))


def as_named_now(found: Search, node: Node) -> Node:
    """The node for searches to come: what it names by number, or by "$", it names by UID (RFC 5267 §4.3)."""
    if isinstance(node, Not):
        return Not(as_named_now(found, node.node))
    if isinstance(node, AnyOf):
        return AnyOf(tuple(as_named_now(found, one) for one in node.nodes))
    if isinstance(node, AllOf):
        return AllOf(tuple(as_named_now(found, one) for one in node.nodes))
    if not isinstance(node, Numbered) or (node.by_uid and not node.numbers.saved):
        return node
    uids = found.selected.view.uid_ranges(found.evaluation.slices(node.numbers, node.by_uid))
    return Numbered(Numbers(tuple(uids)), True) if uids else Nothing()


def evaluation_in(session: Session, selected: Selected, saved: Uids = ()) -> Evaluation:
    """One search in a mailbox; `saved` is what "$" stands for there."""
    world = session.world
    return Evaluation(
        mailbox_id=selected.id,
        view=selected.view,
        store=world.messages,
        derived=world.summaries,
        index=world.search,
        clock=world.clock,
        limit=session.settings.search_time,
        saved=saved,
        contents=selected.contents,
        work=session.work,
    )


async def search(session: Session, node: Node, *, unlimited: bool = False) -> Search:
    """The messages for which it holds. What is gone and was not told yet is not among them.

    `unlimited`: all are looked at, as the answer could not tell which were not (RFC 9738 §3.1).
    """
    selected = selected_of(session)
    await load_for(selected, node)
    view = selected.view
    evaluation = evaluation_in(session, selected, session.saved_result or ())
    among: Places = range(len(view.uids))
    if view.pending:
        gone = view.pending
        among = [place for place, uid in enumerate(view.uids) if uid not in gone]
    among, reached = await _looked_at(evaluation, node, among, 0 if unlimited else most(session))
    if session.work is not None:
        session.work.expect(len(among))
    places = await evaluation.holds(node, among)
    return Search(selected=selected, evaluation=evaluation, places=places, reached=reached)


async def _looked_at(evaluation: Evaluation, node: Node, among: Places, limit: int) -> tuple[Places, Reached | None]:
    """Those that have to be looked at, as numbers bound them, and no more of them than one command works on."""
    if not limit or len(among) <= limit:
        return among, None
    for part in node.nodes if isinstance(node, AllOf) else (node,):
        if isinstance(part, Numbered):
            among = await evaluation.holds(part, among)
    if len(among) <= limit:
        return among, None
    among = among[-limit:]
    return among, Reached(limit, evaluation.view.uids[among[0]])


async def search_all(session: Session, node: Node) -> Search:
    """The same, where results of some of the messages would be wrong (RFC 9738 §3.3)."""
    found = await search(session, node)
    if found.reached is not None:
        raise found.reached.refusal()
    return found


async def load_for(selected: Selected, node: Node) -> None:
    """Have the view loaded as far back as messages can be meant: a set of numbers may bound it."""
    view = selected.view
    first = 1
    for part in node.nodes if isinstance(node, AllOf) else (node,):
        if isinstance(part, Numbered) and part.by_uid and not part.numbers.saved and not part.numbers.star:
            first = max(first, min(min(pair) for pair in part.numbers.pairs))
    if first > 1:
        await selected.load_from(first)
    else:
        await selected.load_last(view.total)
