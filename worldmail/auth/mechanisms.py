"""The SASL mechanisms on offer, strongest first. A new mechanism is one row here."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Literal

from attrs import Factory, field, frozen

from worldmail.auth.sasl.digests import CramMd5
from worldmail.auth.sasl.exchange import Identities
from worldmail.auth.sasl.plain import Login, Plain
from worldmail.auth.sasl.scram import BINDINGS, Channel, Scram
from worldmail.interfaces.auth import ISaslExchange, LoginContext

LegacyOffer = Literal["off", "outside-tls", "everywhere"]


@frozen(kw_only=True)
class Surroundings:
    """What an offer depends on.

    Args:
        secure: a password may be sent.
        binds: the connection is in TLS and can give a channel binding, which the site offers.
        legacy: CRAM-MD5 is taken.
        shows_legacy: CRAM-MD5 is announced.
        hostname: the server's name.
    """

    secure: bool
    binds: bool
    legacy: bool
    shows_legacy: bool
    hostname: str


@frozen(kw_only=True)
class Mechanism:
    """One mechanism.

    Args:
        announced: it is among those that a client is shown here.
        taken: it is gone through with here if a client asks for it.
        begin: begins an exchange.
    """

    name: str
    announced: Callable[[Surroundings], bool]
    taken: Callable[[Surroundings], bool] = field(default=Factory(lambda self: self.announced, takes_self=True))
    begin: Callable[[Identities, LoginContext, Surroundings], ISaslExchange]


def surroundings(context: LoginContext, legacy: LegacyOffer, hostname: str, *, plus: bool) -> Surroundings:
    """What offers on this connection depend on; `plus`: the site offers to bind logins to it."""
    binds = plus and context.tls and any(context.channel_binding(name) is not None for name in BINDINGS)
    return Surroundings(
        secure=context.secure,
        binds=binds,
        legacy=legacy != "off",
        shows_legacy=legacy == "everywhere" or (legacy == "outside-tls" and not context.tls),
        hostname=hostname,
    )


def stamp(hostname: str) -> bytes:
    """A msg-id that was never used before: what CRAM-MD5 and APOP make their digest with (RFC 2195 §2)."""
    return f"<{secrets.token_hex(8)}.{int(time.time())}@{hostname}>".encode("ascii", "replace")


def _scram(hash_name: str, plus: bool) -> Mechanism:
    def begin(identities: Identities, context: LoginContext, around: Surroundings) -> ISaslExchange:
        channel = Channel(plus=plus, plus_offered=around.binds, binding=context.channel_binding)
        return Scram(identities=identities, hash_name=hash_name, channel=channel, nonce=secrets.token_urlsafe(24))

    return Mechanism(
        name=f"SCRAM-{hash_name}{'-PLUS' if plus else ''}",
        announced=(lambda around: around.binds) if plus else (lambda around: True),
        begin=begin,
    )


MECHANISMS: tuple[Mechanism, ...] = (
    _scram("SHA-256", plus=True),
    _scram("SHA-1", plus=True),
    _scram("SHA-256", plus=False),
    _scram("SHA-1", plus=False),
    Mechanism(
        name="PLAIN",
        announced=lambda around: around.secure,
        begin=lambda identities, context, around: Plain(identities),
    ),
    Mechanism(
        name="LOGIN",
        announced=lambda around: around.secure,
        begin=lambda identities, context, around: Login(identities),
    ),
    # Last, and in TLS only announced if the site says so: many clients take it before all else. Some devices use it
    # without looking at the list.
    Mechanism(
        name="CRAM-MD5",
        announced=lambda around: around.shows_legacy,
        taken=lambda around: around.legacy,
        begin=lambda identities, context, around: CramMd5(identities, stamp(around.hostname)),
    ),
)
