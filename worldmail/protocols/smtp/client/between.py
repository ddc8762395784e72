"""What is said between transactions, where nothing is meant by it but that somebody is there, or will not be."""

from __future__ import annotations

import contextlib

from worldmail.interfaces.outbound import Phase
from worldmail.protocols.smtp.client.channel import Channel, Lost


async def say_nothing(channel: Channel) -> None:
    """NOOP (RFC 5321 §4.1.1.9): is anybody there? Whatever the answer is, somebody is. Raises `Lost`."""
    try:
        await channel.ask(b"NOOP\r\n", Phase.MAIL, channel.means.patience.beat)
    except Lost as lost:
        channel.drop(lost.reason)
        raise
    channel.timeout = channel.means.patience.idle


async def say_goodbye(channel: Channel) -> None:
    """QUIT (RFC 5321 §4.1.1.10); whatever the answer is. Not where somebody else speaks, or nobody does."""
    if channel.over:
        return
    with contextlib.suppress(Lost):
        await channel.ask(channel.GOODBYE, Phase.CONTENT, channel.means.patience.goodbye)
    channel.drop("finished")
