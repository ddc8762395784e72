"""Messages whose text is known, in a store in memory."""

from __future__ import annotations

import base64
import hashlib
import quopri
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

from attrs import field, frozen

from worldmail.database.immediate import ImmediateDatabase
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.derived import Needle
from worldmail.mail.text.casemap import fold

T = TypeVar("T")


def now(awaitable: Awaitable[T]) -> T:
    """The result of what does not wait."""
    waiting = awaitable.__await__()
    try:
        next(waiting)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise AssertionError("it waits")


@frozen
class Message:
    """What a person would read: the fields of the header and the body."""

    fields: Sequence[tuple[str, str]]
    body: str
    encoding: str = field(default="8bit")

    def octets(self) -> bytes:
        """As it is sent: encoded words in the header, an encoded body."""
        header = "".join(f"{name}: {_word(text)}\r\n" for name, text in self.fields)
        kind = f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {self.encoding}\r\n\r\n"
        body = self.body.encode()
        if self.encoding == "base64":
            body = base64.encodebytes(body)
        elif self.encoding == "quoted-printable":
            body = quopri.encodestring(body)
        return (header + kind).encode() + body

    def holds(self, needle: Needle) -> bool:
        """Whether a person would find the needle."""
        text = fold(needle.text)
        body = text in fold(self.body)
        fields = [*self.fields, ("Content-Type", "text/plain; charset=utf-8")]
        fields.append(("Content-Transfer-Encoding", self.encoding))
        if needle.where == "field":
            return any(name.lower() == needle.field and text in fold(value) for name, value in fields)
        header = any(text in fold(f"{name}: {value}") for name, value in fields)
        return {"body": body, "header": header, "text": header or body}[needle.where]


def _word(text: str) -> str:
    if text.isascii():
        return text
    return f"=?utf-8?b?{base64.b64encode(text.encode()).decode()}?="


def add(database: IDatabase, contents: Sequence[bytes]) -> list[int]:
    """Put these octets into the store; their ids."""

    def unit(cursor: Cursor) -> list[int]:
        ids = []
        for octets in contents:
            digest = hashlib.sha256(octets).digest()
            row = cursor.one(
                "INSERT INTO content (digest, size, flags, inline) VALUES (?, ?, 2, ?) RETURNING id",
                (digest, len(octets), octets),
            )
            assert row is not None
            ids.append(row[0])
        return ids

    return now(database.write(unit))


def memory_database() -> ImmediateDatabase:
    """A database that is open."""
    database = ImmediateDatabase()
    database.start()
    return database


class Replaced:
    """A shelf with some of its methods exchanged."""

    def __init__(self, shelf: Any, **methods: Any) -> None:
        self._shelf = shelf
        self.__dict__.update(methods)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shelf, name)
