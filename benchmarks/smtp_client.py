"""Sends messages by SMTP, over some connections at once."""

from __future__ import annotations

import smtplib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from benchmarks.sides import DOMAIN

_AT_ONCE = 10
_SENDER = f"sender@{DOMAIN}"


def send(port: int, recipient: str, messages: Iterable[bytes]) -> None:
    """All of them to one recipient. Raises if one is refused."""
    waiting = list(messages)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for sent in [pool.submit(_send, port, recipient, iter(waiting[each::_AT_ONCE])) for each in range(_AT_ONCE)]:
            sent.result()


def _send(port: int, recipient: str, messages: Iterator[bytes]) -> None:
    with smtplib.SMTP("127.0.0.1", port, "client.test") as connection:
        for message in messages:
            connection.sendmail(_SENDER, recipient, message)
