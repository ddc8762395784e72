"""What the peer says, as whole replies.

Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF           RFC 5321 §4.2
Reply-code = %x32-35 %x30-35 %x30-39                             ; some servers say 571 and the like

A line that is too long or holds a bare CR or LF counts as far as it is sound: the code is what matters.
"""

from __future__ import annotations

import re

from worldmail.interfaces.outbound import Reply
from worldmail.wire.client.reader import Garbage, LineReader
from worldmail.wire.faults import Fault

MAXIMUM_LINE = 2048
"""Octets of a line that is read whole; RFC 5321 §4.5.3.1.5 has 512."""

MAXIMUM_LINES = 256
"""Lines of a reply. Who says more does not mean to come to an end."""

SHOWN_LINES = 16
SHOWN_TEXT = 400
"""What is kept of a reply for people: lines, and characters of each."""

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
# status-code = class "." subject "." detail                                 RFC 2034 §4, RFC 3463 §2
_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: +|$)")
_UNSOUND = re.compile(rb"[\r\n\0]")


class Answer:
    """A reply as it came: the code, and each line's text in octets."""

    __slots__ = ("code", "lines")

    def __init__(self, code: int, lines: list[bytes]) -> None:
        self.code = code
        self.lines = lines

    def as_reply(self) -> Reply:
        """For people: text without controls, bounded; the enhanced code apart, if its class is the code's."""
        texts = [_text(line) for line in self.lines[:SHOWN_LINES]]
        enhanced = None
        match = _ENHANCED.match(texts[0])
        if match is not None and match[1][0] == str(self.code)[0]:
            enhanced = match[1]
            texts = [text[len(enhanced) :].lstrip(" ") if text.startswith(enhanced) else text for text in texts]
        return Reply(code=self.code, enhanced=enhanced, lines=tuple(texts))


class AnswerReader(LineReader):
    """Cuts what came from the peer into answers."""

    __slots__ = ("_code", "_octets", "_texts")

    def __init__(self) -> None:
        super().__init__(MAXIMUM_LINE)
        self._texts: list[bytes] = []  # of a reply that has not ended
        self._code = self._octets = 0

    def buffered(self) -> int:
        """Octets of which nothing has been made yet."""
        return self._lines.buffered + self._octets

    def clear(self) -> None:
        """Forget all of it."""
        super().clear()
        self._forget()

    def take(self) -> Answer | Garbage | None:
        """The next one; None if it is not all there."""
        while not self._over:
            line = self._lines.take()
            if line is None:
                return None
            if isinstance(line, Fault):
                line = _UNSOUND.split(self._lines.rejected, maxsplit=1)[0]
            match = _LINE.fullmatch(line)
            if match is None:
                break
            code = int(match[1])
            if match[2] == b"-":
                if len(self._texts) >= MAXIMUM_LINES or (self._texts and code // 100 != self._code // 100):
                    break
                self._texts.append(match[3])
                self._octets += len(line)
                self._code = code
                continue
            texts = self._texts
            if not texts:
                return Answer(code, [match[3] or b""])
            if code // 100 != self._code // 100:
                break
            texts.append(match[3] or b"")
            self._forget()
            return Answer(code, texts)
        return None if self._over else self._end()

    def _forget(self) -> None:
        self._texts = []
        self._code = self._octets = 0


def _text(octets: bytes) -> str:
    text = octets.decode("utf-8", "replace")
    if len(text) <= SHOWN_TEXT and text.isprintable():
        return text
    return "".join(character if character.isprintable() else "?" for character in text[:SHOWN_TEXT])
