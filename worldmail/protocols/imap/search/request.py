"""What stands behind SEARCH, SORT and THREAD, read off the wire.

search        =  "SEARCH" [search-return-opts] SP search-program             ; RFC 9051 §9
search-return-opts = SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"
search-program     = ["CHARSET" SP charset SP] search-key *(SP search-key)
"""

from __future__ import annotations

import re

from attrs import frozen

from worldmail.protocols.imap.fetch.batch import Item
from worldmail.protocols.imap.fetch.parse import read_items
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.replies import BadCommand
from worldmail.protocols.imap.search.keys import Program, read_charset, read_program
from worldmail.protocols.imap.search.nodes import Node
from worldmail.protocols.imap.search.results import UPDATING, Partial, Returns

_PARTIAL = re.compile(rb"(-?)([1-9][0-9]{0,9}):(-?)([1-9][0-9]{0,9})")


@frozen(kw_only=True)
class Request:
    """A search as it was asked for. `modseq`: its answer tells MODSEQ (RFC 7162 §3.1.5)."""

    returns: Returns
    node: Node
    modseq: bool


def read_returns(reader: Reader, options: frozenset[str]) -> Returns:
    """The result options, of which there are these; none in the parentheses means ALL (RFC 4731 §3.1)."""
    if not reader.take_word(b"RETURN"):
        return Returns()
    reader.space()
    partial: Partial | None = None
    items: list[Item] = []

    def option() -> str:
        nonlocal partial
        name = reader.word().decode("ascii")
        if name not in options:
            raise BadCommand("There is no such result option")
        if name == "PARTIAL":
            if partial is not None:
                raise BadCommand("PARTIAL may stand once")  # RFC 9394 §3.1
            reader.space()
            partial = read_partial(reader)
        if name == "UPDATE" and (reader.comes(b"(") or reader.comes(b" (")):  # RFC 5465 §8 without a space, §7 with one
            reader.take(b" ")
            items.extend(read_items(reader))
        return name

    names = frozenset(reader.parenthesised(option))
    reader.space()
    if partial is not None and "ALL" in names:
        raise BadCommand("PARTIAL and ALL exclude each other")  # RFC 9394 §3.1
    told = names - {"PARTIAL"} - UPDATING
    names = names if told or partial else names | {"ALL"}
    return Returns(asked=True, names=names, partial=partial, items=tuple(items))


def read_partial(reader: Reader) -> Partial:
    """partial-range = nz-number ":" nz-number / "-" nz-number ":" "-" nz-number (RFC 9394 §5).

    "A range 500:400 is the same as 400:500": that is how it is told.
    """
    given = reader.atom()
    found = _PARTIAL.fullmatch(given)
    if found is None or found[1] != found[3]:
        raise BadCommand("A range of results is expected, such as 1:100 or -1:-100")
    first, last = sorted((int(found[2]), int(found[4])))
    told = b"%b%d:%b%d" % (found[1], first, found[1], last)
    return Partial(first=first, last=last, backwards=bool(found[1]), given=told)


def read_request(program: Program, returns: Returns) -> Request:
    """The program, to the end of the command; its charset may stand in front."""
    reader = program.reader
    if reader.take_word(b"CHARSET"):
        if program.utf8_only:
            raise BadCommand("No charset is named after ENABLE UTF8=ACCEPT")  # RFC 6855 §3
        reader.space()
        program.charset = read_charset(reader.astring())
        reader.space()
    node = read_program(program)
    return Request(returns=returns, node=node, modseq=program.modseq)
