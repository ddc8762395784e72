"""The text of a section, as it stands between "[" and "]" or in a URL (RFC 9051 §9: section-spec)."""

from __future__ import annotations

import re

from worldmail.mail.mime.sections import Kind, Section

MOST_NUMBERS = 100
MOST_NAMES = 500

_SPEC = re.compile(
    r"(?P<path>[1-9][0-9]{0,8}(?:\.[1-9][0-9]{0,8})*)?(?P<dot>\.)?(?P<kind>[A-Za-z.]*)(?P<names> \(.+\))?"
)
# astring without literals: an atom, or a quoted string without escapes (field names need none)
_NAME = re.compile(r"\"([!-~]+)\"|([^\x00-\x20(){%*\"\\\]\x7f-\U0010ffff]+)")


def parse_section(text: str) -> Section:
    """A section; "" is the whole message. Raises: ValueError."""
    found = _SPEC.fullmatch(text)
    if found is None or (found["dot"] is not None) != (bool(found["path"]) and bool(found["kind"])):
        raise ValueError("there is no such section")
    numbers = (found["path"] or "").split(".") if found["path"] else []
    kind = Kind(found["kind"].upper())
    fields = kind in (Kind.HEADER_FIELDS, Kind.HEADER_FIELDS_NOT)
    if len(numbers) > MOST_NUMBERS or (kind is Kind.MIME and not numbers) or fields != (found["names"] is not None):
        raise ValueError("there is no such section")
    return Section(tuple(map(int, numbers)), kind, _names(found["names"][2:-1]) if fields else frozenset())


def _names(text: str) -> frozenset[bytes]:
    words = text.split(" ")
    names = [_NAME.fullmatch(word) for word in words[: MOST_NAMES + 1]]
    if len(words) > MOST_NAMES or None in names:
        raise ValueError("the names of fields are expected")
    return frozenset((name[1] or name[2]).lower().encode("ascii") for name in names if name is not None)
