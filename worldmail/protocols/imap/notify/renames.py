"""Which renames a client is told of, and in which order, so that it ends with the right names (RFC 5465 §5.4).

Theory of operation. A client goes through LIST responses with OLDNAME one by one, and with each mailbox goes what it
has below it. What we know is only where every mailbox was and is. So a rename waits for others: its new name, the
levels above that and the names below it have to be given up first, and what goes elsewhere from below the old name
has to have left. Renames that wait for each other in a ring (two mailboxes that changed names) are told with a further
name in between, as they were made: one of the ring goes aside to a name that nothing has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from attrs import evolve

from worldmail.interfaces.folders import Folder
from worldmail.protocols.imap.listing.choose import levels_above


def of_which_to_tell(
    before: Mapping[int, Folder], now: Mapping[int, Folder], *, own: AbstractSet[str], asked: Callable[[str, str], bool]
) -> dict[str, Folder]:
    """By old name the mailboxes that are not where the client has them, once it followed the other renames.

    Those that went along with one above are not among them: the client has them there. But one is that stayed behind.

    Args:
        own: names that the client itself did something about.
        asked: it wants to be told of this old and this new name.
    """
    found: dict[str, Folder] = {}
    follows: dict[str, str] = {}
    for old, number in sorted((folder.name, number) for number, folder in before.items() if number in now):
        new = now[number].name
        if carried(old, follows) != new and own.isdisjoint((old, new)):
            if not asked(old, new):
                continue
            found[old] = now[number]
        follows[old] = new
    return found


def carried(name: str, renames: Mapping[str, str]) -> str:
    """Where a name goes along with the nearest of these above it; nothing goes along with INBOX (RFC 9051 §6.3.6)."""
    for level in reversed(levels_above(name)):
        if level in renames and level != "INBOX":
            return renames[level] + name[len(level) :]
    return name


def steps(renames: Mapping[str, Folder], taken: Iterable[str]) -> Iterator[tuple[str, Folder]]:
    """What the client is to do one after another: a name that it knows, and the mailbox with the name that it gets.

    Args:
        taken: all names that there are or were: nothing goes aside to one of them, nor to a level above one.
    """
    waits, held_up = _waits({old: folder.name for old, folder in renames.items()})
    ready = [old for old in renames if not waits[old]]
    left = sorted(renames)  # from its end: what is below another leaves before that
    aside: dict[str, str] = {}
    unfit: set[str] = set()
    while ready or left:
        if ready:
            old = ready.pop()
            yield aside.get(old, old), renames[old]
            if old in aside:
                continue
        else:
            old = left.pop()
            if not waits[old] or old in aside:
                continue
            unfit = unfit or {each for name in taken for each in (name, *levels_above(name))}
            # Beside the highest that moves: nothing takes it along from there.
            highest = next((level for level in levels_above(old) if level in renames and level != "INBOX"), old)
            aside[old] = _unlike(highest, unfit)
            yield old, evolve(renames[old], name=aside[old], subscribed=False)
        for other in held_up[old]:
            waits[other].discard(old)
            if not waits[other]:
                ready.append(other)


def _waits(renames: Mapping[str, str]) -> tuple[dict[str, set[str]], Mapping[str, list[str]]]:
    """By old name those that have to be given up before it, and those that it holds up."""
    below: dict[str, list[str]] = {}
    for old in renames:
        for level in levels_above(old):
            if level != "INBOX":
                below.setdefault(level, []).append(old)
    waits: dict[str, set[str]] = {}
    held_up = defaultdict(list)
    for old, new in renames.items():
        above = {level for level in (*levels_above(new), new) if level in renames and level != "INBOX"}
        waits[old] = (above | {*below.get(old, ()), *below.get(new, ())}) - {old}
        for other in waits[old]:
            held_up[other].append(old)
    return waits, held_up


def _unlike(name: str, unfit: set[str]) -> str:
    """A name beside this one that nothing has; it is no longer to be had."""
    name += "~"
    while name in unfit:
        name += "~"
    unfit.add(name)
    return name
