"""From the greeting to the mailbox: what the server can do, TLS, signing in.

Each coroutine raises `HopFailed` if the mailbox is not to be had as it is asked for, `RemoteLost` if the conversation
ends.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re

from worldmail.interfaces.collection import RemoteRefused
from worldmail.interfaces.outbound import Login, Phase, Security
from worldmail.protocols.pop3.client.capabilities import Capabilities, read_capabilities
from worldmail.protocols.pop3.client.channel import Channel
from worldmail.protocols.pop3.client.reader import Status
from worldmail.wire.client.login import decode_challenge, signing_in
from worldmail.wire.client.reader import shown
from worldmail.wire.sasl.echoes import without_password
from worldmail.wire.sasl.exchange import Exchange, ExchangeFailed

MAXIMUM_ROUNDS = 8
# RFC 1939 §7: a msg-id, so ASCII that can be seen: other octets are what finding out passwords by collisions takes.
_TIMESTAMP = re.compile(rb"<[!-;=?A-~]+@[!-;=?-~]+>")
# What a status says of the mailbox or the server rather than of the password (RFC 2449 §8.1, RFC 3206 §4).
_NOT_THE_PASSWORD = re.compile(rb"\[(?:IN-USE|LOGIN-DELAY|SYS/[A-Z]+)\]", re.IGNORECASE)


async def open_drop(channel: Channel) -> None:
    """All of it."""
    greeting = await _greeting(channel)
    stamp = _TIMESTAMP.search(greeting)
    channel.timestamp = b"" if stamp is None else stamp[0]
    await _look(channel)
    if channel.hop.security is not Security.NEVER and channel.peer.tls is None:
        await _start_tls(channel)
    if channel.capabilities.utf8:  # else the server may give messages other than they came; AUTHORIZATION state only,
        with contextlib.suppress(RemoteRefused):  # and behind STLS (RFC 6856 §2.1)
            await channel.ask(b"UTF8")
    if channel.hop.login is not None:
        channel.phase = Phase.LOGIN
        await _sign_in(channel, channel.hop.login)
        await _look(channel)  # some servers say more to who has signed in (RFC 2449 §5)


async def _greeting(channel: Channel) -> bytes:
    try:
        return await channel.good()
    except RemoteRefused as refused:
        raise channel.failed("4.3.2", f"The server turns us away: {refused}") from None


async def _look(channel: Channel) -> None:
    """CAPA; a server of before RFC 2449 does not know it."""
    channel.put(b"CAPA\r\n")
    try:
        channel.capabilities = read_capabilities(await channel.lines())
    except RemoteRefused:
        channel.capabilities = Capabilities()


async def _start_tls(channel: Channel) -> None:
    """STLS (RFC 2595 §4); without it only what is opportunistic goes on."""
    channel.phase = Phase.TLS
    optional = channel.hop.security is Security.OPPORTUNISTIC
    if not channel.capabilities.stls and optional:
        return
    try:
        await channel.ask(b"STLS")
    except RemoteRefused as refused:
        if optional:
            return
        raise channel.failed("4.7.4", f"TLS is required, but the server does not start it: {refused}") from None
    await channel.secure(channel.failed)
    channel.timestamp = b""  # it came in the clear
    await _look(channel)


async def _sign_in(channel: Channel, login: Login) -> None:
    """The strongest way that both know. The password itself goes over TLS, or where that was said to be right."""
    ways = signing_in(login, channel.peer, channel.means)
    words: str | None = None
    for exchange in ways.exchanges(channel.capabilities.mechanisms):
        status = await _run(channel, exchange)
        if status.good:
            return
        words = without_password(shown(status.text), login.user, login.password)
        if _NOT_THE_PASSWORD.match(status.text):
            raise channel.failed("4.3.2", f"The server does not let us in now: {words}")
    for way in (_apop, _user) if ways.plaintext else (_apop,):
        try:
            if await way(channel, login):
                return
        except RemoteRefused as refused:
            words = str(refused)
    words = None if words is None else without_password(words, login.user, login.password)
    if words is None:
        raise channel.failed(
            "4.7.0", "The server takes passwords only in the clear, and the connection has no TLS: nothing was sent"
        )
    raise channel.failed("4.7.8", f"The server does not accept our login: {words}")


async def _run(channel: Channel, exchange: Exchange) -> Status:
    """One mechanism to its end (RFC 5034 §4): the status that is no challenge."""
    try:
        command = b"AUTH " + exchange.mechanism.encode("ascii")
        if exchange.speaks_first:
            initial = base64.b64encode(await exchange.respond(b""))
            if len(command) + len(initial) < 253:  # RFC 2449 §4 has 255 octets for a command
                command += b" " + initial
                initial = b""
        else:
            initial = b""
        channel.put(command + b"\r\n")
        status = await channel.status()
        for _ in range(MAXIMUM_ROUNDS):
            if not status.challenge:
                break
            response = initial or base64.b64encode(await exchange.respond(decode_challenge(status.text)))
            initial = b""
            channel.put(response + b"\r\n")
            status = await channel.status()
    except ExchangeFailed as failure:
        raise channel.failed("4.7.0", f"Signing in by {exchange.mechanism} failed: {failure}") from None
    if status.good and not exchange.proven:
        raise channel.failed("4.7.0", f"The server did not prove itself in {exchange.mechanism}")
    return status


async def _apop(channel: Channel, login: Login) -> bool:
    """RFC 1939 §7. False if the greeting does not offer it."""
    if not channel.timestamp:
        return False
    digest = hashlib.md5(channel.timestamp + login.password.encode(), usedforsecurity=False).hexdigest()
    await channel.ask(b"APOP " + login.user.encode() + b" " + digest.encode())
    return True


async def _user(channel: Channel, login: Login) -> bool:
    """USER and PASS."""
    await channel.ask(b"USER " + login.user.encode())
    await channel.ask(b"PASS " + login.password.encode())
    return True
