"""What STATUS can tell of a mailbox: one row an item (RFC 9051 §6.3.11 and extensions)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from attrs import field, frozen

from worldmail.interfaces.folders import Folder
from worldmail.protocols.imap.condstore import enable_condstore
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.replies import BadCommand
from worldmail.protocols.imap.targets import selected_of

if TYPE_CHECKING:
    from worldmail.protocols.imap.session import Session


@frozen(kw_only=True)
class Facts:
    """What an answer needs beside the folder.

    Args:
        recent: how many messages are \\Recent, by mailbox id; 0 for those left out.
        append_limit: octets that a message may have (RFC 7889 §5).
    """

    recent: Mapping[int, int] = field(factory=dict)
    append_limit: int = 0


@frozen(kw_only=True)
class StatusItem:
    """One item.

    Args:
        name: in capitals.
        write: item and value, as the response has them.
        condstore: asking for it enables CONDSTORE (RFC 7162 §3.1).
    """

    name: bytes
    write: Callable[[Folder, Facts], bytes]
    rfc: str
    condstore: bool = False


MESSAGES = StatusItem(name=b"MESSAGES", write=lambda told, _: b"MESSAGES %d" % told.messages, rfc="RFC 9051 §6.3.11")
RECENT = StatusItem(
    name=b"RECENT", write=lambda told, facts: b"RECENT %d" % facts.recent.get(told.id, 0), rfc="RFC 3501 §6.3.10"
)
UIDNEXT = StatusItem(name=b"UIDNEXT", write=lambda told, _: b"UIDNEXT %d" % told.uidnext, rfc="RFC 9051 §6.3.11")
UIDVALIDITY = StatusItem(
    name=b"UIDVALIDITY", write=lambda told, _: b"UIDVALIDITY %d" % told.uidvalidity, rfc="RFC 9051 §6.3.11"
)
UNSEEN = StatusItem(name=b"UNSEEN", write=lambda told, _: b"UNSEEN %d" % told.unseen, rfc="RFC 9051 §6.3.11")
DELETED = StatusItem(name=b"DELETED", write=lambda told, _: b"DELETED %d" % told.deleted, rfc="RFC 9051 §6.3.11")
DELETED_STORAGE = StatusItem(
    name=b"DELETED-STORAGE",
    write=lambda told, _: b"DELETED-STORAGE %d" % told.deleted_octets,
    rfc="RFC 9208 §4.1.4",
)
SIZE = StatusItem(name=b"SIZE", write=lambda told, _: b"SIZE %d" % told.octets, rfc="RFC 8438 §2")
HIGHESTMODSEQ = StatusItem(
    name=b"HIGHESTMODSEQ",
    write=lambda told, _: b"HIGHESTMODSEQ %d" % told.highestmodseq,
    rfc="RFC 7162 §3.1.7",
    condstore=True,
)
MAILBOXID = StatusItem(name=b"MAILBOXID", write=lambda told, _: b"MAILBOXID (F%d)" % told.id, rfc="RFC 8474 §4.3")
APPENDLIMIT = StatusItem(
    name=b"APPENDLIMIT", write=lambda _, facts: b"APPENDLIMIT %d" % facts.append_limit, rfc="RFC 7889 §5"
)

ITEMS = (
    MESSAGES,
    RECENT,
    UIDNEXT,
    UIDVALIDITY,
    UNSEEN,
    DELETED,
    DELETED_STORAGE,
    SIZE,
    HIGHESTMODSEQ,
    MAILBOXID,
    APPENDLIMIT,
)
_BY_NAME = {item.name: item for item in ITEMS}

Items = Sequence[StatusItem]


def read_items(reader: Reader) -> Items:
    """The items of a command, in parentheses, each once."""

    def read() -> StatusItem:
        item = _BY_NAME.get(reader.word())
        if item is None:
            raise BadCommand("There is no such status item")
        return item

    items = tuple(dict.fromkeys(reader.parenthesised(read)))
    if not items:
        raise BadCommand("A status item is expected")
    return items


def response(wire_name: bytes, folder: Folder, items: Items, facts: Facts) -> bytes:
    """A STATUS response (RFC 9051 §7.3.4)."""
    return b"* STATUS %b (%b)\r\n" % (wire_name, b" ".join([item.write(folder, facts) for item in items]))


def enable_for(session: Session, items: Items) -> tuple[bytes, ...]:
    """What asking for these items enables, and what is told then."""
    if not any(item.condstore for item in items):
        return ()
    return enable_condstore(session, None if session.selected is None else selected_of(session))


async def facts_for(session: Session, folders: Iterable[Folder], items: Items) -> Facts:
    """What these items need beside these folders."""
    recent = {}
    if RECENT in items and "IMAP4REV2" not in session.enabled:
        for folder in folders:
            first = session.site.recents.from_uid(folder.id, folder.recent)
            if first < folder.uidnext:
                recent[folder.id] = await _recent(session, folder, first)
    return Facts(recent=recent, append_limit=session.append_limit)


async def _recent(session: Session, folder: Folder, first: int) -> int:
    existing = await session.world.messages.existing(folder.id, ((first, folder.uidnext - 1),))
    return sum(last - first + 1 for first, last in existing)
