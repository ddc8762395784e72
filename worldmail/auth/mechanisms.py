"""The SASL mechanisms on offer, strongest first. A new mechanism is one row here."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from attrs import frozen

from worldmail.auth.sasl.digests import CramMd5
from worldmail.auth.sasl.exchange import Identities
from worldmail.auth.sasl.plain import Login, Plain
from worldmail.auth.sasl.scram import BINDINGS, Channel, Scram
from worldmail.interfaces.auth import ISaslExchange, LoginContext


@frozen(kw_only=True)
class Surroundings:
    """What an offer depends on.

    Args:
        secure: a password may be sent.
        binds: the connection is in TLS and can give a channel binding.
        legacy: the site allows CRAM-MD5 and APOP.
        hostname: the server's name.
    """

    secure: bool
    binds: bool
    legacy: bool
    hostname: str


@frozen(kw_only=True)
class Mechanism:
    """One mechanism: when it is offered, and how an exchange begins."""

    name: str
    offered: Callable[[Surroundings], bool]
    begin: Callable[[Identities, LoginContext, Surroundings], ISaslExchange]


def surroundings(context: LoginContext, legacy: bool, hostname: str) -> Surroundings:
    """What offers on this connection depend on."""
    binds = context.tls and any(context.channel_binding(name) is not None for name in BINDINGS)
    return Surroundings(secure=context.secure, binds=binds, legacy=legacy, hostname=hostname)


def stamp(hostname: str) -> bytes:
    """A msg-id that was never used before: what CRAM-MD5 and APOP make their digest with (RFC 2195 §2)."""
    return f"<{secrets.token_hex(8)}.{int(time.time())}@{hostname}>".encode("ascii", "replace")


def _scram(hash_name: str, plus: bool) -> Mechanism:
    def begin(identities: Identities, context: LoginContext, around: Surroundings) -> ISaslExchange:
        channel = Channel(plus=plus, plus_offered=around.binds, binding=context.channel_binding)
        return Scram(identities=identities, hash_name=hash_name, channel=channel, nonce=secrets.token_urlsafe(24))

    return Mechanism(
        name=f"SCRAM-{hash_name}{'-PLUS' if plus else ''}",
        offered=(lambda around: around.binds) if plus else (lambda around: True),
        begin=begin,
    )


MECHANISMS: tuple[Mechanism, ...] = (
    _scram("SHA-256", plus=True),
    _scram("SHA-1", plus=True),
    _scram("SHA-256", plus=False),
    _scram("SHA-1", plus=False),
    Mechanism(
        name="PLAIN",
        offered=lambda around: around.secure,
        begin=lambda identities, context, around: Plain(identities),
    ),
    Mechanism(
        name="LOGIN",
        offered=lambda around: around.secure,
        begin=lambda identities, context, around: Login(identities),
    ),
    # Last: clients that take the first they know would otherwise send a digest of the wrong secret.
    Mechanism(
        name="CRAM-MD5",
        offered=lambda around: around.legacy,
        begin=lambda identities, context, around: CramMd5(identities, stamp(around.hostname)),
    ),
)
