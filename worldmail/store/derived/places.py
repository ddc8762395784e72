"""Terms with their place: what the index keeps of a content.

A term of a body stands as it is. One of a header has a character in front that no term can have, one for the header as
a whole and another for each of the fields that are searched most. So one list of terms a content answers for all of
them, and the vocabulary is one.
"""

from __future__ import annotations

from collections.abc import Iterable

from worldmail.interfaces.derived import Needle
from worldmail.mail.text.tokens import terms, terms_of_pieces
from worldmail.store.derived.making import Searched

BODY = ""
HEADER = "\u0080"
FIELDS = {"from": "\u0081", "to": "\u0082", "cc": "\u0083", "subject": "\u0084"}

MARKS = frozenset((HEADER, *FIELDS.values()))

_BY_WHERE = {"body": (BODY,), "header": (HEADER,), "text": (BODY, HEADER)}


def placed_terms(text: Searched) -> frozenset[str] | None:
    """What to keep of a content; None if that is more than an index should hold."""
    body, header = terms_of_pieces(text.body), terms_of_pieces(text.header)
    if body is None or header is None:
        return None
    body.update([HEADER + term for term in header])
    for name, mark in FIELDS.items():
        for value in text.field(name):
            body.update([mark + term for term in terms(value)])
    return frozenset(body)


def bare(placed: Iterable[str]) -> set[str]:
    """The terms without their places."""
    return {term[1:] if term[0] in MARKS else term for term in placed}


def places_of(needle: Needle) -> tuple[str, ...]:
    """Where terms have to be for a needle: in one of these."""
    if needle.where == "field":
        mark = FIELDS.get(needle.field or "", HEADER)
        return (mark if needle.text else HEADER,)  # the name of a field is a term of the header as a whole
    return _BY_WHERE[needle.where]


def is_told_by_place(needle: Needle) -> bool:
    """False if the place of a term is not all that the needle asks for."""
    return needle.where != "field" or needle.field in FIELDS
