"""Certificates: reading them from files, and making one for a new server."""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from worldmail.errors import ConfigurationError

_LIFE = dt.timedelta(days=3650)
_DAY = dt.timedelta(days=1)


@frozen(kw_only=True)
class Certificate:
    """A certificate that can be offered: the leaf, those of its issuers, its key, the names it is for (lower case)."""

    leaf: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    key: Any
    names: tuple[str, ...]


def read_certificate(certificate: Path, key: Path, names: Sequence[str] = ()) -> Certificate:
    """Read a certificate and its key from PEM files; `names` stand for those in the certificate.

    Raises: `ConfigurationError` naming the file and what is wrong with it.
    """
    try:
        leaf, *chain = x509.load_pem_x509_certificates(_octets(certificate))
    except ValueError:
        raise ConfigurationError(f"[tls] {certificate}: not a certificate in PEM") from None
    try:
        private = serialization.load_pem_private_key(_octets(key), password=None)
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigurationError(f"[tls] {key}: not a private key in PEM") from None
    except TypeError:
        raise ConfigurationError(f"[tls] {key}: the key is locked with a passphrase; give one without") from None
    if _public_octets(private.public_key()) != _public_octets(leaf.public_key()):
        raise ConfigurationError(f"[tls] {key}: not the key of {certificate}")
    return Certificate(
        leaf=leaf, chain=tuple(chain), key=private, names=tuple(name.lower() for name in names) or names_of(leaf)
    )


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """The DNS names in a certificate's subjectAltName, in lower case (the common name counts no more, RFC 9525 §2)."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(name.lower() for name in extension.value.get_values_for_type(x509.DNSName))


def pin_of(certificate: x509.Certificate) -> str:
    """The SHA-256, in hex, of its public key as SubjectPublicKeyInfo has it (RFC 7469 §2.4).

    It is the same in a certificate that is renewed with the same key.
    """
    return hashlib.sha256(_public_octets(certificate.public_key())).hexdigest()


def self_signed(names: Sequence[str]) -> tuple[bytes, bytes]:
    """A new self-signed certificate for these host names and addresses, and its key (ECDSA P-256), both in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectAlternativeName([general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def general_name(name: str) -> x509.GeneralName:
    """A host name or an address, as a subjectAltName has it."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _public_octets(key: Any) -> bytes:
    return bytes(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))


def _octets(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"[tls] {path}: {error.strerror}") from None
