"""Text as searching and sorting compare it: i;unicode-casemap (RFC 5051 §2).

A character is replaced by its titlecase, that by its decomposition, and so on until nothing changes, by the columns of
UnicodeData.txt alone: no special casing, no order among combining marks, Hangul left whole. Each character is mapped
for itself, so a substring of a text is folded to a substring of the folded text.

Folded text here has its ASCII letters in lower case, not in upper as the collation has them: the same pairs are equal,
and lower case is what the index of words keeps. `sort_key` gives the octets of the collation itself, for their order.
"""

from __future__ import annotations

import unicodedata

_DEEPEST = 8  # no character changes so many times; a bound all the same


class _Folded(dict[int, str]):
    """What each character that was met is folded to; bounded by Unicode."""

    def __missing__(self, code: int) -> str:
        text = chr(code)
        for _ in range(_DEEPEST):
            changed = "".join(map(_step, text))
            if changed == text:
                break
            text = changed
        self[code] = text = text.translate(_LOWER)
        return text


_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_FOLDED = _Folded()
_ASCII = bytes(range(128))
_FEW = 24  # different characters that are replaced one by one


def _step(character: str) -> str:
    """One round: the simple titlecase, then the decomposition."""
    title = character.title()
    if len(title) == 1:
        character = title
    codes = unicodedata.decomposition(character).split()
    if codes and codes[0].startswith("<"):
        del codes[0]
    return "".join(chr(int(code, 16)) for code in codes) if codes else character


def fold(text: str) -> str:
    """The text in which equals are equal, whatever their case and form."""
    if text.isascii():
        return text.lower()
    octets = text.encode("utf-8", "surrogatepass")
    others = octets.translate(None, _ASCII).decode("utf-8", "surrogatepass")
    if len(others) * 8 > len(text) or len(set(others)) > _FEW:
        return text.translate(_FOLDED)
    # A few signs and accents in ASCII: to replace each of them is several times faster than to map every character.
    # What a character is folded to stays when it is folded again, so none undoes another.
    for character in set(others):
        text = text.replace(character, _FOLDED[ord(character)])
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


def sort_key(text: str) -> bytes:
    """Octets that sort as i;unicode-casemap orders texts (RFC 5051 §2, RFC 5255 §4.4)."""
    return fold(text).encode("utf-8", "surrogatepass").upper()
