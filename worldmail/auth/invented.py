"""What is shown and verified for those who have nothing kept: it must look, and cost, the same."""

from __future__ import annotations

import secrets

from attrs import frozen

from worldmail.auth.credential_maker import secret_purpose
from worldmail.auth.iterations import IterationCounts
from worldmail.auth.sasl.scram_keys import HASHES
from worldmail.auth.server_key import ServerKey
from worldmail.interfaces.auth import ScramKey

_SALT_OCTETS = 16
NOBODY = 0


@frozen
class Invented:
    """Stand-ins, the same at every try and in every process, but that they follow the accounts' iteration counts."""

    _key: ServerKey
    _counts: IterationCounts

    def scram_key(self, account_key: str, hash_name: str) -> ScramKey:
        """A key for a name that has none; no proof fits it."""
        iterations = self._counts.drawn(account_key)
        purpose = f"invented-salt:{hash_name}:{iterations}"  # an account's salt changes with its iteration count
        salt = self._key.mac(purpose, account_key.encode("utf-8", "surrogatepass"))
        octets = 32 if HASHES[hash_name] == "sha256" else 20
        return ScramKey(
            hash=hash_name,
            salt=salt[:_SALT_OCTETS],
            iterations=iterations,
            stored_key=bytes(octets),
            server_key=bytes(octets),
        )

    def sealed_secret(self) -> bytes:
        """A sealed secret that belongs to nobody and that nobody knows."""
        return self._key.seal(secret_purpose(NOBODY), secrets.token_bytes(24))
