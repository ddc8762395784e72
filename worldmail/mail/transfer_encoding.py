"""Binary parts of a message in base64, while it streams (RFC 2045 §6.2, RFC 3030 §3).

A message that came with BODY=BINARYMIME is kept as it came. Where only lines may go, each part that says it is
binary is encoded, and the entities around it, which must say so too (RFC 2045 §6.4), say 8bit instead. Nothing else
is changed. Memory is bounded: by one entity's header, and by what may be the beginning of a delimiter. What comes out
is the same however the message was cut: its size is told before it is sent.
"""

from __future__ import annotations

import binascii
import re

from attrs import define, field

from worldmail.mail.line_ends import LineEnds, has_other_line_ends, with_line_ends
from worldmail.mail.mime.fields import Octets, header_end

HEADER_LIMIT = 1 << 19
"""A header that is longer is passed on as it is, and its entity too."""

LOOKED_AT = 1 << 18
"""Octets in which a header says that the message is binary: as many as the first piece of a large one has."""

DEPTH_LIMIT = 8
"""Entities nested deeper are passed on as they are."""

_PIECE = 8192
_LINES = 1 << 16  # in which line ends are replaced in one go
_PADDING = 80  # blanks behind a boundary (RFC 2046 §5.1.1), as far as they are waited for
_LINE_OCTETS = 57  # 76 characters of base64 (RFC 2045 §6.8)

_ENCODING = re.compile(
    rb"^(Content-Transfer-Encoding[ \t]*:)[^\r\n]*(?:\r\n[ \t][^\r\n]*)*", re.IGNORECASE | re.MULTILINE
)
_BINARY = re.compile(rb":\s*(?:\([^()]*\)\s*)?binary\s*(?:\(|$)", re.IGNORECASE)
_TYPE = re.compile(rb"^Content-Type[ \t]*:\s*([^;\s]+)((?:[^\r\n]++|\r\n[ \t])*+)", re.IGNORECASE | re.MULTILINE)
_BOUNDARY = re.compile(
    rb""";\s*boundary\s*=\s*(?:"((?:[^"\\]|\\.){1,200})"|([^\s";()]{1,200}))""", re.IGNORECASE | re.DOTALL
)


def says_binary(header: bytes) -> bool:
    """True if this header block says that its entity is binary."""
    match = _ENCODING.search(header)
    return match is not None and _BINARY.search(match[0]) is not None


@define
class BinaryInBase64:
    """Takes a whole message in chunks cut anywhere, gives it out with its binary parts in base64."""

    _data: bytes = b""
    _boundaries: list[bytes] = field(factory=list)  # of the multiparts that are open, outermost first
    _in_header: bool = True
    _encoding: bool = False
    _rest: bytes = b""  # octets that are no whole line of base64 yet
    _looked: int = 0  # octets of a header in which there is no end of it
    _at_start: bool = True  # of a body: a delimiter may stand there without a CRLF of its own

    def feed(self, chunk: Octets) -> bytes:
        """The next octets; what is certain by now."""
        given = []
        for start in range(0, len(chunk), _PIECE):
            self._data += chunk[start : start + _PIECE]
            steps = []  # of parts of a few octets each there may be very many
            while (step := self._step(final=False)) is not None:
                steps.append(step)
            given.append(b"".join(steps))
        return b"".join(given)

    def finish(self) -> bytes:
        """What was held back."""
        given = []
        while self._data and (step := self._step(final=True)) is not None:
            given.append(step)
        last = self._end_of_part()
        return b"".join((*given, last, b"\r\n" if last else b""))

    def _step(self, *, final: bool) -> bytes | None:
        """Do what can be done with the data; None if it takes more of it."""
        if not self._data:
            return None
        return self._header(final=final) if self._in_header else self._body(final=final)

    # --- headers ---

    def _header(self, *, final: bool) -> bytes | None:
        data = self._data
        if data.startswith(b"\r\n"):
            end = 2
        elif (blank := data.find(b"\r\n\r\n", max(0, self._looked - 3))) >= 0:
            end = blank + 4
        elif final or len(data) > HEADER_LIMIT:
            end = len(data)
        else:
            self._looked = len(data)
            return None
        known = end <= HEADER_LIMIT
        header, self._data = data[: min(end, HEADER_LIMIT)], data[min(end, HEADER_LIMIT) :]
        self._in_header, self._at_start, self._looked = False, known, 0
        return self._entered(header) if known else header

    def _entered(self, header: bytes) -> bytes:
        """An entity begins: its header as it goes out."""
        if not says_binary(header):
            # What is in a multipart that does not say binary is not binary either.
            return header
        match = _TYPE.search(header)
        kind = b"text/plain" if match is None else match[1].lower()
        if kind.startswith(b"multipart/") and match is not None:
            boundary = _BOUNDARY.search(match[2])
            if boundary is None or len(self._boundaries) == DEPTH_LIMIT:
                return header
            text = re.sub(rb"\\(.)", rb"\1", boundary[1]) if boundary[1] is not None else boundary[2]
            self._boundaries.append(text.rstrip(b" "))
            return _ENCODING.sub(rb"\1 8bit", header, count=1)
        if kind in (b"message/rfc822", b"message/global"):
            self._in_header = True
            return _ENCODING.sub(rb"\1 8bit", header, count=1)
        self._encoding = True
        return _ENCODING.sub(rb"\1 base64", header, count=1)

    # --- bodies ---

    def _body(self, *, final: bool) -> bytes | None:
        """The body up to the next delimiter of an open multipart."""
        data = b"\r\n" + self._data if self._at_start else self._data
        added = 2 if self._at_start else 0
        found = self._delimiter(data, final=final)
        if found is None:
            return self._held(data, added, final=final)
        start, end, level, closes = found
        body = data[added:start]
        self._data = data[end:]
        given = (self._coded(body) if self._encoding else body) + self._end_of_part()
        self._encoding = False
        del self._boundaries[level if closes else level + 1 :]
        self._in_header, self._at_start = not closes, False
        return given + data[max(start, added) : end]

    def _held(self, data: bytes, added: int, *, final: bool) -> bytes | None:
        """No delimiter in sight: all but a tail that may be the beginning of one."""
        keep = 0
        if self._boundaries and not final:
            longest = 8 + _PADDING + max(map(len, self._boundaries))
            at = data.rfind(b"\r\n", max(0, len(data) - longest))
            keep = len(data) - at if at >= 0 else int(data.endswith(b"\r"))
        body = data[added : len(data) - keep]
        if not body:
            return None
        self._data = data[len(data) - keep :] if keep else b""
        self._at_start = False
        return self._coded(body) if self._encoding else body

    def _delimiter(self, data: bytes, *, final: bool) -> tuple[int, int, int, bool] | None:
        """Start and end of the first delimiter line, whose level it is, and whether it closes it."""
        at = data.find(b"\r\n--") if self._boundaries else -1
        known = tuple(self._boundaries)
        while at >= 0:
            if data.startswith(known, at + 4):
                end = data.find(b"\r\n", at + 4)
                if end < 0 and not final:
                    return None
                line = data[at + 4 : end if end >= 0 else len(data)].rstrip(b" \t")
                for level in reversed(range(len(known))):
                    if line in (known[level], known[level] + b"--"):
                        # The CRLF behind a closing delimiter may be that of the next one.
                        closes = line != known[level]
                        stop = len(data) if end < 0 else end if closes else end + 2
                        return at, stop, level, closes
            at = data.find(b"\r\n--", at + 2)
        return None

    def _coded(self, octets: bytes) -> bytes:
        octets = self._rest + octets
        whole = len(octets) - len(octets) % _LINE_OCTETS
        self._rest = octets[whole:]
        lines = (
            binascii.b2a_base64(octets[at : at + _LINE_OCTETS], newline=False) + b"\r\n"
            for at in range(0, whole, _LINE_OCTETS)
        )
        return b"".join(lines)

    def _end_of_part(self) -> bytes:
        """The last, short line of base64."""
        rest, self._rest = self._rest, b""
        return binascii.b2a_base64(rest, newline=False) if rest else b""


def header_says_binary(octets: Octets) -> bool:
    """True if the header that these octets begin with says so, in what is looked at of it; quick, as few do."""
    end = header_end(octets, 0, min(len(octets), LOOKED_AT))
    if octets.find(b"inary", 0, end) < 0 and octets.find(b"INARY", 0, end) < 0:
        return False
    return says_binary(octets[:end])


def needs_lines(octets: Octets) -> bool:
    """True if these octets are not what goes out where only lines may go."""
    return header_says_binary(octets) or has_other_line_ends(octets)


@define
class InLines:
    """The same, with every line end a CRLF: a message where only lines may go. Its header comes in one piece."""

    _coder: BinaryInBase64 = field(factory=BinaryInBase64, init=False)
    _ends: LineEnds = field(factory=LineEnds, init=False)
    _begun: bool = field(default=False, init=False)

    def feed(self, chunk: Octets) -> bytes:
        """The next octets; what is certain by now."""
        if self._begun:
            # In pieces: a single call that does it all would hold the interpreter's lock.
            pieces = (chunk[start : start + _LINES] for start in range(0, len(chunk), _LINES))
            return b"".join([self._ends.feed(self._coder.feed(piece)) for piece in pieces])
        self._begun = True
        end = header_end(chunk, 0, len(chunk))
        if chunk[:end].endswith(b"\r"):  # the header goes on
            end -= 1
        return self.feed(with_line_ends(chunk[:end])) + self.feed(chunk[end:])

    def finish(self) -> bytes:
        """What was held back."""
        return self._ends.feed(self._coder.finish()) + self._ends.finish()
