"""The keys of a route that an administrator may set, one row a key, and what follows from them.

What is kept is what was given (`Given`); `route_of` makes of it the `Route` that mail takes, with what follows where
nothing was given. So a route that is switched to `hold` and back is what it was before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
from attrs import frozen

from worldmail.errors import BadValue
from worldmail.interfaces.outbound import Login, Security
from worldmail.interfaces.queue import Route, Via
from worldmail.queue.route_values import (
    A_CREDENTIAL,
    A_NAME,
    CHOICES,
    credential,
    domain_pattern,
    host_or_address,
    kept_name,
    number,
    sender_pattern,
    sentence,
    switch,
    way,
)
from worldmail.queue.routes import ANY

PASSWORD = "password"
REFUSED_TEXT = "Mail for this destination is not taken here"
MAXIMUM_CONNECTIONS = 1000
MAXIMUM_RATE = 1_000_000

# RFC 5321 §4.5.4.2; RFC 6409 §3.1; RFC 8314 §3.3. 24 is for any private mail system; 25 is not for LMTP (RFC 2033 §1).
SMTP_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT, LMTP_PORT = 25, 587, 465, 24

TO_HOST = frozenset({Via.HOST, Via.LMTP})
SENT = TO_HOST | {Via.MX}


@frozen(kw_only=True)
class Given:
    """What was said of a route, beside its name and its password; fields as in `Route`.

    `port` 0, `security` None, `queue` "" and `text` "" are those that follow from the rest.
    """

    domain: str = ANY
    sender: str = ANY
    via: Via = Via.MX
    host: str = ""
    port: int = 0
    security: Security | None = None
    implicit_tls: bool = False
    user: str = ""
    queue: str = ""
    text: str = ""
    connections: int = 0
    rate: int = 0
    enabled: bool = True


@frozen(kw_only=True)
class RouteKey:
    """One key of `set_route`. An empty value takes back what was set.

    Args:
        key: its name.
        meaning: one sentence for the administrator.
        takes: what a value looks like.
        parse: the value of a text that is not empty; ValueError if it is none.
        vias: the ways of which it says something.
    """

    key: str
    meaning: str
    takes: str
    parse: Callable[[str], Any]
    vias: frozenset[Via] = frozenset(Via)

    @property
    def field(self) -> str:
        """Its field in `Given`."""
        return self.key.replace("-", "_")


def route_name(text: str) -> str:
    """The normal form of a route's name. Raises `BadValue`."""
    try:
        return kept_name(text.strip())
    except ValueError:
        raise BadValue(f"{text!r} cannot name a route: it takes {A_NAME}") from None


def changed(name: str, given: Given, changes: Mapping[str, str]) -> Given:
    """`given` with these changes, which have to fit together; those of the password are the caller's.

    Raises: `BadValue` for an unknown key, a value that is none, or what cannot be together.
    """
    values = {row.field: value for row, value in (_parse(key, text) for key, text in changes.items())}
    values.pop(PASSWORD, None)
    result = attrs.evolve(given, **values)
    for key, text in changes.items():
        if text.strip() and result.via not in ROUTE_KEYS[key].vias:
            raise BadValue(f"{key} says nothing with via={result.via.value}")
    check(name, result)
    return result


def new_password(changes: Mapping[str, str]) -> str | None:
    """The password among the changes, None if there is none. Raises `BadValue`."""
    return _parse(PASSWORD, changes[PASSWORD])[1] if changes.get(PASSWORD) else None


def check(name: str, given: Given) -> None:
    """Whether these can be together. Raises `BadValue`."""
    if given.via not in TO_HOST:
        return
    if not given.host:
        raise BadValue(f"via={given.via.value} needs a host: host=NAME")
    route = route_of(name, given, "")
    if given.via is Via.LMTP and route.port == SMTP_PORT:
        raise BadValue("LMTP must not be spoken on port 25 (RFC 2033 §1)")
    if route.login is not None and route.security is not Security.VERIFIED:
        raise BadValue("a password goes to none but a verified server: with user, security is verified")
    if route.implicit_tls and route.security in (Security.NEVER, Security.OPPORTUNISTIC):
        raise BadValue("with implicit-tls, security is verified or encrypted")


def route_of(name: str, given: Given, password: str) -> Route:
    """The route that these make, whole; of its fields none is set that says nothing with its way."""
    hosted, login = given.via in TO_HOST, None
    if hosted and given.user:
        login = Login(user=given.user, password=password)
    implicit_tls = hosted and given.implicit_tls
    follows = Security.VERIFIED if login is not None or implicit_tls else Security.OPPORTUNISTIC
    return Route(
        name=name,
        domain=given.domain,
        sender=given.sender,
        via=given.via,
        host=given.host if hosted else "",
        port=_port(given) if hosted else 0,
        security=(given.security or follows) if given.via in SENT else Security.OPPORTUNISTIC,
        implicit_tls=implicit_tls,
        login=login,
        queue=(given.queue or name) if given.via is Via.HOLD else "",
        text=(given.text or REFUSED_TEXT) if given.via is Via.REFUSE else "",
        connections=given.connections if given.via in SENT else 0,
        rate=given.rate if given.via in SENT else 0,
        enabled=given.enabled,
    )


def _port(given: Given) -> int:
    if given.port:
        return given.port
    if given.via is Via.LMTP:
        return LMTP_PORT
    if given.implicit_tls:
        return SUBMISSIONS_PORT
    return SUBMISSION_PORT if given.user else SMTP_PORT


def _parse(key: str, text: str) -> tuple[RouteKey, Any]:
    row = ROUTE_KEYS.get(key)
    if row is None:
        raise BadValue(f"no key {key!r}; there are: {', '.join(ROUTE_KEYS)}")
    given = text if key == PASSWORD else text.strip()
    if not given:
        return row, None if key == PASSWORD else getattr(Given(), row.field)
    try:
        return row, row.parse(given)
    except ValueError:
        raise BadValue(f"{key} takes {row.takes}") from None


ROUTE_KEYS: Mapping[str, RouteKey] = {
    row.key: row
    for row in (
        RouteKey(
            key="domain",
            meaning="Mail for which domains takes this route; the most exact route wins.",
            takes="a domain, a dot and a domain for all below it, or * for all",
            parse=domain_pattern,
        ),
        RouteKey(
            key="sender",
            meaning="Mail from which senders takes it; of those for one domain the most exact wins.",
            takes="an address, a domain, a dot and a domain for all below it, or * for all",
            parse=sender_pattern,
        ),
        RouteKey(
            key="via",
            meaning="The way: the servers that the DNS names, one host, the same by LMTP, waiting, or nowhere.",
            takes=f"one of: {', '.join(CHOICES)}",
            parse=way,
        ),
        RouteKey(
            key="host",
            meaning="The server that takes the mail.",
            takes="a host name or an IP address, without a port",
            parse=host_or_address,
            vias=TO_HOST,
        ),
        RouteKey(
            key="port",
            meaning="Its port; else 25, with user 587, with implicit-tls 465, and for LMTP 24.",
            takes="a number from 1 to 65535",
            parse=number(1, 65535),
            vias=TO_HOST,
        ),
        RouteKey(
            key="security",
            meaning="TLS: never, if offered, always, or always with a certificate for the host's name;"
            " else opportunistic, with user or implicit-tls verified.",
            takes=f"one of: {', '.join(each.value for each in Security)}",
            parse=lambda text: Security(text.lower()),
            vias=SENT,
        ),
        RouteKey(
            key="implicit-tls",
            meaning="Whether TLS begins with the connection, without STARTTLS.",
            takes="on or off",
            parse=switch,
            vias=TO_HOST,
        ),
        RouteKey(
            key="user",
            meaning="Whom to sign in as; it needs a password, and goes to a verified server only.",
            takes=A_CREDENTIAL,
            parse=credential,
            vias=TO_HOST,
        ),
        RouteKey(
            key=PASSWORD,
            meaning="The password of the user: asked for, or with --password-stdin from standard input.",
            takes=A_CREDENTIAL,
            parse=credential,
            vias=TO_HOST,
        ),
        RouteKey(
            key="queue",
            meaning="The queue that mail waits in until it is released; else the route's name.",
            takes=A_NAME,
            parse=kept_name,
            vias=frozenset({Via.HOLD}),
        ),
        RouteKey(
            key="text",
            meaning="What a refused sender is told.",
            takes="up to 200 printable ASCII characters",
            parse=sentence,
            vias=frozenset({Via.REFUSE}),
        ),
        RouteKey(
            key="connections",
            meaning="The most connections at once to one destination; 0 for the setting of the queue.",
            takes=f"a number up to {MAXIMUM_CONNECTIONS}",
            parse=number(0, MAXIMUM_CONNECTIONS),
            vias=SENT,
        ),
        RouteKey(
            key="rate",
            meaning="Messages a minute to one destination; 0 for no bound.",
            takes=f"a number up to {MAXIMUM_RATE}",
            parse=number(0, MAXIMUM_RATE),
            vias=SENT,
        ),
        RouteKey(
            key="enabled",
            meaning="Whether it is there; off passes it over.",
            takes="on or off",
            parse=switch,
        ),
    )
}
