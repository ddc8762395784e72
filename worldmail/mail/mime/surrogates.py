"""Whole messages without octets above 127 in any header, for clients that did not ask for UTF-8 (RFC 6855 §7).

What replaces what is told in patches: a large message need not be in memory to be sent. Where nobody wants to know
before how long it becomes, `SurrogateStream` makes it while it goes by. Headers of parts, and of the
messages in message/rfc822 and message/global, are written anew as the message's own is (RFC 6857 §4.1), and so are the
recipients in delivery status notifications (§4.2). Bodies stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from attrs import define, field, frozen

from worldmail.mail.line_ends import with_line_ends
from worldmail.mail.mime.content import ContentType
from worldmail.mail.mime.fields import Octets, header_end
from worldmail.mail.mime.part import Part
from worldmail.mail.mime.scan import scan
from worldmail.mail.mime.streaming import Entity, EntityStream, Event, Kind
from worldmail.mail.surrogate import MOST_OCTETS, TOO_MUCH, surrogate_header

MOST_OF_MESSAGE = 2 * MOST_OCTETS
"""Octets of headers that are written anew. In those that follow, each octet above 127 becomes "?"."""

_NOTIFICATIONS = frozenset((b"delivery-status", b"global-delivery-status"))
_RECIPIENT = re.compile(
    rb"^(?:Original|Final)-Recipient[ \t]*:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*", re.IGNORECASE | re.MULTILINE
)
_LONGEST_NOTIFICATION = 1 << 20


@frozen
class Patch:
    """Octets that stand in the place of a message's from `start` to `end`."""

    start: int
    end: int
    octets: bytes


Patches = Sequence[Patch]
"""In the order of the message; they do not overlap."""


def surrogate_message(data: bytes) -> bytes:
    """The message with ASCII headers: itself, if it has them."""
    if data.isascii():
        return data
    found = patches_of(data, scan(data))
    return patched(data, found) if found else data


def with_surrogate_header(data: bytes) -> bytes:
    """The message with its own header in ASCII, whatever is below it: itself, if that is so."""
    patch = header_patch(data[: header_end(data, 0, len(data))])
    return data if patch is None else patched(data, (patch,))


def patches_of(data: Octets, root: Part) -> Patches:
    """What makes the headers of a message ASCII.

    Args:
        root: the tree of `data`.
    """
    found: list[Patch] = []
    left = MOST_OF_MESSAGE
    waiting = [root]
    while waiting:
        part = waiting.pop()
        waiting += reversed(part.children)
        header = header_patch(data[part.start : part.body], part.start, most=max(0, min(left, MOST_OCTETS)))
        made = [] if header is None else [header]
        if _is_notification(part.content):
            body = data[part.body : min(part.end, part.body + _LONGEST_NOTIFICATION)]
            made += _recipients(body, part.body, left)
        left -= sum(patch.end - patch.start for patch in made)
        found += made
    return found


def header_patch(header: bytes, start: int = 0, *, most: int = MOST_OCTETS) -> Patch | None:
    """The same for one header that begins there; None if it is ASCII."""
    if header.isascii():
        return None
    return Patch(start, start + len(header), surrogate_header(with_line_ends(header), most))


def _is_notification(content: ContentType) -> bool:
    return content.subtype.lower() in _NOTIFICATIONS and content.type.lower() == b"message"


def _recipients(body: bytes, start: int, left: int) -> Iterator[Patch]:
    """Typed addresses in the body of a notification, which begins there (RFC 6857 §4.2)."""
    for match in () if body.isascii() else _RECIPIENT.finditer(body):
        if not match[0].isascii():
            octets = surrogate_header(match[0], max(0, left))
            left -= len(match[0])
            yield Patch(start + match.start(), start + match.end(), octets)


def patched(data: Octets, patches: Patches) -> bytes:
    """All of the message."""
    pieces: list[bytes] = []
    at = 0
    for patch in patches:
        pieces += data[at : patch.start], patch.octets
        at = patch.end
    return b"".join((*pieces, data[at : len(data)]))


def grown(patches: Patches) -> int:
    """By how many octets the message becomes longer; below 0 if it becomes shorter."""
    return sum(len(patch.octets) - (patch.end - patch.start) for patch in patches)


def pieces_between(patches: Patches, start: int, end: int) -> Iterator[bytes | tuple[int, int]]:
    """What the patched message has from `start` to `end`: octets, or from where to where in the message as it is."""
    at = behind = 0  # in the message as it is, and in the patched one
    for patch in patches:
        if behind >= end:
            return
        unchanged = behind + patch.start - at
        if max(start, behind) < min(end, unchanged):
            yield at + max(start - behind, 0), at + min(end, unchanged) - behind
        behind = unchanged + len(patch.octets)
        if max(start, unchanged) < min(end, behind):
            yield patch.octets[max(start - unchanged, 0) : end - unchanged]
        at = patch.end
    if max(start, behind) < end:
        yield at + max(start - behind, 0), at + end - behind


@define
class SurrogateStream:
    """The same of a message that comes in chunks: what `surrogate_message` makes of all of it.

    Memory is bounded by one header, or the body of one notification. Where a header is too long to be kept, each octet
    above 127 becomes "?" from there on.
    """

    _entities: EntityStream = field(factory=lambda: EntityStream(into_global=True), init=False)
    _left: int = field(default=MOST_OF_MESSAGE, init=False)
    _spent: int = field(default=0, init=False)  # of the entity whose body comes
    _known: int = field(default=-1, init=False)  # its number
    _notification: bytearray | None = field(default=None, init=False)

    def feed(self, octets: bytes) -> bytes:
        """The next octets; what is certain by now."""
        return b"".join(self._passed(self._entities.feed(octets)))

    def finish(self) -> bytes:
        """What was held back."""
        return b"".join((*self._passed(self._entities.finish()), *self._notified()))

    def _passed(self, events: Iterable[Event]) -> Iterator[bytes]:
        for kind, entity, octets in events:
            if kind is Kind.BODY and self._notification is not None:
                yield from self._gathered(self._notification, octets)
                continue
            yield from self._notified()
            if kind is Kind.HEADER:
                yield self._header(entity, octets)
            else:
                yield octets if entity.number <= self._known else octets.translate(TOO_MUCH)

    def _header(self, entity: Entity, octets: bytes) -> bytes:
        self._left, self._known = self._left - self._spent, entity.number
        patch = header_patch(octets, most=max(0, min(self._left, MOST_OCTETS)))
        self._spent = 0 if patch is None else len(octets)
        self._notification = bytearray() if _is_notification(entity.content) else None
        return octets if patch is None else patch.octets

    def _gathered(self, kept: bytearray, octets: bytes) -> Iterator[bytes]:
        room = _LONGEST_NOTIFICATION - len(kept)
        kept += octets[:room]
        if len(octets) > room:
            yield from self._notified()
            yield octets[room:]

    def _notified(self) -> Iterator[bytes]:
        """The body of a notification, all of it that is looked at."""
        if self._notification is not None:
            body, self._notification = bytes(self._notification), None
            found = list(_recipients(body, 0, self._left))
            self._spent += sum(patch.end - patch.start for patch in found)
            yield patched(body, found)
