"""The server's own secret: a file of random octets beside the store, which a copy of the store does not hold.

What is sealed under it (the secrets of legacy logins) cannot be read, and what is keyed with it (invented
salts, the keys of the failure counters) cannot be guessed, by one who has the database alone.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from pathlib import Path

from attrs import field, frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from worldmail.errors import ConfigurationError
from worldmail.interfaces.database import Cursor

FILE_NAME = "server.key"

_FORM = re.compile(r"worldmail-server-key-1 ([0-9a-f]{64})\n?")
_NONCE_OCTETS = 12
_FACT = "server-key-check"


@frozen
class ServerKey:
    """32 random octets and what is made with them."""

    _secret: bytes = field(repr=False)

    def mac(self, purpose: str, data: bytes) -> bytes:
        """32 octets that only this key gives for this purpose and data."""
        return hmac.digest(self._derived(purpose), data, "sha256")

    def seal(self, purpose: str, data: bytes) -> bytes:
        """`data` encrypted (AES-256-GCM); opens for the same purpose alone."""
        nonce = secrets.token_bytes(_NONCE_OCTETS)
        return nonce + AESGCM(self._derived("seal")).encrypt(nonce, data, purpose.encode())

    def unseal(self, purpose: str, sealed: bytes) -> bytes:
        """What was sealed. Raises ValueError if it was not sealed with this key for this purpose."""
        nonce, encrypted = sealed[:_NONCE_OCTETS], sealed[_NONCE_OCTETS:]
        try:
            return AESGCM(self._derived("seal")).decrypt(nonce, encrypted, purpose.encode())
        except (InvalidTag, ValueError):
            raise ValueError("not sealed with this key") from None

    def _derived(self, purpose: str) -> bytes:
        return hmac.digest(self._secret, purpose.encode(), "sha256")


def create_server_key(path: Path) -> ServerKey:
    """Make the key's file, readable by its owner alone, and sync it. Raises FileExistsError if there is one."""
    secret = secrets.token_bytes(32)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"worldmail-server-key-1 {secret.hex()}\n")
        file.flush()
        os.fsync(file.fileno())
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return ServerKey(secret)


def read_server_key(path: Path) -> ServerKey:
    """The key of this file. Raises `ConfigurationError` if it is missing, unreadable, or no key."""
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise ConfigurationError(f"{path}: the server key cannot be read: {reason}") from None
    match = _FORM.fullmatch(text)
    if match is None:
        raise ConfigurationError(f"{path}: this is no server key")
    return ServerKey(bytes.fromhex(match[1]))


def check_server_key(cursor: Cursor, key: ServerKey) -> None:
    """A unit of work: bind the database to the key at first, raise `ConfigurationError` if it belongs to another."""
    if not is_bound(cursor, key):
        cursor.run("INSERT INTO fact (name, value) VALUES (?, ?)", (_FACT, _mark(key)))


def is_bound(cursor: Cursor, key: ServerKey) -> bool:
    """A unit of work that only reads: whether the database is bound to a key. Raises `ConfigurationError` as above."""
    row = cursor.one("SELECT value FROM fact WHERE name = ?", (_FACT,))
    if row is not None and not hmac.compare_digest(row[0], _mark(key)):
        raise ConfigurationError(
            f"the server key is not the one that this database was made with: {FILE_NAME} has to be a copy of that one"
        )
    return row is not None


def _mark(key: ServerKey) -> str:
    return key.mac(_FACT, b"").hex()
