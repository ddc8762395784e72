"""What a conversation that is not to be had as it was asked for is told as."""

from __future__ import annotations

from worldmail.interfaces.outbound import Fate, HopFailed, Phase, Trouble
from worldmail.protocols.smtp.client.answers import Answer
from worldmail.protocols.smtp.client.channel import Channel, nonsense


def failed(channel: Channel, phase: Phase, status: str, reason: str, answer: Answer | None = None) -> HopFailed:
    """It may go better later."""
    return HopFailed(
        Trouble(
            fate=Fate.DEFERRED,
            status=status,
            phase=phase,
            server=channel.server,
            reply=None if answer is None else answer.as_reply(),
            reason=reason,
        )
    )


def refused(channel: Channel, answer: Answer, reason: str, kind: str = "0.0") -> HopFailed:
    """The server says no: for now, or for good. Raises `Lost` if it says something else.

    Args:
        kind: subject and detail of its status (RFC 3463), if the server gives none.
    """
    if answer.code < 400:
        raise nonsense(answer)
    reply = answer.as_reply()
    permanent = answer.code >= 500
    return HopFailed(
        Trouble(
            fate=Fate.FAILED if permanent else Fate.DEFERRED,
            status=reply.enhanced or f"{'5' if permanent else '4'}.{kind}",
            phase=channel.phase,
            server=channel.server,
            reply=reply,
            reason=reason,
        )
    )
