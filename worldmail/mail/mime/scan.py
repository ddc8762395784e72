"""The parts of a message by their offsets (RFC 2046 §5.1).

A single pass: the next line that begins with an open boundary is looked for with `find`, and what lies between is
never looked at. A boundary is compared with the beginning of a line; the longest that fits counts, of equal ones the
innermost, so that neither a boundary that begins like another nor one used twice cuts wrongly. Each octet is searched
once for each boundary that is open there, `MAXIMUM_DEPTH` times at most.
"""

from __future__ import annotations

from attrs import define, field

from worldmail.mail.mime.content import MESSAGE, OCTET_STREAM, TEXT_PLAIN, ContentType, content_type
from worldmail.mail.mime.fields import MAXIMUM_HEADER, Fields, Octets, header_end, read_fields
from worldmail.mail.mime.part import Part

MAXIMUM_DEPTH = 100
"""Parts that lie deeper are shown as octets."""

MAXIMUM_PARTS = 10_000
"""When there are as many, the last one reaches to the end of the message."""

MAXIMUM_HEADERS = 2 << 20
"""Octets of all headers that are looked at; further parts are shown without fields."""

_PIECE = 1 << 16


def scan(data: Octets) -> Part:
    """The tree of a whole message. Its root is the message itself, from the first octet to the last."""
    size = len(data)
    body = header_end(data, 0, size)
    fields = read_fields(data, 0, body)
    content = content_type(fields.get(b"content-type"))
    part = Part(0, body, size, fields, content)
    if content.is_multipart or content.is_message:
        _Scanner(data, part).run()
    elif content.is_text:
        part.lines = _count_lines(data, body, size)
    return part


def _count_lines(data: Octets, start: int, end: int) -> int:
    if isinstance(data, bytes):
        return data.count(b"\n", start, end)
    return sum(data[at : min(at + _PIECE, end)].count(b"\n") for at in range(start, end, _PIECE))


def _begins(data: Octets, line: bytes, at: int) -> bool:
    return at >= 0 and data[at : at + len(line)] == line


@define(eq=False)
class _Boundary:
    """A boundary that is open.

    Attributes:
        line: a line end, "--" and the boundary.
        owner: how many parts lie above its multipart in the stack.
        at: where the next one is, as far as known; the offset of its line end.
        clear: none begins in front of this offset, but for the one at `at`.
    """

    line: bytes
    owner: int
    clear: int
    at: int = -1


@define(eq=False)
class _Scanner:
    """Fills the tree below a root that has parts."""

    data: Octets
    root: Part
    open: list[Part] = field(factory=list)
    boundaries: list[_Boundary] = field(factory=list)
    count: int = 1
    header_octets: int = 0
    # Line ends in front of an offset, and that offset: for the messages in messages, counted once however they nest.
    lines: int = 0
    counted: int = 0

    def run(self) -> None:
        self._entered(self.root)
        position = max(self.root.body - 1, 0)
        while self.boundaries and self.count < MAXIMUM_PARTS:
            at, level = self._next(position)
            if at < 0:
                break
            boundary = self.boundaries[level]
            self._leave(boundary.owner + 1, self._end_before(at))
            del self.boundaries[level + 1 :]
            behind = at + len(boundary.line)
            feed = self.data.find(b"\n", behind)
            if self.data[behind : behind + 2] == b"--":
                self.boundaries.pop()
                position = feed
            elif feed >= 0:
                position = self._enter(feed + 1)
            if feed < 0:
                break
        self._leave(0, len(self.data))

    def _next(self, position: int) -> tuple[int, int]:
        """Offset of the next line end in front of a boundary, and which one it is; -1 if there is none."""
        best, best_level, length, bound = -1, -1, 0, len(self.data)
        for level, boundary in enumerate(self.boundaries):
            if boundary.at < position:
                start = max(position, boundary.clear)
                if start > bound:
                    continue
                stop = min(len(self.data), bound + len(boundary.line))
                boundary.at = self.data.find(boundary.line, start, stop)
                boundary.clear = max(start, stop - len(boundary.line) + 1) if boundary.at < 0 else boundary.at + 1
            at = boundary.at
            if at >= 0 and (best < 0 or at < best or (at == best and len(boundary.line) >= length)):
                best, best_level, length, bound = at, level, len(boundary.line), at
        return best, best_level

    def _end_before(self, at: int) -> int:
        """Where what is in front of a boundary ends that has its line end there: it is the boundary's (§5.1.1)."""
        if at < 0:
            return len(self.data)
        return at - 1 if self.data[at - 1 : at] == b"\r" else at

    def _enter(self, start: int) -> int:
        """A body part begins, and the message in it; from where to look for the next boundary."""
        parent = self.open[-1]
        default = MESSAGE if parent.content.subtype.lower() == b"digest" else TEXT_PLAIN  # RFC 2046 §5.1.5
        at, _ = self._next(start - 1)
        part = self._part(parent, start, at, default)
        self._entered(part)
        return max(self.open[-1].body, start) - 1

    def _entered(self, part: Part) -> None:
        """Open a part, and while it is a message the message in it."""
        self.open.append(part)
        while part.content.is_message:
            part.lines = -self._lines_before(part.body)
            at, _ = self._next(max(part.body - 1, 0))
            part = self._part(part, part.body, at, TEXT_PLAIN)
            self.open.append(part)
        if part.content.is_multipart and part.content.boundary is not None:
            line = b"\n--" + part.content.boundary
            self.boundaries.append(_Boundary(line, len(self.open) - 1, max(part.body - 1, 0)))

    def _part(self, parent: Part, start: int, at: int, default: ContentType) -> Part:
        """A part that begins there and reaches to the boundary at `at`, if not to the end."""
        body = header_end(self.data, start, max(start, self._end_before(at)))
        fields: Fields = {}
        looked_at = min(body - start, MAXIMUM_HEADER)
        if self.header_octets + looked_at <= MAXIMUM_HEADERS:
            self.header_octets += looked_at
            fields = read_fields(self.data, start, body)
        content = content_type(fields.get(b"content-type"), default)
        if (content.is_message or content.is_multipart) and (
            len(self.open) >= MAXIMUM_DEPTH or self.count >= MAXIMUM_PARTS - 1
        ):
            content = OCTET_STREAM
        if content.boundary is not None and _begins(self.data, b"\n--" + content.boundary, at):
            # It uses its parent's boundary again: the line end may be that of the empty line behind its header.
            body = header_end(self.data, start, at + 1)
        part = Part(start, body, body, fields, content)
        parent.children.append(part)
        self.count += 1
        return part

    def _leave(self, depth: int, end: int) -> None:
        """Close all parts but the outermost `depth`; they end there."""
        for part in reversed(self.open[depth:]):
            part.end = end = max(end, part.body)
            if part.content.is_text:
                part.lines = _count_lines(self.data, part.body, part.end)
            elif part.content.is_message:
                part.lines += self._lines_before(part.end)
        del self.open[depth:]

    def _lines_before(self, offset: int) -> int:
        """Line ends in front of an offset, which never is before the last one asked for."""
        self.lines += _count_lines(self.data, self.counted, offset)
        self.counted = max(self.counted, offset)
        return self.lines
