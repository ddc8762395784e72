"""Who is at the other end of a connection, and where ours is."""

from __future__ import annotations

import itertools
import secrets
import socket
from contextlib import suppress
from typing import Any

from worldmail.interfaces.protocol import Peer
from worldmail.transport.limits import Limits
from worldmail.transport.sockets import EagerServer

UNACKNOWLEDGED = 90
"""Seconds for which the other machine may not acknowledge what was sent to it, where that is watched."""

SILENT = 75
"""Seconds of silence after which the other machine is asked whether it still knows of the connection, where that is
watched. It is more than is usual between the words of who has nothing to say (`stay`): they cost nothing then."""

ASKED_AGAIN = 10
"""Seconds after which it is asked again."""

_WATCHED = {
    "TCP_USER_TIMEOUT": 1000 * UNACKNOWLEDGED,
    "TCP_KEEPIDLE": SILENT,
    "TCP_KEEPINTVL": ASKED_AGAIN,
}

_PREFIX = secrets.token_hex(4)
_numbers = itertools.count(1)


def new_session() -> str:
    """A session id, unique over processes and restarts."""
    return f"{_PREFIX}{next(_numbers):06x}"


def watch_link(transport: Any) -> None:
    """From here on a link that is dead ends the connection soon (RFC 5482 §1, RFC 9293 §3.8.4).

    How long a peer takes to answer is another matter: its system acknowledges what comes without it. One that gave the
    connection up meanwhile, or whatever translates addresses on the way and forgot it, says so when it is asked.
    """
    own = getattr(transport, "socket", None)
    if own is None:
        return
    with suppress(OSError):
        own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _WATCHED.items():
            if hasattr(socket, name):
                own.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def make_peer(transport: Any, limits: Limits | None) -> Peer:
    """The peer of a connected transport, with a new session id."""
    host: Any
    port: Any
    if isinstance(transport, EagerServer):
        host, port = transport.client[:2]
        local_host, local_port = transport.socket.getsockname()[:2]
    else:
        there, here = transport.getPeer(), transport.getHost()
        host, port, local_host, local_port = there.host, there.port, here.host, here.port
    host = _unmapped(host)
    return Peer(
        session=new_session(),
        host=host,
        port=port,
        local_host=_unmapped(local_host),
        local_port=local_port,
        channel_binding=no_binding,
        exempt=limits is not None and limits.is_exempt(host),
    )


def no_binding(kind: str) -> bytes | None:
    """The channel binding of a connection without TLS: none."""
    return None


def no_wake() -> None:
    """What wakes a dialogue whose connection is gone: nothing."""


def no_abort(reason: str) -> None:
    """What cuts off a connection that is gone: nothing."""


def _unmapped(host: str) -> str:
    """An IPv4 address that came in IPv6's clothes, as itself."""
    return host[7:] if host.startswith("::ffff:") and "." in host else host
