"""The languages of the server's texts, and how one is chosen (LANG, RFC 6856 §3).

Another language is a row in `LANGUAGES` and a table of its texts in `TEXTS`, by the English text; what
has no translation stays English.
"""

from __future__ import annotations

from collections.abc import Mapping

DEFAULT = "en"

# The tag, and the language's name in that language.
LANGUAGES: Mapping[str, str] = {"en": "English"}

TEXTS: Mapping[str, Mapping[str, str]] = {}


def lookup(language_range: str) -> str | None:
    """The tag that fits a basic language range best; None if none does (RFC 4647 §3.4)."""
    if language_range == "*":
        return DEFAULT
    known = {tag.lower(): tag for tag in LANGUAGES}
    subtags = language_range.lower().split("-")
    while subtags:
        tag = known.get("-".join(subtags))
        if tag is not None:
            return tag
        subtags.pop()
        if subtags and len(subtags[-1]) == 1:
            subtags.pop()  # a singleton is taken away with what follows it
    return None


def translated(text: str, language: str) -> str:
    """The text in that language, as far as there is one."""
    return text if language == DEFAULT else TEXTS.get(language, {}).get(text, text)
