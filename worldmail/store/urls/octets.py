"""The octets of a section, wherever the message is, as FETCH BODY[section]<partial> would give them.

What lies in the message's own header, or begins or ends with it, is found in its beginning. For the parts of a large
message all of it is read once, to find them, by one caller at a time, and where they are is remembered: messages never
change. Their octets are then read as they are asked for, a chunk at a time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator

from attrs import define, field
from twisted.internet.defer import DeferredLock

from worldmail.errors import MessageGone, UrlNotResolved
from worldmail.interfaces.messages import IMessages
from worldmail.interfaces.urls import AS_IT_IS, UrlForm, UrlOctets
from worldmail.interfaces.world import Aside
from worldmail.mail.mime.fields import MAXIMUM_HEADER, header_end
from worldmail.mail.mime.given import Text, of_message
from worldmail.mail.mime.part import Part
from worldmail.mail.mime.scan import scan
from worldmail.mail.mime.sections import Found, Kind, Section, chosen_fields, find_part, find_section, numbered
from worldmail.mail.transfer_encoding import says_binary
from worldmail.store.urls.parts import formed

CHUNK = 256 * 1024

REMEMBERED, MOST_PARTS = 8, 1000
"""Messages whose parts are remembered, and how many parts each of them may have."""

Partial = tuple[int, int | None] | None
_CHOSEN = frozenset((Kind.HEADER_FIELDS, Kind.HEADER_FIELDS_NOT))


@define(eq=False)
class Finder:
    """Finds octets by mailbox, UID and section.

    Args:
        aside: for the search in a large message.
    """

    _messages: IMessages
    _aside: Aside
    _trees: OrderedDict[tuple[int, int], Part] = field(factory=OrderedDict, init=False)
    _one_at_a_time: DeferredLock = field(factory=DeferredLock, init=False)

    async def find(
        self, mailbox_id: int, uid: int, section: Section, partial: Partial, form: UrlForm = AS_IT_IS
    ) -> UrlOctets:
        """Raises: `UrlNotResolved` if there is no such message, or no such section in it."""
        if section.kind is not Kind.WHOLE:
            if form.described:
                raise UrlNotResolved
            form = AS_IT_IS
        found = await self._messages.octets(mailbox_id, ((uid, uid),))
        if not found:
            raise UrlNotResolved
        ((_, size, octets, is_binary),) = found
        if octets is not None:
            return await _in_memory(Text(octets, is_binary), section, partial, form)
        return await _Large(self._messages, mailbox_id, uid, size, is_binary).find(self, section, partial, form)

    async def tree(self, message: _Large) -> tuple[Part, int]:
        """The parts of a large message, and how many octets were looked through for them."""
        key = (message.mailbox_id, message.uid)
        await self._one_at_a_time.acquire()
        try:
            if key in self._trees:
                self._trees.move_to_end(key)
                return self._trees[key], 0
            octets = await message.whole()
            root: Part = await self._aside(lambda: scan(octets))
        finally:
            self._one_at_a_time.release()
        if len(numbered(root)) <= MOST_PARTS:
            self._trees[key] = root
            if len(self._trees) > REMEMBERED:
                self._trees.popitem(last=False)
        return root, message.size


@define
class _Large:
    """A message that is not in the database."""

    messages: IMessages
    mailbox_id: int
    uid: int
    size: int
    is_binary: bool

    async def find(self, finder: Finder, section: Section, partial: Partial, form: UrlForm) -> UrlOctets:
        head = await self.beginning()
        body = header_end(head, 0, len(head))
        if self.is_binary or says_binary(head[:body]):
            whole = b"".join([chunk async for chunk in self.read(0)])  # the size is that of another form of it
            return await _in_memory(Text(whole), section, partial, form)
        if form != AS_IT_IS:
            root, _ = await finder.tree(self)
            return await formed(self.read, _part(root, section), partial, form, whole=not section.path)
        if not section.path and section.kind is not Kind.MIME:
            return self.octets(of_message(head, body, self.size, section), partial, body)
        root, cost = await finder.tree(self)
        chosen = section.kind in _CHOSEN
        found = find_section(b"", root, Section(section.path, Kind.HEADER) if chosen else section)
        if found is None:
            raise UrlNotResolved
        if chosen:
            header = b"".join([chunk async for chunk in self.read(found.start, found.end)])
            found = Found(chosen_fields(header, section))
            cost += len(header)
        return self.octets(found, partial, cost)

    def octets(self, found: Found, partial: Partial, cost: int) -> UrlOctets:
        found = _cut(found, partial)
        return UrlOctets(size=found.size, read=lambda: self._given(found), cost=cost)

    async def whole(self) -> bytes:
        return b"".join([chunk async for chunk in self.read(0, self.size)])

    async def beginning(self) -> bytes:
        """The header, and what came with it."""
        head = b""
        async for chunk in self.read(0, min(self.size, MAXIMUM_HEADER)):
            head += chunk
            if header_end(head, 0, len(head)) < len(head):
                break
        return head

    async def read(self, start: int, end: int | None = None) -> AsyncIterator[bytes]:
        length = None if end is None else end - start
        try:
            async for chunk in self.messages.read(self.mailbox_id, self.uid, start, length):
                yield chunk
        except MessageGone as error:
            raise UrlNotResolved(reason=error.reason) from None

    async def _given(self, found: Found) -> AsyncIterator[bytes]:
        if found.made:
            yield found.made.replace(b"\0", b"\x80")
        if found.start < found.end:
            async for chunk in self.read(found.start, found.end):
                yield chunk.replace(b"\0", b"\x80")


async def _in_memory(text: Text, section: Section, partial: Partial, form: UrlForm) -> UrlOctets:
    if form != AS_IT_IS:
        data, root = (text.raw, text.raw_root) if form.decoded else (text.octets, text.root)

        def piece(start: int, end: int) -> AsyncIterator[bytes]:
            return _pieces(data[start:end])

        return await formed(piece, _part(root, section), partial, form, whole=not section.path)
    whole = text.found(section)
    if whole is None:
        raise UrlNotResolved
    found = _cut(whole, partial)
    given = found.octets(text.octets).replace(b"\0", b"\x80")
    return UrlOctets(size=len(given), read=lambda: _pieces(given), cost=len(text.raw))


async def _pieces(octets: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(octets), CHUNK):
        yield octets[start : start + CHUNK]


def _part(root: Part, section: Section) -> Part:
    part = find_part(root, section.path)
    if part is None:
        raise UrlNotResolved
    return part


def _cut(found: Found, partial: Partial) -> Found:
    if partial is None:
        return found
    origin, count = partial
    return found.partial(origin, found.size if count is None else count)
