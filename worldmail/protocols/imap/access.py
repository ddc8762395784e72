"""Mailboxes that a verb works with: there, and with the rights that it needs (RFC 4314 §4, §6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worldmail.errors import NoRight, NoSuchMailbox
from worldmail.interfaces.folders import Folder

if TYPE_CHECKING:
    from worldmail.protocols.imap.session import Session


async def existing(session: Session, name: str, *, any_of: str, keywords: bool = False) -> Folder:
    """The mailbox of this name, if the account has any of these rights there; `keywords` as `IFolders.folder` has it.

    Raises: `NoSuchMailbox`; `NoRight` if it has none of them and may know that the mailbox is there.
    """
    folder: Folder | None = await session.world.folders.folder(session.user, name, keywords=keywords)
    if folder is None or not folder.exists:
        raise NoSuchMailbox
    if any(right in folder.rights for right in any_of):
        return folder
    raise NoRight if "l" in folder.rights else NoSuchMailbox
