"""From the greeting to the first transaction: who we are, TLS, signing in.

Each coroutine raises `HopFailed` if the hop is not to be had as it is asked for, `Lost` if the conversation ends.
"""

from __future__ import annotations

from worldmail.interfaces.outbound import HopFailed, Phase, Security
from worldmail.protocols.smtp.client.answers import Answer
from worldmail.protocols.smtp.client.capabilities import Capabilities, read_capabilities
from worldmail.protocols.smtp.client.channel import Channel, nonsense
from worldmail.protocols.smtp.client.login import sign_in
from worldmail.protocols.smtp.client.refusals import failed, refused

_REFUSED = {
    Phase.GREETING: "The server takes no mail from us",
    Phase.HELLO: "The server does not accept our greeting",
}


async def open_conversation(channel: Channel) -> None:
    """All of it."""
    greeting = await channel.answer(Phase.GREETING, channel.means.patience.greeting)
    if greeting.code != 220:  # 554, RFC 5321 §3.1; 521, RFC 7504 §3
        raise _refused(channel, greeting)
    await _say_hello(channel)
    if channel.hop.security is not Security.NEVER and channel.peer.tls is None:
        await _start_tls(channel)
    if channel.hop.login is not None:
        await sign_in(channel, channel.hop.login)


async def _say_hello(channel: Channel) -> None:
    """EHLO, or HELO to a server of before RFC 1869 (RFC 5321 §3.2); LHLO in LMTP (RFC 2033 §4.1)."""
    name, seconds = channel.hop.helo.encode("ascii"), channel.means.patience.hello
    channel.capabilities = Capabilities()
    word = b"LHLO " if channel.hop.lmtp else b"EHLO "
    answer = await channel.ask(word + name + b"\r\n", Phase.HELLO, seconds)
    if answer.code // 100 == 2:
        channel.capabilities = read_capabilities(answer.lines[1:])
        return
    if answer.code >= 500 and not channel.hop.lmtp:
        answer = await channel.ask(b"HELO " + name + b"\r\n", Phase.HELLO, seconds)
    if answer.code // 100 != 2:
        raise _refused(channel, answer)


async def _start_tls(channel: Channel) -> None:
    """STARTTLS (RFC 3207 §4); without it only what is opportunistic goes on (RFC 7435)."""
    optional = channel.hop.security is Security.OPPORTUNISTIC
    if not channel.capabilities.starttls:
        if not optional:
            raise failed(channel, Phase.TLS, "4.7.4", "TLS is required, but the server does not offer it")
        return
    answer = await channel.ask(b"STARTTLS\r\n", Phase.TLS, channel.means.patience.hello)
    if answer.code == 220:
        await channel.secure(channel.lost)
        await _say_hello(channel)  # what was learnt in the clear is forgotten (RFC 3207 §4.2)
    elif answer.code < 400:
        raise nonsense(answer)
    elif not optional:
        raise failed(channel, Phase.TLS, "4.7.4", "TLS is required, but the server cannot start it", answer)


def _refused(channel: Channel, answer: Answer) -> HopFailed:
    return refused(channel, answer, _REFUSED[channel.phase], "3.2")
