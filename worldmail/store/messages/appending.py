"""APPEND: the unit that adds messages which came over no transport."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field

from worldmail.errors import MessageGone
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.messages import Appended, Appending
from worldmail.store.content import keep_content
from worldmail.store.messages.box import Box, keep_all, lock, lock_two
from worldmail.store.messages.keywords import joined, spelled
from worldmail.store.messages.removing import take
from worldmail.store.messages.states import SEEN

_ADD = (
    "INSERT INTO message (mailbox_id, uid, content_id, arrived, size, received, saved, acceptance, prefix)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, NULL, ?)"
)
_MARK = "INSERT INTO mark (mailbox_id, uid, flags, modseq, keywords) VALUES (?, ?, ?, ?, ?)"
_READ = "INSERT INTO seen (account_id, mailbox_id, uid) VALUES (?, ?, ?)"


@define(kw_only=True)
class Append:
    """A unit: add these messages, all or none, and remove the one that they replace.

    Args:
        replaced: its mailbox and UID (RFC 8508).
        unused: places of content that was there before, once the unit has run.
    """

    mailbox_id: int
    messages: Sequence[Appending]
    now: int
    replaced: tuple[int, int] | None = None
    unused: list[str] = field(factory=list)

    def __call__(self, cursor: Cursor) -> Appended:
        self.unused.clear()
        # In an order that all keep who add the same octets at the same time.
        in_order = sorted(range(len(self.messages)), key=lambda number: self.messages[number].content.digest)
        contents = {number: self._content(cursor, self.messages[number]) for number in in_order}
        if self.replaced is None:
            source = target = lock(cursor, self.mailbox_id)
        else:
            source, target = lock_two(cursor, self.replaced[0], self.mailbox_id)
            uid = self.replaced[1]
            if not take(cursor, source, [(uid, uid)], self.now):  # before the new one comes, which may get this UID
                raise MessageGone(reason=f"message {uid} of mailbox {source.id}")
        first = target.uidnext
        for number, message in enumerate(self.messages):
            self._add(cursor, target, message, contents[number])
        keep_all(cursor, source, target)
        return Appended(uidvalidity=target.uidvalidity, uids=[(first, target.uidnext - 1)] if self.messages else [])

    def _content(self, cursor: Cursor, message: Appending) -> int:
        content_id, place = keep_content(cursor, message.content)
        if message.content.place not in (None, place):
            assert message.content.place is not None
            self.unused.append(message.content.place)
        return content_id

    def _add(self, cursor: Cursor, box: Box, message: Appending, content_id: int) -> None:
        uid, size = box.uidnext, message.content.size
        received = self.now if message.received is None else message.received
        cursor.run(_ADD, (box.id, uid, content_id, box.modseq, size, received, self.now, b""))
        keywords = joined(spelled(cursor, box.id, message.keywords, add=True))
        flags, reader = int(message.flags), box.reader(message.reader)
        if reader is not None and flags & SEEN:
            cursor.run(_READ, (reader, box.id, uid))
            flags &= ~SEEN
        if flags or keywords:
            cursor.run(_MARK, (box.id, uid, flags, box.modseq, keywords))
        box.came(size, flags)
        box.uidnext += 1
