"""Whole messages without octets above 127 in any header, for clients that did not ask for UTF-8 (RFC 6855 §7).

What replaces what is told in patches: a large message need not be in memory to be sent. Headers of parts, and of the
messages in message/rfc822 and message/global, are written anew as the message's own is (RFC 6857 §4.1), and so are the
recipients in delivery status notifications (§4.2). Bodies stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from attrs import frozen

from worldmail.mail.line_ends import with_line_ends
from worldmail.mail.mime.fields import Octets, header_end
from worldmail.mail.mime.part import Part
from worldmail.mail.mime.scan import scan
from worldmail.mail.surrogate import MOST_OCTETS, surrogate_header

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
        if part.content.subtype.lower() in _NOTIFICATIONS and part.content.type.lower() == b"message":
            made += _recipients(data, part, left)
        left -= sum(patch.end - patch.start for patch in made)
        found += made
    return found


def header_patch(header: bytes, start: int = 0, *, most: int = MOST_OCTETS) -> Patch | None:
    """The same for one header that begins there; None if it is ASCII."""
    if header.isascii():
        return None
    return Patch(start, start + len(header), surrogate_header(with_line_ends(header), most))


def _recipients(data: Octets, part: Part, left: int) -> Iterator[Patch]:
    """Typed addresses in the body of a notification (RFC 6857 §4.2)."""
    body = data[part.body : min(part.end, part.body + _LONGEST_NOTIFICATION)]
    for match in () if body.isascii() else _RECIPIENT.finditer(body):
        if not match[0].isascii():
            octets = surrogate_header(match[0], max(0, left))
            left -= len(match[0])
            yield Patch(part.body + match.start(), part.body + match.end(), octets)


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
