"""Why a certificate, or a handshake, is no good: in words for people (ASCII)."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Collection
from typing import Any

from cryptography import x509
from OpenSSL import SSL
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address
from twisted.internet.error import ConnectionDone, ConnectionLost

from worldmail.interfaces.outbound import NOT_PINNED, Shown
from worldmail.transport.certificates import names_of, pin_of

NAMES_SHOWN = 3
"""Names of a certificate that are told when it has not the right one."""

_UNKNOWN = "the certificate is of an unknown authority"
_WEAK = "the certificate has a key or signature that is too weak"

# OpenSSL's X509_V_ERR_*, as x509_vfy.h numbers them.
_CHAIN = {
    2: _UNKNOWN,
    9: "the certificate is not valid yet",
    10: "the certificate has expired",
    18: "the certificate is self-signed",
    19: _UNKNOWN,
    20: _UNKNOWN,
    21: _UNKNOWN,
    22: "the certificate's chain is too long",
    23: "the certificate was revoked",
    26: "the certificate is not for servers",
    66: _WEAK,
    67: _WEAK,
    68: _WEAK,
}

_HANDSHAKE = (
    ("wrong version number", "what the server answered is not TLS"),
    ("packet length too long", "what the server answered is not TLS"),
    ("http request", "what the server answered is not TLS"),
    ("unsupported protocol", "there is no common version of TLS"),
    ("alert protocol version", "there is no common version of TLS"),
    ("no ciphers", "there is no common cipher"),
    ("alert handshake failure", "the server found no common cipher, or wants a certificate"),
    ("alert unrecognized name", "the server does not know this name"),
    ("certificate required", "the server wants a certificate"),
)

_DISTRUSTED = "the client does not accept our certificate"
_NOT_TLS = "what the client sent is not TLS"

# What clients make of ours: alerts are named in RFC 8446 §6.2.
_CLIENTS_HANDSHAKE = (
    ("alert unknown ca", _DISTRUSTED),
    ("alert bad certificate", _DISTRUSTED),
    ("alert certificate unknown", _DISTRUSTED),
    ("alert unsupported certificate", _DISTRUSTED),
    ("alert certificate expired", "our certificate has expired, says the client"),
    ("alert certificate revoked", "our certificate was revoked, says the client"),
    ("alert user cancelled", "the client gave it up"),
    ("wrong version number", _NOT_TLS),
    ("packet length too long", _NOT_TLS),
    ("http request", _NOT_TLS),
    ("unsupported protocol", "there is no common version of TLS"),
    ("version too low", "there is no common version of TLS"),
    ("alert protocol version", "there is no common version of TLS"),
    ("no shared cipher", "there is no common cipher"),
    ("alert handshake failure", "the client finds nothing in common"),
    ("unexpected eof", "the client ended the connection"),
)


def chain_refusal(number: int, depth: int) -> str:
    """OpenSSL's verdict on a certificate; `depth` 0 is the server's own."""
    words = _CHAIN.get(number, f"the certificate was not accepted (OpenSSL error {number})")
    return (
        words if depth == 0 or words is _UNKNOWN else words.replace("the certificate", "a certificate of the chain", 1)
    )


def name_refusal(certificate: x509.Certificate | None, host: str) -> str | None:
    """None if the certificate is for this host name or address (RFC 9525 §6), else why not."""
    if certificate is None:
        return "the server has no certificate"
    try:
        if is_address(host):
            verify_certificate_ip_address(certificate, host)
        else:
            verify_certificate_hostname(certificate, host)
    except VerificationError:
        return f"the certificate is for other names{_names(certificate)}"
    except CertificateError:
        return "the certificate has no names that can be used"
    except Exception:  # noqa: BLE001  the certificate's octets are the server's
        return "the certificate, or the name it should have, cannot be read"
    return None


def shown_by(certificate: x509.Certificate | None, host: str, pins: Collection[str], distrust: str | None) -> Shown:
    """What a server has shown, to whom has these pins (see `certificates.pin_of`).

    Args:
        distrust: what is wrong with the certificate's chain; None if nothing is.
    """
    pin = ""
    if certificate is not None:
        try:
            pin = pin_of(certificate)
        except Exception:  # noqa: BLE001  the certificate's octets are the server's
            distrust = "the server's certificate has no key that can be read"
    found = [hmac.compare_digest(pin, each) for each in pins]
    return Shown(pin=pin, pinned=any(found), distrust=distrust or name_refusal(certificate, host))


def pin_refusal(shown: Shown, host: str, renews: bool) -> str | None:
    """None if a server that has shown this is the right one, else why it is no good (see `outbound.Hop.renews`)."""
    if shown.pinned or (renews and shown.pin and shown.distrust is None):
        return None
    if not shown.pin:
        return shown.distrust or "the server has no certificate"
    words = f"the certificate of {host} {NOT_PINNED}"
    return f"{words}, and nobody else vouches for it: {shown.distrust}" if renews else words


def handshake_words(error: BaseException | None) -> str:
    """What ended a handshake that we had begun."""
    return _ended_by(error, "server", _HANDSHAKE)


def clients_handshake_words(error: BaseException | None) -> str:
    """What ended a handshake that a client had begun with us."""
    return _ended_by(error, "client", _CLIENTS_HANDSHAKE)


def _ended_by(error: BaseException | None, other: str, table: tuple[tuple[str, str], ...]) -> str:
    """`other` is who is at the other end, `table` what its part of OpenSSL's words means."""
    if isinstance(error, ConnectionDone | ConnectionLost):
        return f"the {other} ended the connection"
    reason = _reason(error)
    return next((words for known, words in table if known in reason), reason or "it failed")


def is_address(host: str) -> bool:
    """An IP address, rather than a name?"""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _reason(error: BaseException | None) -> str:
    """OpenSSL's own word for it, cleaned."""
    if not isinstance(error, SSL.Error) or not error.args or not error.args[0]:
        return ""
    last: Any = error.args[0]
    text = str(last[-1][-1]) if isinstance(last, list) else str(last)
    return "".join(character for character in text if " " <= character <= "~")[:100].lower()


def _names(certificate: x509.Certificate) -> str:
    """Some of its names, cleaned, behind a colon."""
    try:
        found = names_of(certificate)
    except Exception:  # noqa: BLE001  the certificate's octets are the server's
        return ""
    shown = ["".join(character for character in name if "!" <= character <= "~")[:64] for name in found[:NAMES_SHOWN]]
    more = ", ..." if len(found) > NAMES_SHOWN else ""
    return f": {', '.join(shown)}{more}" if shown else ""
