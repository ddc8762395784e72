"""What a search tells: `* SEARCH`, `* ESEARCH` (RFC 9051 §7.3.4, RFC 4731)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from attrs import field, frozen

if TYPE_CHECKING:
    from worldmail.protocols.imap.fetch.batch import Item

UPDATING = frozenset(("UPDATE", "CONTEXT"))
"""The options that RFC 5267 §4 adds, which ask for no results; CONTEXT is a hint, and does nothing here."""


@frozen(kw_only=True)
class Partial:
    """RFC 9394 §3.1: a page of the results, [first, last] counted from 1, or from the end if `backwards`.

    `given`: as it is told.
    """

    first: int
    last: int
    backwards: bool = False
    given: bytes

    def page(self, results: Sequence[int]) -> Sequence[int]:
        """The results that lie on it, in their order."""
        if self.backwards:
            end = max(len(results) - self.first + 1, 0)
            return results[max(len(results) - self.last, 0) : end]
        return results[self.first - 1 : self.last]


@frozen(kw_only=True)
class Returns:
    """The result options of a search (RFC 4731 §3.1, RFC 5182 §2, RFC 5267 §4, RFC 6203 §4, RFC 9394 §3.1).

    Args:
        asked: False for a search without RETURN.
        names: of MIN, MAX, ALL, COUNT, SAVE, RELEVANCY, UPDATE, CONTEXT, in upper case.
        items: what is to be fetched of messages that UPDATE adds when they arrive (RFC 5465 §7).
    """

    asked: bool = False
    names: frozenset[str] = field(factory=frozenset)
    partial: Partial | None = None
    items: Sequence[Item] = ()

    def __contains__(self, name: str) -> bool:
        return name in self.names

    @property
    def only_saves(self) -> bool:
        """SAVE, and nothing else that asks for results: nothing is told (RFC 5182 §2.1)."""
        return self.names - UPDATING == {"SAVE"} and self.partial is None

    def saved(self, results: Sequence[int]) -> Sequence[int]:
        """What of the results "$" is to stand for, ascending (RFC 5182 §2.4, RFC 9394 §3.2).

        All of them, unless only a page or the extreme ones were asked for.
        """
        asked = self.names - {"SAVE"} - UPDATING
        if not results or not asked or not asked <= {"MIN", "MAX", "PARTIAL"}:
            return sorted(results)
        kept = set(() if self.partial is None else self.partial.page(results))
        kept.update(([results[0]] if "MIN" in asked else []) + ([results[-1]] if "MAX" in asked else []))
        return sorted(kept)


def number_set(numbers: Iterable[int]) -> bytes:
    """Numbers, in their order, as a set: ranges where they ascend one by one (RFC 9051 §9 sequence-set)."""
    pieces: list[bytes] = []
    first = last = 0
    for number in numbers:
        if first and number == last + 1:
            last = number
            continue
        if first:
            pieces.append(_range(first, last))
        first = last = number
    if first:
        pieces.append(_range(first, last))
    return b",".join(pieces)


def _range(first: int, last: int) -> bytes:
    return b"%d" % first if first == last else b"%d:%d" % (first, last)


def search_response(numbers: Sequence[int], modseq: int | None, word: bytes = b"SEARCH") -> bytes:
    """The response of RFC 3501 §7.2.5; `modseq` as RFC 7162 §3.1.5 has it."""
    listed = b"".join(b" %d" % number for number in numbers)
    behind = b"" if modseq is None or not numbers else b" (MODSEQ %d)" % modseq
    return b"* %b%b%b\r\n" % (word, listed, behind)


@frozen(kw_only=True)
class Found:
    """A search's results.

    Args:
        numbers: in the order of the results (that of the sort, for SORT).
        uids: they are UIDs.
        modseq: the MODSEQ to be told of them, if any.
        mailbox: what the correlator says beside the tag, for searches in several mailboxes (RFC 7377 §2.1).

    MIN and MAX are the first and the last of the results: of a sort, in its order (RFC 5267 §3).
    """

    tag: bytes
    numbers: Sequence[int]
    uids: bool
    returns: Returns
    modseq: int | None = None
    mailbox: bytes = b""

    def response(self) -> bytes:
        """The ESEARCH response. ALL is what is meant if nothing was named (RFC 9051 §6.4.4)."""
        correlator = b"TAG " + quoted(self.tag) + self.mailbox
        pieces = [b"* ESEARCH (", correlator, b")"]
        if self.uids:
            pieces.append(b" UID")
        pieces += self._data()
        pieces.append(b"\r\n")
        return b"".join(pieces)

    def _data(self) -> Iterable[bytes]:
        numbers, returns = self.numbers, self.returns
        if numbers:
            if "MIN" in returns:
                yield b" MIN %d" % numbers[0]
            if "MAX" in returns:
                yield b" MAX %d" % numbers[-1]
            if "ALL" in returns:
                yield b" ALL " + number_set(numbers)
        if "COUNT" in returns:
            yield b" COUNT %d" % len(numbers)
        if "RELEVANCY" in returns and numbers:
            yield b" RELEVANCY (" + b" ".join([b"100"] * len(numbers)) + b")"
        if returns.partial is not None:
            page = returns.partial.page(numbers)
            yield b" PARTIAL (%b %b)" % (returns.partial.given, number_set(page) if page else b"NIL")
        if self.modseq is not None and numbers:
            yield b" MODSEQ %d" % self.modseq


def quoted(text: bytes) -> bytes:
    """A quoted string of what holds no line end (RFC 9051 §9)."""
    return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
