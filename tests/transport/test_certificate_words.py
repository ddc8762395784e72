"""What is said of certificates and handshakes that are no good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from OpenSSL import SSL
from twisted.internet.error import ConnectionDone, ConnectionLost

from worldmail.testing.authority import Authority
from worldmail.transport.certificate_words import chain_refusal, clients_handshake_words, handshake_words, name_refusal


@pytest.mark.parametrize(
    ("number", "depth", "words"),
    [
        (10, 0, "the certificate has expired"),
        (10, 1, "a certificate of the chain has expired"),
        (18, 0, "the certificate is self-signed"),
        (19, 1, "the certificate is of an unknown authority"),
        (20, 0, "the certificate is of an unknown authority"),
        (66, 0, "the certificate has a key or signature that is too weak"),
        (66, 2, "a certificate of the chain has a key or signature that is too weak"),
        (999, 0, "the certificate was not accepted (OpenSSL error 999)"),
    ],
)
def test_OpenSSLs_verdicts_have_words(number: int, depth: int, words: str) -> None:
    assert chain_refusal(number, depth) == words


def named(directory: Path, *names: str) -> x509.Certificate:
    """A certificate for these names."""
    made = Authority(directory).issue(*names)
    return x509.load_pem_x509_certificate(made.certificate.read_bytes())


def test_names_are_for_labels_not_for_endings(tmp_path: Path) -> None:
    certificate = named(tmp_path, "*.example.test", "192.0.2.1")
    assert name_refusal(certificate, "mx.example.test") is None
    assert name_refusal(certificate, "192.0.2.1") is None
    for host in ("example.test", "a.mx.example.test", "mx.example.test.evil.test", "192.0.2.2", "::1"):
        assert "is for other names: *.example.test" in (name_refusal(certificate, host) or ""), host


@pytest.mark.parametrize("host", ["", "*.example.test", "mx example.test", "mx\0.example.test", "a" * 3000 + "ü"])
def test_what_is_no_name_is_in_no_certificate(tmp_path: Path, host: str) -> None:
    assert name_refusal(named(tmp_path, "mx.example.test", "*.example.test"), host) is not None
    assert name_refusal(None, host) == "the server has no certificate"


def test_names_that_are_told_are_bounded_and_clean(tmp_path: Path) -> None:
    names = ["a\r\nInjected: yes.test", "b" * 300 + ".test", "c.test", "d.test"]
    refusal = name_refusal(named(tmp_path, *names), "mx.example.test")
    assert refusal is not None
    assert len(refusal) < 250
    assert refusal.isprintable()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionDone(), "the server ended the connection"),
        (ConnectionLost(), "the server ended the connection"),
        (SSL.Error([("SSL routines", "", "wrong version number")]), "what the server answered is not TLS"),
        (SSL.Error([("SSL routines", "", "ssl/tls alert protocol version")]), "there is no common version of TLS"),
        (SSL.Error([("SSL routines", "", "Decryption\nfailed")]), "decryptionfailed"),
        (SSL.Error([]), "it failed"),
        (SSL.Error(), "it failed"),
        (ValueError("of ours"), "it failed"),
        (None, "it failed"),
    ],
)
def test_handshakes_that_failed_have_words(error: Any, words: str) -> None:
    assert handshake_words(error) == words


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionDone(), "the client ended the connection"),
        (ConnectionLost(), "the client ended the connection"),
        (SSL.Error([("SSL routines", "", "tlsv1 alert unknown ca")]), "the client does not accept our certificate"),
        (SSL.Error([("SSL routines", "", "http request")]), "what the client sent is not TLS"),
        (SSL.Error([("SSL routines", "", "no shared cipher")]), "there is no common cipher"),
        (SSL.Error([("SSL routines", "", "Decryption\nfailed")]), "decryptionfailed"),
        (ValueError("of ours"), "it failed"),
        (None, "it failed"),
    ],
)
def test_handshakes_that_clients_began_have_words(error: Any, words: str) -> None:
    assert clients_handshake_words(error) == words
