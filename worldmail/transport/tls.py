"""Our certificates, for every listener: chosen by the name a client asks for, exchanged while serving."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.ssl import AcceptableCiphers, CertificateOptions, TLSVersion
from zope.interface import implementer

from worldmail.config.sections import TlsSettings
from worldmail.errors import ConfigurationError
from worldmail.interfaces.world import ITls
from worldmail.transport.certificates import Certificate, read_certificate

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2: forward secrecy and authenticated encryption only (RFC 9325 §4.2). TLS 1.3 has no others."""

_MINIMUM = {"1.2": TLSVersion.TLSv1_2, "1.3": TLSVersion.TLSv1_3}


class Names:
    """Which context goes with a server name: by its exact name, else by a wildcard for its parent, else the first."""

    def __init__(self) -> None:
        self._first: SSL.Context | None = None
        self._named: dict[str, SSL.Context] = {}

    def add(self, context: SSL.Context, names: Iterable[str]) -> None:
        """The context for these names, where none was added before."""
        self._first = self._first or context
        for name in names:
            self._named.setdefault(name, context)

    def find(self, asked: bytes | None) -> SSL.Context | None:
        """The context for the name in a client's SNI extension (RFC 6066 §3)."""
        try:
            name = (asked or b"").decode("ascii").lower().rstrip(".")
        except UnicodeDecodeError:
            return self._first
        return self.named(name) or self._first

    def named(self, name: str) -> SSL.Context | None:
        """The context that is for this name, in lower case; None if there is no such."""
        wildcard = "*." + name.partition(".")[2]  # for one label (RFC 9525 §6.3)
        return self._named.get(name) or self._named.get(wildcard)


@implementer(IOpenSSLServerConnectionCreator)
class _Offer:
    """What transports take: makes the TLS side of each connection from the certificates of that moment."""

    def __init__(self, tls: Tls) -> None:
        self._tls = tls

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        """A connection for the server's side."""
        return self._tls.options().serverConnectionForTLS(protocol)


@implementer(ITls)
class Tls:
    """The certificates of the [tls] section.

    Raises: `ConfigurationError` if a file cannot be read or does not fit.
    """

    def __init__(self, settings: TlsSettings) -> None:
        self._options, self._names = _make_options(settings)
        self._offer = _Offer(self)

    def available(self) -> bool:
        """True if there is a certificate to offer."""
        return self._options is not None

    def context_factory(self) -> _Offer:
        """What `startTLS` takes; may be kept, it follows `reload`."""
        return self._offer

    def reload(self, settings: TlsSettings) -> Callable[[], None]:
        """Read everything anew. Connections keep what they have; on an error so does everybody. The result undoes it.

        Raises: `ConfigurationError`; then the old certificates stay.
        """
        before = self._options, self._names
        self._options, self._names = _make_options(settings)

        def go_back() -> None:
            self._options, self._names = before

        return go_back

    def names_us(self, host: str) -> bool:
        """A certificate is for this host name."""
        return self._names.named(host.lower()) is not None

    def options(self) -> CertificateOptions:
        """What connections are made from now."""
        if self._options is None:
            raise ConfigurationError("[tls] there is no certificate")
        return self._options


def _make_options(settings: TlsSettings) -> tuple[CertificateOptions | None, Names]:
    certificates = [read_certificate(given.certificate, given.key, given.names) for given in settings.certificates]
    names = Names()
    made = [_options_for(certificate, settings, names) for certificate in certificates]
    for certificate, options in zip(certificates, made, strict=True):
        context = options.getContext()
        # Twisted's own answer, where nothing is acceptable, ends the handshake; RFC 7301 §3.2 lets us say nothing.
        context.set_alpn_select_callback(lambda connection, offered: SSL.NO_OVERLAPPING_PROTOCOLS)
        names.add(context, certificate.names)
    return made[0] if made else None, names


def _options_for(certificate: Certificate, settings: TlsSettings, names: Names) -> CertificateOptions:
    ciphers: Any = AcceptableCiphers
    make: Any = CertificateOptions  # typed for pyOpenSSL's own classes, which pyOpenSSL deprecates
    try:
        made: CertificateOptions = make(
            privateKey=certificate.key,
            certificate=certificate.leaf,
            extraCertChain=list(certificate.chain),
            acceptableCiphers=ciphers.fromOpenSSLCipherString(settings.ciphers or CIPHERS),
            raiseMinimumTo=_MINIMUM[settings.minimum],
            enableSessions=True,
            enableSessionTickets=True,
            contextForServerName=names.find,
        )
        return made
    except (ValueError, SSL.Error):
        raise ConfigurationError(f"[tls] ciphers: none of {settings.ciphers!r} can be used") from None
