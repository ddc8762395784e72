"""What IMAP servers answer to FETCH, as values that do not show how a string was spelled."""

from __future__ import annotations

import imaplib
import re
from collections.abc import Iterator, Sequence

from attrs import define

Value = None | int | bytes | list["Value"]
"""NIL, a number, a string, or a list."""

_PARTIAL = re.compile(r"<(\d+)\.\d+>$")  # an answer names only where it begins
_TOKEN = re.compile(rb' +|([()])|"((?:[^"\\]|\\.)*+)"|\{(\d+)\+?\}\r\n|([^ ()"{\[]+(?:\[[^\]]*\][^ ()]*)?)', re.DOTALL)


def parse(answer: bytes) -> list[Value]:
    """The values of a whole answer; words other than NIL and numbers are bytes too."""
    stack: list[list[Value]] = [[]]
    position = 0
    while position < len(answer):
        match = _TOKEN.match(answer, position)
        assert match is not None, answer[position : position + 80]
        bracket, quoted, octets, word = match.groups()
        position = match.end()
        if bracket == b"(":
            stack.append([])
        elif bracket == b")":
            closed = stack.pop()
            stack[-1].append(closed)
        elif quoted is not None:
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", quoted))
        elif octets is not None:
            stack[-1].append(answer[position : position + int(octets)])
            position += int(octets)
        elif word is not None:
            stack[-1].append(None if word == b"NIL" else int(word) if word.isdigit() else word)
    assert len(stack) == 1, "parentheses do not match"
    return stack[0]


@define
class Server:
    """A mailbox of a server, asked for one message at a time."""

    connection: imaplib.IMAP4

    def answers(self, number: int, items: Sequence[str]) -> dict[str, Value]:
        """Each item's value for the message with this number, by the item's name as it was asked for."""
        answered: dict[str, Value] = {}
        for some in _commands(items):
            status, pieces = self.connection.fetch(str(number), f"({' '.join(some)})")
            assert status == "OK", (number, some, pieces)
            found = _by_name(pieces)
            for item in some:
                answered[item] = found[_normal(_PARTIAL.sub(r"<\1>", item.replace(".PEEK", "")))]
        return answered


def _commands(items: Sequence[str]) -> Iterator[Sequence[str]]:
    for at in range(0, len(items), 50):
        yield items[at : at + 50]


def _by_name(pieces: list[object]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    raw = b"".join(
        b"%b\r\n%b" % piece if isinstance(piece, tuple) else bytes(piece) + b" " for piece in pieces if piece
    )
    for value in parse(raw):
        if isinstance(value, list):
            names, values = value[::2], value[1::2]
            found.update(zip((_normal(bytes(name).decode()) for name in names), values, strict=True))
    return found


def _normal(name: str) -> str:
    return name.upper().replace('"', "")
