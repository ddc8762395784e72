"""Who we are to the bucket: a key's id and its secret, which nothing here ever tells."""

from __future__ import annotations

import configparser
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from worldmail.errors import ConfigurationError

KEY_ID, SECRET, TOKEN = "aws_access_key_id", "aws_secret_access_key", "aws_session_token"

_SECTION = "default"
_LONGEST = 64 * 1024
_WORD = re.compile(r"[\x21-\x7e]+")


@frozen(kw_only=True)
class Credentials:
    """An access key. Only its id is ever shown."""

    key_id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


@define(kw_only=True)
class CredentialSource:
    """Where the credentials come from. A file that was changed is read again, so keys can be renewed in flight.

    Args:
        file: in the form of Amazon's tools, a section [default]; for its owner (and group) alone.
        environment: asked if there is no file.
    """

    file: Path | None
    environment: Mapping[str, str] = field(factory=lambda: os.environ, repr=False)
    _read: tuple[Any, Credentials] | None = field(default=None, init=False, repr=False)

    def get(self) -> Credentials:
        """The credentials as they are now. Raises `ConfigurationError`."""
        if self.file is None:
            return _credentials({name: self.environment.get(name.upper(), "") for name in (KEY_ID, SECRET, TOKEN)}, "")
        try:
            about = self.file.stat()
            state = (about.st_ino, about.st_mtime_ns, about.st_size, about.st_mode)
            if self._read is None or self._read[0] != state:
                self._read = (state, _from_file(self.file))
        except OSError as error:
            raise ConfigurationError(f"{self.file}: the credentials: {error.strerror}") from None
        return self._read[1]


def _from_file(file: Path) -> Credentials:
    with file.open("rb") as handle:
        mode = stat.S_IMODE(os.fstat(handle.fileno()).st_mode)
        octets = handle.read(_LONGEST + 1)
    if mode & 0o037:
        raise ConfigurationError(f"{file}: others may read the credentials (mode {mode:04o}, expected 0600)")
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(octets[:_LONGEST].decode())
        found = {name: parser.get(_SECTION, name, fallback="") for name in (KEY_ID, SECRET, TOKEN)}
    except (configparser.Error, UnicodeDecodeError):
        # Said without what was found: it may be the secret.
        raise ConfigurationError(f"{file}: expected lines NAME = VALUE below [{_SECTION}]") from None
    return _credentials(found, f"{file}: [{_SECTION}] ")


def _credentials(found: Mapping[str, str], where: str) -> Credentials:
    names = {name: name if where else name.upper() for name in found}
    for name in (KEY_ID, SECRET):
        if not found[name]:
            told = where or "[s3] credentials is not set, and neither is the environment variable "
            raise ConfigurationError(f"{told}{names[name]}{' is missing' if where else ''}")
    for name, value in found.items():
        if value and _WORD.fullmatch(value) is None:
            raise ConfigurationError(f"{where}{names[name]}: expected printable ASCII without spaces")
    return Credentials(key_id=found[KEY_ID], secret=found[SECRET], token=found[TOKEN] or None)
