"""A Postfix of a test's own, on the loopback, apart from any that the machine runs. Needs root, as Postfix does.

postfix = PostfixProcess(hostname="mx.b.test", ways={"c.test": ("127.0.0.1", 2525)})
postfix.initialise()
postfix.start()
postfix.remove()
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from attrs import define, field

from worldmail.testing.last_words import remember
from worldmail.testing.process import free_ports

DAEMONS = Path("/usr/lib/postfix/sbin")
_SHIPPED = Path("/usr/share/postfix/master.cf.dist"), Path("/etc/postfix/master.cf")
_QUEUES = ("maildrop", "incoming", "active", "deferred")

# Names are not looked up: it would ask the system's resolver. What fails is tried again soon.
_MAIN = """\
compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
command_directory = /usr/sbin
daemon_directory = {daemons}
mail_owner = postfix
setgid_group = postdrop
myhostname = {hostname}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtp_host_lookup = native
smtp_dns_support_level = disabled
mynetworks = 127.0.0.0/8
maillog_file_prefixes = {directory}
maillog_file = {directory}/postfix.log
alias_maps =
local_recipient_maps =
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
message_size_limit = 104857600
mailbox_size_limit = 0
virtual_mailbox_limit = 0
in_flow_delay = 0
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
transport_retry_time = 1s
"""


def missing_postfix() -> str | None:
    """Why there can be none here; None if there can."""
    if not (DAEMONS / "master").exists():
        return "Postfix is not installed"
    return None if os.geteuid() == 0 else "Postfix is started by root"


@define(kw_only=True, eq=False)
class PostfixProcess:
    """One Postfix and its queue. `remove` it in the end.

    Args:
        ways: where mail for a domain goes, to which address and port.
        settings: of main.cf, beside those that tests need.
        address: where it listens, of 127.0.0.0/8.
        port: 0 for one that is free.
    """

    hostname: str
    ways: Mapping[str, tuple[str, int]] = field(factory=dict)
    settings: Mapping[str, str] = field(factory=dict)
    address: str = "127.0.0.1"
    port: int = 0
    # Not below pytest's own directory, which is closed to other users.
    directory: Path = field(factory=lambda: Path(tempfile.mkdtemp(prefix="worldmail-postfix-")), init=False)
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        if not self.port:
            (self.port,) = free_ports(1)
        remember(self)

    @property
    def log(self) -> Path:
        """What it logs."""
        return self.directory / "postfix.log"

    @property
    def place(self) -> str:
        """Where it listens, in words."""
        return f"Postfix at {self.address}:{self.port}"

    def initialise(self) -> None:
        """Make its directories and its configuration."""
        for name in ("etc", "queue", "data"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
            (self.directory / name).chmod(0o755)  # whatever the umask
        self.directory.chmod(0o755)
        shutil.chown(self.directory / "data", "postfix")
        maps = " ".join(f"{{{domain} = smtp:[{host}]:{port}}}" for domain, (host, port) in self.ways.items())
        settings = {"transport_maps": f"inline:{{ {maps} }}" if maps else "", **self.settings}
        main = _MAIN.format(directory=self.directory, daemons=DAEMONS, hostname=self.hostname)
        main += "".join(f"{name} = {value}\n" for name, value in settings.items())
        (self.directory / "etc" / "main.cf").write_text(main)
        (self.directory / "etc" / "master.cf").write_text(self._services())
        # This makes what is missing of the queue.
        subprocess.run(("postfix", "-c", str(self.directory / "etc"), "check"), check=True, capture_output=True)

    def start(self, within: float = 60.0) -> None:
        """Start it and wait until it greets. Raises TimeoutError."""
        deadline = time.monotonic() + within
        self._launch()
        while not self._greets():
            if time.monotonic() > deadline:
                self.kill()
                raise TimeoutError(self.tail())
            time.sleep(0.05)
            if not self.running():  # processes that were killed keep its lock and its port for a moment
                self._launch()

    def _launch(self) -> None:
        command = (str(DAEMONS / "master"), "-c", str(self.directory / "etc"), "-d")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)

    def running(self) -> bool:
        """True while it lives."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """SIGKILL to all of its processes, which are a group."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def remove(self) -> None:
        """Kill it and throw it away."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def queued(self) -> int:
        """How many messages are in its queue; what it never acknowledged is none: such files are not executable."""
        places = [self.directory / "queue" / name for name in _QUEUES]
        files = [Path(place, name) for top in places for place, _, names in os.walk(top) for name in names]
        return sum(1 for file in files if _is_whole(file))

    def flush(self) -> None:
        """Try now whatever waits."""
        subprocess.run(("postqueue", "-c", str(self.directory / "etc"), "-f"), check=False, capture_output=True)

    def tail(self, octets: int = 4000) -> str:
        """The end of its log."""
        return self.log.read_bytes()[-octets:].decode("utf-8", "replace") if self.log.exists() else ""

    def _greets(self) -> bool:
        try:
            with socket.create_connection((self.address, self.port), 5) as connection:
                return bool(connection.recv(1))
        except OSError:
            return False

    def _services(self) -> str:
        """Postfix's shipped services, on our port and outside of the chroot."""
        text = next(path for path in _SHIPPED if path.exists()).read_text()
        lines = []
        for line in text.splitlines():
            words = line.split()
            if len(words) < 8 or line.startswith(("#", " ", "\t")) or words[7] == "pipe":
                continue
            words[4] = "n"
            if words[:2] == ["smtp", "inet"]:
                words[0] = f"{self.address}:{self.port}"
            lines.append(" ".join(words))
        if not any(line.startswith("postlog ") for line in lines):
            lines.append("postlog unix-dgram n - n - 1 postlogd")
        return "\n".join([*lines, ""])


def _is_whole(file: Path) -> bool:
    try:
        return bool(file.stat().st_mode & stat.S_IXUSR)
    except FileNotFoundError:
        return False
