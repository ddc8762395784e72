"""From the greeting to the mailbox: what the server can do, TLS, signing in, EXAMINE.

Each coroutine raises `HopFailed` if the mailbox is not to be had as it is asked for, `RemoteLost` if the conversation
ends.
"""

from __future__ import annotations

import base64

from worldmail.interfaces.collection import RemoteRefused
from worldmail.interfaces.outbound import Login, Phase, Security
from worldmail.protocols.imap.client.channel import Channel
from worldmail.protocols.imap.client.responses import FAILURE_OF_THE_SERVER, Response, quoted
from worldmail.wire.client.login import decode_challenge, signing_in
from worldmail.wire.client.reader import shown
from worldmail.wire.sasl.echoes import without_password
from worldmail.wire.sasl.exchange import Exchange, ExchangeFailed

MAXIMUM_ROUNDS = 8


async def open_session(channel: Channel) -> None:
    """All but the mailbox."""
    signed_in = await _greeting(channel)
    await _look(channel)
    if channel.hop.security is not Security.NEVER and channel.peer.tls is None:
        await _start_tls(channel, signed_in)
    if channel.hop.login is not None and not signed_in:
        channel.phase = Phase.LOGIN
        await _sign_in(channel, channel.hop.login)
        await _look(channel)  # a server may say more to who has signed in (RFC 9051 §6.1.1)


async def _greeting(channel: Channel) -> bool:
    """Whether we are signed in already (RFC 9051 §7.1.4: PREAUTH)."""
    words = (await channel.response()).text[2:]
    kind = words.partition(b" ")[0].upper()
    if kind not in (b"OK", b"PREAUTH"):
        raise channel.failed("4.3.2", f"The server turns us away: {shown(words)}")
    return kind == b"PREAUTH"


async def _look(channel: Channel) -> None:
    """CAPABILITY (RFC 9051 §6.1.1)."""

    def take(response: Response) -> None:
        channel.capabilities = response.capabilities or channel.capabilities

    channel.capabilities = frozenset()
    try:
        await channel.ask(b"CAPABILITY", take)
    except RemoteRefused as refused:
        raise channel.failed("4.3.2", f"The server does not say what it can do: {refused}") from None


async def _start_tls(channel: Channel, signed_in: bool) -> None:
    """STARTTLS (RFC 9051 §6.2.1); without it only what is opportunistic goes on."""
    channel.phase = Phase.TLS
    optional = channel.hop.security is Security.OPPORTUNISTIC
    if signed_in or "STARTTLS" not in channel.capabilities:
        if optional:
            return
        raise channel.failed("4.7.4", "TLS is required, but the server does not offer it")
    try:
        await channel.ask(b"STARTTLS")
    except RemoteRefused as refused:
        if optional:
            return
        raise channel.failed("4.7.4", f"TLS is required, but the server does not start it: {refused}") from None
    await channel.secure(channel.failed)
    await _look(channel)


async def _sign_in(channel: Channel, login: Login) -> None:
    """The strongest way that both know. The password itself goes over TLS, or where that was said to be right."""
    ways = signing_in(login, channel.peer, channel.means)
    offered = frozenset(one.removeprefix("AUTH=") for one in channel.capabilities if one.startswith("AUTH="))
    words: str | None = None
    for exchange in ways.exchanges(offered):
        words = await _run(channel, exchange)
        if words is None:
            return
    if ways.plaintext and "LOGINDISABLED" not in channel.capabilities:  # RFC 9051 §6.2.3
        words = await _log_in(channel, login)
        if words is None:
            return
    if words is None:
        raise channel.failed(
            "4.7.0", "The server takes passwords only in the clear, and the connection has no TLS: nothing was sent"
        )
    words = without_password(words, login.user, login.password)
    if FAILURE_OF_THE_SERVER.match(words.encode()):
        raise channel.failed("4.3.2", f"The server does not let us in now: {words}")
    raise channel.failed("4.7.8", f"The server does not accept our login: {words}")


async def _run(channel: Channel, exchange: Exchange) -> str | None:
    """One mechanism to its end (RFC 9051 §6.2.2): None, or the words of the refusal."""
    tag = channel.tag()
    try:
        command = tag + b" AUTHENTICATE " + exchange.mechanism.encode("ascii")
        initial: bytes | None = None
        if exchange.speaks_first:
            initial = base64.b64encode(await exchange.respond(b"")) or b"="
            if "SASL-IR" in channel.capabilities:  # RFC 4959 §3
                command += b" " + initial
                initial = None
        channel.put(command + b"\r\n")
        for _ in range(MAXIMUM_ROUNDS):
            response = await _of(channel, tag)
            if response.challenge is None:
                good, words = response.tagged(tag) or (False, b"")
                if good and not exchange.proven:
                    raise ExchangeFailed("the server did not prove itself")
                return None if good else shown(words) or "no reason was given"
            if initial is None:
                initial = base64.b64encode(await exchange.respond(decode_challenge(response.challenge)))
            channel.put(initial + b"\r\n")
            initial = None
    except ExchangeFailed as failure:
        raise channel.failed("4.7.0", f"Signing in by {exchange.mechanism} failed: {failure}") from None
    raise channel.failed("4.7.0", f"Signing in by {exchange.mechanism} does not end")


async def _of(channel: Channel, tag: bytes) -> Response:
    """A challenge, or how the command was done."""
    while True:
        response = await channel.response()
        if response.challenge is not None or response.tagged(tag) is not None:
            return response
        if not response.is_untagged:
            raise ExchangeFailed("an answer that does not fit")


async def _log_in(channel: Channel, login: Login) -> str | None:
    """LOGIN (RFC 9051 §6.2.3): None, or the words of the refusal."""
    user, password = quoted(login.user), quoted(login.password)
    if user is None or password is None:
        return "the user or the password cannot be said in LOGIN, and the server knows no other way"
    try:
        await channel.ask(b"LOGIN " + user + b" " + password)
    except RemoteRefused as refused:
        return str(refused)
    return None
