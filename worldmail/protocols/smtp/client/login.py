"""AUTH (RFC 4954 §4): the strongest mechanism first.

A login that fails is no fault of any message: mail waits until somebody has set it right.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress

from worldmail.interfaces.outbound import Fate, HopFailed, Login, Phase, Trouble
from worldmail.protocols.smtp.client.answers import Answer
from worldmail.protocols.smtp.client.channel import Channel, nonsense
from worldmail.wire.sasl.choice import SigningIn
from worldmail.wire.sasl.exchange import Exchange, ExchangeFailed

MAXIMUM_ROUNDS = 8
# Of the mechanism rather than of the password: unrecognized, too weak, in need of encryption (RFC 4954 §4, §6).
_NOT_THIS_WAY = frozenset((500, 501, 502, 504, 534, 538))


async def sign_in(channel: Channel, login: Login) -> None:
    """Sign in. Raises `HopFailed` (DEFERRED) and `Lost`."""
    offered = channel.capabilities.mechanisms
    signing_in = SigningIn(
        user=login.user,
        password=login.password,
        plaintext=channel.peer.tls is not None or login.plaintext or _is_loopback(channel.peer.host),
        binding=_binding(channel),
        nonce=channel.means.nonce,
        aside=channel.means.aside,
    )
    answer = None
    for exchange in signing_in.exchanges(offered):
        answer = await _run(channel, exchange)
        if answer.code == 235:
            return
        if answer.code < 400:
            raise nonsense(answer)
        if answer.code not in _NOT_THIS_WAY:
            break
    if answer is None:
        raise _failed(channel, "4.7.0", _nothing_fits(offered))
    raise _failed(channel, "4.7.8", "The server does not accept our login", answer)


async def _run(channel: Channel, exchange: Exchange) -> Answer:
    """One mechanism to its end: the reply that is not 334."""
    answer = None
    try:
        command = b"AUTH " + exchange.mechanism.encode("ascii")
        if exchange.speaks_first:
            # "=" is an initial response of no octets (RFC 4954 §4); none of ours is empty.
            command += b" " + base64.b64encode(await exchange.respond(b""))
        answer = await _say(channel, command)
        for _ in range(MAXIMUM_ROUNDS):
            if answer.code != 334:
                break
            response = await exchange.respond(_challenge(answer))
            answer = await _say(channel, base64.b64encode(response))
    except ExchangeFailed as failure:
        if answer is not None:  # "*" cancels, and the server says 501 (RFC 4954 §4); nobody waits for that.
            channel.put(b"*\r\n")
        raise _failed(channel, "4.7.0", f"Signing in by {exchange.mechanism} failed: {failure}") from None
    if answer.code == 235 and not exchange.proven:
        raise _failed(channel, "4.7.0", f"The server did not prove itself in {exchange.mechanism}", answer)
    return answer


async def _say(channel: Channel, text: bytes) -> Answer:
    return await channel.ask(text + b"\r\n", Phase.LOGIN, channel.means.patience.login)


def _challenge(answer: Answer) -> bytes:
    try:
        return base64.b64decode(answer.lines[0], validate=True)
    except binascii.Error:
        raise ExchangeFailed("a challenge that is not in base64") from None


def _binding(channel: Channel) -> tuple[str, bytes] | None:
    """What TLS 1.3 binds to (RFC 9266 §3); older versions do without."""
    tls = channel.peer.tls
    if tls is None or tls.version != "TLSv1.3":
        return None
    octets = channel.peer.channel_binding("tls-exporter")
    return None if octets is None else ("tls-exporter", octets)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _nothing_fits(offered: frozenset[str]) -> str:
    if not offered:
        return "A login is set for this server, but it offers none"
    if offered & {"PLAIN", "LOGIN"}:
        return "The server takes passwords only in the clear, and the connection has no TLS"
    return "The server offers no way to sign in that is known here"


def _failed(channel: Channel, status: str, reason: str, answer: Answer | None = None) -> HopFailed:
    return HopFailed(
        Trouble(
            fate=Fate.DEFERRED,
            status=status,
            phase=Phase.LOGIN,
            server=channel.server,
            reply=None if answer is None else answer.as_reply(),
            reason=reason,
        )
    )
