"""The kernel's view: before every final 250, and every OK of IMAP, a sync of the write-ahead log was done."""

from __future__ import annotations

import imaplib
import re
import shutil
import smtplib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from oracle.fixtures import MakeServer
from oracle.trial import ACCOUNTS, PASSWORD

from worldmail.testing.process import ServerProcess

_STARTED = re.compile(r"^(?P<pid>\d+) +(?P<call>\w+)\((?P<fd>\d+)<(?P<file>[^>]*)>(?P<rest>.*)$")
_RESUMED = re.compile(r"^(?P<pid>\d+) +<\.\.\. (?P<call>\w+) resumed>")
_FINAL = re.compile(r'"(?:[^"]*\\n)?250 2\.0\.0 ')
_ALONE = 40


_DONE = re.compile(r'"(?:[^"]*\\n)?[A-Z]+[0-9]+ OK [^"]*(?:APPEND|STORE|COPY|MOVE|EXPUNGE) completed')

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")


@contextmanager
def traced(server: ServerProcess, trace: Path) -> Iterator[None]:
    """What the server asks of the kernel is written down."""
    strace = ("strace", "-f", "-y", "-s", "200", "-e", "trace=fsync,fdatasync,write,sendto,sendmsg,writev")
    tracer = subprocess.Popen((*strace, "-o", str(trace), "-p", str(server.pid)), stderr=subprocess.PIPE)
    try:
        assert tracer.stderr is not None and b"attached" in tracer.stderr.readline()
        yield
    finally:
        tracer.terminate()
        tracer.wait()


def test_a_sync_of_the_log_is_complete_between_end_of_data_and_250(make_server: MakeServer, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    server = make_server()
    server.start()
    with traced(server, trace), smtplib.SMTP("127.0.0.1", server.port(25)) as client:
        for number in range(_ALONE):
            client.sendmail("a@load.test", list(ACCOUNTS[:2]), f"Subject: {number}\r\n\r\nsynced?\r\n")
    finals = list(syncs_before(_FINAL, trace))
    assert len(finals) == _ALONE
    assert all(finals)


def test_a_sync_of_the_log_is_complete_before_the_OK_of_each_command_that_changes_something(
    make_server: MakeServer, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    server = make_server()
    server.start()
    client = imaplib.IMAP4("127.0.0.1", server.port(143))
    client.login(ACCOUNTS[0], PASSWORD)
    client.select("INBOX")
    with traced(server, trace):
        for number in range(_ALONE // 5):
            assert client.append("INBOX", "", "", f"Subject: {number}\r\n\r\nsynced?\r\n".encode())[0] == "OK"
            assert client.store("1", "+FLAGS", "(\\Deleted)")[0] == "OK"
            assert client.copy("1", "Sent")[0] == "OK"
            assert client.expunge()[0] == "OK"
            client.append("INBOX", "", "", f"Subject: {number}\r\n\r\nsynced again?\r\n".encode())
            assert client.uid("MOVE", "1:*", "Trash")[0] == "OK"
    client.logout()
    done = list(syncs_before(_DONE, trace))
    assert len(done) == _ALONE // 5 * 6
    assert all(done)


def syncs_before(final: re.Pattern[str], trace: Path) -> Iterator[bool]:
    """For each such reply: True if a sync of the -wal file ended since the one before it, and any 354."""
    synced = False
    pending: dict[str, bool] = {}
    for line in trace.read_text(errors="replace").splitlines():
        if resumed := _RESUMED.match(line):
            synced |= pending.pop(resumed["pid"], False)
        elif started := _STARTED.match(line):
            is_log = started["call"] in ("fsync", "fdatasync") and started["file"].endswith("worldmail.sqlite-wal")
            if is_log and "<unfinished" in started["rest"]:
                pending[started["pid"]] = True
            elif is_log:
                synced |= started["rest"].endswith("= 0")
            elif '"354 ' in started["rest"]:
                synced = False
            elif final.search(started["rest"]):
                yield synced
                synced = False
