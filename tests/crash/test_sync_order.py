"""The kernel's view: before every final 250 a sync of the write-ahead log was done."""

from __future__ import annotations

import re
import shutil
import smtplib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from oracle.fixtures import MakeServer
from oracle.trial import ACCOUNTS

_STARTED = re.compile(r"^(?P<pid>\d+) +(?P<call>\w+)\((?P<fd>\d+)<(?P<file>[^>]*)>(?P<rest>.*)$")
_RESUMED = re.compile(r"^(?P<pid>\d+) +<\.\.\. (?P<call>\w+) resumed>")
_FINAL = re.compile(r'"(?:[^"]*\\n)?250 2\.0\.0 ')
_ALONE = 40


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_a_sync_of_the_log_is_complete_between_end_of_data_and_250(make_server: MakeServer, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    server = make_server()
    server.start()
    strace = ("strace", "-f", "-y", "-s", "120", "-e", "trace=fsync,fdatasync,write,sendto,sendmsg,writev")
    tracer = subprocess.Popen((*strace, "-o", str(trace), "-p", str(server.pid)), stderr=subprocess.PIPE)
    try:
        assert tracer.stderr is not None and b"attached" in tracer.stderr.readline()
        with smtplib.SMTP("127.0.0.1", server.port(25)) as client:
            for number in range(_ALONE):
                client.sendmail("a@load.test", list(ACCOUNTS[:2]), f"Subject: {number}\r\n\r\nsynced?\r\n")
    finally:
        tracer.terminate()
        tracer.wait()
    finals = list(syncs_before_finals(trace))
    assert len(finals) == _ALONE
    assert all(finals)


def syncs_before_finals(trace: Path) -> Iterator[bool]:
    """For each final reply: True if a sync of the -wal file ended since the 354 before it."""
    synced = False
    pending: dict[str, bool] = {}
    for line in trace.read_text(errors="replace").splitlines():
        if resumed := _RESUMED.match(line):
            synced |= pending.pop(resumed["pid"], False)
        elif started := _STARTED.match(line):
            is_log = started["call"] in ("fsync", "fdatasync") and started["file"].endswith("-wal")
            if is_log and "<unfinished" in started["rest"]:
                pending[started["pid"]] = True
            elif is_log:
                synced |= started["rest"].endswith("= 0")
            elif '"354 ' in started["rest"]:
                synced = False
            elif _FINAL.search(started["rest"]):
                yield synced
