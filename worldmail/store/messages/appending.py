"""APPEND: the unit that adds messages which came over no transport."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field

from worldmail.errors import MessageGone
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.messages import Alike, Appended, Appending
from worldmail.store.content import keep_content
from worldmail.store.messages.box import Box, come, keep_all, lock_two
from worldmail.store.messages.keywords import joined, spelled
from worldmail.store.messages.looks import BARE, write_own
from worldmail.store.messages.marks import add_mark, write_marks
from worldmail.store.messages.removing import take
from worldmail.store.quota import charge

_ADD = (
    "INSERT INTO message (mailbox_id, uid, content_id, arrived, size, received, saved, acceptance, prefix)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, NULL, ?)"
)


@define(kw_only=True)
class Append:
    """A unit: add these messages, all or none.

    Args:
        mailbox: its id, or its owner and its name.
        unused: places of content that was there before, once the unit has run.
    """

    mailbox: int | tuple[int, str]
    messages: Sequence[Appending]
    now: int
    unused: list[str] = field(factory=list)

    def __call__(self, cursor: Cursor) -> Appended:
        contents = self._contents(cursor)
        octets = self.octets()
        box, has_quota = come(cursor, self.mailbox, len(self.messages), octets)
        appended = self._add(cursor, box, contents)
        box.keep_flagged(cursor)
        if has_quota:
            charge(cursor, {box.account_id: octets})
        return appended

    def octets(self) -> int:
        """Of all messages."""
        return sum([message.content.told for message in self.messages])

    def _contents(self, cursor: Cursor) -> list[int]:
        """The id of each message's content."""
        self.unused.clear()
        messages = self.messages
        if len(messages) == 1:
            return [self._content(cursor, messages[0])]
        # In an order that all keep who add the same octets at the same time.
        in_order = sorted(range(len(messages)), key=lambda number: messages[number].content.digest)
        contents = {number: self._content(cursor, messages[number]) for number in in_order}
        return [contents[number] for number in range(len(messages))]

    def _content(self, cursor: Cursor, message: Appending) -> int:
        content_id, place = keep_content(cursor, message.content)
        if message.content.place not in (None, place):
            assert message.content.place is not None
            self.unused.append(message.content.place)
        return content_id

    def _add(self, cursor: Cursor, box: Box, contents: Sequence[int]) -> Appended:
        """Rows with the UIDs from the one that the box has on; their flags are counted in the box."""
        uid, first, now, modseq = box.uidnext, box.uidnext, self.now, box.modseq
        marks: list[Alike] = []
        for message, content_id in zip(self.messages, contents, strict=True):
            received = now if message.received is None else message.received
            cursor.run(_ADD, (box.id, uid, content_id, modseq, message.content.told, received, now, b""))
            if message.flags or message.keywords:
                self._mark(cursor, box, uid, message, marks)
            uid += 1
        if marks:
            write_marks(cursor, box.id, marks)
        box.uidnext = uid
        uids = [(first, uid - 1)] if uid > first else []
        return Appended(mailbox_id=box.id, uidvalidity=box.uidvalidity, uids=uids)

    def _mark(self, cursor: Cursor, box: Box, uid: int, message: Appending, marks: list[Alike]) -> None:
        reader = box.reader(message.reader)
        keywords = joined(spelled(cursor, box.id, message.keywords, add=True))
        look = BARE.showing(int(message.flags), keywords, reader)
        if look.own:
            write_own(cursor, box.id, reader, [(uid, uid)])
        if look.flags or look.keywords:
            add_mark(marks, Alike(uid, uid, look.flags, look.keywords, box.modseq))
        box.flagged(0, look.flags, 1, message.content.told)


@define(kw_only=True)
class Replace(Append):
    """A unit: add a message, and remove the one that it replaces (RFC 8508).

    Args:
        mailbox: its id.
        replaced: the other's mailbox and UID.
    """

    mailbox: int
    replaced: tuple[int, int]

    def __call__(self, cursor: Cursor) -> Appended:
        contents = self._contents(cursor)
        source, target = lock_two(cursor, self.replaced[0], self.mailbox)
        uid = self.replaced[1]
        if not take(cursor, source, [(uid, uid)], self.now):  # before the new one comes, which may get this UID
            raise MessageGone(reason=f"message {uid} of mailbox {source.id}")
        appended = self._add(cursor, target, contents)
        target.came(len(contents), self.octets())
        keep_all(cursor, source, target)
        return appended
