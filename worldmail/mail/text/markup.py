"""The text that HTML shows, without layout: for previews and searching, not for showing.

One pass that only goes forward: comments and elements that show nothing end where a browser says, or never.
"""

from __future__ import annotations

import html
import re

# A tag ends at ">", or where the next one begins; what follows "<" without being a name is text.
_MARKUP = re.compile(
    r"<(?:(!--)|(script|style|head|title|template|noframes)(?=[\s/>])[^<>]*+>?"
    r"|/?(address|article|aside|blockquote|br|center|dd|div|dl|dt|fieldset|figure|footer|form|h[1-6]|header|hr|li|main|nav"
    r"|ol|option|p|pre|section|table|tbody|td|tfoot|th|thead|tr|ul)(?=[\s/>])[^<>]*+>?"
    r"|[/!?a-z][^<>]*+>?)",
    re.IGNORECASE,
)
_HIDING = ("script", "style", "head", "title", "template", "noframes")
_CLOSING = {name: re.compile(rf"</{name}(?=[\s/>])[^<>]*+>?", re.IGNORECASE) for name in _HIDING}
_ENDLESS = frozenset(("script", "style"))  # without an end, all behind them is theirs
# More digits than a character has, which Python would refuse to read.
_NO_CHARACTER = re.compile(r"&#(?:[0-9]{8}[0-9]*+|[xX][0-9A-Fa-f]{8}[0-9A-Fa-f]*+);?")


def text_of_html(source: str) -> str:
    """What stands between the tags, references decoded; a tag that begins a line or a cell becomes a space."""
    given: list[str] = []
    endless: set[str] = set()
    position = 0
    while (match := _MARKUP.search(source, position)) is not None:
        given.append(source[position : match.start()])
        position = match.end()
        if match[1] is not None:
            end = source.find("-->", position)
            position = len(source) if end < 0 else end + 3
        elif match[2] is not None:
            position = _behind(source, position, match[2].lower(), endless)
        elif match[3] is not None:
            given.append(" ")
    given.append(source[position:])
    return characters("".join(given))


def characters(text: str) -> str:
    """The text with its character references decoded."""
    return html.unescape(_NO_CHARACTER.sub("\ufffd", text)) if "&" in text else text


def _behind(source: str, position: int, name: str, endless: set[str]) -> int:
    """Where an element ends that shows nothing; an end that is not there is looked for once."""
    end = None if name in endless else _CLOSING[name].search(source, position)
    if end is not None:
        return end.end()
    endless.add(name)
    return len(source) if name in _ENDLESS else position
