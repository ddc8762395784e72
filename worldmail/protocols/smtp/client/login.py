"""AUTH (RFC 4954 §4): the strongest mechanism first.

A login that fails is no fault of any message: mail waits until somebody has set it right.
"""

from __future__ import annotations

import base64

from attrs import evolve

from worldmail.interfaces.outbound import HopFailed, Login, Phase, Reply
from worldmail.protocols.smtp.client.answers import Answer
from worldmail.protocols.smtp.client.channel import Channel, Lost, nonsense
from worldmail.protocols.smtp.client.refusals import failed
from worldmail.wire.client.login import decode_challenge, signing_in
from worldmail.wire.sasl.echoes import without_password
from worldmail.wire.sasl.exchange import Exchange, ExchangeFailed

MAXIMUM_ROUNDS = 8
# Of the mechanism rather than of the password: unrecognized, too weak, in need of encryption (RFC 4954 §4, §6).
_NOT_THIS_WAY = frozenset((500, 501, 502, 504, 534, 538))


async def sign_in(channel: Channel, login: Login) -> None:
    """Sign in. Raises `HopFailed` (DEFERRED), `Lost`; the password is in the words of neither."""
    try:
        await _sign_in(channel, login)
    except HopFailed as failure:
        trouble = failure.trouble
        raise HopFailed(evolve(trouble, reply=_without_password(trouble.reply, login))) from None
    except Lost as lost:
        lost.reply = _without_password(lost.reply, login)
        raise


async def _sign_in(channel: Channel, login: Login) -> None:
    offered = channel.capabilities.mechanisms
    answer = None
    for exchange in signing_in(login, channel.peer, channel.means).exchanges(offered):
        answer = await _run(channel, exchange)
        if answer.code == 235:
            return
        if answer.code < 400:
            raise nonsense(answer)
        if answer.code not in _NOT_THIS_WAY:
            break
    if answer is None:
        raise failed(channel, Phase.LOGIN, "4.7.0", _nothing_fits(offered))
    passing = answer.as_reply().enhanced if answer.code < 500 else None
    raise failed(channel, Phase.LOGIN, passing or "4.7.8", "The server does not accept our login", answer)


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
            response = await exchange.respond(decode_challenge(answer.lines[0]))
            answer = await _say(channel, base64.b64encode(response))
    except ExchangeFailed as failure:
        if answer is not None:  # "*" cancels, and the server says 501 (RFC 4954 §4); nobody waits for that.
            channel.put(b"*\r\n")
        raise failed(channel, Phase.LOGIN, "4.7.0", f"Signing in by {exchange.mechanism} failed: {failure}") from None
    if answer.code == 235 and not exchange.proven:
        raise failed(channel, Phase.LOGIN, "4.7.0", f"The server did not prove itself in {exchange.mechanism}")
    return answer


async def _say(channel: Channel, text: bytes) -> Answer:
    return await channel.ask(text + b"\r\n", Phase.LOGIN, channel.means.patience.login)


def _nothing_fits(offered: frozenset[str]) -> str:
    if not offered:
        return "A login is set for this server, but it offers none"
    if offered & {"PLAIN", "LOGIN"}:
        return "The server takes passwords only in the clear, and the connection has no TLS"
    return "The server offers no way to sign in that is known here"


def _without_password(reply: Reply | None, login: Login) -> Reply | None:
    if reply is None:
        return None
    return evolve(reply, lines=tuple([without_password(line, login.user, login.password) for line in reply.lines]))
