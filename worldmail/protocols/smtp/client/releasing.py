"""ETRN: a server is asked to send what waits there for us (RFC 1985)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from worldmail.interfaces.ondemand import Result
from worldmail.interfaces.outbound import Phase, Reply
from worldmail.protocols.smtp.client.answers import Answer
from worldmail.protocols.smtp.client.channel import Channel, Lost, nonsense

_WAITING = re.compile(r"([0-9]{1,9}) pending messages?")

_WORDS = {
    458: "The server cannot send it now",
    459: "The server does not do that for us",
    500: "The server does not know ETRN",
    501: "The server does not know that name",
    502: "The server does not do ETRN",
    530: "The server wants us to sign in first",
}


async def release(channel: Channel, nodes: Sequence[str]) -> Result:
    """One ETRN for each, all at once where the server can have that (RFC 2920 §3.1 lets ETRN stand within a group).

    What was answered before the conversation was lost, counts.
    """
    commands = [f"ETRN {node}\r\n".encode("ascii") for node in nodes]
    seconds = channel.means.patience.data
    answers: list[Answer] = []
    trouble = ""
    if channel.capabilities.pipelining:
        channel.put(*commands)
    try:
        for command in commands:
            if not channel.capabilities.pipelining:
                channel.put(command)
            answer = await channel.answer(Phase.MAIL, seconds)
            if answer.code // 100 == 3:
                raise nonsense(answer)
            answers.append(answer)
    except Lost as lost:
        channel.drop(lost.reason)
        trouble = f"{lost.reason}: {lost.reply}" if lost.reply is not None else lost.reason
    told = [_told(node, answer) for node, answer in zip(nodes, answers, strict=False)]
    if trouble:
        told.append(trouble)
    return Result(
        ok=not trouble and all(answer.code < 400 for answer in answers),
        words="; ".join(told),
        messages=None if trouble else _messages(answers),
    )


def _told(node: str, answer: Answer) -> str:
    """What the server said of one name: 250 to 253 are all its consent (RFC 1985 §5.1)."""
    reply: Reply = answer.as_reply()
    if answer.code < 300:
        return f"{node}: {reply}"
    return f"{node}: {_WORDS.get(answer.code, 'The server refused')}: {reply}"


def _messages(answers: Sequence[Answer]) -> int | None:
    """How many it sends, if it says that of all: 251 none waits, 253 so many (RFC 1985 §5.1)."""
    count = 0
    for answer in answers:
        if answer.code == 251:
            continue
        match = _WAITING.search(str(answer.as_reply())) if answer.code == 253 else None
        if match is None:
            return None
        count += int(match[1])
    return count
