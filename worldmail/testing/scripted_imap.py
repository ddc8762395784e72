"""An IMAP server that has some messages and says what a test tells it to say, and a client in memory to meet it."""

from __future__ import annotations

import base64
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred

from worldmail.protocols.imap.client.dialogue import ClientDialogue
from worldmail.testing.smtp_client import ClientMeeting, at_once
from worldmail.wire.client.means import Means

CAPABILITIES = "IMAP4rev1 STARTTLS SASL-IR UIDPLUS AUTH=PLAIN AUTH=SCRAM-SHA-256"


def make_means(**changes: Any) -> Means:
    """The means of a client in memory."""
    return Means(**{"promise": Deferred, "aside": at_once, "nonce": lambda: "nonce", **changes})


@define(kw_only=True)
class ScriptedMailbox:
    """Says what it is told to say.

    Args:
        messages: as they lie there, by UID.
        body_first: it says whose body it was behind that.
        side_by_side: it answers all that came at once before it says that any of it is done.
        answers: by command ("GREETING", "LOGIN", "UID FETCH", ...) what to say each time instead, the last of it for
            ever: lines with "TAG" in the place of the tag; "CLOSE" to close.
        marked: UIDs with \\Deleted.
        commands: what was said to it, without the tags.
        most: how many commands came at once.
    """

    messages: dict[int, bytes] = field(factory=dict)
    answers: dict[str, list[str]] = field(factory=dict)
    capabilities: str = CAPABILITIES
    password: str = "secret"
    uidvalidity: int = 7
    marked: set[int] = field(factory=set)
    commands: list[str] = field(factory=list)
    most: int = 0
    closed: bool = False
    secured: bool = False
    body_first: bool = False
    side_by_side: bool = False
    _unread: bytes = b""
    _in_auth: str = ""
    _said: dict[str, int] = field(factory=dict)

    def open(self) -> bytes:
        """Greets."""
        return self._scripted("GREETING", "*") or b"* OK ready\r\n"

    def secure(self) -> None:
        """Forgets what it was told."""
        self.secured, self._unread = True, b""

    def receive(self, data: bytes) -> bytes:
        """Its answers to what was sent so far."""
        self._unread += data
        answers: list[bytes] = []
        self.most = max(self.most, self._unread.count(b"\r\n"))
        while not self.closed and b"\r\n" in self._unread:
            line, _, self._unread = self._unread.partition(b"\r\n")
            answers.append(self._answer(line.decode()))
        if self.side_by_side and len(answers) > 1:
            parts = [answer.removesuffix(b"\r\n").rpartition(b"\r\n") for answer in answers]
            return b"".join(data + end for data, end, _ in parts) + b"".join(done + b"\r\n" for *_, done in parts[::-1])
        return b"".join(answers)

    def _answer(self, line: str) -> bytes:
        if self._in_auth:
            tag, self._in_auth = self._in_auth, ""
            return self._plain(tag, line)
        tag, _, rest = line.partition(" ")
        self.commands.append(rest)
        words = rest.split(" ")
        word = " ".join(words[:2]) if words[0] == "UID" else words[0]
        scripted = self._scripted(word, tag)
        if scripted is not None:
            return scripted
        done = f"{tag} OK done\r\n".encode()
        answers = {
            "CAPABILITY": lambda: f"* CAPABILITY {self.capabilities}\r\n".encode() + done,
            "AUTHENTICATE": lambda: self._authenticate(tag, words[1:]),
            "LOGIN": lambda: done if words[2] == f'"{self.password}"' else f"{tag} NO no\r\n".encode(),
            "EXAMINE": lambda: self._told() + done,
            "SELECT": lambda: self._told() + done,
            "UID FETCH": lambda: b"".join(self._fetched(words[2], rest)) + done,
            "UID SEARCH": lambda: f"* SEARCH {' '.join(map(str, sorted(self.marked)))}\r\n".encode() + done,
        }
        if word in answers:
            return answers[word]()
        return self._change(word, words) + done

    def _told(self) -> bytes:
        return f"* {len(self.messages)} EXISTS\r\n* OK [UIDVALIDITY {self.uidvalidity}] valid\r\n".encode()

    def _change(self, word: str, words: list[str]) -> bytes:
        if word == "UID STORE":
            self.marked |= self._uids(words[2])
        if word in ("EXPUNGE", "UID EXPUNGE"):
            gone = self.marked & self._uids(words[2]) if word == "UID EXPUNGE" else set(self.marked)
            self.messages = {uid: text for uid, text in self.messages.items() if uid not in gone}
            self.marked -= gone
        if word == "LOGOUT":
            self.closed = True
            return b"* BYE bye\r\n"
        return b""

    def _fetched(self, uids: str, rest: str) -> list[bytes]:
        found = []
        for at, uid in enumerate(self.messages, 1):
            if uid not in self._uids(uids):
                continue
            text = self.messages[uid]
            if "RFC822.SIZE" in rest:
                found.append(b"* %d FETCH (UID %d RFC822.SIZE %d)\r\n" % (at, uid, len(text)))
                continue
            if "HEADER" in rest:
                text = text.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            name = b"BODY[HEADER]" if "HEADER" in rest else b"BODY[]"
            body = name + b" {%d}\r\n" % len(text) + text
            item = body + b" UID %d" % uid if self.body_first else b"UID %d " % uid + body
            found.append(b"* %d FETCH (%b)\r\n" % (at, item))
        return found

    def _uids(self, text: str) -> set[int]:
        found: set[int] = set()
        for part in text.split(","):
            first, _, last = part.partition(":")
            end = max(self.messages, default=0) if last == "*" else int(last or first)
            found.update(range(int(first), end + 1))
        return found

    def _authenticate(self, tag: str, words: list[str]) -> bytes:
        if words[0] != "PLAIN":
            return f"{tag} NO not that\r\n".encode()
        if len(words) > 1:
            return self._plain(tag, words[1])
        self._in_auth = tag
        return b"+ \r\n"

    def _plain(self, tag: str, text: str) -> bytes:
        good = base64.b64decode(text).split(b"\0")[-1].decode() == self.password
        return f"{tag} OK in\r\n".encode() if good else f"{tag} NO [AUTHENTICATIONFAILED] no\r\n".encode()

    def _scripted(self, word: str, tag: str) -> bytes | None:
        answers = self.answers.get(word)
        if not answers:
            return None
        said = self._said.get(word, 0)
        self._said[word] = said + 1
        text = answers[min(said, len(answers) - 1)].replace("TAG", tag)
        if text.endswith("CLOSE"):
            self.closed, text = True, text.removesuffix("CLOSE").rstrip(" ")
        return text.encode("latin-1") + b"\r\n" if text else b""


@define(kw_only=True)
class MailboxMeeting(ClientMeeting):
    """One connection between an IMAP client and such a server."""

    drop_means: Means = field(factory=make_means)
    mailbox: str = "INBOX"
    drop: ClientDialogue = field(init=False)

    def make_dialogue(self) -> Any:
        """Its own, which it waits for."""
        self.drop = ClientDialogue(self.hop, self.drop_means, self.mailbox)
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
