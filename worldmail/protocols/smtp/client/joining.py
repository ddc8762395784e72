"""What a site asks of its relay: to join it, and to know whom it has (`paired`).

What a relay announces to those who have signed in is not looked for: it would take another EHLO to see it, and the
reply to the command says the same.
"""

from __future__ import annotations

import base64

from worldmail.interfaces.outbound import Fate, HopFailed, Phase, Trouble
from worldmail.interfaces.pairs import Joined
from worldmail.protocols.smtp.client.channel import Channel, nonsense
from worldmail.protocols.smtp.client.refusals import refused
from worldmail.protocols.smtp.paired import read_joined

PIECE = 64 * 1024


async def join(channel: Channel, secret: bytes, password: str) -> Joined:
    """Redeem an invitation. Raises `HopFailed` (FAILED if the relay says no), `Lost`.

    It is said also where none is open, so that the relay's log has it.
    """
    shown = base64.urlsafe_b64encode(secret).rstrip(b"=")
    try:
        return await _told(channel, b"XJOIN " + shown + b" " + password.encode("ascii"))
    except HopFailed as failed:
        if "XJOIN" in channel.capabilities.keywords or failed.trouble.fate is not Fate.FAILED:
            raise
        raise _not_offered(channel, "The relay has no open invitation") from None


async def ask_again(channel: Channel) -> Joined:
    """What was said when we joined. Raises as `join`."""
    return await _told(channel, b"XJOIN")


async def push_recipients(channel: Channel, lists: bytes) -> str:
    """Tell whom we have (`paired.write_lists`); the relay's words. Raises as `join`."""
    patience = channel.means.patience
    answer = await channel.ask(b"XRECIPIENTS %d\r\n" % len(lists), Phase.DATA, patience.data)
    if answer.code != 354:
        raise refused(channel, answer, "The relay does not take our list of recipients")
    for start in range(0, len(lists), PIECE):
        channel.put(lists[start : start + PIECE])
    answer = await channel.answer(Phase.CONTENT, patience.content)
    if answer.code != 250:
        raise refused(channel, answer, "The relay does not take our list of recipients")
    return str(answer.as_reply())


async def _told(channel: Channel, command: bytes) -> Joined:
    answer = await channel.ask(command + b"\r\n", Phase.LOGIN, channel.means.patience.login)
    if answer.code != 250:
        raise refused(channel, answer, "The relay does not take the invitation")
    lines = [line.decode("utf-8", "replace").partition(" ")[2] for line in answer.lines]  # behind the enhanced code
    try:
        return read_joined(lines)
    except ValueError:
        raise nonsense(answer) from None


def _not_offered(channel: Channel, reason: str) -> HopFailed:
    return HopFailed(
        Trouble(fate=Fate.FAILED, status="5.3.3", phase=channel.phase, server=channel.server, reason=reason)
    )
