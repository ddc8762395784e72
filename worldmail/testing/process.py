"""A real server in a process of its own: for tests of the whole, crash runs and benchmarks.

It is started as an operator starts it, through `worldmail init` and `twistd`, or as a fork that is the same without
the time that imports take; on the loopback and on free ports, with its output in a file beside its data.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import define, field

from worldmail.testing import forking
from worldmail.testing.forking import Forked, Nursery
from worldmail.testing.last_words import remember

TWISTD = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()")
CLI = (sys.executable, "-c", "from worldmail.cli.main import main; main()")
ROOT = Path(__file__).resolve().parents[2]

# Below the range from which the system takes the ports of outgoing connections.
_LOWEST_BASE, _HIGHEST_BASE = 3_000, 29_000
_OURS: dict[int, int] = {}
_MOST_OURS = 4
_STANDARD_PORTS = (25, 79, 80, 105, 110, 143, 366, 389, 443, 465, 587, 636, 993, 995)

_OFFSETS = range(0, 20, 3)
"""From a thousand to its bases: of no two of them is a port of the one a port of the other."""

_GIVEN: dict[int, bool] = {}
"""Bases that this process has had, and whether for as long as it lives."""


_NURSERIES: list[Nursery] = []

NO_NAMES = "127.0.0.1:9"
"""A name server that is not there."""


class ServerDidNotStart(Exception):
    """The server ended, or did not answer in time; the text has the end of its output."""


def environment_of_tests(variables: Mapping[str, str]) -> dict[str, str]:
    """For programs that import what the tests import: that of this process, and these variables."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **variables}


def nursery() -> Nursery:
    """This process's, which ends with it."""
    if not _NURSERIES:
        _NURSERIES.append(Nursery(environment_of_tests({})))
        atexit.register(_NURSERIES[0].close)
    return _NURSERIES[0]


def run_command(
    *arguments: str, stdin: str, environment: Mapping[str, str], forked: bool, directory: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """`worldmail ARGUMENTS`."""
    if forked and nursery().suits(environment):
        return nursery().run(forking.WORLDMAIL, arguments, stdin, environment, directory)
    return subprocess.run(
        (*CLI, *arguments), check=False, input=stdin, capture_output=True, text=True, env=environment, cwd=directory
    )


def free_port_base(*, lasting: bool = False) -> int:
    """A port base under which every standard port is free now.

    A server that was stopped, or was not started yet, wants its ports again: so each process takes them from thousands
    that are its own, and of these the bases that it has not had.

    Args:
        lasting: nobody else is to have it as long as this process lives.
    """
    while True:
        for thousand in _thousands():
            for base in random.sample([thousand + offset for offset in _OFFSETS], len(_OFFSETS)):
                if base not in _GIVEN and all(_is_free(base + port) for port in _STANDARD_PORTS):
                    _GIVEN[base] = lasting
                    return base
        for given in [given for given, lasts in _GIVEN.items() if not lasts][: len(_OFFSETS)]:  # those had longest ago
            del _GIVEN[given]
        time.sleep(0.05)


def free_ports(count: int, *, lasting: bool = False) -> list[int]:
    """Ports for other servers, as of a `free_port_base`.

    One that the system gives for the asking may be given to somebody else as well until it is listened on.
    """
    base = free_port_base(lasting=lasting)
    return [base + port for port in _STANDARD_PORTS[:count]]


def _thousands() -> Iterator[int]:
    """Those that are ours, and only behind them others, which become ours: there are few, for all processes."""
    yield from list(_OURS)
    others = range(_LOWEST_BASE, _HIGHEST_BASE, 1000)
    yield from filter(_is_ours, random.sample(others, len(others)))


def _is_ours(thousand: int) -> bool:
    """True if no other test process takes ports from there, as long as this one lives."""
    if thousand in _OURS or len(_OURS) == _MOST_OURS:
        return thousand in _OURS
    path = Path(tempfile.gettempdir(), f"worldmail-ports-{os.getuid()}-{thousand}")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    _OURS[thousand] = descriptor
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as trial:
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@define(kw_only=True, eq=False)
class ServerProcess:
    """One server and its data directory.

    Args:
        directory: where `worldmail init` puts the data; need not exist.
        domain: the first domain.
        program: what is run in place of twistd: a launcher that injects faults, or strace and the like in front of it.
        environment: variables beside those of this process.
        output: where stdout and stderr go (default: DIRECTORY.log).
        init_options: beside those that every site of tests needs.
        forked: if it and its commands may come out of a nursery; see `forking`.
    """

    directory: Path
    domain: str = "example.test"
    program: tuple[str, ...] = TWISTD
    environment: Mapping[str, str] = field(factory=dict)
    output: Path | None = None
    init_options: tuple[str, ...] = ()
    port_base: int = field(factory=free_port_base)
    forked: bool = False
    process: subprocess.Popen[bytes] | Forked | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        remember(self)

    @property
    def config(self) -> Path:
        """The configuration file that `initialise` wrote."""
        return self.directory / "worldmail.toml"

    @property
    def log(self) -> Path:
        """Where the server's output goes."""
        return self.output or self.directory.with_name(self.directory.name + ".log")

    @property
    def place(self) -> str:
        """Its ports and its process, in words."""
        process = f"process {self.process.pid}" if self.running() and self.process else "not running"
        return f"ports from {self.port_base}, {process}"

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self.process is not None, "the server is not running"
        return self.process.pid

    def port(self, standard: int) -> int:
        """Our port for the protocol that has this standard port."""
        return self.port_base + standard

    def initialise(self) -> None:
        """`worldmail init`. The server asks no name server of this machine's: a test brings its own."""
        place = ("--listen", "127.0.0.1", "--port-base", str(self.port_base))
        self._cli("init", str(self.directory), "--domain", self.domain, *place, *self.init_options)
        self.configure({"dns": {"servers": [NO_NAMES]}})

    def command(self, *arguments: str, stdin: str = "") -> str:
        """Run `worldmail --config ... ARGUMENTS`; its stdout. Raises CalledProcessError."""
        return self._cli("--config", str(self.config), *arguments, stdin=stdin)

    def add_user(self, address: str, password: str) -> None:
        """`worldmail user add`."""
        self.command("user", "add", address, "--password-stdin", stdin=password + "\n")

    def configure(self, changes: Mapping[str, Mapping[str, Any]]) -> None:
        """Set keys, given as section -> key -> value, before the next start. Tables are not values here."""
        lines = self.config.read_text().splitlines()
        for section, values in changes.items():
            header = f"[{section}]"
            if header not in lines:
                lines += ["", header]
            at = lines.index(header) + 1
            end = next((n for n in range(at, len(lines)) if lines[n].startswith("[")), len(lines))
            kept = [line for line in lines[at:end] if line.partition("=")[0].strip() not in values]
            lines[at:end] = [*(f"{key} = {json.dumps(value)}" for key, value in values.items()), *kept]
        self.config.write_text("\n".join([*lines, ""]))

    def launch(self) -> None:
        """Start the process and do not wait for it to serve."""
        arguments = (*self.program, "-n", "--pidfile=", "worldmail", "--config", str(self.config))
        environment = environment_of_tests(self.environment)
        with self.log.open("ab") as output, open(os.devnull, "rb") as nothing:
            if self.forked and self.program == TWISTD and nursery().suits(environment):
                streams = (nothing.fileno(), output.fileno(), output.fileno())
                options = arguments[len(TWISTD) :]
                self.process = nursery().start(forking.TWISTD, options, streams, environment, ROOT)
            else:
                self.process = subprocess.Popen(
                    arguments, stdin=nothing, stdout=output, stderr=output, env=environment, cwd=ROOT
                )

    def start(self, within: float = 120.0, port: int = 25) -> None:
        """Start it and wait until it greets on `port`. Raises `ServerDidNotStart`."""
        self.launch()
        deadline = time.monotonic() + within
        while not self._greets(port):
            if time.monotonic() > deadline or not self.running():
                self.kill()
                raise ServerDidNotStart(self.tail())
            time.sleep(0.01)

    def running(self) -> bool:
        """True while the process lives."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """SIGKILL: no last words, nothing flushed."""
        self._end(signal.SIGKILL, 60.0)

    def stop(self, within: float = 60.0) -> int:
        """SIGTERM, and wait; the exit status. Kills what does not end in time and raises TimeoutExpired."""
        return self._end(signal.SIGTERM, within)

    def tail(self, octets: int = 4000) -> str:
        """The end of its output."""
        return self.log.read_bytes()[-octets:].decode("utf-8", "replace") if self.log.exists() else ""

    def _end(self, number: signal.Signals, within: float) -> int:
        if self.process is None:
            return 0
        self.process.send_signal(number)
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process = None

    def _greets(self, port: int) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port(port)), 5) as connection:
                return bool(connection.recv(1))
        except OSError:
            return False

    def _cli(self, *arguments: str, stdin: str = "") -> str:
        environment = environment_of_tests(self.environment)
        done = run_command(*arguments, stdin=stdin, environment=environment, forked=self.forked, directory=ROOT)
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, arguments, done.stdout, done.stderr)
        return done.stdout
