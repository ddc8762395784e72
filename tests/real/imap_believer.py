"""A client that believes what it is told, and complains where that cannot be true."""

from __future__ import annotations

import random
import re
import socket
import ssl
import time
from collections.abc import Sequence

from attrs import Factory, define, field

_FETCH = re.compile(rb"\* (\d+) FETCH \((.*)\)\r\n", re.DOTALL)
_UID, _FLAGS = re.compile(rb"\bUID (\d+)"), re.compile(rb"\bFLAGS \(([^)]*)\)")
_TEXT = re.compile(rb"BODY\[TEXT\] \{\d+\}\r\n(\d+)\r\n")
_COUNT = re.compile(rb"\* (\d+) (EXISTS|EXPUNGE)\r\n")
_VANISHED = re.compile(rb"\* VANISHED (\(EARLIER\) )?([\d,:]+)\r\n")
_LITERAL = re.compile(rb"\{(\d+)\}\r\n\Z")

Flags = frozenset[bytes]
Believed = tuple[int | None, Flags | None]
"""The UID and the flags of a message; None is what was never told."""
FLAGS = (rb"\Seen", rb"\Flagged", rb"\Answered", rb"\Deleted", b"work", b"$Junk")
RECENT = rb"\Recent"
GONE = (b"[EXPUNGEISSUED]",)  # others expunged, and nobody may say so yet (RFC 2180 §4.1, RFC 5530)


def uids(numbers: bytes) -> set[int]:
    """The members of a UID set."""
    found: set[int] = set()
    for one in numbers.split(b","):
        first, _, last = one.partition(b":")
        found.update(range(int(first), int(last or first) + 1))
    return found


@define
class Message:
    """What is known of one; None for what was not told yet."""

    uid: int | None = None
    flags: Flags | None = None


@define(kw_only=True, eq=False)
class Believer:
    """One session with a mailbox selected.

    Attributes:
        messages: by sequence number, beginning at 1 less one.
        texts: what was read in the message of each UID, for the whole site.
    """

    port: int
    tls: ssl.SSLContext
    login: tuple[str, str]
    enables: str
    random: random.Random
    texts: dict[int, bytes]
    messages: list[Message] = field(factory=list)
    commands: int = 0
    _log: list[bytes] = field(factory=list)
    _stream: object = field(
        init=False,
        default=Factory(
            lambda self: self.tls.wrap_socket(
                socket.create_connection(("localhost", self.port), 20), server_hostname="localhost"
            ).makefile("rwb"),
            takes_self=True,
        ),
    )

    # --- the wire ---

    def line(self) -> bytes:
        """The next line with its literals."""
        line = self._stream.readline()
        while (literal := _LITERAL.search(line)) is not None:
            line += self._stream.read(int(literal[1])) + self._stream.readline()
        assert line.endswith(b"\r\n"), (self.tail(), "the connection is gone")
        self._log.append(b"< " + line)
        return line

    def send(self, line: bytes) -> bytes:
        """Send a command; its tag."""
        self.commands += 1
        tag = b"c%d" % self.commands
        self._log.append(b"> %b %b\r\n" % (tag, line))
        self._stream.write(b"%b %b\r\n" % (tag, line))
        self._stream.flush()
        return tag

    def tail(self) -> str:
        """The end of what was said."""
        return b"".join(self._log[-30:]).decode("latin-1")

    def believe_until(self, tag: bytes, *, expunges: bool = True) -> bytes:
        """Take what is told up to the tagged reply, which it gives back."""
        while not (line := self.line()).startswith(tag + b" "):
            assert line.startswith(b"* "), self.tail()
            self._believe(line, expunges=expunges)
        return line

    def say(self, line: bytes, *, expunges: bool = True, refusals: Sequence[bytes] = ()) -> bytes:
        """A command that is done, or refused in one of these ways."""
        reply = self.believe_until(self.send(line), expunges=expunges)
        assert b" OK " in reply or any(refusal in reply for refusal in refusals), self.tail()
        return reply

    # --- what is told ---

    def _believe(self, line: bytes, *, expunges: bool) -> None:
        if (count := _COUNT.match(line)) is not None:
            self._count(int(count[1]), count[2] == b"EXISTS", expunges)
        elif (fetch := _FETCH.match(line)) is not None:
            self._fetched(int(fetch[1]), fetch[2])
        elif (vanished := _VANISHED.match(line)) is not None:
            self._vanished(uids(vanished[2]), earlier=vanished[1] is not None, expunges=expunges)

    def _count(self, number: int, exists: bool, expunges: bool) -> None:
        if exists:
            assert number >= len(self.messages), ("EXISTS went down", self.tail())
            self.messages += [Message() for _ in range(number - len(self.messages))]
        else:
            assert expunges, ("EXPUNGE where numbers are used", self.tail())
            assert 1 <= number <= len(self.messages), ("EXPUNGE of what there is not", self.tail())
            del self.messages[number - 1]

    def _fetched(self, number: int, items: bytes) -> None:
        assert 1 <= number <= len(self.messages), ("FETCH of what there is not", self.tail())
        message = self.messages[number - 1]
        if (uid := _UID.search(items)) is not None:
            assert message.uid in (None, int(uid[1])), ("a UID changed", number, message, self.tail())
            message.uid = int(uid[1])
        if (flags := _FLAGS.search(items)) is not None:
            message.flags = frozenset(flags[1].split()) - {RECENT}
        if (text := _TEXT.search(items)) is not None and message.uid is not None:
            assert self.texts.setdefault(message.uid, text[1]) == text[1], ("a message changed", self.tail())

    def _vanished(self, gone: set[int], *, earlier: bool, expunges: bool) -> None:
        assert expunges or earlier, ("VANISHED where numbers are used", self.tail())
        self.messages = [one for one in self.messages if one.uid is None or one.uid not in gone or gone.remove(one.uid)]
        if not earlier:
            for uid in gone:  # of those without a known UID, one between its neighbours
                below = sum(1 for one in self.messages if one.uid is not None and one.uid < uid)
                known = [at for at, one in enumerate(self.messages) if one.uid is not None]
                at = known[below - 1] + 1 if below else 0
                there = at < len(self.messages) and self.messages[at].uid is None
                assert there, ("VANISHED of what there is not", uid, self.tail())
                del self.messages[at]

    # --- what it does ---

    def open(self) -> None:
        """Sign in and select INBOX."""
        assert self.line().startswith(b"* OK ")
        self.say(b'LOGIN "%b" "%b"' % tuple(word.encode() for word in self.login))
        if self.enables:
            self.say(b"ENABLE " + self.enables.encode())
        self.select()

    def select(self) -> None:
        """Select INBOX and look at all that is there."""
        self.messages = []
        self.say(b"SELECT INBOX")
        self.look()

    def believed(self) -> list[Believed]:
        """Every UID with its flags, None where it was never told, as far as the server tells without being asked."""
        self.say(b"NOOP")
        return [(one.uid, one.flags) for one in self.messages]

    def look(self, *, quiet: bool = False) -> list[tuple[int, Flags]]:
        """Every UID with its flags. Where nothing else happens, what was believed before must agree with it."""
        before = self.believed()
        if before:
            self.say(b"FETCH 1:* (UID FLAGS)", expunges=False, refusals=() if quiet else GONE)
        seen = [(one.uid, one.flags) for one in self.messages[: len(before)]]  # others may have come meanwhile
        if quiet:
            for (uid, flags), (uid_now, flags_now) in zip(before, seen, strict=True):
                assert uid in (None, uid_now) and flags in (None, flags_now), (uid, flags, flags_now, self.tail())
        found = [one[0] for one in seen]
        known = [uid for uid in found if uid is not None]
        assert known == sorted(set(known)) and (known == found or not quiet), ("UIDs do not ascend", found)
        return seen

    def act(self) -> None:
        """Some command."""
        what = self.random.choice((self.store, self.store, self.fetch, self.append, self.remove, self.carry, self.idle))
        what()

    def numbers(self) -> bytes:
        """One message, or some that follow each other."""
        first = self.random.randint(1, len(self.messages))
        last = min(len(self.messages), first + self.random.choice((0, 0, 1, 3)))
        return b"%d:%d" % (first, last)

    def some_uids(self) -> bytes:
        """The same by UIDs; some may be gone."""
        known = [one.uid for one in self.messages if one.uid is not None] or [1]
        return b",".join(b"%d" % uid for uid in self.random.sample(known, min(3, len(known))))

    def chosen(self) -> tuple[bytes, bytes, bool]:
        """Messages by number or by UID: the prefix of the command, the set, and whether expunges may be told."""
        if self.messages and self.random.random() < 0.5:
            return b"", self.numbers(), False
        return b"UID ", self.some_uids(), True

    def store(self) -> None:
        """Set flags, loudly or silently."""
        prefix, numbers, expunges = self.chosen()
        sign = self.random.choice((b"+", b"-", b""))
        flags = frozenset(self.random.sample(FLAGS, self.random.randint(1, 2)))
        silent = self.random.random() < 0.4
        if silent:  # what is told from now on is newer
            self._silently(uids(numbers), prefix == b"", sign, flags)
        item = sign + b"FLAGS" + (b".SILENT" if silent else b"")
        line = b"%bSTORE %b %b (%b)" % (prefix, numbers, item, b" ".join(flags))
        reply = self.say(line, expunges=expunges, refusals=GONE)
        if silent and b" OK " not in reply:
            for one in self.messages:
                one.flags = None

    def _silently(self, named: set[int], by_number: bool, sign: bytes, flags: Flags) -> None:
        for number, one in enumerate(self.messages, 1):
            if (number if by_number else one.uid) in named and one.flags is not None:
                one.flags = {b"+": one.flags | flags, b"-": one.flags - flags, b"": flags}[sign]

    def fetch(self) -> None:
        """Read flags, or the text, which sets \\Seen."""
        prefix, numbers, expunges = self.chosen()
        items = self.random.choice((b"FLAGS", b"(UID FLAGS BODY.PEEK[TEXT])", b"(UID BODY[TEXT])"))
        self.say(b"%bFETCH %b %b" % (prefix, numbers, items), expunges=expunges, refusals=GONE)

    def append(self) -> None:
        """A message whose text is like no other's."""
        text = b"Subject: x\r\n\r\n%d\r\n" % self.random.getrandbits(60)
        self.say(b"APPEND INBOX (%b) {%d+}\r\n%b" % (self.random.choice(FLAGS), len(text), text))

    def remove(self) -> None:
        """Expunge what is deleted."""
        self.say(self.random.choice((b"EXPUNGE", b"UID EXPUNGE " + self.some_uids(), b"NOOP")))

    def carry(self) -> None:
        """Copy to INBOX itself, or move away."""
        prefix, numbers, _ = self.chosen()
        command = self.random.choice((b"COPY %b INBOX", b"MOVE %b Trash")) % numbers
        self.say(prefix + command, refusals=GONE)

    def idle(self) -> None:
        """Wait for a moment, or open INBOX anew."""
        if self.random.random() < 0.3:
            self.select()
            return
        tag = self.send(b"IDLE")
        while not (line := self.line()).startswith(b"+ "):
            self._believe(line, expunges=True)
        time.sleep(self.random.random() / 50)
        self._log.append(b"> DONE\r\n")
        self._stream.write(b"DONE\r\n")
        self._stream.flush()
        self.believe_until(tag)
