"""The keys of a server that is connected to, for whatever thing has one."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from attrs import frozen

from worldmail.config.keys import PASSWORD, Key, listed, switch
from worldmail.config.values import A_CREDENTIAL, credential, host_or_address, number
from worldmail.errors import BadValue
from worldmail.interfaces.outbound import Login, Security

A_PIN = "the SHA-256 of public keys, 64 hexadecimal digits each, with commas between them"

MAXIMUM_PINS = 16

_PIN = re.compile(r"[0-9a-f]{64}")


@frozen(kw_only=True)
class Ports:
    """The port where none is given: in general, for one who signs in, and where TLS begins with the connection."""

    plain: int
    user: int
    implicit_tls: int


def host_keys(of: frozenset[str] | None, *, of_security: frozenset[str] | None, ports: str) -> tuple[Key, ...]:
    """The rows.

    Args:
        of: see `Key.of`; `of_security`: the same of TLS.
        ports: the ports that are meant where none is given, in words.
    """
    return (
        Key(
            key="host",
            meaning="The server.",
            takes="a host name or an IP address, without a port",
            parse=host_or_address,
            default="",
            of=of,
        ),
        Key(
            key="port",
            meaning=f"Its port; else {ports}.",
            takes="a number from 1 to 65535",
            parse=number(1, 65535),
            default=0,
            of=of,
        ),
        Key(
            key="security",
            meaning="TLS: never, if offered, always, or always with a certificate for the host's name, or with one of"
            " the pins; else opportunistic, with user or implicit-tls verified, with pins pinned.",
            takes=f"one of: {', '.join(each.value for each in Security)}",
            parse=lambda text: Security(text.lower()),
            of=of_security,
        ),
        Key(
            key="implicit-tls",
            meaning="Whether TLS begins with the connection, without STARTTLS.",
            takes="on or off",
            parse=switch,
            default=False,
            of=of,
        ),
        *_pin_keys(of),
        *_login_keys(of),
    )


def security_of(given: Security | None, pins: Collection[str], *, login: bool, implicit_tls: bool) -> Security:
    """What is asked of the connection, as given or as it follows from the rest. Raises `BadValue`."""
    follows = Security.VERIFIED if login or implicit_tls else Security.OPPORTUNISTIC
    security = given or (Security.PINNED if pins else follows)
    if bool(pins) is not (security is Security.PINNED):
        raise BadValue("security=pinned and pins belong together: pins=HEX")
    if login and not security.proves:
        raise BadValue("a password goes to none but a verified server: with user, security is verified or pinned")
    if implicit_tls and security in (Security.NEVER, Security.OPPORTUNISTIC):
        raise BadValue("with implicit-tls, security is verified, pinned or encrypted")
    return security


def pins_of(text: str) -> frozenset[str]:
    """The pins of a text, in lower case. Raises ValueError."""
    return frozenset(listed(_pin, MAXIMUM_PINS)(text))


def _pin(text: str) -> str:
    if _PIN.fullmatch(text.lower()) is None:
        raise ValueError
    return text.lower()


def _pin_keys(of: frozenset[str] | None) -> tuple[Key, ...]:
    return (
        Key(
            key="pins",
            meaning="The server's public keys: whose certificate has none of them is somebody else.",
            takes=A_PIN,
            parse=pins_of,
            default=frozenset(),
            of=of,
        ),
        Key(
            key="renews",
            meaning="Whether a certificate with another key is good too, if it verifies for the host's name; its key is"
            " the pinned one from then on.",
            takes="on or off",
            parse=switch,
            default=False,
            of=of,
        ),
    )


def _login_keys(of: frozenset[str] | None) -> tuple[Key, ...]:
    return (
        Key(
            key="user",
            meaning="Whom to sign in as there; it needs a password.",
            takes=A_CREDENTIAL,
            parse=credential,
            default="",
            of=of,
        ),
        Key(
            key=PASSWORD,
            meaning="The password of the user: asked for, or with --password-stdin from standard input.",
            takes=A_CREDENTIAL,
            parse=credential,
            of=of,
        ),
    )


def host_of(values: Mapping[str, Any], password: str, ports: Ports) -> dict[str, Any]:
    """The values with `login` in the place of `user`, and what follows where nothing was given. Raises `BadValue`."""
    made = dict(values)
    user, implicit_tls = made.pop("user"), made["implicit_tls"]
    login = Login(user=user, password=password) if user else None
    security = security_of(made["security"], made["pins"], login=login is not None, implicit_tls=implicit_tls)
    if made["host"] and not made["port"]:
        made["port"] = ports.implicit_tls if implicit_tls else ports.user if login is not None else ports.plain
    return {**made, "login": login, "security": security}
