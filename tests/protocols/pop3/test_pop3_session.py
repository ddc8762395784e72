"""Whole POP3 conversations, fed whole, octet by octet, line by line and with the next command glued on."""

from __future__ import annotations

import hashlib

import pytest

from worldmail.errors import AuthenticationDelayed, StorageFull, TemporaryFailure

LOGIN = b"USER bob@example.test\r\nPASS secret\r\n"
GREETING = b"+OK WorldMail POP3 server ready\r\n"
WELCOME = b"+OK Password, please\r\n+OK Maildrop has %d messages (%d octets)\r\n"
ONE = b"Subject: one\r\n\r\nfirst\r\n"
TWO = b"Subject: two\r\n\r\n.dot\r\n..\r\nlast\r\n"


def test_the_example_session_of_RFC_1939_is_answered(talk) -> None:
    said = LOGIN + b"STAT\r\nLIST\r\nRETR 1\r\nDELE 1\r\nRETR 2\r\nDELE 2\r\nQUIT\r\n"
    conversation = talk(said, ONE, TWO)
    assert conversation.output == (
        GREETING
        + WELCOME % (2, len(ONE + TWO))
        + b"+OK 2 %d\r\n" % len(ONE + TWO)
        + b"+OK 2 messages (%d octets)\r\n1 %d\r\n2 %d\r\n.\r\n" % (len(ONE + TWO), len(ONE), len(TWO))
        + b"+OK %d octets\r\n" % len(ONE)
        + ONE
        + b".\r\n+OK Marked as deleted\r\n"
        + b"+OK %d octets\r\nSubject: two\r\n\r\n..dot\r\n...\r\nlast\r\n.\r\n" % len(TWO)
        + b"+OK Marked as deleted\r\n+OK Goodbye\r\n"
    )
    assert conversation.closed == "quit"


def test_APOP_is_offered_by_the_stamp_of_the_greeting_and_lets_in(talk) -> None:
    stamp = b"<%s.1900000000@mail.example.test>" % (b"72" * 12)
    digest = hashlib.md5(stamp + b"secret").hexdigest().encode()
    conversation = talk(b"APOP bob@example.test " + digest + b"\r\nSTAT\r\nQUIT\r\n", ONE, legacy=True, tls=False)
    assert conversation.output.startswith(b"+OK WorldMail POP3 server ready " + stamp + b"\r\n+OK Maildrop has 1")
    assert b"\r\n+OK 1 %d\r\n+OK Goodbye\r\n" % len(ONE) in conversation.output
