"""What a search asks, as a tree of values.

Each leaf knows from where it is answered: the view (flags, numbers, MODSEQ), the stored row (size, dates, ids), the
summary (sent date, thread) or the text. `cost` orders the parts of a conjunction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from attrs import frozen

from worldmail.interfaces.derived import Needle, Summary
from worldmail.interfaces.messages import Stored
from worldmail.mail.numbers import Numbers

VIEW, STORED, SUMMARY, TEXT = range(4)
"""From where an answer comes, the cheapest first."""


@frozen
class Everything:
    """ALL."""

    cost = VIEW


@frozen
class Nothing:
    """What no message can fulfil, such as a keyword that cannot be."""

    cost = VIEW


@frozen
class Numbered:
    """In a set of message sequence numbers or of UIDs, or in the saved result."""

    numbers: Numbers
    by_uid: bool
    cost = VIEW


@frozen
class Flagged:
    """All of these bits of `Flag` (and `view.states.RECENT`) are set."""

    flags: int
    cost = VIEW


@frozen
class Keyworded:
    """Has the keyword, given in lower case."""

    keyword: str
    cost = VIEW


@frozen
class Modified:
    """MODSEQ at least this (RFC 7162 §3.1.5)."""

    modseq: int
    cost = VIEW


@frozen
class InRow:
    """A question to the stored row."""

    holds: Callable[[Stored], bool]
    cost = STORED


@frozen
class InSummary:
    """A question to the summary, given the content's id too."""

    holds: Callable[[int, Summary], bool]
    cost = SUMMARY


@frozen
class InText:
    """The text holds the needle."""

    needle: Needle
    cost = TEXT


@frozen
class Not:
    """The opposite."""

    node: Node

    @property
    def cost(self) -> int:
        """That of what it negates."""
        return self.node.cost


@frozen
class AnyOf:
    """At least one holds."""

    nodes: tuple[Node, ...]

    @property
    def cost(self) -> int:
        """That of the dearest."""
        return max((node.cost for node in self.nodes), default=VIEW)


@frozen
class AllOf:
    """All hold."""

    nodes: tuple[Node, ...]

    @property
    def cost(self) -> int:
        """That of the dearest."""
        return max((node.cost for node in self.nodes), default=VIEW)


Leaf = Everything | Nothing | Numbered | Flagged | Keyworded | Modified | InRow | InSummary | InText
Node = Leaf | Not | AnyOf | AllOf


def all_of(nodes: list[Node]) -> Node:
    """Their conjunction; one alone stands for itself."""
    return nodes[0] if len(nodes) == 1 else AllOf(tuple(nodes))


def leaves(node: Node) -> Iterator[Leaf]:
    """Every leaf of the tree."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Not):
            waiting.append(one.node)
        elif isinstance(one, AnyOf | AllOf):
            waiting += one.nodes
        else:
            yield one
