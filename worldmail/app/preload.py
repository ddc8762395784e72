"""Importing now what would be imported later.

Once root is given up (or twistd has changed the root directory), the program's own files may be out of
reach. What a running server imports late, it imports before that.
"""

from __future__ import annotations

import encodings
import importlib
import importlib.util
import pkgutil

import worldmail
from worldmail.database.migrate import known_migrations

_NOT_SERVED = ("worldmail.cli", "worldmail.testing")
_NEEDS_PSYCOPG = "worldmail.database.postgres."
_CODECS = ("ascii", "idna", "iso8859_1", "latin_1", "punycode", "utf_8", "utf_8_sig", "utf_7", "cp1252")


def preload() -> None:
    """Import every module of the server, and the codecs that text of mail needs most."""
    left_out: tuple[str, ...] = _NOT_SERVED
    if importlib.util.find_spec("psycopg") is None:
        left_out = (*_NOT_SERVED, _NEEDS_PSYCOPG)
    for found in pkgutil.walk_packages(worldmail.__path__, "worldmail."):
        if not found.name.startswith(left_out):
            importlib.import_module(found.name)
    for codec in _CODECS:
        encodings.search_function(codec)
    known_migrations()
