"""TLS on connections that we open: which certificates are good, and in words why one is not."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, evolve, field
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from zope.interface import implementer

from worldmail.errors import ConfigurationError
from worldmail.interfaces.outbound import Hop, Security, Shown
from worldmail.mail.domain import literal_address, normal_domain
from worldmail.mail.envelope import TlsFacts
from worldmail.transport.certificate_words import chain_refusal, name_refusal, pin_refusal, shown_by
from worldmail.transport.facts import tls_facts
from worldmail.transport.tls import CIPHERS

OPPORTUNE_CIPHERS = f"{CIPHERS}:DHE+AESGCM:DHE+CHACHA20:ECDHE+AES:DHE+AES:RSA+AESGCM:RSA+AES:!aNULL:@SECLEVEL=1"
"""Where the alternative is the clear, or nobody knows who answers: what old servers have, behind what is good
(RFC 7435 §3: some protection most of the time)."""

SESSIONS = 256
"""Hosts whose last TLS session is kept to be gone on with."""

SESSION_SECONDS = 3600.0
"""How long. Its certificate is not looked at again in that time."""

_VERSIONS = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}
_MODES = SSL.MODE_RELEASE_BUFFERS
_OPTIONS = SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION


@define
class Sessions:
    """The last TLS session with each of some hosts. Each is given out once (RFC 8446 appendix C.4)."""

    _kept: OrderedDict[Any, tuple[Any, float]] = field(factory=OrderedDict)

    def keep(self, key: Any, session: Any) -> None:
        """Keep it; the oldest goes when there are too many."""
        self._kept.pop(key, None)
        self._kept[key] = (session, time.monotonic() + SESSION_SECONDS)
        if len(self._kept) > SESSIONS:
            self._kept.popitem(last=False)

    def take(self, key: Any) -> Any:
        """The session, kept no more; None if there is none."""
        session, until = self._kept.pop(key, (None, 0.0))
        return session if time.monotonic() < until else None


class ClientTls:
    """How we are a TLS client. One context for those that must prove who they are, one for the others.

    Args:
        trust: authorities (or servers' own certificates) in a PEM file, in place of the system's.
        minimum: the oldest version of TLS, "1.2" or "1.3", opportunistic or not: 1.0 and 1.1 are no more
            (RFC 8996), and no worse than the clear is a promise that they do not keep to those who ask for TLS.
        ciphers: OpenSSL's list for TLS 1.2 where the server must prove who it is.

    Raises: `ConfigurationError` if the file or the ciphers are of no use.
    """

    def __init__(self, *, trust: Path | None = None, minimum: str = "1.2", ciphers: str = CIPHERS) -> None:
        self._arguments = (trust, minimum, ciphers)
        self.reload()

    def reload(self) -> None:
        """Read the authorities anew. Connections keep what they have; on an error so does everybody."""
        trust, minimum, ciphers = self._arguments
        strict = _make_context(minimum, ciphers)
        _add_trust(strict, trust)
        self._strict, self._opportune = strict, _make_context(minimum, OPPORTUNE_CIPHERS)
        self._sessions = Sessions()

    def handshake(self, hop: Hop) -> Handshake:
        """For one connection to this hop."""
        return Handshake(
            host=_in_certificates(hop.host),
            port=hop.port,
            strict=hop.security is Security.VERIFIED,
            pins=hop.pins if hop.security is Security.PINNED else None,
            renews=hop.renews,
            context=self._strict if hop.security.proves else self._opportune,
            sessions=self._sessions,
        )


@implementer(IOpenSSLClientConnectionCreator)
@define(kw_only=True)
class Handshake:
    """One connection's: what its `startTLS` takes.

    Args:
        strict: the server proves who it is by its certificate's issuer and names.
        pins: it does by its key, which is one of these; None if it need not.
        renews: or, if it has another, as if it were strict.

    Attributes:
        refusal: why the server's certificate is not good, in words; None if it is, or need not be.
        shown: what it proved, once it is over, where there are pins.
    """

    host: str
    port: int
    strict: bool
    context: SSL.Context
    sessions: Sessions
    pins: frozenset[str] | None = None
    renews: bool = False
    refusal: str | None = None
    shown: Shown | None = None
    _distrust: str | None = None
    _trusted: bool = False  # the whole chain was looked at

    def clientConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        """A connection for the client's side."""
        connection = SSL.Connection(self.context, None)
        name = server_name(self.host)
        if name is not None:
            connection.set_tlsext_host_name(name)
        if self.strict:
            connection.set_verify(SSL.VERIFY_PEER, self._judge)
        elif self.pins is not None:
            connection.set_verify(SSL.VERIFY_PEER, self._watch)
        session = self.sessions.take(self._key())
        if session is not None:
            connection.set_session(session)
        return connection

    def completed(self, connection: Any) -> str | None:
        """It is over, the chain is good: why it is of no use all the same. Also of a session that went on."""
        if self.strict:
            self.refusal = name_refusal(connection.get_peer_certificate(as_cryptography=True), self.host)
        elif self.pins is not None:
            distrust = self._distrust or (None if self._trusted else "its issuers were not looked at")
            certificate = connection.get_peer_certificate(as_cryptography=True)
            self.shown = shown_by(certificate, self.host, self.pins, distrust)
            self.refusal = pin_refusal(self.shown, self.host, self.renews)
        return self.refusal

    def pin_of(self, connection: Any) -> Callable[[], str | None]:
        """What tells the pin of the server's key."""
        return lambda: shown_by(connection.get_peer_certificate(as_cryptography=True), self.host, (), None).pin or None

    def facts(self, connection: Any) -> TlsFacts:
        """What it came to."""
        facts = tls_facts(connection)
        return evolve(facts, verified=True) if self.strict or self.pins is not None else facts

    def keep(self, connection: Any) -> None:
        """The connection ends: the next to this host may go on with its session."""
        session = connection.get_session()
        if self.shown is not None and not self.shown.pinned:
            return  # issuers are not looked at again where a session goes on
        if session is not None:
            self.sessions.keep(self._key(), session)

    def _key(self) -> Any:
        return (self.strict, self.pins, self.host, self.port)

    def _judge(self, connection: Any, certificate: crypto.X509, number: int, depth: int, good: int) -> bool:
        """OpenSSL has looked at one certificate of the chain."""
        if not good and self.refusal is None:
            self.refusal = chain_refusal(number, depth)
        return bool(good)

    def _watch(self, connection: Any, certificate: crypto.X509, number: int, depth: int, good: int) -> bool:
        """The same where the pins decide: nothing ends the handshake."""
        if not good:
            self._distrust = self._distrust or chain_refusal(number, depth)
        elif depth == 0:
            self._trusted = True
        return True


def _in_certificates(host: str) -> str:
    """As certificates have it: a name of A-labels in lower case (RFC 9525 §6.3), or an address without brackets."""
    try:
        host = normal_domain(host.rstrip("."))
        return str(literal_address(host)) if host.startswith("[") else host
    except ValueError:
        return host.lower()


def server_name(host: str) -> bytes | None:
    """The name for SNI (RFC 6066 §3): none for an address, or for what cannot be one."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return None
    try:
        name = host.encode("ascii")
    except UnicodeEncodeError:
        return None
    return name if 0 < len(name) < 256 and b"\0" not in name else None


def _make_context(minimum: str, ciphers: str) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(_VERSIONS[minimum])
    context.set_options(_OPTIONS)
    context.set_mode(_MODES)
    try:
        context.set_cipher_list(ciphers.encode("ascii"))
    except (SSL.Error, UnicodeEncodeError):
        raise ConfigurationError(f"ciphers: none of {ciphers!r} can be used") from None
    return context


def _add_trust(context: SSL.Context, trust: Path | None) -> None:
    if trust is None:
        context.set_default_verify_paths()
        return
    try:
        trust.read_bytes()
        context.load_verify_locations(str(trust))
    except OSError as error:
        raise ConfigurationError(f"{trust}: {error.strerror}") from None
    except SSL.Error:
        raise ConfigurationError(f"{trust}: no certificates in PEM") from None
    store = context.get_cert_store()
    if store is not None:
        store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)  # a server's own certificate is enough
