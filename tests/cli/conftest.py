"""The command as people run it: a process of its own."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from worldmail.testing.process import CLI, ROOT, ServerProcess


@frozen
class Answer:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it said with --json."""
        return json.loads(self.out)


@frozen
class Commands:
    """Runs commands on one site."""

    config: Path | None

    def __call__(self, *words: str, stdin: str = "", **variables: str) -> Answer:
        """`worldmail [--config ...] WORDS`."""
        options = () if self.config is None else ("--config", str(self.config))
        done = subprocess.run(
            (*CLI, *options, *words),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
                **variables,
            },
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def at_terminal(self, *words: str, typed: Sequence[str]) -> bytes:
        """The same at a terminal, where each prompt gets a line; it must succeed. What was shown."""
        assert self.config is not None
        primary, secondary = pty.openpty()
        process = subprocess.Popen(
            (*CLI, "--config", str(self.config), *words),
            stdin=secondary,
            stdout=secondary,
            stderr=secondary,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )
        os.close(secondary)
        shown = b""
        for line in typed:
            while not shown.endswith(b": "):
                shown += os.read(primary, 1024)
            os.write(primary, line.encode() + b"\n")
            shown += os.read(primary, 1)
        try:
            while data := os.read(primary, 1024):
                shown += data
        except OSError:
            pass  # the terminal's end
        assert process.wait(30) == 0
        os.close(primary)
        return shown

    def ok(self, *words: str, stdin: str = "") -> Answer:
        """The same, which must succeed."""
        answer = self(*words, stdin=stdin)
        assert answer.status == 0, answer
        return answer

    def refused(self, *words: str, stdin: str = "") -> str:
        """The same, which must fail with status 1 and one line; the line."""
        answer = self(*words, stdin=stdin)
        assert (answer.status, answer.out) == (1, ""), answer
        (line,) = answer.err.splitlines()
        return line


@pytest.fixture
def site(template: ServerProcess, tmp_path: Path) -> Iterator[ServerProcess]:
    """A site that was initialised; its server is not running."""
    made = ServerProcess(directory=tmp_path / "data", port_base=template.port_base)
    shutil.copytree(template.directory, made.directory)
    yield made
    made.kill()


@pytest.fixture
def worldmail(site: ServerProcess) -> Commands:
    """Commands on that site."""
    return Commands(site.config)
