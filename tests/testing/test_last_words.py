"""A test that fails shows what its servers wrote last."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from attrs import define

from worldmail.testing import last_words
from worldmail.testing.last_words import MOST_COLUMNS, MOST_LINES, MOST_SERVERS, ends_of_logs
from worldmail.testing.process import ServerProcess, environment_of_tests

TESTS = """
import pytest
from tests.conftest import pytest_runtest_makereport, pytest_runtest_setup
from worldmail.testing.process import ServerProcess

@pytest.fixture
def server(tmp_path):
    made = ServerProcess(directory=tmp_path / "data", port_base=3000)
    made.log.write_text("what came of it\\n")
    yield made
    made.log.unlink()

@pytest.fixture
def unready(server):
    raise OSError("it did not start")

def test_in_its_course(server):
    assert not "in its course"

def test_before_it(unready):
    pass

def test_that_passes(server):
    pass
"""


@pytest.fixture(autouse=True)
def others_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_words, "_SERVERS", type(last_words._SERVERS)())


def _server(place: Path, name: str, text: str = "a line\n") -> ServerProcess:
    made = ServerProcess(directory=place / name, port_base=3000)
    made.log.write_text(text)
    return made


def test_a_log_is_shown_with_its_path_and_ports_and_what_became_of_the_process(tmp_path: Path) -> None:
    server = _server(tmp_path, "one")
    ((title, lines),) = ends_of_logs(time.time())
    assert (title, lines) == (f"end of {server.log}: ports from 3000, not running", "a line")


@define(kw_only=True)
class Alike(ServerProcess):
    """Equal to any that has the same fields."""


def test_servers_that_are_alike_are_each_shown(tmp_path: Path) -> None:
    servers = [Alike(directory=tmp_path / name, port_base=3000) for name in ("one", "two")]
    for server in servers:
        server.log.touch()
    assert len(ends_of_logs(0.0)) == 2


def test_what_a_server_wrote_before_the_test_is_nothing_of_it(tmp_path: Path) -> None:
    server = _server(tmp_path, "one")
    os.utime(server.log, (1_000_000, 1_000_000))
    assert ends_of_logs(time.time()) == []
    assert len(ends_of_logs(0.0)) == 1


def test_a_server_that_nobody_has_any_more_or_that_wrote_nothing_is_none(tmp_path: Path) -> None:
    _server(tmp_path, "one")
    silent = _server(tmp_path, "two")
    silent.log.unlink()
    assert ends_of_logs(0.0) == []


def test_two_servers_in_turn_on_one_log_show_it_once(tmp_path: Path) -> None:
    servers = [_server(tmp_path, "one") for _ in range(2)]
    assert len(ends_of_logs(0.0)) == 1 < len(servers)


def test_however_much_was_written_by_however_many_the_report_is_small(tmp_path: Path) -> None:
    text = "".join(f"{number} {'long ' * 100}\n" for number in range(9000))
    servers = [_server(tmp_path, str(number), text) for number in range(MOST_SERVERS + 3)]
    for number, server in enumerate(servers):
        os.utime(server.log, (number, number))
    found = ends_of_logs(0.0)
    assert [title.split(":")[0] for title, _ in found] == [f"end of {server.log}" for server in servers[3:]]
    for _, lines in found:
        kept = lines.splitlines()
        assert len(kept) == MOST_LINES and kept[-1].startswith("8999 ") and len(kept[-1]) == MOST_COLUMNS


@pytest.mark.parametrize("options", [(), ("-n", "1")], ids=["here", "by xdist"])
def test_a_failed_test_is_reported_with_the_logs_of_its_servers(tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "conftest.py").write_text(TESTS.partition("@pytest.fixture")[0])
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'temp'}", *options]
    environment = environment_of_tests({"PYTEST_ADDOPTS": ""})
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert "1 failed, 1 passed, 1 error" in done.stdout, done.stdout + done.stderr
    told, _, summary = done.stdout.partition("short test summary")
    assert told.count("what came of it") == 2 == told.count("data.log: ports from 3000, not running")
    assert summary and "what came of it" not in summary
