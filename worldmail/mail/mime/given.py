"""A message's octets as IMAP gives them.

Content that came as binary (RFC 3030) is kept as it came. BODY[...] cannot have NUL (RFC 9051 §4.3.1), nor lines
without end, so parts that say that they are binary are given in base64, any other CR or LF that stands alone as CRLF,
and everything that is counted or cut is that form, which POP3 sends too; BINARY[...] gives the octets themselves
(RFC 3516 §4.2). A NUL that stands elsewhere is given as 0x80.
"""

from __future__ import annotations

from worldmail.mail.mime.decoding import decoded
from worldmail.mail.mime.fields import Octets, header_end
from worldmail.mail.mime.part import Part
from worldmail.mail.mime.scan import scan
from worldmail.mail.mime.sections import Found, Kind, Section, chosen_fields, find_part, find_section
from worldmail.mail.transfer_encoding import InLines, header_says_binary, needs_lines

_OF_HEADER = frozenset((Kind.WHOLE, Kind.HEADER, Kind.HEADER_FIELDS, Kind.HEADER_FIELDS_NOT, Kind.TEXT))


def has_binary(octets: bytes, *, any_lines: bool = True) -> bool:
    """True if BODY[] of a message gives other octets than these. `any_lines`: lines may end in other ways than CRLF."""
    return b"\0" in octets or (needs_lines(octets) if any_lines else header_says_binary(octets))


def in_lines(octets: Octets) -> bytes:
    """A whole message without anything that only BINARY may give."""
    if needs_lines(octets):
        lines = InLines()
        octets = lines.feed(octets) + lines.finish()
    return octets[:].replace(b"\0", b"\x80")


def header_of(octets: bytes) -> bytes:
    """A message's own header, the empty line included."""
    return octets[: header_end(octets, 0, len(octets))]


def text_of(octets: bytes) -> bytes:
    """The rest of it."""
    return octets[header_end(octets, 0, len(octets)) :]


class Text:
    """One message in memory.

    Args:
        is_binary: False if it is known that there is nothing binary in it.

    Attributes:
        raw: the octets as they are kept.
        octets: the same as BODY[] gives them.
    """

    __slots__ = ("_raw_root", "_root", "octets", "raw")

    def __init__(self, raw: bytes, is_binary: bool = True) -> None:
        self.raw = raw
        self.octets = in_lines(raw) if is_binary else raw
        self._root: Part | None = None
        self._raw_root: Part | None = None

    @property
    def root(self) -> Part:
        """The tree of `octets`."""
        if self._root is None:
            self._root = scan(self.octets)
        return self._root

    @property
    def raw_root(self) -> Part:
        """The tree of `raw`."""
        if self.raw is self.octets:
            return self.root
        if self._raw_root is None:
            self._raw_root = scan(self.raw)
        return self._raw_root

    def found(self, section: Section) -> Found | None:
        """Where a section is; None if there is no such thing."""
        if section.path or section.kind not in _OF_HEADER:
            return find_section(self.octets, self.root, section)
        return of_message(self.octets, header_end(self.octets, 0, len(self.octets)), len(self.octets), section)

    def section(self, section: Section) -> bytes | None:
        """The octets of a section."""
        found = self.found(section)
        return None if found is None else found.octets(self.octets)

    def binary(self, path: tuple[int, ...]) -> bytes | None:
        """A part without its transfer encoding; the message as it is kept, if there is no path.

        Raises: `UnknownEncoding`.
        """
        if not path:
            return self.raw
        part = find_part(self.raw_root, path)
        return None if part is None else b"".join(decoded(self.raw, part))


def of_message(octets: bytes, body: int, size: int, section: Section) -> Found:
    """A section of the message itself, which has no need of its parts.

    Args:
        octets: the message, or no more of it than its header.
        body: where the body begins.
        size: octets of the whole message.
    """
    if section.kind is Kind.WHOLE:
        return Found(b"", 0, size)
    if section.kind is Kind.HEADER:
        return Found(b"", 0, body)
    if section.kind is Kind.TEXT:
        return Found(b"", body, size)
    return Found(chosen_fields(octets[:body], section))
