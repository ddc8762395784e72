"""One message in, all messages out: plain blocking clients for tests of faults."""

from __future__ import annotations

import poplib
import smtplib
import time
from collections.abc import Callable

from oracle.trial import ACCOUNTS, PASSWORD
from worldmail.testing.process import ServerProcess

ACCOUNT = ACCOUNTS[0]


def send(server: ServerProcess, subject: str, octets: int = 1000, account: str = ACCOUNT) -> int:
    """Send a message; the code of the first refusal, or of the final reply. Raises OSError if the connection broke."""
    body = ("x" * 76 + "\r\n") * (octets // 78)
    with smtplib.SMTP("127.0.0.1", server.port(25), timeout=60) as client:
        try:
            client.sendmail("a@load.test", [account], f"Subject: {subject}\r\n\r\n{body}")
        except smtplib.SMTPRecipientsRefused as refused:
            ((code, _),) = refused.recipients.values()
            return int(code)
        except smtplib.SMTPResponseException as refused:
            return int(refused.smtp_code)
    return 250


def subjects(server: ServerProcess, account: str = ACCOUNT) -> list[str]:
    """The subjects of all messages, in their order. Reads each whole."""
    client = sign_in(server, account)
    found = []
    for number in range(1, client.stat()[0] + 1):
        lines = client.retr(number)[1]
        found += [line[9:].decode() for line in lines if line.startswith(b"Subject: ")]
    client.quit()
    return found


def delete_all(server: ServerProcess, account: str = ACCOUNT) -> int:
    """Delete every message and QUIT; how many. Raises poplib.error_proto if QUIT is refused."""
    client = sign_in(server, account)
    count = client.stat()[0]
    for number in range(1, count + 1):
        client.dele(number)
    client.quit()
    return count


def sign_in(server: ServerProcess, account: str = ACCOUNT) -> poplib.POP3:
    """USER and PASS."""
    client = poplib.POP3("127.0.0.1", server.port(110), timeout=30)
    client.user(account)
    client.pass_(PASSWORD)
    return client


def eventually(done: Callable[[], bool], within: float = 90.0) -> bool:
    """Ask until it is so; False if it never was."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            if done():
                return True
        except (OSError, EOFError, smtplib.SMTPException, poplib.error_proto):
            pass
        time.sleep(0.1)
    return False
