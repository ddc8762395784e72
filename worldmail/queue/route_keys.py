"""The keys of a route that an administrator may set, and what follows from them.

What is kept is what was given (`Given`); `route_of` makes of it the `Route` that mail takes, with what follows where
nothing was given. So a route that is switched to `hold` and back is what it was before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs
from attrs import frozen

from worldmail.config.host_keys import host_keys, security_of
from worldmail.config.keys import A_NAME, PASSWORD, Key, KeyTable, kept_name, switch, thing_name
from worldmail.config.values import ANY, domain_pattern, number
from worldmail.errors import BadValue
from worldmail.interfaces.outbound import Login, Security
from worldmail.interfaces.queue import Route, Via
from worldmail.queue.route_values import CHOICES, sender_pattern, sentence, way

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
    pins: frozenset[str] = frozenset()
    renews: bool = False
    user: str = ""
    queue: str = ""
    text: str = ""
    connections: int = 0
    rate: int = 0
    enabled: bool = True


def route_name(text: str) -> str:
    """The normal form of a route's name. Raises `BadValue`."""
    return thing_name("a route", text)


def changed(name: str, given: Given, changes: Mapping[str, str]) -> Given:
    """`given` with these changes, which have to fit together; those of the password are the caller's.

    Raises: `BadValue` for an unknown key, a value that is none, or what cannot be together.
    """
    values = {row.field: value for row, value in (_parse(key, text) for key, text in changes.items())}
    values.pop(PASSWORD, None)
    result = attrs.evolve(given, **values)
    for key, text in changes.items():
        of = ROUTE_KEYS[key].of
        if text.strip() and of is not None and result.via.value not in of:
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


def route_of(name: str, given: Given, password: str) -> Route:
    """The route that these make, whole; of its fields none is set that says nothing with its way."""
    hosted, login = given.via in TO_HOST, None
    if hosted and given.user:
        login = Login(user=given.user, password=password)
    implicit_tls = hosted and given.implicit_tls
    security, pins = Security.OPPORTUNISTIC, given.pins if hosted else frozenset()
    if given.via in SENT:
        security = security_of(given.security, pins, login=login is not None, implicit_tls=implicit_tls)
    return Route(
        name=name,
        domain=given.domain,
        sender=given.sender,
        via=given.via,
        host=given.host if hosted else "",
        port=_port(given) if hosted else 0,
        security=security,
        implicit_tls=implicit_tls,
        login=login,
        pins=pins,
        renews=hosted and given.renews,
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


def _parse(key: str, text: str) -> tuple[Key, Any]:
    given = text if key == PASSWORD else text.strip()
    if not given and key in ROUTE_KEYS:
        return ROUTE_KEYS[key], None if key == PASSWORD else getattr(Given(), ROUTE_KEYS[key].field)
    return ROUTE_KEYS.required(key), ROUTE_KEYS.value(key, given)


def _host_keys() -> list[Key]:
    """Of a server as others have them, with what is said of routes alone."""
    said = {
        "host": "The server that takes the mail.",
        "user": "Whom to sign in as; it needs a password, and goes to a verified server only.",
    }
    rows = host_keys(
        _of(TO_HOST), of_security=_of(SENT), ports="25, with user 587, with implicit-tls 465, and for LMTP 24"
    )
    return [attrs.evolve(row, meaning=said.get(row.key, row.meaning)) for row in rows]


def _of(vias: Iterable[Via]) -> frozenset[str]:
    return frozenset(via.value for via in vias)


ROUTE_KEYS = KeyTable(
    (
        Key(
            key="domain",
            meaning="Mail for which domains takes this route; the most exact route wins.",
            takes="a domain, a dot and a domain for all below it, or * for all",
            parse=domain_pattern,
            default=ANY,
        ),
        Key(
            key="sender",
            meaning="Mail from which senders takes it; of those for one domain the most exact wins.",
            takes="an address, a domain, a dot and a domain for all below it, or * for all",
            parse=sender_pattern,
            default=ANY,
        ),
        Key(
            key="via",
            meaning="The way: the servers that the DNS names, one host, the same by LMTP, waiting, or nowhere.",
            takes=f"one of: {', '.join(CHOICES)}",
            parse=way,
            default=Via.MX,
        ),
        *_host_keys(),
        Key(
            key="queue",
            meaning="The queue that mail waits in until it is released; else the route's name.",
            takes=A_NAME,
            parse=kept_name,
            default="",
            of=_of({Via.HOLD}),
        ),
        Key(
            key="text",
            meaning="What a refused sender is told.",
            takes="up to 200 printable ASCII characters",
            parse=sentence,
            default="",
            of=_of({Via.REFUSE}),
        ),
        Key(
            key="connections",
            meaning="The most connections at once to one destination; 0 for the setting of the queue.",
            takes=f"a number up to {MAXIMUM_CONNECTIONS}",
            parse=number(0, MAXIMUM_CONNECTIONS),
            default=0,
            of=_of(SENT),
        ),
        Key(
            key="rate",
            meaning="Messages a minute to one destination; 0 for no bound.",
            takes=f"a number up to {MAXIMUM_RATE}",
            parse=number(0, MAXIMUM_RATE),
            default=0,
            of=_of(SENT),
        ),
        Key(
            key="enabled",
            meaning="Whether it is there; off passes it over.",
            takes="on or off",
            parse=switch,
            default=True,
        ),
    ),
    chooser="via",
)
