"""Looking at a database file without changing anything, whether a server has it open or not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import apsw
from attrs import frozen

from worldmail.database.cursor import SqliteCursor
from worldmail.database.file import connect
from worldmail.database.migrate import known_migrations, schema_of
from worldmail.errors import ConfigurationError
from worldmail.interfaces.database import Cursor


@frozen(kw_only=True)
class Look:
    """What is to be seen as of one moment.

    Args:
        schema: the number of the file's schema, 0 for an empty file.
        newest: the number of the schema that this release works with.
        cursor: for reading; anything else fails.
    """

    schema: int
    newest: int
    cursor: Cursor


@contextmanager
def looking_at(path: str) -> Iterator[Look]:
    """Open the file, which must be there, for as long as the look lasts.

    Raises: `ConfigurationError` if it cannot be read or is no database of ours, `SchemaTooNew`.
    """
    newest = max(known_migrations())
    try:
        connection = connect(_name(path), apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        try:
            connection.set_busy_timeout(5000)
            connection.execute("BEGIN")
            yield Look(schema=schema_of(connection, path, newest), newest=newest, cursor=SqliteCursor(connection))
        finally:
            connection.close(True)
    except apsw.Error as error:
        raise ConfigurationError(f"{path} cannot be opened: {error}") from error


def _name(path: str) -> str:
    """As a URI (https://www.sqlite.org/uri.html). Without a log nobody has the file open, and none may be made.

    The log lies beside the file that a symbolic link leads to.
    """
    file = os.path.realpath(path)
    unused = not os.path.exists(f"{file}-wal")
    return f"file:{quote(file)}?mode=ro{'&immutable=1' if unused else ''}"
