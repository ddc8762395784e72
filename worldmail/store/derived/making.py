"""What is derived of one content: its summary, and the text that is searched."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TypeVar

from attrs import frozen

from worldmail.interfaces.derived import Needle, Summary
from worldmail.mail.mime.fields import MAXIMUM_HEADER, Octets
from worldmail.mail.mime.given import in_lines
from worldmail.mail.mime.part import Part
from worldmail.mail.mime.scan import scan
from worldmail.mail.mime.summary import summary_of
from worldmail.mail.text.casemap import fold
from worldmail.mail.text.preview import preview
from worldmail.mail.text.searchable import body_texts, field_texts, folded, header_texts, matches
from worldmail.mail.transfer_encoding import header_says_binary, needs_lines

T = TypeVar("T")

_MUCH = 1 << 15  # characters, those of a piece and what it takes to come to one
_PIECE = 1 << 8


@frozen
class Searched:
    """The text of a content.

    Attributes:
        header, body: folded, in pieces that can be read once.
    """

    header: Iterable[str]
    body: Iterable[str]
    _octets: Octets
    _root: Part

    def field(self, name: str) -> Iterator[str]:
        """The folded values of the fields of this name (lower case) in the message's own header."""
        return map(fold, _values(self._octets, self._root, name))


def make_summary(octets: Octets, *, any_lines: bool) -> Summary:
    """The summary of a content. `any_lines`: they may end in other ways than CRLF."""
    octets = _lines(octets, any_lines)
    return _summary(octets, scan(octets))


def make_all(
    octets: Octets, entry: Callable[[Searched], T], *, any_lines: bool, summarised: bool = False
) -> tuple[Summary | None, T]:
    """The summary of a content, and what `entry` makes of its text for the index.

    Args:
        any_lines: they may end in other ways than CRLF.
        summarised: there is a summary already: None in its place.
    """
    octets = _lines(octets, any_lines)
    root = scan(octets)
    header, body = folded(header_texts(octets, root)), _yielding(folded(body_texts(octets, root)))
    return None if summarised else _summary(octets, root), entry(Searched(header, body, octets, root))


def needle_finder(needle: Needle) -> Callable[[Octets], bool]:
    """Tells whether a content holds the needle."""
    text = fold(needle.text)

    def holds(octets: Octets) -> bool:
        root = scan(octets)
        if needle.where == "field":
            return any(text in fold(value) for value in _values(octets, root, needle.field or ""))
        header = header_texts(octets, root) if needle.where != "body" else ()
        body = body_texts(octets, root) if needle.where != "header" else ()
        return matches(chain(header, map(_yielding, body)), text)

    return holds


def _lines(octets: Octets, any_lines: bool) -> Octets:
    """A content as it is given where only lines may go: that is what structures and sizes are of."""
    return in_lines(octets) if (needs_lines if any_lines else header_says_binary)(octets) else octets


def _yielding(pieces: Iterable[str]) -> Iterator[str]:
    """The pieces. Now and then the interpreter's lock is given to whoever waits for it: this may be a thread."""
    much = 0
    for piece in pieces:
        if much > _MUCH:
            time.sleep(0)
            much = 0
        much += len(piece) + _PIECE
        yield piece


def _values(octets: Octets, root: Part, name: str) -> list[str]:
    return field_texts(octets[: min(root.body, MAXIMUM_HEADER)], name)


def _summary(octets: Octets, root: Part) -> Summary:
    made = summary_of(root)
    return Summary(
        envelope=made.envelope,
        structure=made.structure,
        sent=made.sent,
        sent_day=made.sent_day,
        message_id=None if made.message_id is None else _text(made.message_id),
        references=tuple(map(_text, made.references)),
        preview=preview(octets, root),
    )


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "replace")
