"""Messages below each other, as a THREAD response shows them (RFC 5256 §5).

Theory of operation. A mailbox has very many messages, and a full collection of garbage looks at every object that may
refer to others, while nobody else runs: so there is no object for a message, only its place in arrays of numbers. The
places behind those of the messages are dummies, which keep together what has no parent; the last one stands above all.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence

from attrs import frozen

NONE = -1
"""No node."""


def filled(count: int, value: int = NONE) -> array[int]:
    """So many numbers, all the same."""
    return array("q", [value]) * count


@frozen(kw_only=True, eq=False)
class Forest:
    """Trees of messages; dummies are only at the top of one.

    Attributes:
        numbers: of the messages, by their places: sequence numbers or UIDs.
        first: of each node the first child, or `NONE`.
        following: of each node the next one that has the same parent, or `NONE`.
    """

    numbers: Sequence[int]
    first: array[int]
    following: array[int]

    @classmethod
    def grown(cls, numbers: Sequence[int], parents: Sequence[int], order: Iterable[int]) -> Forest:
        """Siblings come in the order of the messages; a dummy stands where its first message would.

        Args:
            parents: of each message the node above it, `NONE` at the top; of dummies they are not looked at.
            order: all messages.
        """
        top, messages = len(parents), len(numbers)
        first, last, following = filled(top + 1), filled(top + 1), filled(top + 1)

        def add(parent: int, node: int) -> None:
            if first[parent] == NONE:
                first[parent] = node
            else:
                following[last[parent]] = node
            last[parent] = node

        for node in order:
            parent = parents[node]
            if parent >= messages and first[parent] == NONE:
                add(top, parent)
            add(top if parent == NONE else parent, node)
        return cls(numbers=numbers, first=first, following=following)

    def roots(self) -> Iterator[int]:
        """Messages and dummies that are below nothing."""
        return self.children(len(self.first) - 1)

    def children(self, node: int) -> Iterator[int]:
        """What is right below a node."""
        child = self.first[node]
        while child != NONE:
            yield child
            child = self.following[child]

    def messages(self, root: int) -> Iterator[int]:
        """All messages of a tree, by their places."""
        if root < len(self.numbers):
            yield root
        waiting = [root]
        while waiting:
            for child in self.children(waiting.pop()):
                yield child
                if self.first[child] != NONE:
                    waiting.append(child)

    def put(self, roots: Iterable[int]) -> None:
        """Have the roots in this order."""
        last = NONE
        for root in (*roots, NONE):
            if last == NONE:
                self.first[-1] = root
            else:
                self.following[last] = root
            last = root

    def render(self) -> bytes:
        """The lists of the response: b"(2)(3 6 (4 23)(44 7 96))"."""
        out = bytearray()
        waiting = [len(self.first) - 1]  # the next of those that are open: siblings, or the end of them
        while waiting:
            node = waiting.pop()
            if node == NONE:
                out += b")"
                continue
            waiting.append(self.following[node])
            waiting.append(self._opened(node, out))
        return bytes(out[1:-2])  # without the parentheses of what stands above all, and its end

    def _opened(self, node: int, out: bytearray) -> int:
        """Write a node and what follows it without a branch; the first of the children behind that."""
        out += b"("
        first, following, numbers = self.first, self.following, self.numbers
        messages = len(numbers)
        while node < messages:
            out += b"%d" % numbers[node]
            child = first[node]
            if child == NONE:
                return NONE
            out += b" "
            if following[child] != NONE:
                return child
            node = child
        return first[node]
