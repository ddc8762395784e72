"""Signing in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import field, frozen
from zope.interface import Interface

from worldmail.interfaces.directory import Account


@frozen(kw_only=True)
class LoginContext:
    """Where a login comes from.

    Args:
        service: "smtp", "pop3", ...: part of the log record and of the cache's key.
        session: the id of the session in the log.
        client: the peer's IP address as text.
        secure: True in TLS, or where the site allows plaintext logins on this connection.
        tls: True in TLS.
        channel_binding: octets for "tls-exporter", "tls-unique" or "tls-server-end-point";
            None if the connection cannot give them (RFC 5929, RFC 9266).
    """

    service: str
    session: str
    client: str
    secure: bool
    tls: bool
    channel_binding: Callable[[str], bytes | None] = field(default=lambda name: None)


@frozen
class Challenge:
    """The server's next octets, to be sent in base64."""

    data: bytes


@frozen
class SignedIn:
    """The exchange succeeded."""

    account: Account


class ISaslExchange(Interface):
    """One run of one mechanism (RFC 4422). A cancelled one is just dropped."""

    def respond(response: bytes | None) -> Awaitable[Challenge | SignedIn]:
        """Take the client's octets; None means "no initial response was sent".

        Raises: `AuthenticationFailed`, `AuthenticationDelayed`, `TemporaryFailure`;
        a malformed response is an `AuthenticationFailed` with code 501, enhanced 5.5.2.
        """


class IAuthentication(Interface):
    """The way in for every protocol: one counter of failures, one cache of verified logins, over all of them."""

    def mechanisms(context: LoginContext) -> tuple[str, ...]:
        """SASL mechanisms to offer on this connection, strongest first.

        PLAIN and LOGIN only where `secure`, the -PLUS forms only in TLS; CRAM-MD5 only if the site has legacy logins on.
        """

    def begin(mechanism: str, context: LoginContext) -> ISaslExchange | None:
        """Start an exchange; None for a mechanism that is not offered here."""

    def password(login: str, password: str, context: LoginContext) -> Awaitable[Account]:
        """Check a plaintext password through the cred portal. Raises as `ISaslExchange.respond`."""

    def apop(login: str, digest: bytes, stamp: bytes, context: LoginContext) -> Awaitable[Account]:
        """Check an APOP digest (RFC 1939 §7), 32 lower-case hex octets, for an account that allows it."""
