"""Importing now what would be imported later.

Once root is given up (or twistd has changed the root directory), the program's own files may be out of
reach. What a running server imports late, it imports before that.
"""

from __future__ import annotations

import encodings
import importlib
import pkgutil

import worldmail
from worldmail.database.migrate import known_migrations

_NOT_SERVED = ("worldmail.cli", "worldmail.testing")
_CODECS = ("ascii", "idna", "iso8859_1", "latin_1", "punycode", "utf_8", "utf_8_sig", "utf_7", "cp1252")


def preload() -> None:
    """Import every module of the server, and the codecs that text of mail needs most."""
    for found in pkgutil.walk_packages(worldmail.__path__, "worldmail."):
        if not found.name.startswith(_NOT_SERVED):
            importlib.import_module(found.name)
    for codec in _CODECS:
        encodings.search_function(codec)
    known_migrations()
