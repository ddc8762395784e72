"""Threads of messages: ORDEREDSUBJECT and REFERENCES (RFC 5256 §3), REFS (draft-ietf-morg-inthread-01 §4).

Theory of operation. Chains of references may be as long as a mailbox, so nothing here recurses and nothing walks up a
chain to see whether a link would close a loop. REFERENCES says that a message's own references win over what others'
references said of it before; so what is said of a message before its turn is not looked at, and no link is ever broken
again. Then a message or dummy without a parent is the root of its tree, and two trees are one if and only if a
union-find says so: a link from a root to a node of another set cannot close a loop, a link within a set would.

This differs from the text of the RFC only where references contradict each other in loops, and one was left out there
because of a link that was broken afterwards.

All is in arrays of numbers, as in `worldmail.mail.text.forest`: a node is a message by its place, or behind all
messages a message-id by its number, for a dummy. The messages in the order of their sent dates are sorted once; dummies
and siblings are put where that order meets them.
"""

from __future__ import annotations

from array import array
from itertools import pairwise

from attrs import define, field

from worldmail.mail.text.forest import NONE, Forest, filled
from worldmail.mail.text.runs import in_order
from worldmail.mail.text.threadables import NO_SUBJECT, Threadables


def ordered_subject(messages: Threadables) -> Forest:
    """Threads of one base subject each: the first by sent date, and the others below it (RFC 5256 §3)."""
    order = _by_sent(messages)
    firsts = filled(messages.subject_count)
    parents = filled(len(messages))
    for place in order:
        subject = messages.subjects[place]
        parents[place] = firsts[subject]
        if firsts[subject] == NONE:
            firsts[subject] = place
    return Forest.grown(messages.numbers, parents, order)


def references(messages: Threadables) -> Forest:
    """Threads by References, gathered by base subject (RFC 5256 §3)."""
    order = _by_sent(messages)
    parents = _pruned(_linked(messages), len(messages))
    _gather(messages, Forest.grown(messages.numbers, parents, order), parents)
    return Forest.grown(messages.numbers, parents, order)


def refs(messages: Threadables) -> Forest:
    """Threads by References alone, the one that got a message last at the end (draft-ietf-morg-inthread-01 §4)."""
    parents = _pruned(_linked(messages), len(messages))
    forest = Forest.grown(messages.numbers, parents, _by_sent(messages))
    arrival, latest = messages.arrival, filled(len(forest.first))
    for root in forest.roots():
        latest[root] = max(arrival[place] for place in forest.messages(root))
    by_number = in_order(forest.roots(), lambda root: _first(forest, root))
    forest.put(in_order(by_number, latest.__getitem__))
    return forest


def _by_sent(messages: Threadables) -> list[int]:
    """Places by sent date; where that is the same they stay in the order of the mailbox (RFC 5256 §2.2)."""
    return in_order(range(len(messages)), messages.sent.__getitem__)


@define(eq=False)
class _Links:
    """Which node is above which.

    Attributes:
        joined: on the way to the representative of a node's set.
    """

    parents: array[int]
    joined: array[int] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.joined = filled(len(self.parents))

    def representative(self, node: int) -> int:
        """One node for all of a set; the way there becomes shorter each time."""
        joined = self.joined
        while (above := joined[node]) != NONE:
            if joined[above] == NONE:
                return above
            joined[node] = node = joined[above]
        return node

    def link(self, parent: int, child: int) -> None:
        """Put a node without a parent below another, unless that would close a loop."""
        here, there = self.representative(parent), self.representative(child)
        if here != there:
            self.joined[there] = here
            self.parents[child] = parent


def _linked(messages: Threadables) -> array[int]:
    """Step 1: the parent of each node, linked by references."""
    count = len(messages)
    nodes = _nodes(messages)
    links = _Links(filled(count + messages.name_count))
    for place in range(count):
        chain = messages.references(place)
        for older, newer in pairwise(chain):  # step 1.A
            child = nodes[newer]
            if links.parents[child] == NONE and (child < place or child >= count):
                links.link(nodes[older], child)
        if chain:  # step 1.B
            links.link(nodes[chain[-1]], place)
    return links.parents


def _nodes(messages: Threadables) -> array[int]:
    """Of each message-id the node: the first message that has it, else a dummy."""
    count = len(messages)
    nodes = array("q", range(count, count + messages.name_count))
    for place, name in enumerate(messages.names):
        if name != NONE and nodes[name] >= count:  # of two with one id, the second has none
            nodes[name] = place
    return nodes


def _pruned(parents: array[int], messages: int) -> array[int]:
    """Steps 2 and 3: the parents without dummies but for those at the top that hold several messages together."""
    held = filled(len(parents), 0)
    for place in range(messages):
        if parents[place] >= messages:
            parents[place] = above = _above(parents, parents[place], messages)
            held[above] += 1
    for place in range(messages):
        if parents[place] >= messages and held[parents[place]] == 1:
            parents[place] = NONE
    return parents


def _above(parents: array[int], dummy: int, messages: int) -> int:
    """The message above a dummy, else the topmost dummy; each step is taken once."""
    way: list[int] = []
    node = dummy
    while node >= messages and (above := parents[node]) != NONE:
        way.append(node)
        node = above
    for passed in way:
        parents[passed] = node
    return node


def _gather(messages: Threadables, forest: Forest, parents: array[int]) -> None:
    """Step 5: threads of the same base subject become one."""
    count = len(messages)
    table = _subject_table(messages, forest)
    for root in forest.roots():
        subject = messages.subjects[_first(forest, root)]
        known = table[subject]
        if known in (NONE, root):
            continue
        if known >= count:
            for child in forest.children(root) if root >= count else (root,):
                parents[child] = known
        elif messages.replies[root] and not messages.replies[known]:
            parents[root] = known
        else:
            table[subject] = parents[known] = parents[root] = len(parents)
            parents.append(NONE)


def _subject_table(messages: Threadables, forest: Forest) -> array[int]:
    """Of each base subject the thread that others join (step 5.B): a dummy, else what is no reply, else the first."""
    count, replies = len(messages), messages.replies
    table = filled(messages.subject_count)
    for root in forest.roots():
        subject = messages.subjects[_first(forest, root)]
        known = table[subject]
        if subject == NO_SUBJECT or known >= count:
            continue
        if known == NONE or root >= count or (replies[known] and not replies[root]):
            table[subject] = root
    return table


def _first(forest: Forest, root: int) -> int:
    """The message of a root, or a dummy's first child: what it is sorted by (steps 4 and 6)."""
    return root if root < len(forest.numbers) else forest.first[root]
