"""The arguments of LIST (RFC 9051 §6.3.9, RFC 5258 §6 and its extensions).

list              = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]
list-select-opts  = "(" [list-select-opt *(SP list-select-opt)] ")"
mbox-or-pat       = list-mailbox / patterns
patterns          = "(" list-mailbox *(SP list-mailbox) ")"
list-return-opts  = "RETURN" SP "(" [return-option *(SP return-option)] ")"
"""

from __future__ import annotations

from attrs import define, evolve, field, frozen

from worldmail.errors import BadName
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.listing.choose import Selection
from worldmail.protocols.imap.metadata import Wanted, read_options_and_entries
from worldmail.protocols.imap.replies import BadCommand
from worldmail.protocols.imap.status import Items, read_items


@frozen(kw_only=True)
class Returns:
    """What is to be told of each name (RFC 9051 §6.3.9.2).

    CHILDREN and SPECIAL-USE are told always, asked for or not.
    """

    subscribed: bool = False
    status: Items = ()
    myrights: bool = False
    metadata: Wanted | None = None


@frozen(kw_only=True)
class Listing:
    """What LIST asks for.

    Args:
        patterns: without the reference; those that no name could match are left out.
        extended: it is an extended LIST, whose client knows extended answers (RFC 5258 §3).
    """

    reference: str
    patterns: tuple[str, ...]
    selection: Selection = field(factory=Selection)
    returns: Returns = field(factory=Returns)
    extended: bool = False

    @property
    def asks_for_root(self) -> bool:
        """It is LIST with an empty name, which asks for the separator (RFC 9051 §6.3.9)."""
        return self.patterns == ("",) and not self.extended


def parse(reader: Reader) -> Listing:
    """Everything behind the word LIST."""
    reader.space()
    selection = None
    if reader.peek() == b"(":
        selection = _read_selection(reader)
        reader.space()
    reference = reader.mailbox()
    reader.space()
    many = reader.peek() == b"("
    patterns = reader.parenthesised(lambda: _pattern(reader)) if many else [_pattern(reader)]
    if not patterns:
        raise BadCommand("A mailbox pattern is expected")
    returns = None
    if not reader.at_end() and reader.take(b" ") and not reader.at_end():
        returns = _read_returns(reader)
    reader.end()
    selection_given = selection or Selection()
    return Listing(
        reference=reference,
        patterns=tuple(pattern for pattern in patterns if pattern is not None),
        selection=selection_given,
        returns=evolve(returns or Returns(), subscribed=_tells_subscribed(returns, selection_given)),
        extended=many or selection is not None or returns is not None,
    )


def _tells_subscribed(returns: Returns | None, selection: Selection) -> bool:
    """The selection option SUBSCRIBED implies the return option (RFC 9051 §6.3.9.1)."""
    return selection.subscribed or (returns is not None and returns.subscribed)


def _pattern(reader: Reader) -> str | None:
    """One pattern; None for one that no name can match, which is ignored (RFC 5258 §3)."""
    try:
        return reader.list_mailbox()
    except BadName:
        return None


def _read_selection(reader: Reader) -> Selection:
    words = set(reader.parenthesised(reader.word))
    if not words <= {b"SUBSCRIBED", b"REMOTE", b"RECURSIVEMATCH", b"SPECIAL-USE"}:
        raise BadCommand("There is no such selection option")
    selection = Selection(
        subscribed=b"SUBSCRIBED" in words, special_use=b"SPECIAL-USE" in words, recursive=b"RECURSIVEMATCH" in words
    )
    if selection.recursive and not selection.criteria:
        raise BadCommand("RECURSIVEMATCH needs another selection option")  # RFC 9051 §6.3.9.1
    return selection


@define(kw_only=True)
class _ReturnReader:
    """Takes one return option after the other."""

    reader: Reader
    returns: Returns = field(factory=Returns)

    def take(self) -> None:
        reader, word = self.reader, self.reader.word()
        if word == b"SUBSCRIBED":
            self.returns = evolve(self.returns, subscribed=True)
        elif word == b"STATUS":  # RFC 5819 §4
            reader.space()
            self.returns = evolve(self.returns, status=read_items(reader))
        elif word == b"MYRIGHTS":  # RFC 8440 §5
            self.returns = evolve(self.returns, myrights=True)
        elif word == b"METADATA":  # RFC 9590 §5
            reader.space()
            self.returns = evolve(self.returns, metadata=read_options_and_entries(reader))
        elif word not in (b"CHILDREN", b"SPECIAL-USE"):
            raise BadCommand("There is no such return option")


def _read_returns(reader: Reader) -> Returns:
    if reader.word() != b"RETURN":
        raise BadCommand("RETURN is expected")
    reader.space()
    found = _ReturnReader(reader=reader)
    reader.parenthesised(found.take)
    return found.returns
