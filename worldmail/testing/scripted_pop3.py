"""A POP3 server that has some messages and says what a test tells it to say, and a client in memory to meet it."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred

from worldmail.protocols.pop3.client.channel import Means
from worldmail.protocols.pop3.client.dialogue import ClientDialogue
from worldmail.testing.smtp_client import ClientMeeting, at_once

CAPABILITIES = "TOP", "UIDL", "USER", "PIPELINING", "STLS", "SASL PLAIN SCRAM-SHA-256"
STAMP = "<1896.697170952@pop.b.test>"


def make_means(**changes: Any) -> Means:
    """The means of a client in memory."""
    return Means(**{"promise": Deferred, "aside": at_once, "nonce": lambda: "nonce", **changes})


@define(kw_only=True)
class ScriptedDrop:
    """Says what it is told to say.

    Args:
        messages: as they lie there; `uniques`: their names, from the first on.
        answers: by command word ("GREETING", "RETR", ...) what to say each time instead, the last of it for ever;
            "CLOSE" to close.
        capabilities: the lines of CAPA, None for a server that does not know it.
        commands: what was said to it.
        most: how many commands came at once.
    """

    messages: list[bytes] = field(factory=list)
    answers: dict[str, list[str]] = field(factory=dict)
    capabilities: tuple[str, ...] | None = CAPABILITIES
    password: str = "secret"
    commands: list[str] = field(factory=list)
    deleted: list[int] = field(factory=list)
    most: int = 0
    closed: bool = False
    secured: bool = False
    _unread: bytes = b""
    _in_auth: bool = False
    _said: dict[str, int] = field(factory=dict)

    def open(self) -> bytes:
        """Greets."""
        return self._scripted("GREETING") or f"+OK ready {STAMP}\r\n".encode()

    def secure(self) -> None:
        """Forgets what it was told."""
        self.secured, self._unread = True, b""

    def receive(self, data: bytes) -> bytes:
        """Its answers to what was sent so far."""
        self._unread += data
        output = b""
        self.most = max(self.most, self._unread.count(b"\r\n"))
        while not self.closed and b"\r\n" in self._unread:
            line, _, self._unread = self._unread.partition(b"\r\n")
            self.commands.append(line.decode())
            output += self._answer(line.decode())
        return output

    def _answer(self, line: str) -> bytes:
        if self._in_auth:
            self._in_auth = False
            return self._plain(line)
        word, _, rest = line.partition(" ")
        scripted = self._scripted(word)
        if scripted is not None:
            return scripted
        number = int(rest.split()[0]) if rest and rest.split()[0].isdecimal() else 0
        if word == "CAPA":
            return (
                b"-ERR what?\r\n" if self.capabilities is None else _text(b"".join(_line(c) for c in self.capabilities))
            )
        if word in ("AUTH", "PASS", "APOP"):
            return self._login(word, rest)
        if word in ("LIST", "UIDL"):
            rows = [
                f"{at + 1} {len(text) if word == 'LIST' else f'u{at + 1}'}" for at, text in enumerate(self.messages)
            ]
            return _text(b"".join(_line(row) for row in rows))
        if word in ("RETR", "TOP"):
            text = self.messages[number - 1]
            return _text(text if word == "RETR" else text.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        if word == "DELE":
            self.deleted.append(number)
        self.closed = word == "QUIT"
        return b"+OK\r\n"

    def _login(self, word: str, rest: str) -> bytes:
        if word == "AUTH":
            mechanism, _, initial = rest.partition(" ")
            if mechanism != "PLAIN":
                return b"-ERR not that\r\n"
            self._in_auth = not initial
            return self._plain(initial) if initial else b"+ \r\n"
        proof = hashlib.md5((STAMP + self.password).encode(), usedforsecurity=False).hexdigest()
        return _verdict(rest == self.password if word == "PASS" else rest.endswith(f" {proof}"))

    def _plain(self, text: str) -> bytes:
        return _verdict(base64.b64decode(text).split(b"\0")[-1].decode() == self.password)

    def _scripted(self, word: str) -> bytes | None:
        answers = self.answers.get(word)
        if not answers:
            return None
        said = self._said.get(word, 0)
        self._said[word] = said + 1
        text = answers[min(said, len(answers) - 1)]
        if text.endswith("CLOSE"):
            self.closed, text = True, text.removesuffix("CLOSE").rstrip(" ")
        return text.encode("latin-1") + b"\r\n" if text else b""


def _verdict(good: bool) -> bytes:
    return b"+OK in\r\n" if good else b"-ERR [AUTH] no\r\n"


def _line(text: str) -> bytes:
    return text.encode() + b"\r\n"


def _text(octets: bytes) -> bytes:
    stuffed = octets.replace(b"\r\n.", b"\r\n..")
    return b"+OK\r\n" + (b"." if stuffed.startswith(b".") else b"") + stuffed + b".\r\n"


@define(kw_only=True)
class DropMeeting(ClientMeeting):
    """One connection between a POP3 client and such a server."""

    drop_means: Means = field(factory=make_means)
    drop: ClientDialogue = field(init=False)

    def make_dialogue(self) -> Any:
        """Its own, which it waits for."""
        self.drop = ClientDialogue(self.hop, self.drop_means)
        Deferred.fromCoroutine(self.drop.ready()).addCallbacks(self._is_ready, self._has_failed)
        return self.drop

    def ask(self, *asked: Any) -> list[Any]:
        """What becomes of these, asked at once: their results, or what they raise."""
        results: list[Any] = [None] * len(asked)

        def take(result: Any, at: int) -> None:
            results[at] = getattr(result, "value", result)

        for at, one in enumerate(asked):
            deferred = one if isinstance(one, Deferred) else Deferred.fromCoroutine(one)
            deferred.addBoth(take, at)
        self._go_on()
        return results
