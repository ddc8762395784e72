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

    __slots__ = ("_encode", "_text")

    def __init__(self, *, ascii: bool) -> None:
        self._text: Callable[[str], str] = encode_basestring_ascii if ascii else encode_basestring
        self._encode = json.JSONEncoder(ensure_ascii=ascii, separators=(",", ":"), default=str).encode

    def render(self, fields: Mapping[str, Any]) -> str:
        """One object; values that JSON has no form for become their text."""
        return f"{{{self.members(fields)}}}"

    def members(self, fields: Mapping[str, Any]) -> str:
        """The same without its braces."""
        text, other = self._text, self._other
        return ",".join(
            [f'"{name}":{text(value) if type(value) is str else other(value)}' for name, value in fields.items()]
        )

    def _other(self, value: Any) -> str:
        """What is no string."""
        kind = type(value)
        if kind is int:
            return repr(value)
        if kind is list:
            text, other = self._text, self._other
            return f"[{','.join([text(each) if type(each) is str else other(each) for each in value])}]"
        return repr(value) if kind is float and isfinite(value) else self._encode(value)
