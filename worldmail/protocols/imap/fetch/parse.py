"""The items of a FETCH command (RFC 9051 §9: fetch-att).

fetch-att = ... / "BODY" section ["<" number "." nz-number ">"] / "BODY.PEEK" section [...]
section   = "[" [section-spec] "]"
section-spec = section-msgtext / (section-part ["." section-text])
"""

from __future__ import annotations

from itertools import product

from attrs import evolve

from worldmail.mail.mime.sections import Kind, Section
from worldmail.protocols.imap.fetch.batch import Item
from worldmail.protocols.imap.fetch.items import ITEMS, MACROS, PREVIEW_LAZY
from worldmail.protocols.imap.fetch.sections import Partial, binary_item, binary_size_item, body_item
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.replies import BadCommand, astring

MOST_ITEMS = 64
"""Different items of one command: each of them may be a message's octets."""

_MOST_NUMBERS = 100

_OLD = {
    b"RFC822": (Section(), True),
    b"RFC822.HEADER": (Section(kind=Kind.HEADER), False),
    b"RFC822.TEXT": (Section(kind=Kind.TEXT), True),
}
_LAZY = tuple(b" (%b)" % bytes(letters) for letters in product(*zip(b"LAZY", b"lazy", strict=True)))


def read_items(reader: Reader) -> list[Item]:
    """A macro, one item, or a list of them in parentheses; each once."""
    if reader.peek() == b"(":
        return _distinct([item for items in reader.parenthesised(lambda: _item(reader)) for item in items])
    return _distinct(_item(reader, alone=True))


def _distinct(items: list[Item]) -> list[Item]:
    by_form: dict[bytes, Item] = {}
    for item in items:
        known = by_form.get(item.form)
        if known is None or (item.sees and not known.sees):
            by_form[item.form] = item if known is None else evolve(known, sees=True)
    if not by_form:
        raise BadCommand("Something to fetch is expected")
    if len(by_form) > MOST_ITEMS:
        raise BadCommand("This is too much to fetch at once")
    return list(by_form.values())


def _item(reader: Reader, *, alone: bool = False) -> list[Item]:
    name, bracket, rest = reader.atom().upper().partition(b"[")
    if bracket:
        return [_section(reader, name, rest)]
    if alone and name in MACROS:
        return [ITEMS[each] for each in MACROS[name]]
    if name in _OLD:
        section, sees = _OLD[name]
        return [body_item(name, section, sees=sees)]
    if name == b"PREVIEW" and any(map(reader.take, _LAZY)):  # RFC 8970 §3.1
        return [PREVIEW_LAZY]
    item = ITEMS.get(name)
    if item is None:
        raise BadCommand("There is nothing of this name to fetch")
    return [item]


def _section(reader: Reader, name: bytes, rest: bytes) -> Item:
    """What stands behind the bracket."""
    path, kind = _path(rest)
    if name in (b"BODY", b"BODY.PEEK"):
        return _body(reader, path, kind, sees=name == b"BODY")
    if kind or name not in (b"BINARY", b"BINARY.PEEK", b"BINARY.SIZE"):
        raise BadCommand("There is nothing of this name to fetch")
    reader.expect(b"]")
    numbers = b".".join(b"%d" % number for number in path)
    if name == b"BINARY.SIZE":
        return binary_size_item(b"BINARY.SIZE[%b]" % numbers, path)
    partial = _partial(reader)
    return binary_item(b"BINARY[%b]%b" % (numbers, _origin(partial)), path, partial, sees=name == b"BINARY")


def _body(reader: Reader, path: tuple[int, ...], kind: bytes, *, sees: bool) -> Item:
    try:
        what = Kind(kind.decode("ascii"))
    except ValueError:
        raise BadCommand("There is no such section") from None
    if what is Kind.MIME and not path:
        raise BadCommand("MIME is a section of parts only")
    names: list[bytes] = []
    if what in (Kind.HEADER_FIELDS, Kind.HEADER_FIELDS_NOT):
        reader.space()
        names = reader.parenthesised(reader.astring)
        if not names:
            raise BadCommand("The names of fields are expected")
    reader.expect(b"]")
    label = b".".join((*(b"%d" % number for number in path), *((kind,) if kind else ())))
    if names:
        label += b" (%b)" % b" ".join(map(astring, names))
    partial = _partial(reader)
    section = Section(path, what, frozenset(name.lower() for name in names))
    return body_item(b"BODY[%b]%b" % (label, _origin(partial)), section, partial, sees=sees)


def _path(text: bytes) -> tuple[tuple[int, ...], bytes]:
    """The numbers at the beginning, and what follows them."""
    numbers: list[int] = []
    while text[:1].isdigit():
        digits, dot, text = text.partition(b".")
        if not digits.isdigit() or digits.startswith(b"0") or len(digits) > 9 or (dot and not text):
            raise BadCommand("There is no such part")
        numbers.append(int(digits))
        if len(numbers) > _MOST_NUMBERS:
            raise BadCommand("Parts do not nest as deep")
    return tuple(numbers), text


def _partial(reader: Reader) -> Partial:
    if not reader.take(b"<"):
        return None
    origin = reader.number64()
    reader.expect(b".")
    count = reader.number64()
    if not count:
        raise BadCommand("A number above 0 is expected")
    reader.expect(b">")
    return origin, count


def _origin(partial: Partial) -> bytes:
    return b"" if partial is None else b"<%d>" % partial[0]
