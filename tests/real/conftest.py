"""A real server in a process of its own, two accounts on it, and other people's clients."""

from __future__ import annotations

import imaplib
import os
import poplib
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator

import pytest
from attrs import frozen

from worldmail.testing.process import ServerProcess

ANN, BOB = "ann@example.test", "bob@example.test"
PASSWORDS = {ANN: "correct horse", BOB: "battery staple"}
SPECIAL_USES = (r"\Sent", r"\Drafts", r"\Trash", r"\Junk")


@frozen(kw_only=True)
class Site:
    """The server, a client's TLS that trusts its certificate, and Ann's secret for APOP and CRAM-MD5."""

    server: ServerProcess
    tls: ssl.SSLContext
    secret: str

    @property
    def certificate(self) -> str:
        """The file that a client has to trust."""
        return str(self.server.directory / "tls" / "certificate.pem")

    def pop3s(self, account: str) -> poplib.POP3_SSL:
        """Signed in, in TLS from the first octet."""
        connection = poplib.POP3_SSL("localhost", self.server.port(995), context=self.tls, timeout=60)
        connection.user(account)
        connection.pass_(PASSWORDS[account])
        return connection

    def imaps(self, account: str) -> imaplib.IMAP4_SSL:
        """Signed in, in TLS from the first octet."""
        connection = imaplib.IMAP4_SSL("localhost", self.server.port(993), ssl_context=self.tls, timeout=60)
        connection.login(account, PASSWORDS[account])
        return connection

    def messages(self, account: str) -> list[bytes]:
        """All messages, as poplib gives them."""
        connection = self.pop3s(account)
        count, octets = connection.stat()
        fetched = [b"\r\n".join(connection.retr(number)[1]) + b"\r\n" for number in range(1, count + 1)]
        sizes = [int(line.split()[1]) for line in connection.list()[1]]
        assert [len(message) for message in fetched] == sizes and sum(sizes) == octets
        connection.quit()
        return fetched

    def empty(self, account: str) -> None:
        """Remove all messages."""
        connection = self.pop3s(account)
        for number in range(1, connection.stat()[0] + 1):
            connection.dele(number)
        connection.quit()

    def clear(self, account: str) -> None:
        """Remove all messages, and all folders that a new account does not have."""
        connection = self.imaps(account)
        for line in connection.list()[1]:
            attributes, _, name = line.decode().partition(' "/" ')
            if name == "INBOX" or any(use in attributes for use in SPECIAL_USES):
                connection.select(name)
                connection.uid("STORE", "1:*", "+FLAGS.SILENT", r"(\Deleted)")
                connection.expunge()
                connection.unselect()
            else:
                connection.delete(name)
        connection.logout()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site, made by `worldmail init` and started by twistd."""
    server = ServerProcess(directory=tmp_path_factory.mktemp("real") / "data")
    server.initialise()
    server.configure({"limits": {"tls_per_minute": 10_000}})
    for address, password in PASSWORDS.items():
        server.add_user(address, password)
    told = server.command("user", "set", ANN, "legacy-auth=on")
    secret = told.split()[-1]
    server.start()
    tls = ssl.create_default_context(cafile=str(server.directory / "tls" / "certificate.pem"))
    yield Site(server=server, tls=tls, secret=secret)
    server.stop()


@pytest.fixture
def site(served: Site) -> Site:
    """The site with empty mailboxes."""
    for account in PASSWORDS:
        served.empty(account)
    return served


@pytest.fixture
def mail(served: Site) -> Site:
    """The site with empty mailboxes and no folders but those that every account has."""
    for account in PASSWORDS:
        served.clear(account)
    return served


@pytest.fixture
def run() -> Callable[..., bytes]:
    """Runs a program: its output. One that is not there fails in CI and skips elsewhere."""

    def call(*arguments: str, stdin: bytes = b"", status: int = 0) -> bytes:
        if shutil.which(arguments[0]) is None:
            missing = f"{arguments[0]} is not installed"
            if os.environ.get("CI"):
                pytest.fail(missing)
            pytest.skip(missing)
        done = subprocess.run(arguments, input=stdin, capture_output=True, timeout=60, check=False)
        assert done.returncode == status, (arguments, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout

    return call
