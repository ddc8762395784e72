"""Names that the store writes in another way than the client: it is told which (RFC 9051 §5.1, §6.3.9.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from worldmail.interfaces.folders import Folder
from worldmail.protocols.imap.grammar.names import read_name, write_name
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.listing.responses import Teller
from worldmail.protocols.imap.replies import astring

if TYPE_CHECKING:
    from worldmail.protocols.imap.session import Session


@frozen
class Named:
    """A mailbox name, and the octets that the client wrote."""

    name: str
    given: bytes


def read_named(reader: Reader) -> Named:
    """A mailbox name. Raises `BadCommand`, `BadName`."""
    given = reader.astring()
    return Named(read_name(given, utf8=reader.utf8), given)


def tell(session: Session, named: Named, folder: Folder) -> tuple[bytes, ...]:
    """A LIST response with OLDNAME, if the mailbox goes under another name than the client gave.

    Only IMAP4rev2 makes clients know extended LIST responses without having asked for one.
    """
    if "IMAP4REV2" not in session.enabled or not _differs(named, folder):
        return ()
    return (listed(session, named, folder),)


def listed(session: Session, named: Named, folder: Folder) -> bytes:
    """A LIST response, with OLDNAME if the mailbox goes under another name than the client gave."""
    oldname = astring(named.given, utf8=True) if _differs(named, folder) else None
    return Teller().line(folder, session.wire_name(folder.name), oldname=oldname)


def _differs(named: Named, folder: Folder) -> bool:
    return named.given.upper() != b"INBOX" and write_name(folder.name, utf8=True) != named.given
