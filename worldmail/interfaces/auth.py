"""Signing in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import field, frozen
from zope.interface import Attribute, Interface

from worldmail.interfaces.directory import Account
from worldmail.interfaces.protocol import Peer


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

    @classmethod
    def of(cls, service: str, peer: Peer, *, plaintext: bool) -> LoginContext:
        """Of a peer's connection; `plaintext`: the site takes passwords from it without TLS."""
        tls = peer.tls is not None
        return cls(
            service=service,
            session=peer.session,
            client=peer.host,
            secure=tls or plaintext,
            tls=tls,
            channel_binding=peer.channel_binding,
        )


@frozen
class Challenge:
    """The server's next octets, to be sent in base64."""

    data: bytes


@frozen
class SignedIn:
    """The exchange succeeded."""

    account: Account


@frozen(kw_only=True)
class ScramKey:
    """What a server keeps for SCRAM (RFC 5802 §3). `hash` is "SHA-1" or "SHA-256"; all else are octets."""

    hash: str
    salt: bytes
    iterations: int
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)


@frozen(kw_only=True)
class PasswordCredentials:
    """All that is kept of a password: its argon2id hash (PHC text) and its SCRAM keys."""

    hash: str = field(repr=False)
    scram: tuple[ScramKey, ...] = field(repr=False)


class ICredentialMaker(Interface):
    """Makes of a password or secret what may be kept of it."""

    def from_password(password: str) -> Awaitable[PasswordCredentials]:
        """Hash a new password, off the reactor.

        Raises: `BadValue` if it can be no password, `AuthenticationDelayed` if too much is waiting to be hashed.
        """

    def legacy_secret(account_id: int, secret: str | None = None) -> tuple[str, bytes]:
        """The secret for CRAM-MD5 and APOP (a new random one if None), and the same sealed for this account.

        Raises: `BadValue` if `secret` is too short or has other characters than visible ASCII.
        """


class IAccountAvatar(Interface):
    """What `twisted.cred.portal.Portal.login` gives: provided by `Account`."""

    id = Attribute("int: the account's id")
    address = Attribute("Address: its own address")
    generation = Attribute("int: see `Account`")


class ISaslExchange(Interface):
    """One run of one mechanism (RFC 4422). A cancelled one is just dropped."""

    def respond(response: bytes | None) -> Awaitable[Challenge | SignedIn]:
        """Take the client's octets; None means "no initial response was sent".

        Raises: `AuthenticationFailed`, `AuthenticationDelayed`, `TemporaryFailure`;
        a malformed response is an `AuthenticationFailed` with code 501, enhanced 5.5.2.
        """


class IAuthentication(Interface):
    """The way in for every protocol: one counter of failures, one cache of verified logins, over all of them."""

    legacy = Attribute("bool: CRAM-MD5 and APOP are allowed, and some account has a secret for them")

    def mechanisms(context: LoginContext) -> tuple[str, ...]:
        """SASL mechanisms to offer on this connection, strongest first.

        PLAIN and LOGIN only where `secure`, the -PLUS forms only in TLS that can be bound to; CRAM-MD5 only
        while `legacy` holds, and in TLS only if the site wants it shown there.
        """

    def begin(mechanism: str, context: LoginContext) -> ISaslExchange | None:
        """Start an exchange; None for a mechanism that is not taken here.

        CRAM-MD5 is taken in TLS too, for clients that use it unasked.
        """

    def password(login: str, password: str, context: LoginContext) -> Awaitable[Account]:
        """Check a plaintext password through the cred portal. Raises as `ISaslExchange.respond`."""

    def apop(login: str, digest: bytes, stamp: bytes, context: LoginContext) -> Awaitable[Account]:
        """Check an APOP digest (RFC 1939 §7), 32 lower-case hex octets, for an account that allows it."""


class ILogins(Interface):
    """Tells of logins."""

    def follow(heard: Callable[[Account, LoginContext], object]) -> None:
        """Call this after each login that succeeded, by whatever protocol and mechanism, before the client is told.

        It must be cheap and never fail.
        """
