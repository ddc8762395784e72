"""A command is one row in a table.

Adding a command to a protocol is one module with its coroutine and its row, and
one line in the protocol's list of rows. `S` is the protocol's session.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Generic, TypeVar

from attrs import field, frozen

from worldmail.wire.effects import Effects

S = TypeVar("S")


@frozen(kw_only=True)
class Command(Generic[S]):
    """One command of a line protocol.

    Args:
        word: the command word in upper case, ASCII.
        states: the session states (the protocol's enum members) in which it is legal.
        parse: turns the argument (what follows the word and one space; b"" if nothing)
            into a value; raises the protocol's own syntax error, a `Refusal`.
        run: the coroutine that does it, given the session and the parsed argument; its
            effects go to the driver. It raises `Refusal` for a negative reply.
        capability: says, for a session, which capability lines the row announces; no
            line while it does not hold. None announces nothing.
        offered: False for a session whose listener does not have the command at all.
        rfc: the section that defines it, such as "RFC 5321 §4.1.1.2".
    """

    word: bytes
    states: frozenset[Any]
    parse: Callable[[bytes], Any]
    run: Callable[[S, Any], Awaitable[Effects]]
    capability: Callable[[S], Iterable[str]] | None = field(default=None)
    offered: Callable[[S], bool] = field(default=lambda session: True)
    rfc: str


def command_table(rows: Iterable[Command[S]]) -> dict[bytes, Command[S]]:
    """The rows by their word. Two rows with one word are a mistake: ValueError."""
    table: dict[bytes, Command[S]] = {}
    for row in rows:
        if row.word in table:
            raise ValueError(f"two rows for {row.word!r}")
        table[row.word] = row
    return table
