"""ATRN: a server hands us what waits there, over the same connection, on which we are the server then (RFC 2645)."""

from __future__ import annotations

from attrs import frozen

from worldmail.interfaces.outbound import Phase, Reply
from worldmail.interfaces.protocol import IDialogue
from worldmail.protocols.smtp.client.channel import Channel, Lost, nonsense
from worldmail.wire.effects import Become

STAYS = "XSTAY"
"""The word of EHLO by which a server says that a connection that it turned may stay open."""

_WORDS = {
    450: "The server does not let us have this mail",
    451: "The server cannot hand our mail over now",
    453: "Nothing waits",
    500: "The server does not know ODMR",
    502: "The server does not do ODMR here",
    530: "The server wants us to sign in first",
}


@frozen(kw_only=True)
class Answered:
    """What became of ATRN.

    Args:
        turned: we are the server now.
        ok: that, or nothing waits.
        words: what that means, the server's words behind it.
        server: the peer as the trace names it.
        stays: the connection stays open.
    """

    turned: bool
    ok: bool
    words: str
    server: str
    stays: bool = False


async def ask_to_turn(channel: Channel, domains: tuple[str, ...], stay: int, session: IDialogue) -> Answered:
    """Ask for the mail of these domains, all if there are none, and let the session take the connection over.

    Raises: `Lost`.

    Args:
        stay: see `Fetch.stay`.
    """
    command = b"ATRN"
    if domains:
        command += b" " + ",".join(domains).encode("ascii")  # RFC 2645 §4: domain *("," domain)
    stays = bool(stay) and STAYS in channel.capabilities.keywords
    if stays:
        command += b" STAY=%d" % stay
    answer = await channel.ask(command + b"\r\n", Phase.MAIL, channel.means.patience.content)
    reply, server = answer.as_reply(), channel.server
    if answer.code == 250:
        # Next we greet (RFC 2645 §4): what the server says before that is said to nobody (RFC 5321 §4.3.1).
        if channel.reader.buffered():
            raise Lost("The server speaks behind its consent to the turn, before it is greeted", "4.5.0", reply)
        channel.put(Become(session))
        channel.over = True
        return Answered(turned=True, ok=True, words=str(reply), server=server, stays=stays)
    if answer.code < 400:
        raise nonsense(answer)
    return Answered(turned=False, ok=answer.code == 453, words=_told(answer.code, reply), server=server)


def _told(code: int, reply: Reply) -> str:
    return f"{_WORDS.get(code, 'The server refused to turn the connection')}: {reply}"
