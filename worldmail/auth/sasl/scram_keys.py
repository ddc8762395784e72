"""The keys of SCRAM (RFC 5802 §3).

SaltedPassword  := Hi(Normalize(password), salt, i)
ClientKey       := HMAC(SaltedPassword, "Client Key")
StoredKey       := H(ClientKey)
ServerKey       := HMAC(SaltedPassword, "Server Key")
ClientSignature := HMAC(StoredKey, AuthMessage)
ClientProof     := ClientKey XOR ClientSignature
ServerSignature := HMAC(ServerKey, AuthMessage)
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from worldmail.interfaces.auth import ScramKey
from worldmail.wire.sasl.saslprep import saslprep

# The mechanism's name for each hash, and hashlib's.
HASHES: Mapping[str, str] = {"SHA-256": "sha256", "SHA-1": "sha1"}


def derive(password: str, salt: bytes, iterations: int, hash_name: str) -> ScramKey:
    """What a server keeps of the password. Takes milliseconds. Raises ValueError if SASLprep refuses the password."""
    algorithm = HASHES[hash_name]
    salted = hashlib.pbkdf2_hmac(algorithm, saslprep(password).encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", algorithm)
    return ScramKey(
        hash=hash_name,
        salt=salt,
        iterations=iterations,
        stored_key=hashlib.new(algorithm, client_key).digest(),
        server_key=hmac.digest(salted, b"Server Key", algorithm),
    )


def proves(key: ScramKey, auth_message: bytes, proof: bytes) -> bool:
    """True if the proof was made by one who knows the password: H(proof XOR ClientSignature) is StoredKey."""
    algorithm = HASHES[key.hash]
    signature = hmac.digest(key.stored_key, auth_message, algorithm)
    if len(proof) != len(signature):
        return False
    client_key = bytes(one ^ other for one, other in zip(proof, signature, strict=True))
    return hmac.compare_digest(hashlib.new(algorithm, client_key).digest(), key.stored_key)


def server_signature(key: ScramKey, auth_message: bytes) -> bytes:
    """What proves to the client that the server knows the keys."""
    return hmac.digest(key.server_key, auth_message, HASHES[key.hash])
