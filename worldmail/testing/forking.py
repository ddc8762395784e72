"""Processes of the program without the time that its imports take: for tests that start it hundreds of times.

One process, the nursery, imports what `worldmail` and `twistd worldmail` are made of, and nothing else happens in it:
it has no reactor, no thread, no connection and no open file. For each start it forks a keeper, and that the process
asked for, which takes its own standard streams, directory, umask, environment and arguments, and goes on as a fresh
interpreter would after its imports. The keeper stays until the process has ended and its status was asked for, as a
parent does: until then its id is nobody else's.

What a fresh interpreter would read differently (another PYTHONPATH, another locale) cannot be had this way;
`Nursery.suits` tells.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import define, field

ROOT = Path(__file__).resolve().parents[2]
TWISTD, WORLDMAIL = "twisted.scripts.twistd:run", "worldmail.cli.main:main"
_NURSE = (sys.executable, "-c", "import worldmail.testing.forking as it; it.attend()()")
_MOST = 1 << 20
_READ_LATER = ("WORLDMAIL_", "PYTEST_", "CRASH_", "WATCHDOG", "HOLD_UP")
"""What variables begin with that nobody reads while importing."""


@define(eq=False)
class Forked:
    """A process that was started; as much of `subprocess.Popen` as tests use."""

    pid: int
    _keeper: socket.socket
    returncode: int | None = field(default=None, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def poll(self) -> int | None:
        """Its exit status (minus the signal's number), or None while it runs."""
        with self._lock:
            if self.returncode is None and self._has_ended(0.0):
                self.returncode = self._status()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The same once it has ended. Raises `subprocess.TimeoutExpired`."""
        if self.returncode is None and not self._has_ended(timeout):
            raise subprocess.TimeoutExpired([f"process {self.pid}"], timeout or 0.0)
        status = self.poll()
        assert status is not None
        return status

    def send_signal(self, number: int) -> None:
        """If it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _has_ended(self, within: float | None) -> bool:
        looking = select.poll()
        looking.register(self._keeper, select.POLLIN)
        return bool(looking.poll(None if within is None else within * 1000))

    def _status(self) -> int:
        with self._keeper as keeper:
            status = int(keeper.recv(64))
            keeper.shutdown(socket.SHUT_WR)
            keeper.recv(1)  # its end: the process is gone from the system's table
        return status


@define(eq=False)
class Nursery:
    """The process that forks others, on the side of who wants them. It is started when it is first needed."""

    environment: Mapping[str, str]
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _connection: socket.socket | None = field(default=None, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def suits(self, environment: Mapping[str, str]) -> bool:
        """True if a process with this environment is the same whether it was forked or started."""
        return _read_at_once(environment) == _read_at_once(self.environment)

    def start(
        self,
        program: str,
        arguments: tuple[str, ...],
        streams: tuple[int, int, int],
        environment: Mapping[str, str],
        directory: str | os.PathLike[str] | None = None,
    ) -> Forked:
        """A process that calls `program` ("module:function") with these arguments and standard streams.

        Args:
            directory: where it begins; None for ours.
        """
        asked = {
            "program": program,
            "arguments": arguments,
            "environment": dict(environment),
            "directory": os.fspath(directory or os.getcwd()),
            "umask": _umask(),
        }
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, self._lock:
            connection = self._connected()
            socket.send_fds(connection, [json.dumps(asked).encode()], [*streams, theirs.fileno()])
        return Forked(int(ours.recv(64)), ours)

    def run(
        self,
        program: str,
        arguments: tuple[str, ...],
        stdin: str,
        environment: Mapping[str, str],
        directory: str | os.PathLike[str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """The same until it has ended, with pipes for its standard streams: as `subprocess.run` with text."""
        (given, giving), (out, its_out), (err, its_err) = os.pipe(), os.pipe(), os.pipe()
        theirs = (given, its_out, its_err)
        process = self.start(program, arguments, theirs, environment, directory)
        for descriptor in theirs:
            os.close(descriptor)
        with ThreadPoolExecutor(2) as threads:
            gives, says = threads.submit(_give, giving, stdin), threads.submit(_take, out)
            complaint = _take(err)
            gives.result()
            return subprocess.CompletedProcess(arguments, process.wait(), says.result(), complaint)

    def close(self) -> None:
        """End it; what it has forked lives on."""
        with self._lock:
            if self._process is not None and self._connection is not None:
                self._connection.close()
                self._process.wait()
                self._process = self._connection = None

    def _connected(self) -> socket.socket:
        if self._connection is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                self._process = subprocess.Popen(
                    _NURSE, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, env=dict(self.environment), cwd=ROOT
                )
            self._connection = ours
        return self._connection


def _read_at_once(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith(_READ_LATER)}


def _give(pipe: int, text: str) -> None:
    with suppress(BrokenPipeError), open(pipe, "w") as stream:
        stream.write(text)


def _take(pipe: int) -> str:
    with open(pipe) as stream:
        return stream.read()


def _umask() -> int:
    """Of this process, without changing it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("Umask:"):
            return int(line.split()[1], 8)
    raise OSError("the system does not tell the umask")


def attend() -> Callable[[], object]:
    """The nursery: fork for each request that comes at standard input. In each of the forks: what it is to call."""
    with socket.socket(fileno=os.dup(0)) as requests:
        _blank(0)
        _import_all()
        gc.collect()
        gc.freeze()  # else each fork copies all of it when it ends
        while True:
            try:
                message, descriptors, _, _ = socket.recv_fds(requests, _MOST, 4)
            except KeyboardInterrupt:
                os._exit(130)
            if not message:
                os._exit(0)
            if os.fork() == 0:
                break
            for descriptor in descriptors:
                os.close(descriptor)
            _reap()
    return _keep(json.loads(message), descriptors)


def _keep(asked: Mapping[str, Any], descriptors: list[int]) -> Callable[[], object]:
    """In the keeper: fork the process, tell its id and its status. In the process: what it is to call."""
    *streams, answer = descriptors
    pid = os.fork()
    if pid == 0:
        os.close(answer)
        return _become(asked, streams)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # from a terminal it comes to all; each has its own end
    for descriptor in (*streams, 2):  # who reads what it writes waits for the last one to close it
        os.close(descriptor)
    with socket.socket(fileno=answer) as asker:
        asker.send(b"%d" % pid)
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        asker.send(b"%d" % (ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status))
        asker.recv(1)
        os.waitpid(pid, 0)
    os._exit(0)


def _become(asked: Mapping[str, Any], streams: list[int]) -> Callable[[], object]:
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    for descriptor in streams:
        os.close(descriptor)
    os.umask(asked["umask"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["directory"])
    sys.argv[1:] = asked["arguments"]
    sys.stdout.reconfigure(line_buffering=os.isatty(1))  # type: ignore[union-attr]  # they are text streams
    _forget()
    module, _, name = asked["program"].partition(":")
    called: Callable[[], object] = getattr(importlib.import_module(module), name)
    return called


def _forget() -> None:
    """What a process has, by chance, of what it imported."""
    from worldmail.transport import ends

    importlib.reload(ends)  # the beginning of session ids
    signal.signal(signal.SIGWINCH, signal.SIG_DFL)  # some import brings readline along, which catches it


def _import_all() -> None:
    from worldmail.app.preload import preload

    preload()
    for found in pkgutil.iter_modules(importlib.import_module("worldmail.cli").__path__, "worldmail.cli."):
        importlib.import_module(found.name)
    for program in (TWISTD, WORLDMAIL):
        importlib.import_module(program.partition(":")[0])
    assert "twisted.internet.reactor" not in sys.modules
    assert threading.active_count() == 1


def _blank(descriptor: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, descriptor)
    os.close(nothing)


def _reap() -> None:
    """Keepers that have gone."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
