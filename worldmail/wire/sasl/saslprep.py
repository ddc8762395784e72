"""SASLprep (RFC 4013), the stringprep profile for user names and passwords in SCRAM.

Stringprep (RFC 3454) is bound to Unicode 3.2, which is what the standard library's tables hold.
"""

from __future__ import annotations

import stringprep
from unicodedata import ucd_3_2_0

_PROHIBITED = (
    stringprep.in_table_c12,  # RFC 4013 §2.3
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(text: str, *, stored: bool = True) -> str:
    """The prepared form of `text`.

    Args:
        stored: True for what is kept; False for a query, in which code points that Unicode 3.2 does not assign
            may stand (RFC 4013 §2.5).

    Raises: ValueError if it holds a prohibited character or mixes directions.
    """
    if text.isascii() and text.isprintable():
        return text
    mapped = "".join(_mapped(character) for character in text)
    prepared = ucd_3_2_0.normalize("NFKC", mapped)
    for character in prepared:
        if any(prohibits(character) for prohibits in _PROHIBITED):
            raise ValueError("a character that SASLprep prohibits")
        if stored and stringprep.in_table_a1(character):
            raise ValueError("a character that Unicode 3.2 does not assign")
    _check_directions(prepared)
    return prepared


def _mapped(character: str) -> str:
    """RFC 4013 §2.1: other spaces become a space, what is commonly mapped to nothing goes."""
    if stringprep.in_table_c12(character):
        return " "
    return "" if stringprep.in_table_b1(character) else character


def _check_directions(text: str) -> None:
    """RFC 3454 §6: right-to-left text has no left-to-right character and begins and ends right-to-left."""
    if not any(map(stringprep.in_table_d1, text)):
        return
    if any(map(stringprep.in_table_d2, text)):
        raise ValueError("text that mixes directions")
    if not (stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])):
        raise ValueError("right-to-left text with another character at an end")
