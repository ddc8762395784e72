"""Which mailboxes a command is about: the filters of NOTIFY and of ESEARCH.

filter-mailboxes = "selected" / "selected-delayed" / "inboxes" / "personal" / "subscribed"      ; RFC 5465 §8
                 / "subtree" SP one-or-more-mailbox / "mailboxes" SP one-or-more-mailbox
                 / "subtree-one" SP one-or-more-mailbox                                        ; RFC 7377 §5
one-or-more-mailbox = mailbox / many-mailboxes
many-mailboxes      = "(" mailbox *(SP mailbox) ")"
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from attrs import frozen

from worldmail.interfaces.folders import OTHERS, PUBLIC, Folder
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.replies import BadCommand

SELECTED_FILTERS = frozenset((b"SELECTED", b"SELECTED-DELAYED"))
"""The filters that mean the selected mailbox."""

_PLAIN = frozenset((b"INBOXES", b"PERSONAL", b"SUBSCRIBED"))
_NAMING = frozenset((b"SUBTREE", b"SUBTREE-ONE", b"MAILBOXES"))

SOURCES = _PLAIN | _NAMING | {b"SELECTED"}
"""Those of ESEARCH (RFC 7377 §2.2)."""

MOST_NAMES = 500


@frozen
class Scope:
    """One filter: its word in capitals, and the names behind it."""

    kind: bytes
    names: tuple[str, ...] = ()


def choose(scopes: Iterable[Scope], folders: Iterable[Folder], subscribed: Collection[str]) -> list[Folder]:
    """Those of all that an account may list that one of these means; never what does not exist."""
    holds = _test(scopes, subscribed)
    return [folder for folder in folders if folder.exists and holds(folder.name)]


def _test(scopes: Iterable[Scope], subscribed: Collection[str]) -> Callable[[str], bool]:
    """All of them as one question, which takes the time of a name's levels, however many they are."""
    own = False
    exact, above, roots = set[str](), set[str](), set[str]()
    for scope in scopes:
        match scope.kind:
            case b"INBOXES":  # where mail is delivered to (RFC 5465 §6.3): anything else may be, by its address
                exact.add("INBOX")
            case b"PERSONAL":
                own = True
            case b"SUBSCRIBED":
                exact.update(subscribed)
            case b"SUBTREE":
                exact.update(scope.names)
                roots.update(scope.names)
            case b"SUBTREE-ONE":
                exact.update(scope.names)
                above.update(scope.names)
            case _:
                exact.update(scope.names)

    def holds(name: str) -> bool:
        if name in exact or (own and not name.startswith((OTHERS, PUBLIC))) or name.rpartition("/")[0] in above:
            return True
        return bool(roots) and any(name[:at] in roots for at, one in enumerate(name) if one == "/")

    return holds


def read_scope(reader: Reader, kinds: Collection[bytes]) -> Scope:
    """One filter. Raises `BadCommand`, `BadName`."""
    kind = reader.word()
    if kind not in kinds:
        raise BadCommand("There is no such mailbox filter")
    if kind not in _NAMING:
        return Scope(kind)
    reader.space()
    names = reader.parenthesised(reader.mailbox) if reader.peek() == b"(" else [reader.mailbox()]
    if not names or len(names) > MOST_NAMES:
        raise BadCommand("Mailbox names are expected")
    return Scope(kind, tuple(names))
