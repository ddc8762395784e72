"""An SMTP or LMTP server that says what a test tells it to say."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define, field

OFFERS = "PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"


@define(kw_only=True)
class ScriptedServer:
    """Says what it is told to say.

    Args:
        answers: by command word ("GREETING", "EHLO", "BDAT", "TEXT" for the end of DATA, "*" for a line of AUTH),
            what to say each time, the last of it forever; "" for nothing, "CLOSE" (behind a text and a space, or
            alone) to close, "SILENCE" to say nothing any more; what servers commonly say where nothing is told.
        offers: the lines of EHLO; those after TLS.
        lmtp: one reply for each accepted recipient at the end of the text.
        commands: what was said to it.
        texts: the messages it was given, dots and all in the case of DATA.
    """

    answers: dict[str, list[str]] = field(factory=dict)
    offers: Iterable[str] = OFFERS
    offers_secured: Iterable[str] | None = None
    lmtp: bool = False
    commands: list[str] = field(factory=list)
    texts: list[bytes] = field(factory=list)
    closed: bool = False
    secured: bool = False
    _mute: bool = False
    _unread: bytes = b""
    _chunk: int | None = None
    _last: bool = False
    _text: bytes = b""
    _in_text: bool = False
    _in_auth: bool = False
    _accepted: int = 0
    _sender: bool = False
    _said: dict[str, int] = field(factory=dict)

    def open(self) -> bytes:
        """Greets."""
        return self._say("GREETING", "220 mx.b.test ESMTP")

    def secure(self) -> None:
        """Forgets what it was told."""
        self.secured = True
        self._unread = b""

    def receive(self, data: bytes) -> bytes:
        """Its replies to what was sent so far."""
        self._unread += data
        output = b""
        while not self.closed and (reply := self._step()) is not None:
            output += reply
        return output

    def _step(self) -> bytes | None:
        if self._chunk is not None:
            return self._take_chunk(self._chunk)
        if self._in_text:
            return self._take_text()
        line, end, rest = self._unread.partition(b"\r\n")
        if not end:
            return None
        self._unread = rest
        text = line.decode()
        self.commands.append(text)
        return self._take_command("*" if self._in_auth else text.split(" ")[0].upper(), text)

    def _take_command(self, word: str, text: str) -> bytes | None:
        if word in ("EHLO", "LHLO"):
            offers = self.offers_secured if self.secured and self.offers_secured is not None else self.offers
            lines = ["mx.b.test", *offers]
            said = [f"250{' ' if number == len(lines) - 1 else '-'}{line}" for number, line in enumerate(lines)]
            return self._say(word, "\r\n".join(said))
        if word == "BDAT":
            self._chunk, self._last = int(text.split()[1]), text.endswith(" LAST")
            return b""
        reply = self._say(word, self._common_answer(word))
        if word in ("MAIL", "RSET", "EHLO"):
            self._accepted = 0
            self._sender = word == "MAIL" and reply.startswith(b"2")
        self._accepted += word == "RCPT" and reply.startswith(b"2")
        self._in_text = word == "DATA" and reply.startswith(b"354")
        self._in_auth = word in ("AUTH", "*") and reply.startswith(b"334")
        return reply

    def _common_answer(self, word: str) -> str:
        if word == "RCPT" and not self._sender:
            return "503 5.5.1 send MAIL first"
        if word in ("DATA", "BDAT") and not self._accepted:
            return "503 5.5.1 no valid recipients"
        answers = {"STARTTLS": "220 go on", "AUTH": "235 2.7.0 ok", "DATA": "354 go on", "QUIT": "221 2.0.0 bye CLOSE"}
        return answers.get(word, "250 2.0.0 ok")

    def _take_chunk(self, size: int) -> bytes | None:
        if len(self._unread) < size:
            return None
        self._text += self._unread[:size]
        self._unread, self._chunk = self._unread[size:], None
        if self._last:
            return self._end("BDAT")
        return self._say("BDAT", self._common_answer("BDAT"))

    def _take_text(self) -> bytes | None:
        text = b"\r\n" + self._unread
        end = text.find(b"\r\n.\r\n")
        if end < 0:
            return None
        self._text, self._unread = text[2 : end + 2], text[end + 5 :]
        self._in_text = False
        return self._end("TEXT")

    def _end(self, word: str) -> bytes:
        if self._accepted:
            self.texts.append(self._text)
        self._text = b""
        count = self._accepted if self.lmtp and self._accepted else 1
        common = "250 2.0.0 queued as 1" if self._accepted else "503 5.5.1 no valid recipients"
        self._accepted, self._sender = 0, False
        return b"".join(self._say(word, common) for _ in range(count) if not self.closed)

    def _say(self, word: str, default: str) -> bytes:
        answers = self.answers.get(word, [default])
        number = self._said.get(word, 0)
        self._said[word] = number + 1
        text = answers[min(number, len(answers) - 1)]
        if text.endswith("CLOSE"):
            self.closed = True
            text = text.removesuffix("CLOSE").rstrip(" ")
        self._mute = self._mute or text == "SILENCE"
        return text.encode() + b"\r\n" if text and not self._mute else b""
