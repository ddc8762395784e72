"""The mail that IMAP is measured with: the same for both sides, and never the same twice."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import accumulate

MESSAGES = 3000
OCTETS = 1500
RARE = "zebrafinch"
"""A word that one message in a hundred has."""

_BATCH = 500
_WORDS = 4000


def messages(label: str, count: int = MESSAGES, octets: int = OCTETS) -> Iterator[bytes]:
    """So many messages; `label` makes them others than those of other calls."""
    source = random.Random(label)
    words = ["".join(source.choices("abcdefghijklmnopqrstuvwxyz", k=source.randint(2, 10))) for _ in range(_WORDS)]
    weights = list(accumulate(1 / (rank + 1) for rank in range(_WORDS)))
    for number in range(count):
        yield _message(source, words, weights, label, number, octets)


def batches(label: str, count: int = MESSAGES) -> Iterator[list[bytes]]:
    """The same in lists of some hundred."""
    batch: list[bytes] = []
    for message in messages(label, count):
        batch.append(message)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _message(
    source: random.Random, words: list[str], weights: list[float], label: str, number: int, octets: int
) -> bytes:
    sender, subject = source.choice(words), " ".join(source.choices(words, cum_weights=weights, k=5))
    head = (
        f"Return-Path: <{sender}@example.test>\r\n"
        f"Received: from client.example.test (client.example.test [192.0.2.{number % 250}])\r\n"
        f"\tby mx.example.test with ESMTP id {label}{number:08d};\r\n"
        f"\tMon, 02 Nov 2026 10:{number % 60:02d}:00 +0000\r\n"
        f"Message-ID: <{label}.{number}@client.example.test>\r\n"
        f"Date: Mon, 02 Nov 2026 10:{number % 60:02d}:00 +0000\r\n"
        f"From: {sender.title()} Sender <{sender}@example.test>\r\n"
        f"To: Somebody <somebody@example.test>, other@example.test\r\n"
        f"Subject: {subject}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    )
    lines, length = [], len(head)
    if number % 100 == 0:
        lines.append(f"seen today: one {RARE} in the garden")
    chosen = source.choices(words, cum_weights=weights, k=octets // 3)
    for start in range(0, len(chosen), 10):
        if length >= octets:
            break
        lines.append(" ".join(chosen[start : start + 10]))
        length += len(lines[-1]) + 2
    return (head + "\r\n".join(lines) + "\r\n").encode()
