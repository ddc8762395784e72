"""Postfix, LMTP and Dovecot, on the loopback, apart from any that the machine runs.

"Shipped" is Dovecot with its default process model, one process a connection; "tuned"
is its documented high-performance model, where login and mail processes are reused.
Limits that would slow a benchmark from one address are lifted in both.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import define, field

from benchmarks.sides import DOMAIN, PASSWORD, mailbox_address, numbers

_RELAYING = """\
relayhost = [127.0.0.1]:{port}
smtp_destination_concurrency_limit = 20
"""

PROGRAMS = ("postfix", "dovecot", "smtp-source", "doveadm")
_QUEUES = ("maildrop", "incoming", "active")

_DOVECOT = """\
base_dir = {run}
instance_name = worldmail-benchmark
protocols = imap pop3 lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
log_path = {log}
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
mail_home = {mail}/%n
mail_location = sdbox:~/sdbox
mail_max_userip_connections = 20000
default_client_limit = 20000
default_process_limit = 2000
auth_mechanisms = plain login
passdb {{
  driver = passwd-file
  args = {users}
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={mail}/%n allow_all_users=yes
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3_port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp_port}
  }}
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
"""

_TUNED = """\
service pop3-login {
  service_count = 0
  process_min_avail = 2
  client_limit = 10000
}
service pop3 {
  service_count = 1000
  process_min_avail = 10
}
service imap-login {
  service_count = 0
  process_min_avail = 2
  client_limit = 10000
}
service imap {
  service_count = 0
  process_min_avail = 10
}
service lmtp {
  process_min_avail = 10
}
"""

_POSTFIX = """\
compatibility_level = 3.6
queue_directory = {queue}
data_directory = {data}
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.{domain}
mydomain = {domain}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = {domain}
virtual_transport = lmtp:inet:127.0.0.1:{lmtp_port}
maillog_file_prefixes = {directory}
maillog_file = {directory}/postfix.log
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
default_process_limit = 200
message_size_limit = 104857600
mailbox_size_limit = 0
virtual_mailbox_limit = 0
lmtp_destination_concurrency_limit = 50
in_flow_delay = 0
"""


def missing() -> list[str]:
    """What this machine lacks to run the peers."""
    lacking = [program for program in PROGRAMS if shutil.which(program) is None]
    return lacking if os.geteuid() == 0 else [*lacking, "root"]


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


@define(kw_only=True)
class Peers:
    """A set-up of its own below `directory`. `next_hop` is a port that takes what is for elsewhere."""

    directory: Path
    mailboxes: int
    tuned: bool = True
    next_hop: int | None = None
    smtp_port: int = field(factory=free_port)
    pop3_port: int = field(factory=free_port)
    imap_port: int = field(factory=free_port)
    lmtp_port: int = field(factory=free_port)

    @property
    def name(self) -> str:
        """As the tables call it."""
        return "Postfix + Dovecot" + ("" if self.tuned else ", as shipped")

    @property
    def _mail(self) -> Path:
        return self.directory / "mail"

    @property
    def _queue(self) -> Path:
        return self.directory / "postfix" / "queue"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve inside of the block."""
        self._prepare()
        dovecot = ("dovecot", "-c", str(self.directory / "dovecot.conf"))
        postfix = ("postfix", "-c", str(self.directory / "postfix"))
        _run(*dovecot)
        try:
            _run(*postfix, "start")
            try:
                self._wait_for_greetings()
                yield
            finally:
                _run(*postfix, "stop", check=False)
        finally:
            _run("doveadm", *dovecot[1:], "stop", check=False)

    def wait_until_delivered(self) -> None:
        """Return when the queue is empty; what was deferred is tried again at once."""
        while True:
            while any(os.listdir(self._queue / queue) for queue in _QUEUES):
                time.sleep(0.01)
            if not any(files for _, _, files in os.walk(self._queue / "deferred")):
                return
            _run("postqueue", "-c", str(self.directory / "postfix"), "-f")
            time.sleep(0.1)

    def messages(self) -> int:
        """Message files of sdbox."""
        return sum(1 for _, _, files in os.walk(self._mail) for file in files if file.startswith("u."))

    def empty(self) -> None:
        """Remove all mail, indexes and all."""
        shutil.rmtree(self._mail)
        self._mail.mkdir()
        shutil.chown(self._mail, "mail", "mail")

    def catch_up(self) -> None:
        """Nothing is put off."""

    def _prepare(self) -> None:
        postfix, run = self.directory / "postfix", self.directory / "run"
        for directory in (self._mail, self._queue, postfix / "data", run):
            directory.mkdir(parents=True, exist_ok=True)
        for readable in (self.directory, postfix):
            readable.chmod(0o755)
        shutil.chown(postfix / "data", "postfix")
        shutil.chown(self._mail, "mail", "mail")
        users = self.directory / "users"
        lines = [f"{mailbox_address(n)}:{{PLAIN}}{PASSWORD}::::::" for n in numbers(self.mailboxes)]
        users.write_text("\n".join([*lines, ""]))
        facts = {
            "domain": DOMAIN,
            "lmtp_port": self.lmtp_port,
            "pop3_port": self.pop3_port,
            "imap_port": self.imap_port,
            "directory": self.directory,
        }
        paths = {"run": run, "log": self.directory / "dovecot.log", "mail": self._mail, "users": users}
        dovecot = _DOVECOT.format(**facts, **paths) + (_TUNED if self.tuned else "")
        (self.directory / "dovecot.conf").write_text(dovecot)
        main = _POSTFIX.format(**facts, queue=self._queue, data=postfix / "data")
        if self.next_hop is not None:
            main += _RELAYING.format(port=self.next_hop)
        (postfix / "main.cf").write_text(main)
        (postfix / "master.cf").write_text(self._services())

    def _services(self) -> str:
        """Postfix's shipped services, on our port and outside of the chroot."""
        shipped = Path("/usr/share/postfix/master.cf.dist")
        text = (shipped if shipped.exists() else Path("/etc/postfix/master.cf")).read_text()
        lines = []
        for line in text.splitlines():
            words = line.split()
            if len(words) < 8 or line.startswith(("#", " ", "\t")):
                lines.append(line)
                continue
            words[4] = "n"
            if words[:2] == ["smtp", "inet"]:
                words[0], words[6] = f"127.0.0.1:{self.smtp_port}", "200"
            lines.append(" ".join(words))
        if not any(line.startswith("postlog ") for line in lines):
            lines.append("postlog unix-dgram n - n - 1 postlogd")
        return "\n".join([*lines, ""])

    def _wait_for_greetings(self) -> None:
        for port in (self.smtp_port, self.pop3_port, self.imap_port):
            wait_for_greeting(port)


def wait_for_greeting(port: int, within: float = 20.0) -> None:
    """Return when a server greets on the port."""
    deadline = time.monotonic() + within
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as connection:
                if connection.recv(1):
                    return
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing greets on port {port}")
        time.sleep(0.05)


def _run(*command: str, check: bool = True) -> None:
    subprocess.run(command, check=check, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
