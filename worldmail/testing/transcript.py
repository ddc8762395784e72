"""Plays a conversation written down as text against a dialogue.

    S: 220 mail.example.test ...
    C: NOOP
    S: 250 2.0.0 ...
    C: QUIT
    S: 221 ...
    -- closed

A line's CRLF is left out; "..." in an S line stands for any octets of that line; lines that begin with
neither "C:", "S:" nor "--" are remarks, as are empty ones. C lines without an S line between them are pipelined.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from worldmail.interfaces.protocol import IDialogue, Peer
from worldmail.testing.feeding import Conductor, loopback_peer, settle

CLOSED = "-- closed"


def play(dialogue: IDialogue, transcript: str, peer: Peer | None = None) -> None:
    """Play it with a dialogue whose awaits are all there already.

    Raises: AssertionError that shows the line at which the dialogue said something else.
    """
    settle(play_slowly(dialogue, transcript, peer))


async def play_slowly(dialogue: IDialogue, transcript: str, peer: Peer | None = None) -> None:
    """The same for a dialogue that waits."""
    conductor = Conductor(dialogue=dialogue, peer=peer or loopback_peer())
    await conductor.open()
    heard = 0
    for client, server, closed in _exchanges(transcript):
        if client:
            await conductor.feed(b"".join(client))
        said = conductor.held.output[heard:]
        heard = len(conductor.held.output)
        _compare(server, said)
        assert closed == (conductor.held.closed is not None), (
            f"after {server[-1:]} the dialogue is {'open' if closed else f'closed: {conductor.held.closed}'}"
        )
    dialogue.closed(conductor.held.closed or "peer closed")


def _exchanges(transcript: str) -> Iterator[tuple[list[bytes], list[str], bool]]:
    """What the client sends, what the server answers to it, and whether it then closes."""
    client: list[bytes] = []
    server: list[str] = []
    closed = False
    for line in (line.strip() for line in transcript.splitlines()):
        if line.startswith("C:"):
            if server:
                yield client, server, False
                client, server = [], []
            client.append(line[2:].removeprefix(" ").encode() + b"\r\n")
        elif line.startswith("S:"):
            server.append(line[2:].removeprefix(" "))
        elif line == CLOSED:
            closed = True
    if client or server or closed:
        yield client, server, closed


def _compare(expected: list[str], said: bytes) -> None:
    lines = said.decode("utf-8", "backslashreplace").split("\r\n")
    assert lines[-1] == "", f"the last line has no end: {lines[-1]!r}"
    lines.pop()
    for number, pattern in enumerate(expected):
        line = lines[number] if number < len(lines) else None
        wanted = ".*".join(re.escape(part) for part in pattern.split("..."))
        assert line is not None, f"expected {pattern!r}, but nothing more was said"
        assert re.fullmatch(wanted, line), f"expected {pattern!r}, heard {line!r}"
    assert len(lines) == len(expected), f"not expected: {lines[len(expected) :]!r}"
