"""Annotations on the wire (RFC 5464): entry names, the options of GETMETADATA, METADATA responses.

entries       = entry / "(" entry *(SP entry) ")"
entry         = astring            ; slash-separated path, without "*" and "%"
entry-value   = entry SP value
value         = nstring / literal8
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from attrs import frozen

from worldmail.interfaces.folders import Folder
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.replies import BadCommand, astring, nstring

# RFC 5464 §3.2: no "*", "%", octets beyond ASCII or controls; no empty component; none but these two on top (§6).
_ENTRY = re.compile(rb"/(?:private|shared)(?:/[^\x00-\x1f*%/\x7f-\xff]+)+", re.IGNORECASE)
_TOPS = (b"/private", b"/shared")
_LONGEST_ENTRY = 1000
MOST_ENTRIES = 1000
"""How many entries a command may name."""

SPECIAL_USE = "/private/specialuse"
"""The annotation that is a mailbox's special use (RFC 6154 §4)."""

_DEPTHS = {b"0": 0, b"1": 1, b"INFINITY": None}


@frozen(kw_only=True)
class Wanted:
    """Which annotations are asked for.

    Args:
        entries: as the client spelled them, by their name in small letters (they are case-insensitive, §3.2).
        depth: how many levels below them as well; None for all (§4.2.2).
        largest: values with more octets are left out (§4.2.1); None for no bound.
    """

    entries: Mapping[str, bytes]
    depth: int | None = 0
    largest: int | None = None


def read_options_and_entries(reader: Reader) -> Wanted:
    """Entries, perhaps with options in parentheses before them."""
    options, entries = read_list(reader)
    if options is None:
        return Wanted(entries=entries)
    reader.space()
    more, entries = read_list(reader)
    if more is not None:
        raise BadCommand("An entry is expected")
    return wanted(options, entries)


def read_list(reader: Reader) -> tuple[dict[bytes, bytes] | None, dict[str, bytes]]:
    """What stands next: options in parentheses, or entries; None for options if it is entries.

    Entries begin with "/", which no option does.
    """
    if reader.peek() != b"(":
        return None, _named([reader.astring()])
    options: dict[bytes, bytes] = {}
    entries: list[bytes] = []

    def read() -> None:
        word = reader.astring()
        if word.startswith(b"/"):
            entries.append(word)
            return
        reader.space()
        options[word.upper()] = reader.astring().upper()

    reader.parenthesised(read)
    if bool(options) == bool(entries):
        raise BadCommand("Options or entries are expected")
    return (options, {}) if options else (None, _named(entries))


def wanted(options: Mapping[bytes, bytes], entries: Mapping[str, bytes]) -> Wanted:
    """The options, understood."""
    depth: int | None = 0
    largest: int | None = None
    for name, value in options.items():
        if name == b"DEPTH" and value in _DEPTHS:
            depth = _DEPTHS[value]
        elif name == b"MAXSIZE" and value.isdigit() and len(value) <= 10:
            largest = int(value)
        else:
            raise BadCommand("There is no such option")
    return Wanted(entries=entries, depth=depth, largest=largest)


def _named(entries: Iterable[bytes]) -> dict[str, bytes]:
    named = {entry_name(spelled, whole=False): spelled for spelled in entries}
    if len(named) > MOST_ENTRIES:
        raise BadCommand("Too many entries")
    return named


def entry_name(spelled: bytes, *, whole: bool) -> str:
    """An entry's name in small letters. `whole`: one that can have a value, not just others below it."""
    tops = () if whole else _TOPS
    if len(spelled) <= _LONGEST_ENTRY and (_ENTRY.fullmatch(spelled) or spelled.lower() in tops):
        return spelled.decode("ascii").lower()
    raise BadCommand("An entry is expected, such as /private/comment")


def read_values(reader: Reader) -> dict[str, bytes | None]:
    """The list of entries with their values of SETMETADATA; None is NIL, which removes."""
    values: dict[str, bytes | None] = {}

    def read() -> None:
        name = entry_name(reader.astring(), whole=True)
        reader.space()
        values[name] = reader.nstring()

    reader.parenthesised(read)
    if not values:
        raise BadCommand("An entry is expected")
    if len(values) > MOST_ENTRIES:
        raise BadCommand("Too many entries")
    return values


def with_special_use(found: Mapping[str, bytes], asked: Wanted, special_use: str | None) -> Mapping[str, bytes]:
    """What was found, and the special use if that was asked for: as if it were kept as an annotation (RFC 6154 §4)."""
    entries = asked.entries
    if special_use is None or not (SPECIAL_USE in entries or (asked.depth != 0 and "/private" in entries)):
        return found
    return {**found, SPECIAL_USE: special_use.encode("ascii")}


def accessible(folder: Folder) -> bool:
    """Whether the account may see the mailbox's annotations (RFC 5464 §3.3)."""
    return "l" in folder.rights and any(right in folder.rights for right in "rswip")


def longest(asked: Wanted, found: Mapping[str, bytes]) -> int:
    """The size of the largest value that is left out because it is too large; 0 if none is."""
    if asked.largest is None:
        return 0
    return max((len(value) for value in found.values() if len(value) > asked.largest), default=0)


def long_entries(size: int) -> bytes:
    """The response code that tells of it (RFC 5464 §4.2.1)."""
    return b"METADATA LONGENTRIES %d" % size


def response(wire_name: bytes, asked: Wanted, found: Mapping[str, bytes]) -> bytes:
    """The METADATA response, b"" if there is nothing to tell.

    What was asked for by name and is not there is told as NIL, so that every GETMETADATA has its response (§4.2).
    """
    told: dict[bytes, bytes | None] = {}
    for name, spelled in asked.entries.items():
        if name in found or asked.depth == 0:
            told[spelled] = found.get(name)
    for name, value in found.items():
        if name not in asked.entries:
            told[name.encode("ascii")] = value
    if asked.largest is not None:
        told = {entry: value for entry, value in told.items() if value is None or len(value) <= asked.largest}
    if not told:
        return b""
    pairs = b" ".join([b"%b %b" % (astring(entry), nstring(value)) for entry, value in told.items()])
    return b"* METADATA %b (%b)\r\n" % (wire_name, pairs)
