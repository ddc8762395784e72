"""Which names answer LIST and LSUB (RFC 9051 §6.3.9.3, RFC 3501 §6.3.9)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from attrs import frozen

from worldmail.interfaces.folders import Folder
from worldmail.protocols.imap.listing.pattern import SEPARATOR, Patterns


@frozen(kw_only=True)
class Selection:
    """What is asked for beside the patterns (RFC 9051 §6.3.9.1, RFC 6154 §2). REMOTE asks for nothing: we have none.

    Args:
        subscribed: names that are subscribed to, whether they exist or not.
        special_use: mailboxes with a special use.
        recursive: names above such ones as well.
    """

    subscribed: bool = False
    special_use: bool = False
    recursive: bool = False

    @property
    def criteria(self) -> tuple[bytes, ...]:
        """The options that say which names are meant, as CHILDINFO tells them (RFC 9051 §6.3.9.6)."""
        named = ((self.subscribed, b"SUBSCRIBED"), (self.special_use, b"SPECIAL-USE"))
        return tuple(name for asked, name in named if asked)

    def meets(self, folder: Folder) -> bool:
        """Whether this is one of them."""
        return (folder.subscribed or not self.subscribed) and (folder.special_use is not None or not self.special_use)


def chosen(folders: Sequence[Folder], patterns: Patterns, selection: Selection) -> Iterator[tuple[Folder, bool]]:
    """The folders to tell of, each with whether CHILDINFO is told, in their order.

    Args:
        folders: all that there are, also those that are only subscribed to if the selection asks for them.
    """
    match = patterns.match
    if not selection.criteria:
        yield from ((folder, False) for folder in folders if match(folder.name))
        return
    if not selection.recursive:
        yield from ((folder, False) for folder in folders if selection.meets(folder) and match(folder.name))
        return
    above, above_hidden = _above(folders, patterns, selection)
    for folder in folders:
        name = folder.name
        # One that does not meet the criteria is left out where what is below it is told itself (RFC 9051 §6.3.9.6).
        if (name in above_hidden or selection.meets(folder)) and match(name):
            yield folder, name in above


def _above(folders: Iterable[Folder], patterns: Patterns, selection: Selection) -> tuple[set[str], set[str]]:
    """The names above those that meet the criteria; of them, those above one that no pattern matches."""
    above: set[str] = set()
    above_hidden: set[str] = set()
    for folder in folders:
        if selection.meets(folder):
            levels = levels_above(folder.name)
            above.update(levels)
            if not patterns.match(folder.name):
                above_hidden.update(levels)
    return above, above_hidden


def with_subscriptions(folders: Sequence[Folder], subscribed: Iterable[str], *, levels: bool) -> list[Folder]:
    """The folders and what else is subscribed to but does not exist; `levels`: and what is above that.

    Only the folders know what they are; \\Subscribed is told of each by name.
    """
    names = {folder.name for folder in folders}
    missing: dict[str, bool] = {}
    for name in subscribed:
        if name not in names:
            missing[name] = True
            if levels:
                for level in levels_above(name):
                    if level not in names:
                        missing.setdefault(level, False)
    if not missing:
        return list(folders)
    more = [Folder(id=0, owner=0, name=name, exists=False, subscribed=is_one) for name, is_one in missing.items()]
    first, rest = _inbox_first(folders)
    return [*first, *sorted([*rest, *more], key=lambda folder: folder.name)]


def _inbox_first(folders: Sequence[Folder]) -> tuple[Sequence[Folder], Sequence[Folder]]:
    if folders and folders[0].name == "INBOX":
        return folders[:1], folders[1:]
    return (), folders


def levels_above(name: str) -> list[str]:
    """The names of the levels above a name, the highest first."""
    return [name[:at] for at, character in enumerate(name) if character == SEPARATOR and at]


def subscribed_names(subscribed: Collection[str], patterns: Patterns, *, levels: bool) -> dict[str, bool]:
    """What LSUB tells of, with whether it is subscribed to itself (RFC 3501 §6.3.9).

    `levels`: a pattern has "%", so that the name of a level stands for what is subscribed to below it.
    """
    told: dict[str, bool] = {}
    for name in subscribed:
        if patterns.match(name):
            told[name] = True
        elif levels:
            for level in levels_above(name):
                if patterns.match(level):
                    told.setdefault(level, False)
    return told
