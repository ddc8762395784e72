"""A header block, read lazily: names and values, not their meaning (RFC 5322 §2.2).

Nothing is decoded and nothing is changed: what stands here is octets with CRLFs, as
they came. A line that is no field and continues none belongs to no field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

# field = field-name *WSP ":" unstructured CRLF, folded                      RFC 5322 §3.6.8, §4.5
_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:([^\n]*\n(?:[ \t][^\n]*\n)*)", re.MULTILINE)
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_STARTS_WITH_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")


class Header:
    """The fields of a message by their lower-case names.

    Args:
        raw: all lines of the header, each with its CRLF, without the empty line behind it.
    """

    __slots__ = ("_values", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        values: dict[bytes, list[bytes]] = {}
        for name, value in _FIELD.findall(raw):
            values.setdefault(name.lower(), []).append(value)
        self._values = values

    def __contains__(self, name: bytes) -> bool:
        return name in self._values

    def count(self, name: bytes) -> int:
        """How many fields have this name."""
        return len(self._values.get(name, ()))

    def values(self, name: bytes) -> list[bytes]:
        """The values of all fields of this name in their order, unfolded, without the space around them."""
        return [_FOLD.sub(b"", value).strip() for value in self._values.get(name, ())]

    def first(self, name: bytes) -> bytes | None:
        """The value of the first field of this name, unfolded; None if there is none."""
        found = self._values.get(name)
        return _FOLD.sub(b"", found[0]).strip() if found else None

    def without(self, names: Iterable[bytes]) -> bytes:
        """The raw header with no field of these names."""
        unwanted = frozenset(names)
        return _FIELD.sub(lambda match: b"" if match[1].lower() in unwanted else match[0], self.raw)

    def without_if(self, name: bytes, unwanted: Callable[[bytes], bool]) -> bytes:
        """The raw header with no field of this name whose value (unfolded) is so."""

        def kept(match: re.Match[bytes]) -> bytes:
            gone = match[1].lower() == name and unwanted(_FOLD.sub(b"", match[2]).strip())
            return b"" if gone else match[0]

        return _FIELD.sub(kept, self.raw)


def starts_with_field(text: bytes | bytearray) -> bool:
    """True if a message that begins so begins with a header field."""
    return _STARTS_WITH_FIELD.match(text) is not None
