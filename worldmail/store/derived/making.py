"""What is derived of one content: its summary, and the text that is searched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from worldmail.interfaces.derived import Needle, Summary
from worldmail.mail.mime.decoding import UnknownEncoding, decoded
from worldmail.mail.mime.fields import MAXIMUM_HEADER, unfolded
from worldmail.mail.mime.part import Part
from worldmail.mail.mime.scan import scan
from worldmail.mail.mime.summary import summary_of
from worldmail.mail.text.casemap import fold
from worldmail.mail.text.charsets import decode_pieces
from worldmail.mail.text.encoded_words import header_text
from worldmail.store.derived.contents import Octets

T = TypeVar("T")

Fields = Sequence[tuple[str, str]]


def make_summary(octets: Octets) -> Summary:
    """The summary of a content."""
    return _summary(octets, scan(octets))


def make_all(octets: Octets, entry: Callable[[Fields, Iterable[str]], T]) -> tuple[Summary, T]:
    """The summary of a content, and what `entry` makes of its folded text for the index."""
    root = scan(octets)
    return _summary(octets, root), entry(_fields(octets, root), _body(octets, root))


def needle_finder(needle: Needle) -> Callable[[Octets], bool]:
    """Tells whether a content holds the needle."""
    text = fold(needle.text)

    def in_header(octets: Octets, root: Part) -> bool:
        if needle.where == "field":
            return any(name == needle.field and text in value for name, value in _fields(octets, root))
        return any(text in value or text in f"{name}: {value}" for name, value in _fields(octets, root))

    def holds(octets: Octets) -> bool:
        root = scan(octets)
        if needle.where != "body" and in_header(octets, root):
            return True
        return needle.where in ("body", "text") and _is_in(text, _body(octets, root))

    return holds


def _is_in(text: str, pieces: Iterable[str]) -> bool:
    """Whether a text is in one that comes in pieces."""
    held = ""
    for piece in pieces:
        held += piece
        if text in held:
            return True
        held = held[1 - len(text) :] if len(text) > 1 else ""
    return False


def _fields(octets: Octets, root: Part) -> list[tuple[str, str]]:
    """Name and folded text of each field of the header."""
    found = []
    for line in unfolded(octets[: min(root.body, MAXIMUM_HEADER)]).split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon:
            found.append((name.strip().decode("ascii", "replace").lower(), fold(header_text(value.strip()))))
    return found


def _body(octets: Octets, root: Part) -> Iterator[str]:
    """The folded text of all text parts, in pieces; a line feed between two parts."""
    waiting = [root]
    while waiting:
        part = waiting.pop()
        waiting.extend(reversed(part.children))
        if part.content.is_text:
            charset = next((value for name, value in part.content.parameters if name.lower() == b"charset"), b"")
            try:
                for piece in decode_pieces(decoded(octets, part), charset.decode("ascii", "replace")):
                    yield fold(piece)
            except UnknownEncoding:
                pass
            yield "\n"


def _summary(octets: Octets, root: Part) -> Summary:
    made = summary_of(root)
    return Summary(
        envelope=made.envelope,
        structure=made.structure,
        sent=made.sent,
        sent_day=made.sent_day,
        message_id=None if made.message_id is None else _text(made.message_id),
        references=tuple(map(_text, made.references)),
        preview="",
    )


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "replace")
