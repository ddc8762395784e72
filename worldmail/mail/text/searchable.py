"""The texts of a message that SEARCH looks through (RFC 9051 §6.4.4), and the looking.

TEXT looks at the header with MIME headers, and at the body; BODY at no header at all. So the headers of parts, and of
messages inside of the message, belong to the header here. The body is the decoded text of each part whose type is text
or message; attachments of other types, preambles and what is in an unknown transfer encoding are no text. This is what
Dovecot 2.3 finds too. HTML is looked through as it was written, tags and all, and besides as it is read, without tags
and with its references decoded: Dovecot finds "&uuml;" only as that, a person wants "ü".

Header fields are "Name: value", unfolded, each fold one space, with encoded words decoded. Texts come in pieces of
bounded length; a needle is found across their borders, and never across those of two texts.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from itertools import chain

from worldmail.mail.mime.decoding import UnknownEncoding, decoded
from worldmail.mail.mime.fields import MAXIMUM_HEADER, Octets
from worldmail.mail.mime.part import Part
from worldmail.mail.text.casemap import fold
from worldmail.mail.text.charsets import decode, decode_pieces
from worldmail.mail.text.encoded_words import decode_words, parameters
from worldmail.mail.text.markup import text_of_html

LONGEST_HTML = 1 << 20
"""Characters of HTML in a message up to which it is also looked through as it is read."""

Text = Iterable[str]
"""One text, in pieces."""

_FOLD = re.compile(rb"\r?\n[ \t]")
_BLANKS = " \t"


def parts_of(root: Part) -> Iterator[Part]:
    """Each part, the messages in it and itself among them, in their order."""
    waiting = [root]
    while waiting:
        part = waiting.pop()
        yield part
        waiting += reversed(part.children)


def header_texts(data: Octets, root: Part) -> Iterator[Text]:
    """The headers of a message: its own, and those of its parts and of the messages in it."""
    for part in parts_of(root):
        # A message/rfc822 part has a header, and the message in it another.
        if part.body > part.start:
            yield (header_lines(data[part.start : min(part.body, part.start + MAXIMUM_HEADER)]),)


def body_texts(data: Octets, root: Part) -> Iterator[Text]:
    """The texts in a message's body."""
    left = LONGEST_HTML
    for part in parts_of(root):
        pieces = part_text(data, part)
        if pieces is None:
            continue
        if left < 0 or part.content.subtype.lower() != b"html":
            yield pieces
            continue
        held = _held(pieces, left)
        yield chain(held, pieces)
        left -= sum(map(len, held))
        if left >= 0:
            yield (text_of_html("".join(held)),)


def part_text(data: Octets, part: Part) -> Iterator[str] | None:
    """The decoded text of a part, in pieces; None if it is no text, or cannot be decoded."""
    is_text = part.content.is_text or (part.content.type.lower() == b"message" and not part.is_message)
    if not is_text:
        return None
    try:
        return decode_pieces(decoded(data, part), charset_of(part))
    except UnknownEncoding:
        return None


def charset_of(part: Part) -> str | None:
    """The charset that a part says it is in."""
    given = ((name, value) for name, value in part.content.parameters if name[:7].lower() == b"charset")
    return parameters((name.decode("ascii", "replace"), value) for name, value in given).get("charset")


def header_lines(header: bytes) -> str:
    """All fields of a header as "Name: value" lines, decoded."""
    lines = []
    for line in _decoded_lines(_FOLD.sub(b" ", header)):
        name, colon, value = line.partition(":")
        lines.append(f"{name.rstrip(_BLANKS)}: {decode_words(value.lstrip(_BLANKS))}" if colon else line)
    return "\n".join(lines)


def field_texts(header: bytes, name: str) -> list[str]:
    """The decoded values of all fields of this name (HEADER, RFC 9051 §6.4.4); none if the header has no such field.

    Args:
        name: in lower case.
    """
    wanted = re.compile(
        rb"^%b[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)" % re.escape(name.encode()), re.IGNORECASE | re.MULTILINE
    )
    values = [_FOLD.sub(b" ", value).strip() for value in wanted.findall(header)]
    return [decode_words(line) for line in _decoded_lines(b"\n".join(values))] if values else []


def matches(texts: Iterable[Text], needle: str) -> bool:
    """True if one of the texts has the folded needle."""
    return bool(found(texts, (needle,)))


def found(texts: Iterable[Text], needles: Collection[str]) -> set[str]:
    """Which of the folded needles stand in one of the texts; they are read as far as is needed, and once."""
    missing = set(needles)
    if not missing:
        return set()
    missing.discard("")  # is in everything
    overlap = max(map(len, missing), default=1) - 1
    for text in texts:
        held = ""
        for piece in text:
            if not missing:
                return set(needles)
            held += fold(piece)
            missing = {needle for needle in missing if needle not in held}
            held = held[-overlap:] if overlap else ""
    return set(needles) - missing


def folded(texts: Iterable[Text]) -> Iterator[str]:
    """All texts as one folded text in pieces, for `tokens.terms_of_pieces`; a line end parts each from the next."""
    for text in texts:
        for piece in text:
            yield fold(piece)
        yield "\n"


def _held(pieces: Iterator[str], most: int) -> list[str]:
    """Pieces that are that long together, or all that there are."""
    held: list[str] = []
    for piece in pieces:
        held.append(piece)
        most -= len(piece)
        if most < 0:
            break
    return held


def _decoded_lines(block: bytes) -> Iterator[str]:
    """Each line: raw octets are UTF-8 line by line; of all that are not, the charset is guessed once."""
    if block.isascii():
        yield from block.decode("ascii").replace("\r\n", "\n").split("\n")
        return
    lines: list[str | None] = []
    unknown: list[bytes] = []
    for line in block.replace(b"\r\n", b"\n").split(b"\n"):
        try:
            lines.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            lines.append(None)
            unknown.append(line)
    # Line ends are what they are in each charset that is guessed.
    guessed = iter(decode(b"\n".join(unknown)).split("\n"))
    for known in lines:
        yield next(guessed, "") if known is None else known
