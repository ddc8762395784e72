"""A process that was forked is what a fresh one is after its imports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from worldmail.testing.forking import ROOT, Nursery
from worldmail.testing.process import ServerProcess, environment_of_tests, nursery

US = "tests.testing.test_forking"


def tell() -> None:
    """Called in processes of their own: what they are."""
    from worldmail.transport.ends import new_session

    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    told = {
        "arguments": sys.argv,
        "environment": dict(os.environ),
        "directory": os.getcwd(),
        "path": sys.path[0],
        "status": {name: status[name] for name in ("Umask", "SigBlk", "SigIgn", "SigCgt", "Threads", "Uid", "Gid")},
        "group": (os.getpgid(0), os.getsid(0)),
        "descriptors": sorted(number for number in range(256) if Path(f"/proc/self/fd/{number}").exists()),
        "streams": [(s.encoding, s.errors, s.isatty()) for s in (sys.stdin, sys.stdout, sys.stderr)],
        "lines": (sys.stdout.line_buffering, sys.stderr.line_buffering),
        "threads": threading.active_count(),
        "reactor": "twisted.internet.reactor" in sys.modules,
        "input": sys.stdin.read(),
        "session": new_session(),
    }
    print(json.dumps(told))
    print("and more", file=sys.stderr)


def fail() -> None:
    """The same: how they end."""
    how = os.environ["WORLDMAIL_END"]
    if how == "text":
        sys.exit("a last word")
    if how == "fault":
        raise ValueError("a fault")
    if how == "signal":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.exit(int(how))


def anew(name: str, stdin: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Started by an interpreter of its own."""
    program = (sys.executable, "-c", f"from {US} import {name}; {name}()", "one", "--two")
    return subprocess.run(program, input=stdin, capture_output=True, text=True, check=False, env=environment, cwd=ROOT)


def forked(name: str, stdin: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Out of the nursery."""
    assert nursery().suits(environment)
    return nursery().run(f"{US}:{name}", ("one", "--two"), stdin, environment, ROOT)


@pytest.fixture
def umask() -> Iterator[None]:
    """One that is not the usual."""
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_it_is_what_a_fresh_process_is() -> None:
    environment = environment_of_tests({"WORLDMAIL_X": "ü"})
    ours, theirs = (start("tell", "given\n" * 50_000, environment) for start in (forked, anew))
    assert (ours.returncode, ours.stderr) == (theirs.returncode, theirs.stderr) == (0, "and more\n")
    found: dict[str, Any] = json.loads(ours.stdout)
    expected: dict[str, Any] = json.loads(theirs.stdout)
    assert found.pop("session")[:8] != expected.pop("session")[:8]
    assert found == expected
    assert found["environment"]["WORLDMAIL_X"] == "ü" and found["status"]["Umask"].strip() == "0027"


def test_no_two_have_the_same_sessions() -> None:
    told = [json.loads(forked("tell", "", environment_of_tests({})).stdout) for _ in range(3)]
    assert len({one["session"] for one in told}) == 3


@pytest.mark.parametrize("how", ["0", "3", "text", "fault", "signal"])
def test_it_ends_as_a_fresh_process_does(how: str) -> None:
    environment = environment_of_tests({"WORLDMAIL_END": how})
    ours, theirs = (start("fail", "", environment) for start in (forked, anew))
    assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout)
    assert ours.stderr.splitlines()[-1:] == theirs.stderr.splitlines()[-1:]


def test_what_would_be_imported_differently_is_not_forked() -> None:
    assert not nursery().suits(environment_of_tests({"PYTHONPATH": "/elsewhere"}))
    other = "C.UTF-8" if os.environ.get("LC_ALL") == "C" else "C"
    assert not nursery().suits(environment_of_tests({"LC_ALL": other}))


def test_it_lives_until_its_end_was_seen_and_outlives_the_nursery() -> None:
    made = Nursery(environment_of_tests({}))
    giving, given = os.pipe()
    process = made.start(f"{US}:tell", (), (giving, given, given), made.environment)
    made.close()
    os.close(giving)
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    os.kill(process.pid, signal.SIGTERM)
    signal_of_the_end = process.wait(120)
    os.close(given)
    assert signal_of_the_end == process.poll() == -signal.SIGTERM
    assert not Path(f"/proc/{process.pid}").exists()
    process.kill()


def test_a_forked_server_serves_and_stops(tmp_path: Path) -> None:
    server = ServerProcess(directory=tmp_path / "data", forked=True)
    server.initialise()
    server.start()
    assert os.readlink(f"/proc/{server.pid}/cwd") == str(ROOT)
    assert server.running()
    assert server.stop() == -signal.SIGTERM
    assert '"server.stopped"' in server.tail()
