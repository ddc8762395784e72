"""APPEND: the unit that adds messages which came over no transport."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field

from worldmail.errors import MessageGone
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.messages import Alike, Appended, Appending
from worldmail.store.content import keep_content
from worldmail.store.messages.box import Box, keep_all, lock, lock_two
from worldmail.store.messages.keywords import joined, spelled
from worldmail.store.messages.looks import BARE, write_own
from worldmail.store.messages.marks import add_mark, write_marks
from worldmail.store.messages.removing import take

_ADD = (
    "INSERT INTO message (mailbox_id, uid, content_id, arrived, size, received, saved, acceptance, prefix)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, NULL, ?)"
)


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
        marks: list[Alike] = []
        for number, message in enumerate(self.messages):
            self._add(cursor, target, message, contents[number])
            self._mark(cursor, target, message, marks)
            target.uidnext += 1
        write_marks(cursor, target.id, marks)
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
        box.came(1, size)

    def _mark(self, cursor: Cursor, box: Box, message: Appending, marks: list[Alike]) -> None:
        uid, reader = box.uidnext, box.reader(message.reader)
        keywords = joined(spelled(cursor, box.id, message.keywords, add=True))
        look = BARE.showing(int(message.flags), keywords, reader)
        if look.own:
            write_own(cursor, box.id, reader, [(uid, uid)])
        if look.flags or look.keywords:
            add_mark(marks, Alike(uid, uid, look.flags, look.keywords, box.modseq))
        box.flagged(0, look.flags, 1, message.content.size)
