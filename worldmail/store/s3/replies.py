"""Replies in XML: small trees, with no document type, no entities and no surprises in size."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from xml.parsers import expat

from attrs import define, field

MOST_OCTETS = 4 << 20
"""The longest reply that is read; a page of a listing has at most 1000 entries, each below 2 KiB."""

_MOST_ELEMENTS = 50_000
_DEEPEST = 16
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9.]{0,63}")


class BadReply(ValueError):
    """Not what S3 would say; the text tells nothing of the content."""


@define
class Element:
    """An element: its name without a namespace, its text, the elements in it."""

    name: str
    text: str = ""
    inner: list[Element] = field(factory=list)

    def all(self, name: str) -> Iterator[Element]:
        """Those of this name directly within it."""
        return (one for one in self.inner if one.name == name)

    def get(self, name: str) -> str:
        """The text of the first of this name directly within it; empty if there is none."""
        return next((one.text for one in self.all(name)), "")


def parse(document: bytes) -> Element:
    """The root of a document. Raises `BadReply`."""
    root = Element("")
    stack = [root]
    count = 0

    def start(name: str, attributes: object) -> None:
        nonlocal count
        count += 1
        if count > _MOST_ELEMENTS or len(stack) > _DEEPEST:
            raise BadReply("XML with too many elements")
        element = Element(name.rpartition(":")[2])
        stack[-1].inner.append(element)
        stack.append(element)

    def end(name: str) -> None:
        stack.pop()

    def text(data: str) -> None:
        stack[-1].text += data

    def refuse(*_: object) -> None:
        raise BadReply("XML with a document type")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        # While it works on a long request a server sends white space to keep the connection.
        parser.Parse(document[:MOST_OCTETS].lstrip(), True)
    except expat.ExpatError as error:
        raise BadReply(f"no XML: {expat.errors.messages.get(error.code, '')}") from None
    except BadReply:
        raise
    except (LookupError, ValueError, TypeError):
        raise BadReply("no XML: an encoding that nobody knows") from None
    return root.inner[0]


def error_code(document: bytes) -> str:
    """The code of an error, such as NoSuchKey; empty if there is none to be found."""
    try:
        root = parse(document)
    except BadReply:
        return ""
    code = root.get("Code") if root.name == "Error" else ""
    return code if _CODE.fullmatch(code) else ""


def moment(text: str) -> float:
    """Epoch seconds of a time such as 2026-11-22T05:30:00.000Z. Raises `BadReply`."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise BadReply("a time that is none") from None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
