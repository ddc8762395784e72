"""What a finished TLS handshake tells: for the log, for Received, and for SASL's channel bindings."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives import hashes
from OpenSSL import SSL

from worldmail.mail.envelope import TlsFacts

_EXPORTER_LABEL = b"EXPORTER-Channel-Binding"  # RFC 9266 §2
_EXPORTER_OCTETS = 32


def tls_facts(connection: Any) -> TlsFacts:
    """What was negotiated on this `OpenSSL.SSL.Connection`."""
    name = connection.get_servername()
    return TlsFacts(
        version=connection.get_protocol_version_name(),
        cipher=connection.get_cipher_name() or "",
        bits=connection.get_cipher_bits() or 0,
        server_name=name.decode("ascii", "backslashreplace")[:255] if name else None,
    )


def channel_binding(connection: Any, kind: str) -> bytes | None:
    """Octets that only the two ends of this connection know, or None if this kind cannot be had.

    "tls-exporter" for TLS 1.3 (RFC 9266), "tls-unique" up to TLS 1.2 (RFC 5929 §3, which RFC 9266
    forbids from 1.3 on), "tls-server-end-point" always (RFC 5929 §4).
    """
    newest = connection.get_protocol_version_name() == "TLSv1.3"
    if kind == "tls-exporter":
        return bytes(connection.export_keying_material(_EXPORTER_LABEL, _EXPORTER_OCTETS, b"")) if newest else None
    if kind == "tls-unique":
        return None if newest else _first_finished(connection)
    if kind == "tls-server-end-point":
        certificate = connection.get_certificate()
        return None if certificate is None else certificate_digest(certificate.to_cryptography())
    return None


def certificate_digest(certificate: Any) -> bytes:
    """The certificate's hash as RFC 5929 §4.1 has it: by its own signature's hash, SHA-256 for MD5, SHA-1 or none."""
    algorithm = certificate.signature_hash_algorithm
    if algorithm is None or isinstance(algorithm, hashes.MD5 | hashes.SHA1):
        algorithm = hashes.SHA256()
    return bytes(certificate.fingerprint(algorithm))


def _first_finished(connection: Any) -> bytes | None:
    """The first Finished message of the handshake: the client's, or the server's if a session was resumed.

    None without the extended master secret (RFC 7627): the value would not be unique then.
    """
    ssl: Any = SSL
    library, handle = ssl._lib, connection._ssl  # pyOpenSSL has no public name for these two questions
    if library.SSL_get_extms_support(handle) != 1:
        return None
    found = connection.get_finished() if library.SSL_session_reused(handle) else connection.get_peer_finished()
    return bytes(found) if found else None
