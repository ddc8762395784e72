"""A certificate authority for tests: good certificates, and each kind of bad one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import define, field
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from worldmail.config.sections import CertificateSettings, TlsSettings
from worldmail.transport.certificates import general_name
from worldmail.transport.tls import Tls

_DAY = dt.timedelta(days=1)


@define
class Authority:
    """Signs certificates; files go to `directory`.

    Attributes:
        file: its own certificate, in PEM: what a client trusts.
    """

    directory: Path
    name: str = "Test authority"
    key: Any = field(init=False)
    certificate: x509.Certificate = field(init=False)
    _made: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.key = ec.generate_private_key(ec.SECP256R1())
        subject = _subject(self.name)
        builder = _begin(subject, subject, self.key, -_DAY, _DAY).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.certificate = builder.sign(self.key, hashes.SHA256())
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    @property
    def file(self) -> Path:
        """Where its certificate is."""
        return self.directory / f"{self.name.replace(' ', '-').lower()}.pem"

    def issue(
        self,
        *names: str,
        begins: dt.timedelta = -_DAY,
        ends: dt.timedelta = _DAY,
        usage: ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
    ) -> CertificateSettings:
        """A certificate for these host names and addresses, from and to so long from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _begin(_subject("server"), self.certificate.subject, key, begins, ends)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(_names(names)), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        leaf = builder.sign(self.key, hashes.SHA256())
        self._made += 1
        certificate, private = (self.directory / f"{self.name}-{self._made}.{kind}" for kind in ("pem", "key"))
        certificate.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return CertificateSettings(certificate=certificate, key=private)

    def serve(self, *names: str, **changes: Any) -> Tls:
        """A server's side with such a certificate."""
        return Tls(TlsSettings(certificates=(self.issue(*names, **changes),)))


def _names(names: Sequence[str]) -> list[x509.GeneralName]:
    return [general_name(name) for name in names]


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _begin(
    subject: x509.Name, issuer: x509.Name, key: Any, begins: dt.timedelta, ends: dt.timedelta
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
    )
