"""The command as people run it: a process of its own."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import smtplib
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from worldmail.testing.process import CLI, ServerProcess, environment_of_tests, run_command

MESSAGE = "Message-ID: <one@two.test>\r\nSubject: x\r\n\r\ncontent that no trace may show\r\n"
WITHIN = 120.0


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
    """Runs commands on one site; see `worldmail.testing.forking`."""

    config: Path | None
    forked: bool = True

    def __call__(self, *words: str, stdin: str = "", **variables: str) -> Answer:
        """`worldmail [--config ...] WORDS`."""
        options = () if self.config is None else ("--config", str(self.config))
        done = run_command(
            *options, *words, stdin=stdin, environment=environment_of_tests(variables), forked=self.forked
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
            env=environment_of_tests({}),
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
        assert process.wait(120) == 0
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
    made = ServerProcess(directory=tmp_path / "data", port_base=template.port_base, forked=True)
    shutil.copytree(template.directory, made.directory)
    yield made
    made.kill()


@pytest.fixture
def worldmail(site: ServerProcess) -> Commands:
    """Commands on that site."""
    return Commands(site.config)


class _Session(socketserver.StreamRequestHandler):
    """Takes mail; who is called "later" is put off, who is called "never" refused."""

    def handle(self) -> None:
        self._say("220 peer.test ESMTP")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"RCPT" and b"later" in line:
                self._say("451 4.7.1 Come \x1b[31m again")
            elif word == b"RCPT" and b"never" in line:
                self._say("550 5.1.1 Nobody here of that name")
            elif word == b"DATA":
                self._say("354 Go on")
                while self.rfile.readline() != b".\r\n":
                    pass
                self._say("250 2.0.0 Kept as 4711")
            else:
                self._say("221 Bye" if word == b"QUIT" else "250 peer.test")

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


class _Peer(socketserver.ThreadingTCPServer):
    daemon_threads = True


@frozen
class Sending:
    """A server that sends on to one other, and commands on it."""

    site: ServerProcess
    worldmail: Commands

    def send(self, *recipients: str, sender: str = "postmaster@example.test") -> None:
        """A message to these."""
        with smtplib.SMTP("127.0.0.1", self.site.port(25), timeout=60) as client:
            client.sendmail(sender, list(recipients), MESSAGE)

    def trace(self, key: str, until: str) -> Answer:
        """What is told, once it matches."""
        end = time.monotonic() + WITHIN
        while True:
            answer = self.worldmail("trace", key)
            if re.search(until, answer.out) is not None:
                return answer
            assert time.monotonic() < end, answer
            time.sleep(0.2)


@pytest.fixture
def sending(site: ServerProcess, worldmail: Commands) -> Iterator[Sending]:
    """The site sends everything to a server of ours, for anybody."""
    with _Peer(("127.0.0.1", 0), _Session) as peer:
        serving = threading.Thread(target=peer.serve_forever)
        serving.start()
        try:
            worldmail.ok("route", "add", "peer", "via=host", "host=127.0.0.1", f"port={peer.server_address[1]}")
            nowhere = {"servers": ["127.0.0.1:9"], "timeout": 1}
            site.configure({"policy": {"relay_networks": ["127.0.0.0/8"]}, "dns": nowhere})
            site.start()
            yield Sending(site, worldmail)
        finally:
            peer.shutdown()
            serving.join()
