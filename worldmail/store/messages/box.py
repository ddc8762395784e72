"""A mailbox that a unit has locked, and what the unit counts for it."""

from __future__ import annotations

from attrs import define, field

from worldmail.errors import NoSuchMailbox
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.messages import Flag
from worldmail.store.quota import HAS_QUOTA, charge

# Changes nothing (and the embedded engine then writes nothing); on a server it locks the row. Mailboxes of closed
# accounts have names that begin with a control character: nothing may come into them.
_LOCK = (
    "UPDATE mailbox SET highestmodseq = highestmodseq WHERE id = ? AND name >= ' '"
    " RETURNING account_id, uidvalidity, uidnext, highestmodseq"
)
_COME = (
    "UPDATE mailbox SET uidnext = uidnext + ?, highestmodseq = highestmodseq + 1, messages = messages + ?,"
    " octets = octets + ? WHERE {} AND name >= ' '"
    f" RETURNING id, account_id, uidvalidity, uidnext, highestmodseq, {HAS_QUOTA}"
)
_COME_BY_ID, _COME_BY_NAME = _COME.format("id = ?"), _COME.format("account_id = ? AND name = ?")
_FLAGGED = "UPDATE mailbox SET seen = seen + ?, deleted = deleted + ?, deleted_octets = deleted_octets + ? WHERE id = ?"
_IN_ORDER = "SELECT id FROM mailbox WHERE id IN (?, ?) ORDER BY account_id, id"
_COUNT = (
    "UPDATE mailbox SET uidnext = ?, highestmodseq = ?, messages = messages + ?, octets = octets + ?, seen = seen + ?,"
    " deleted = deleted + ?, deleted_octets = deleted_octets + ? WHERE id = ?"
)
# Plain numbers: those of an enumeration take ten times as long to count with.
_SEEN, _DELETED = int(Flag.SEEN), int(Flag.DELETED)
_COUNTED = _SEEN | _DELETED


@define(kw_only=True)
class Box:
    """One mailbox within one unit.

    Args:
        highest: its MODSEQ before the unit.
    """

    id: int
    account_id: int
    uidvalidity: int
    uidnext: int
    highest: int
    messages: int = field(default=0, init=False)
    octets: int = field(default=0, init=False)
    seen: int = field(default=0, init=False)
    deleted: int = field(default=0, init=False)
    deleted_octets: int = field(default=0, init=False)

    @property
    def modseq(self) -> int:
        """The MODSEQ of what the unit does."""
        return self.highest + 1

    def reader(self, account_id: int | None) -> int | None:
        """This account, if its \\Seen is its own here."""
        return None if account_id == self.account_id else account_id

    def came(self, messages: int, octets: int) -> None:
        """Count messages that are new, or with negative numbers those that went; `flagged` counts their flags."""
        self.messages += messages
        self.octets += octets

    def flagged(self, before: int, after: int, messages: int, octets: int) -> None:
        """Count a change of flags of so many messages, which have so many octets."""
        if (before ^ after) & _COUNTED:
            self.seen += ((after & _SEEN) - (before & _SEEN)) * messages
            deleted = (after & _DELETED) // _DELETED - (before & _DELETED) // _DELETED
            self.deleted += deleted * messages
            self.deleted_octets += deleted * octets

    def keep(self, cursor: Cursor) -> None:
        """Write down that something was done, and tell of it."""
        counts = (self.messages, self.octets, self.seen, self.deleted, self.deleted_octets)
        cursor.run(_COUNT, (self.uidnext, self.modseq, *counts, self.id))
        cursor.notice("mailbox", self.id)

    def keep_flagged(self, cursor: Cursor) -> None:
        """`keep` for one whose new messages were counted by `come`."""
        counts = (self.seen, self.deleted, self.deleted_octets)
        if any(counts):
            cursor.run(_FLAGGED, (*counts, self.id))
        cursor.notice("mailbox", self.id)


def come(cursor: Cursor, mailbox: int | tuple[int, str], messages: int, octets: int) -> tuple[Box, bool]:
    """Lock a mailbox, given by its id or by owner and name, and count messages that come: all in one statement.

    The first of them gets the UID that the box has. True if a quota has to be looked at. Raises `NoSuchMailbox`.
    """
    if isinstance(mailbox, int):
        row = cursor.one(_COME_BY_ID, (messages, messages, octets, mailbox))
    else:
        row = cursor.one(_COME_BY_NAME, (messages, messages, octets, *mailbox))
    if row is None:
        raise NoSuchMailbox(reason=f"mailbox {mailbox} is gone")
    mailbox_id, account_id, uidvalidity, uidnext, highest, has_quota = row
    first, before = uidnext - messages, highest - 1
    box = Box(id=mailbox_id, account_id=account_id, uidvalidity=uidvalidity, uidnext=first, highest=before)
    return box, has_quota is not None


def lock(cursor: Cursor, mailbox_id: int) -> Box:
    """Raises `NoSuchMailbox`."""
    row = cursor.one(_LOCK, (mailbox_id,))
    if row is None:
        raise NoSuchMailbox(reason=f"mailbox {mailbox_id} is gone")
    account_id, uidvalidity, uidnext, highest = row
    return Box(id=mailbox_id, account_id=account_id, uidvalidity=uidvalidity, uidnext=uidnext, highest=highest)


def lock_two(cursor: Cursor, source_id: int, target_id: int) -> tuple[Box, Box]:
    """Both, in the order that everyone keeps; one and the same object if they are the same. Raises `NoSuchMailbox`."""
    if source_id == target_id:
        box = lock(cursor, source_id)
        return box, box
    boxes = {number: lock(cursor, number) for (number,) in cursor.all(_IN_ORDER, (source_id, target_id))}
    if len(boxes) < 2:
        raise NoSuchMailbox(reason=f"mailbox {source_id} or {target_id} is gone")
    return boxes[source_id], boxes[target_id]


def keep_all(cursor: Cursor, *boxes: Box) -> None:
    """`Box.keep` for each of them, and the quotas of their accounts (RFC 9208 §3). Raises `OverQuota`."""
    octets: dict[int, int] = {}
    for box in {box.id: box for box in boxes}.values():
        box.keep(cursor)
        octets[box.account_id] = octets.get(box.account_id, 0) + box.octets
    charge(cursor, octets)
