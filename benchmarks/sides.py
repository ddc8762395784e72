"""The two sides of every comparison, seen alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

DOMAIN = "example.test"
PASSWORD = "secret"


def mailbox_address(number: int) -> str:
    """The mailboxes are 1box, 2box, ...: what `smtp-source -N -t box@...` counts through."""
    return f"{number}box@{DOMAIN}"


class Side(Protocol):
    """A mail server that can be measured."""

    @property
    def name(self) -> str:
        """As the tables call it."""

    @property
    def smtp_port(self) -> int:
        """SMTP without TLS."""

    @property
    def pop3_port(self) -> int:
        """POP3 without TLS."""

    @property
    def imap_port(self) -> int:
        """IMAP without TLS."""

    def running(self) -> AbstractContextManager[None]:
        """Serve inside of the block."""

    def wait_until_delivered(self) -> None:
        """Return when nothing is on its way to a mailbox any more."""

    def messages(self) -> int:
        """How many messages lie in all mailboxes together."""

    def empty(self) -> None:
        """Remove all messages."""

    def catch_up(self) -> None:
        """Return when nothing is done any more that was put off while mail came in."""


def memory(pid: int, field: str) -> int:
    """A figure of /proc/PID/status ("VmRSS", "VmHWM"), in octets."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise KeyError(field)


def forget_peak(pid: int) -> None:
    """Let VmHWM start again from what is resident now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def numbers(count: int) -> Iterator[int]:
    """The numbers of so many mailboxes."""
    return iter(range(1, count + 1))
