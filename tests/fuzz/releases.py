"""What releases holds from outside: finger questions, wake-up messages."""

from __future__ import annotations

from worldmail.protocols.finger.client.dialogue import first_line
from worldmail.protocols.finger.grammar import parse_question
from worldmail.queue.waking import wake_word
from worldmail.wire.wake_words import judge


def finger(octets: bytes) -> None:
    """A question to us, or an answer to us."""
    question = parse_question(octets.partition(b"\r\n")[0])
    assert "@" not in question.word
    assert first_line(octets).isprintable()


def wake(octets: bytes) -> None:
    """No message has a secret by chance."""
    assert judge(wake_word(octets), "a.secret-of-ours", "wake@a.test", 1_700_000_000.0) is None
