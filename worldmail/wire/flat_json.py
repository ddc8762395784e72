"""JSON objects of one level, for records that are written thousands of times a second.

`json` makes a new encoder for each object, which takes longer than the object itself; names that are
ours and values that are mostly text need none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring, encode_basestring_ascii
from math import isfinite
from typing import Any


class FlatJson:
    """Renders objects whose names are identifiers, with no space between the tokens.

    Args:
        ascii: escape everything beyond ASCII.
    """

    __slots__ = ("_other", "_text")

    def __init__(self, *, ascii: bool) -> None:
        self._text: Callable[[str], str] = encode_basestring_ascii if ascii else encode_basestring
        self._other = json.JSONEncoder(ensure_ascii=ascii, separators=(",", ":"), default=str).encode

    def render(self, fields: Mapping[str, Any]) -> str:
        """One object; values that JSON has no form for become their text."""
        text, other = self._text, self._number_or_other
        members = [
            f'"{name}":{text(value) if type(value) is str else int(value) if type(value) is int else other(value)}'
            for name, value in fields.items()
        ]
        return "{" + ",".join(members) + "}"

    def _number_or_other(self, value: Any) -> str:
        return repr(value) if type(value) is float and isfinite(value) else self._other(value)
