"""Threads of messages: ORDEREDSUBJECT and REFERENCES (RFC 5256 §3), REFS (draft-ietf-morg-inthread-01 §4).

Theory of operation. Chains of references may be as long as a mailbox, so nothing here recurses and nothing walks up a
chain to see whether a link would close a loop. REFERENCES says that a message's own references win over what others'
references say of it; so these links are made first, and no link is ever broken again. Then a message or dummy without a
parent is the root of its tree, and two trees are one if and only if a union-find says so: a link from a root to a node
of another set cannot close a loop, a link within a set would.

What the order of the links decides differs from the text of the RFC only for messages whose references contradict
themselves in a loop: one of the links is left out, as there, but it may be another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

from attrs import define, field, frozen

from worldmail.mail.text.casemap import sort_key
from worldmail.mail.text.runs import in_order


@frozen(kw_only=True)
class Threadable:
    """What a message is threaded by.

    Attributes:
        number: sequence number or UID, as the answer shows it.
        message_id: normalised; None without one.
        references: those of References, else the first of In-Reply-To; the oldest first.
        subject: base subject (RFC 5256 §2.1).
        is_reply: true if something was taken off for that which says reply or forward.
        sent: epoch seconds; the INTERNALDATE where the Date field cannot be read.
        arrival: INTERNALDATE, epoch seconds.
    """

    number: int
    message_id: bytes | None = None
    references: Sequence[bytes] = ()
    subject: str = ""
    is_reply: bool = False
    sent: int = 0
    arrival: int = 0


@define(eq=False)
class Thread:
    """A message and what follows it, in order; without a number a dummy, which keeps together what has no parent."""

    number: int | None
    children: list[Thread] = field(factory=list)


def ordered_subject(messages: Iterable[Threadable]) -> list[Thread]:
    """Threads of one base subject each: the first by sent date, and the others below it (RFC 5256 §3)."""
    threads: dict[bytes, Thread] = {}
    for message in in_order(messages, _by_sent):
        key = sort_key(message.subject)
        if key in threads:
            threads[key].children.append(Thread(message.number))
        else:
            threads[key] = Thread(message.number)
    return list(threads.values())  # they were met in the order of their first messages


def references(messages: Iterable[Threadable]) -> list[Thread]:
    """Threads by References, gathered by base subject (RFC 5256 §3)."""
    return _finished(_gathered(_pruned(_linked(messages))), _first_sent)


def refs(messages: Iterable[Threadable]) -> list[Thread]:
    """Threads by References alone, the one that got a message last at the end (draft-ietf-morg-inthread-01 §4)."""
    roots = _pruned(_linked(messages))
    latest = {id(root): max(arrival for node in _walk([root]) for arrival in node.arrivals()) for root in roots}
    return _finished(roots, lambda node: (latest[id(node)], _first_sent(node)[1]))


def render_threads(threads: Iterable[Thread]) -> bytes:
    """The lists of a THREAD response (RFC 5256 §5): b"(2)(3 6 (4 23)(44 7 96))"."""
    out: list[str] = []
    waiting: list[Thread | str] = [*reversed([*threads])]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            out.append(node)
            continue
        out.append("(")
        chain = []
        while node.number is not None:
            chain.append(str(node.number))
            if len(node.children) != 1:
                break
            node = node.children[0]
        out.append(" ".join(chain))
        if chain and node.children:
            out.append(" ")
        waiting.append(")")
        waiting += reversed(node.children)
    return "".join(out).encode()


def _by_sent(message: Threadable) -> tuple[int, int]:
    return message.sent, message.number


@define(eq=False, repr=False)
class _Node:
    """A message, or a dummy for one that is only referred to.

    Attributes:
        place: of a message among those that are threaded.
        joined: on the way to the representative of its set.
    """

    message: Threadable | None = None
    place: int = 0
    parent: _Node | None = None
    children: list[_Node] = field(factory=list)
    joined: _Node | None = None

    def arrivals(self) -> tuple[int, ...]:
        """When it arrived; nothing for a dummy."""
        return () if self.message is None else (self.message.arrival,)

    def representative(self) -> _Node:
        """One node for all of a set; the way there becomes shorter each time."""
        node = self
        while node.joined is not None:
            if node.joined.joined is not None:
                node.joined = node.joined.joined
            node = node.joined
        return node

    def link(self, child: _Node) -> None:
        """Make the child one of this node's, unless it has a parent or that would close a loop."""
        if child.parent is not None:
            return
        here, there = self.representative(), child.representative()
        if here is not there:
            there.joined = here
            child.parent = self
            self.children.append(child)


def _linked(messages: Iterable[Threadable]) -> list[_Node]:
    """Step 1: all nodes, linked by references."""
    own = [_Node(message) for message in in_order(messages, lambda message: message.number)]
    nodes, chains = _chains(own)
    for node, chain in zip(own, chains, strict=True):  # step 1.B
        if chain:
            chain[-1].link(node)
    for number, chain in enumerate(chains):  # step 1.A
        for parent, child in pairwise(chain):
            # Without references of its own, a message behind this one would get rid of its parent.
            if child.message is None or child.message.references or child.place < number:
                parent.link(child)
    return nodes


def _chains(own: list[_Node]) -> tuple[list[_Node], list[list[_Node]]]:
    """All nodes with the dummies, and for each message the nodes of its references."""
    named: dict[bytes, _Node] = {}
    for place, node in enumerate(own):
        node.place = place
        if node.message is not None and node.message.message_id is not None:
            named.setdefault(node.message.message_id, node)  # of two with one id, the second has none
    nodes = list(own)
    chains: list[list[_Node]] = []
    for node in own:
        chain: list[_Node] = []
        for reference in node.message.references if node.message is not None else ():
            found = named.get(reference)
            if found is None:
                found = named[reference] = _Node()
                nodes.append(found)
            chain.append(found)
        chains.append(chain)
    return nodes, chains


def _pruned(nodes: Iterable[_Node]) -> list[_Node]:
    """Steps 2 and 3: the roots, without dummies but for those at the top that hold several messages together."""
    above: dict[int, _Node] = {}  # for each dummy, what is next above it and is no dummy, or the topmost dummy
    roots: list[_Node] = []
    real = [node for node in nodes if node.message is not None]
    for node in real:
        node.children = []
    tops: dict[int, _Node] = {}
    for node in real:
        if node.parent is None:
            roots.append(node)
            continue
        parent = _above(node.parent, above)
        if parent.message is None and id(parent) not in tops:
            tops[id(parent)] = parent
            parent.children = []
        parent.children.append(node)
    for top in tops.values():
        roots += [top] if len(top.children) > 1 else top.children
    return roots


def _above(node: _Node, known: dict[int, _Node]) -> _Node:
    """The node itself if it is a message, else the message above it, else the topmost dummy; each step taken once."""
    way: list[_Node] = []
    while node.message is None and (above := known.get(id(node), node.parent)) is not None:
        way.append(node)
        node = above
    known.update((id(dummy), node) for dummy in way)
    return node


def _first_sent(node: _Node) -> tuple[int, int]:
    """What a node is sorted by: its sent date, a dummy by that of its first child (steps 4 and 6)."""
    message = node.message
    if message is None:
        return min(_by_sent(child.message) for child in node.children if child.message is not None)
    return message.sent, message.number


def _gathered(roots: list[_Node]) -> list[_Node]:
    """Step 5: threads of the same base subject become one."""
    roots = in_order(roots, _first_sent)
    table: dict[bytes, _Node] = {}
    subjects: list[tuple[_Node, bytes]] = []
    for root in roots:
        message = _first(root)
        subject = sort_key(message.subject)
        subjects.append((root, subject))
        earlier = table.get(subject)
        if subject and (earlier is None or _comes_before(root, earlier)):
            table[subject] = root
    merged: dict[int, _Node] = {id(root): root for root in roots}
    for root, subject in subjects:
        if subject not in table or (known := table[subject]) is root:
            continue
        del merged[id(root)]
        if known.message is None:
            known.children += root.children if root.message is None else [root]
        elif _is_reply(root) and not _is_reply(known):
            known.children.append(root)
        else:
            dummy = _Node(children=[known, root])
            del merged[id(known)]
            merged[id(dummy)] = table[subject] = dummy
    return list(merged.values())


def _first(root: _Node) -> Threadable:
    """The message of a root, or of a dummy's first child."""
    if root.message is not None:
        return root.message
    return min((child.message for child in root.children if child.message is not None), key=_by_sent)


def _is_reply(root: _Node) -> bool:
    return root.message is not None and root.message.is_reply


def _comes_before(root: _Node, known: _Node) -> bool:
    """True if a root takes the place of another in the table of subjects (step 5.B)."""
    return known.message is not None and (root.message is None or (known.message.is_reply and not _is_reply(root)))


def _walk(roots: Iterable[_Node]) -> Iterator[_Node]:
    """All nodes, each before what is below it."""
    waiting = [*roots]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node.children


def _finished(roots: list[_Node], order: Callable[[_Node], tuple[int, int]]) -> list[Thread]:
    """Step 6: each set of siblings in its order."""
    made = {id(node): Thread(None if node.message is None else node.message.number) for node in _walk(roots)}
    for node in _walk(roots):
        made[id(node)].children = [made[id(child)] for child in in_order(node.children, _first_sent)]
    return [made[id(root)] for root in in_order(roots, order)]
