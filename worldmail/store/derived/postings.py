"""Asking the index in the embedded file which contents may hold a needle, and which do.

A needle is cut into fragments (`worldmail.mail.text.tokens`): each begins, ends, is or lies in a term of every text
that has the needle. What begins or is a term is looked up as it stands; for the others the vocabulary gives the terms
that fit. They may be very many (there is hardly a term without an "e"), the common ones first; so no more of them are
looked up than it would cost to read the contents that are not found yet, and those are left to be read.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from collections.abc import Set as AbstractSet
from itertools import islice
from math import inf
from time import monotonic

import apsw
from attrs import define, frozen

from worldmail.interfaces.derived import Needle
from worldmail.mail.text.casemap import fold
from worldmail.mail.text.tokens import Kind, fragments, terms
from worldmail.store.derived.places import is_told_by_place, places_of

READING = 60e-6
"""Seconds that it takes, about, to read a content and look through it."""

FEW = 8
"""So many contents are read without asking."""

_AT_ONCE = (16, 64, 256)
"""How many terms are looked up in one statement: the first, the second, and each one from there on."""

_SPARSE = 8
"""One in so many of the contents among which they lie: fewer are looked up one by one."""

_NUMBER = "SELECT count(*) FROM indexed WHERE content_id BETWEEN ? AND ? AND whole"
# One value instead of a row for each: a row costs ten times as much.
_AMONG = "SELECT json_group_array(content_id) FROM indexed WHERE content_id BETWEEN ? AND ? AND whole"
_EACH = (
    "SELECT json_group_array(content_id) FROM json_each(?) AS asked JOIN indexed ON content_id = asked.value"
    " WHERE whole"
)
_POSTINGS = "SELECT rowid FROM posting WHERE posting MATCH ? AND rowid BETWEEN ? AND ?"
_ANY_TERM = "SELECT term FROM term WHERE instr(term, ?) ORDER BY id"
_TERMS = (
    "SELECT term.term FROM piece JOIN term ON term.id = piece.rowid WHERE piece MATCH ? AND instr(term.term, ?)"
    " ORDER BY piece.rowid"
)


@frozen
class Candidates:
    """What the index says of a needle.

    Attributes:
        holding: contents that hold it.
        possible: contents that have to be read: the index is no proof, or does not know them.
    """

    holding: set[int]
    possible: set[int]


@define
class _Found:
    """Contents that have a term that fits, and whether all that have one are among them."""

    contents: set[int]
    all: bool = True


class NotInTime(Exception):
    """Asking takes longer than it may."""


def is_quick(needle: Needle) -> bool:
    """False if a single statement may take long: it reads what the index has of every term that begins so."""
    return all(kind is not Kind.BEGINS for _, kind in _parts(needle)[0])


def candidates(connection: apsw.Connection, needle: Needle, asked: Collection[int], until: float = inf) -> Candidates:
    """Which of these contents may hold the needle. Raises what the engine raises, and `NotInTime`.

    `until`: `time.monotonic` after which no further statement is begun.
    """
    wanted = asked if isinstance(asked, frozenset) else frozenset(asked)
    parts, exact = _parts(needle)
    if not parts or len(wanted) <= FEW:
        return Candidates(set(), set(wanted))
    bounds = min(wanted), max(wanted)
    known = _in_index(connection, wanted, bounds)
    asking = _Asking(connection, bounds, until)
    holding: set[int] = set()
    possible = set() if known is wanted else set(wanted - known)
    for place in places_of(needle):
        current: AbstractSet[int] = known - holding if holding else known
        for fragment, kind in parts:
            if not current:
                break
            found = asking.holders(place, fragment, kind, current)
            if exact:
                holding |= found.contents
                current = set() if found.all else current - found.contents
            elif found.all:
                current = found.contents
        possible |= current
    return Candidates(holding, possible - holding)


def _parts(needle: Needle) -> tuple[list[tuple[str, Kind]], bool]:
    """What terms have to fulfil, the most telling first; and whether that is all there is to the needle."""
    if not needle.text:  # of a field, whether it is there
        return [(term, Kind.EQUALS) for term in terms(fold(needle.field or ""))], False
    found = fragments(fold(needle.text))
    parts = sorted(found.parts, key=lambda part: (part[1] not in (Kind.EQUALS, Kind.BEGINS), -len(part[0])))
    exact = found.exact and is_told_by_place(needle)
    return parts, exact and len(parts) == 1


def _in_index(connection: apsw.Connection, wanted: frozenset[int], bounds: tuple[int, int]) -> frozenset[int]:
    """Those that are in the index with all their terms."""
    low, high = bounds
    among = high - low + 1
    if among > _SPARSE * len(wanted):
        ((found,),) = connection.execute(_EACH, (json.dumps(sorted(wanted)),)).fetchall()
    else:
        if connection.execute(_NUMBER, bounds).fetchall() == [(among,)]:
            return wanted
        ((found,),) = connection.execute(_AMONG, bounds).fetchall()
    return wanted.intersection(json.loads(str(found)))


@frozen
class _Asking:
    """Looking up terms.

    Args:
        bounds: the lowest and the highest of all contents that are asked for.
        until: as `candidates` has it.
    """

    connection: apsw.Connection
    bounds: tuple[int, int]
    until: float

    def holders(self, place: str, fragment: str, kind: Kind, within: AbstractSet[int]) -> _Found:
        """Which of these contents have, in that place, a term that fits. Raises `NotInTime`."""
        if monotonic() > self.until:
            raise NotInTime
        if kind is Kind.EQUALS:
            return _Found(self._having(f'"{place}{fragment}"', within))
        if kind is Kind.BEGINS:
            return _Found(self._having(f'"{place}{fragment}"*', within))
        if kind is Kind.ENDS:
            ending = (term for term in _fitting(self.connection, fragment) if term.endswith(fragment))
            return self._having_some(place, ending, within)
        return self._having_some(place, _fitting(self.connection, fragment), within)

    def _having(self, expression: str, within: AbstractSet[int]) -> set[int]:
        rows = self.connection.execute(_POSTINGS, (expression, *self.bounds))
        return {row[0] for row in rows if row[0] in within}

    def _having_some(self, place: str, fitting: Iterator[str], within: AbstractSet[int]) -> _Found:
        """Contents that have one of these terms, as long as looking them up costs less than reading what is left."""
        found: set[int] = set()
        began, round_ = monotonic(), 0
        while some := list(islice(fitting, _AT_ONCE[min(round_, len(_AT_ONCE) - 1)])):
            left = within - found if found else within
            if not left:
                break
            now = monotonic()
            if now - began > len(left) * READING:
                return _Found(found, all=False)
            if now > self.until:
                raise NotInTime
            found |= self._having(" OR ".join([f'"{place}{term}"' for term in some]), left)
            round_ += 1
        return _Found(found)


def _fitting(connection: apsw.Connection, fragment: str) -> Iterator[str]:
    """Terms of the vocabulary that contain the fragment; those that came first are the common ones."""
    if len(fragment) < 3:
        rows = connection.execute(_ANY_TERM, (fragment,))
    else:
        pieces = " AND ".join([f'"{fragment[at : at + 3]}"' for at in range(len(fragment) - 2)])
        rows = connection.execute(_TERMS, (pieces, fragment))
    for (term,) in rows:
        yield str(term)
