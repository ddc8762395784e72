"""What tells of a change in a mailbox that is not selected: STATUS, LIST and METADATA responses (RFC 5465 §5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from worldmail.interfaces.folders import Folder
from worldmail.protocols.imap import status
from worldmail.protocols.imap.listing.responses import Teller
from worldmail.protocols.imap.notify.renames import carried
from worldmail.protocols.imap.notify.request import Event
from worldmail.protocols.imap.replies import astring
from worldmail.protocols.imap.status import StatusItem

if TYPE_CHECKING:
    from worldmail.protocols.imap.session import Session

_FACTS = status.Facts()
_TELLER = Teller(subscribed=True)
_KEEPS_MODSEQ = frozenset(("CONDSTORE", "QRESYNC"))


def tells_flags(line: bytes) -> bool:
    """It is a FETCH response: what a view tells unasked of messages are their flags (§5.1)."""
    return line[:80].split(b" ", 3)[2:3] in ([b"FETCH"], [b"UIDFETCH"])


def messages(session: Session, before: Folder, now: Folder, events: AbstractSet[Event]) -> bytes:
    """STATUS with what changed among the messages (§5.1 to §5.3); b"" if that is nothing to be told."""
    items: list[StatusItem] = []
    with_modseq = not session.enabled.isdisjoint(_KEEPS_MODSEQ)
    if Event.NEW in events and (before.uidnext, before.messages) != (now.uidnext, now.messages):
        items += [status.UIDNEXT, status.MESSAGES]
    if Event.FLAGS in events and before.highestmodseq != now.highestmodseq:
        if before.unseen != now.unseen:
            items.append(status.UNSEEN)
        if with_modseq:
            items.append(status.UIDVALIDITY)
    if items and with_modseq:
        items.append(status.HIGHESTMODSEQ)
    return status.response(session.wire_name(now.name), now, items, _FACTS) if items else b""


def first_status(session: Session, folder: Folder, events: AbstractSet[Event], *, anew: bool = False) -> bytes:
    """The STATUS that NOTIFY SET STATUS asks for (§3.1); b"" if no messages are watched there.

    `anew`: what was told of another mailbox of this name is void, UNSEEN as well.
    """
    if Event.NEW not in events:
        return b""
    items = [status.MESSAGES, status.UIDNEXT, status.UIDVALIDITY]
    if Event.FLAGS in events:
        items += [status.UNSEEN, status.HIGHESTMODSEQ] if anew else [status.HIGHESTMODSEQ]
    return status.response(session.wire_name(folder.name), folder, items, _FACTS)


def listed(session: Session, folder: Folder, *, oldname: str | None = None) -> bytes:
    """A mailbox as it is now (§5.4)."""
    old = None if oldname is None else session.wire_name(oldname)
    return _TELLER.line(folder, session.wire_name(folder.name), oldname=old)


def no_access(session: Session, folder: Folder) -> bytes:
    """A mailbox that may be listed and nothing more, so that nothing will be told of it (§3.1, §5.9)."""
    return b'* LIST (\\NoAccess) "/" %b\r\n' % session.wire_name(folder.name)


def metadata(name: bytes, entries: Iterable[str]) -> bytes:
    """Which annotations changed, without their values (§5.6, RFC 5464 §4.4.2)."""
    return b"* METADATA %b %b\r\n" % (name, b" ".join(astring(entry.encode("ascii")) for entry in entries))


def absent(name: str, *, subscribed: bool = False) -> Folder:
    """What is told of a name that no mailbox has any more."""
    return Folder(id=0, owner=0, name=name, exists=False, subscribed=subscribed)


def not_in(listing: Mapping[int, Folder], other: Mapping[int, Folder]) -> set[str]:
    """The names in a listing of mailboxes that are not in the other one; INBOX is always there (§5.4)."""
    return {folder.name for number, folder in listing.items() if number not in other} - {"INBOX"}


def affected(before: Mapping[int, Folder], now: Mapping[int, Folder], own: AbstractSet[str]) -> set[str]:
    """The names of mailboxes that are new or went, and of the levels right above them (§5.4).

    `own`: names that the client did something about itself; what it renamed took along what was below.
    """
    renamed = {folder.name: now[number].name for number, folder in before.items() if number in now}
    mine = {old: new for old, new in renamed.items() if old != new and not own.isdisjoint((old, new))}
    names = not_in(before, now) | not_in(now, before)
    names = (names | {carried(name, mine) for name in names}) - own
    return names | {name.rpartition("/")[0] for name in names if "/" in name}
