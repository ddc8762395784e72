"""Certificates in files, and names."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from twisted.internet import reactor as installed

from worldmail.config.sections import TlsSettings
from worldmail.errors import ConfigurationError
from worldmail.testing.fakes import tls_settings
from worldmail.transport.certificates import read_certificate, self_signed
from worldmail.transport.facts import certificate_digest
from worldmail.transport.tls import Names, Tls

reactor: Any = installed


class TestCertificates:
    """Files and what is wrong with them."""

    def test_a_self_signed_one_has_all_names_and_addresses_and_can_be_read(self, tmp_path: Path) -> None:
        certificate, key = self_signed(["Mail.example.test", "127.0.0.1", "::1"])
        (tmp_path / "c.pem").write_bytes(certificate)
        (tmp_path / "k.pem").write_bytes(key)
        found = read_certificate(tmp_path / "c.pem", tmp_path / "k.pem")
        assert found.names == ("mail.example.test",)
        assert isinstance(found.key, ec.EllipticCurvePrivateKey)
        assert found.leaf.not_valid_after_utc > dt.datetime.now(dt.UTC) + dt.timedelta(days=365)
        given = read_certificate(tmp_path / "c.pem", tmp_path / "k.pem", ["Other.Test"])
        assert given.names == ("other.test",)

    def test_what_is_wrong_is_said_in_one_line_with_the_file(self, tmp_path: Path) -> None:
        good, key = self_signed(["a.test"])
        _, other = self_signed(["a.test"])
        locked = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
        )
        files = {"good": good, "key": key, "other": other, "locked": locked, "rubbish": b"rubbish"}
        for name, data in files.items():
            (tmp_path / name).write_bytes(data)
        for certificate, private, complaint in (
            ("missing", "key", "missing: No such file"),
            ("rubbish", "key", "rubbish: not a certificate"),
            ("good", "rubbish", "rubbish: not a private key"),
            ("good", "missing", "missing: No such file"),
            ("good", "other", "other: not the key of"),
            ("good", "locked", "locked: the key is locked with a passphrase"),
        ):
            with pytest.raises(ConfigurationError) as caught:
                read_certificate(tmp_path / certificate, tmp_path / private)
            assert complaint in str(caught.value)
            assert "\n" not in str(caught.value)

    def test_no_certificate_means_no_TLS(self) -> None:
        assert not Tls(TlsSettings()).available()

    def test_ciphers_that_do_not_exist_are_a_mistake_in_the_configuration(self, tmp_path: Path) -> None:
        settings = tls_settings(tmp_path, "a.test")
        with pytest.raises(ConfigurationError, match="ciphers"):
            Tls(evolve(settings, ciphers="NO-SUCH-CIPHER"))

    def test_the_first_certificate_for_a_name_counts(self) -> None:
        names, first, second = Names(), object(), object()
        names.add(first, ["a.test", "*.b.test"])  # type: ignore[arg-type]  # any objects will do
        names.add(second, ["a.test", "c.b.test"])  # type: ignore[arg-type]
        assert names.find(b"a.test") is first
        assert names.find(b"A.TEST.") is first
        assert names.find(b"c.b.test") is second
        assert names.find(b"d.b.test") is first
        assert names.find(b"\xff") is first
        assert names.find(None) is first

    def test_the_names_of_certificates_are_names_of_ours_until_they_are_exchanged(self, tmp_path: Path) -> None:
        tls = Tls(tls_settings(tmp_path, "a.test", "*.b.test"))
        hosts = ("a.test", "A.Test", "c.b.test", "b.test", "d.c.b.test", "other.test", "")
        assert [tls.names_us(host) for host in hosts] == [True, True, True, False, False, False, False]
        go_back = tls.reload(tls_settings(tmp_path, "other.test"))
        assert (tls.names_us("a.test"), tls.names_us("other.test")) == (False, True)
        go_back()
        assert (tls.names_us("a.test"), tls.names_us("other.test")) == (True, False)
        assert not Tls(TlsSettings()).names_us("a.test")

    def test_the_digest_for_the_end_point_binding_follows_the_signature(self) -> None:
        name = x509.Name([])
        now = dt.datetime.now(dt.UTC)

        def made(key: Any, algorithm: Any) -> x509.Certificate:
            return x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + dt.timedelta(days=1)).sign(
                key, algorithm
            )

        elliptic = ec.generate_private_key(ec.SECP256R1())
        certificate = made(elliptic, hashes.SHA384())
        assert certificate_digest(certificate) == certificate.fingerprint(hashes.SHA384())
        certificate = made(ed25519.Ed25519PrivateKey.generate(), None)
        assert certificate_digest(certificate) == certificate.fingerprint(hashes.SHA256())
