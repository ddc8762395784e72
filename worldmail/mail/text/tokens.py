"""Terms of the full-text index, chosen so that it can answer for any substring.

IMAP searches for substrings, an index knows whole terms. So a term is a run of characters whose bounds a needle can see
too, by looking at its own characters alone:

- Everything that is neither an ASCII letter or digit nor a letter-like character beyond ASCII separates.
- Han and Kana are written without spaces. A run of them gives each pair of neighbours, and its last character: two
  characters are found as one term, more as several, one as the beginning of a term.
- Any other run is a term. One of more than `LONGEST` characters gives pieces of that length that overlap by half, so
  that whatever is no longer than `OVERLAP` is whole in one of them.

Then a needle in a text has each term that lies inside of the needle among the terms of the text, the run it begins in
the middle of ends like its first, and so on. `fragments` says so of each; `exact`, whether nothing else has to be
asked. Joined by spaces, terms are cut by the FTS5 tokenizer `ascii` just where we cut: terms have no separators.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from attrs import frozen

LONGEST = 64
"""How many characters a term has at most."""

OVERLAP = LONGEST // 2
"""How many characters of a needle's fragment are looked for at most."""

MOST_TERMS = 50_000
"""A text with more terms is none that an index should hold: see `terms_of_pieces`."""

MOST_FRAGMENTS = 24
"""How many fragments of a needle are looked for; each of the others would only narrow the candidates."""

_LONGEST_HELD = 1 << 16  # characters of a run that goes on in the next piece of a text

# Signs beyond ASCII that separate: controls and Latin-1 signs, general punctuation, arrows to box drawings, CJK
# punctuation, specials. Combining marks are no separators: folded letters have them.
_SIGNS = "\u0080-\u00bf\u2000-\u206f\u2190-\u2bff\u3000-\u3004\u3008-\u3020\u3030\u303d-\u303f\ufeff\ufff0-\uffff"
# Han and Kana: radicals, marks of repetition, Kana and their marks, Bopomofo, ideographs of all planes.
_HAN = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u302f\u3031-\u303c\u3040-\u312f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
_ASCII_SIGNS = "\x00-/:-@\\[-`{-\x7f"
_RUN = re.compile(f"([{_HAN}]+)|[^{_ASCII_SIGNS}{_SIGNS}{_HAN}]+")
_HAN_RUN = re.compile(f"[{_HAN}]+")
_OTHER_RUN = re.compile(f"[^{_ASCII_SIGNS}{_SIGNS}{_HAN}]+")
_SPACED = {code: " " for code in range(128) if not chr(code).isalnum()}
_BLANKS = frozenset(" \r\n")
_SEPARATOR = re.compile(f"[{_ASCII_SIGNS}{_SIGNS}]")


class Kind(enum.Enum):
    """What a term of a text must be to a fragment, if the needle is in the text."""

    EQUALS = "equals"
    BEGINS = "begins"
    """The term begins with the fragment."""
    ENDS = "ends"
    """The term ends with the fragment."""
    CONTAINS = "contains"


@frozen
class Fragments:
    """What the terms of every text that has the needle fulfil.

    Attributes:
        parts: for each of these there is such a term; without any, every text is a candidate.
        exact: True if a text that fulfils this has the needle, so that it need not be read.
    """

    parts: tuple[tuple[str, Kind], ...]
    exact: bool


def terms(folded: str) -> set[str]:
    """The terms of a folded text."""
    if folded.isascii():
        found = set(folded.translate(_SPACED).split())
    else:
        found = set(_OTHER_RUN.findall(folded))
        for run in set(_HAN_RUN.findall(folded)):
            found.update(map("".join, pairwise(run)))
            found.add(run[-1])
    if found and len(max(found, key=len)) > LONGEST:
        for run in [run for run in found if len(run) > LONGEST]:
            found.remove(run)
            found.update(_pieces(run))
    return found


def terms_of_pieces(pieces: Iterable[str], *, most: int = MOST_TERMS) -> set[str] | None:
    """The terms of a folded text that comes in pieces, cut anywhere.

    None if there are more than that: such a text (a mailbox or a database in one message) would only swell the index.
    It has to be a candidate for every needle.
    """
    found: set[str] = set()
    for whole in _whole_runs(pieces):
        found |= terms(whole)
        if len(found) > most:
            return None
    return found


def fragments(needle: str) -> Fragments:
    """What to ask the index for a folded needle."""
    parts: dict[tuple[str, Kind], None] = {}
    exact = False
    for match in _RUN.finditer(needle):
        at_start, at_end = match.start() == 0, match.end() == len(needle)
        run, is_han = match[0], match[1] is not None
        of_run = _of_han(run, at_end) if is_han else _of_other(run, at_start, at_end)
        parts.update(dict.fromkeys(of_run))
        exact = at_start and at_end and len(run) <= (2 if is_han else OVERLAP)
        if len(parts) >= MOST_FRAGMENTS:
            break
    return Fragments(parts=tuple(parts)[:MOST_FRAGMENTS], exact=exact)


def _pieces(run: str) -> Iterator[str]:
    """A long run in pieces that overlap by half; the last one ends where the run does."""
    for start in range(0, len(run) - LONGEST, OVERLAP):
        yield run[start : start + LONGEST]
    yield run[-LONGEST:]


def _of_other(run: str, at_start: bool, at_end: bool) -> tuple[tuple[str, Kind], ...]:
    """At an edge of the needle, the run may go on in the text."""
    if at_start and at_end:
        return (run[:OVERLAP], Kind.CONTAINS), (run[-OVERLAP:], Kind.CONTAINS)
    if at_start:
        return ((run[-LONGEST:], Kind.ENDS),)
    if at_end:
        return ((run[:LONGEST], Kind.BEGINS),)
    return (run[:LONGEST], Kind.EQUALS), (run[-LONGEST:], Kind.EQUALS)


def _of_han(run: str, at_end: bool) -> Iterator[tuple[str, Kind]]:
    for pair in map("".join, pairwise(run[: MOST_FRAGMENTS + 1])):
        yield pair, Kind.EQUALS
    if not at_end:
        yield run[-1], Kind.EQUALS
    elif len(run) == 1:
        yield run, Kind.BEGINS


def _whole_runs(pieces: Iterable[str]) -> Iterator[str]:
    """The text cut between runs only, but for runs that are longer than any piece should be."""
    held = ""
    for piece in pieces:
        text = held + piece
        if text[-1:] in _BLANKS:
            yield text
            held = ""
            continue
        tail = text[: -_LONGEST_HELD - 1 : -1]
        separator = _SEPARATOR.search(tail)
        if separator is not None:
            cut = len(text) - separator.start()
            yield text[:cut]
            held = text[cut:]
        elif len(text) > _LONGEST_HELD:
            # All that is no longer than `OVERLAP` is in one of the two; the run is long in both.
            yield text
            held = text[-2 * LONGEST :]
        else:
            held = text
    yield held
