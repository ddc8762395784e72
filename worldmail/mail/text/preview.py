"""The first words of a message, to tell it from others in a list (RFC 8970).

At most 200 characters of the first part that is meant to be read: plain text before HTML. Quotations, the line that
introduces them and the signature are passed over, unless there is nothing else; white space is one space.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from worldmail.mail.mime.content import disposition
from worldmail.mail.mime.decoding import UnknownEncoding, decoded
from worldmail.mail.mime.fields import Octets
from worldmail.mail.mime.part import Part
from worldmail.mail.text.charsets import decode
from worldmail.mail.text.markup import text_of_html
from worldmail.mail.text.searchable import charset_of

LONGEST = 200
"""Characters of a preview at most (RFC 8970 §3.1)."""

EXAMINED = 1 << 14
"""Octets of a part that are looked at."""

_MOST_PARTS = 20

# White space with what shows as nothing around it, as newsletters have it to push out what follows.
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u00ad\u034f\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]+")
_JOINERS = frozenset("\u200c\u200d\u00ad\u200b\u2060\u200e\u200f")
_RULE = re.compile(r"([-=_*~#+.])\1{3,}")
_QUOTATION_IN_HTML = re.compile(r"<blockquote(?=[\s/>])", re.IGNORECASE)
_SIGNATURE = "-- "
_MOSTLY_ENOUGH = 4 * LONGEST
_PLAIN_ENCODINGS = frozenset((b"7bit", b"8bit"))
_PLAIN_CHARSETS = frozenset((b"us-ascii", b"utf-8", b"iso-8859-1", b"iso-8859-15", b"windows-1252"))
_SIMPLY_ENOUGH = LONGEST + 50
_LONGEST_INTRODUCTION = 3  # lines of "On such a day somebody wrote:"


def preview(data: Octets, root: Part) -> str:
    """The preview of a message; empty if no part has text for people."""
    return _of_simple(data, root) or _of_any(data, root)


def _of_simple(data: Octets, root: Part) -> str:
    """The same for a message that is nothing but ASCII text without quotations, as very many are; empty for others."""
    content, get = root.content, root.fields.get
    if (
        content.subtype.lower() != b"plain"
        or not content.is_text
        or get(b"content-transfer-encoding", b"7bit").lower() not in _PLAIN_ENCODINGS
        or b"content-disposition" in root.fields
        or content.parameters[0][1].lower() not in _PLAIN_CHARSETS
        or len(content.parameters) > 1
    ):
        return ""
    octets = data[root.body : min(root.body + EXAMINED, root.end)]
    if not octets.isascii() or octets[:1] == b">" or octets[:1] == b"-" or b"\n>" in octets or b"\n-- " in octets:
        return ""
    text = " ".join(octets[: 2 * _SIMPLY_ENOUGH].decode("ascii").split())[:_SIMPLY_ENOUGH]
    if (len(text) < _SIMPLY_ENOUGH and len(octets) > 2 * _SIMPLY_ENOUGH) or not text.isprintable():
        return ""
    return "" if _RULE.search(text) else text[:LONGEST].rstrip()


def _of_any(data: Octets, root: Part) -> str:
    for subtype, text_of in ((b"plain", _of_plain), (b"html", _of_html)):
        for part in _readable(root):
            if part.content.subtype.lower() == subtype:
                shown = text_of(_beginning(data, part))
                if shown:
                    return shown
    return ""


def _readable(root: Part) -> Iterator[Part]:
    """The first text parts that are no files, without those of messages in the message."""
    waiting = [root]
    met = 0
    while waiting and met < _MOST_PARTS:
        part = waiting.pop()
        met += 1
        if part.is_multipart:
            waiting += reversed(part.children[:_MOST_PARTS])
        elif (
            part.content.is_text
            and disposition(part.fields.get(b"content-disposition", b""))[0].lower() != b"attachment"
        ):
            yield part


def _beginning(data: Octets, part: Part) -> str:
    """The text that a part begins with; its last character may be cut."""
    try:
        octets = next(decoded(data, part), b"")
    except UnknownEncoding:
        return ""
    return decode(octets[:EXAMINED], charset_of(part))


def _of_plain(text: str) -> str:
    lines = text.split("\n")
    return _shown(" ".join(_own_lines(lines))) or _shown(" ".join(line.lstrip("> ") for line in lines))


def _of_html(source: str) -> str:
    quotation = _QUOTATION_IN_HTML.search(source)
    own = _shown(text_of_html(source[: quotation.start()])) if quotation is not None else ""
    return own or _shown(text_of_html(source))


def _own_lines(lines: list[str]) -> list[str]:
    """What the sender wrote: no quoted lines, no introductions of them, nothing from the signature on."""
    own: list[str] = []
    for line in lines:
        line = line.rstrip("\r")
        if line == _SIGNATURE:
            break
        if line.startswith(">"):
            _forget_introduction(own)
        else:
            own.append(line)
    return own


def _forget_introduction(own: list[str]) -> None:
    """Take off a last paragraph that ends with a colon, as introductions in most languages do."""
    while own and not own[-1].strip():
        own.pop()
    if not own or not own[-1].rstrip().endswith((":", "：")):
        return
    start = len(own)
    while start and own[start - 1].strip() and len(own) - start <= _LONGEST_INTRODUCTION:
        start -= 1
    if len(own) - start > _LONGEST_INTRODUCTION:
        start = len(own) - 1
    del own[start:]


def _shown(text: str) -> str:
    """White space as one space, rules and what shows as nothing gone, and no more than the limit."""
    text = " ".join(text.split())
    shown = _cleaned(text[:_MOSTLY_ENOUGH])
    if len(shown) < LONGEST and len(text) > _MOSTLY_ENOUGH:
        shown = _cleaned(text)
    return shown[:LONGEST].rstrip()


def _cleaned(text: str) -> str:
    text = _RULE.sub(" ", text)
    if not text.isascii() or not text.isprintable():
        return _BLANK.sub(_blank, text).strip()
    return " ".join(text.split())


def _blank(match: re.Match[str]) -> str:
    """What holds letters together stays if it stands alone; it joins emoji, and is spelling in some scripts."""
    return match[0] if _JOINERS.issuperset(match[0]) else " "
