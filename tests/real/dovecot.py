"""Debian's Dovecot on the loopback, for one user, apart from any that the machine runs."""

from __future__ import annotations

import grp
import imaplib
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import define, field

from worldmail.testing.process import free_ports

USER, PASSWORD = "ann@example.test", "secret"

_SETTINGS = """\
base_dir = {run}
state_dir = {run}
instance_name = worldmail-corpus
protocols = imap pop3
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
log_path = {directory}/log
default_internal_user = {internal}
default_internal_group = {group}
default_login_user = {login}
mail_home = {directory}/mail
mail_location = sdbox:~/sdbox
mail_fsync = never
first_valid_uid = 0
first_valid_gid = 0
auth_mechanisms = plain
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={directory}/mail allow_all_users=yes
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3_port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
"""


def missing() -> str | None:
    """What keeps Dovecot from running here; None if nothing does."""
    if shutil.which("dovecot", path=_path()) is None:
        return "dovecot is not installed"
    parts = [part for part in ("imap", "pop3") if not Path("/usr/lib/dovecot", part).exists()]
    return f"dovecot-{parts[0]}d is not installed" if parts else None


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin"


@define(kw_only=True)
class Dovecot:
    """A server of its own below `directory`, which must be short enough for the names of sockets."""

    directory: Path
    port: int = field(init=False)
    pop3_port: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.port, self.pop3_port = free_ports(2)

    @property
    def ports(self) -> dict[str, int]:
        """By the names of protocols."""
        return {"imap": self.port, "pop3": self.pop3_port}

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve inside of the block."""
        self._prepare()
        command = [shutil.which("dovecot", path=_path()) or "dovecot", "-F", "-c", str(self.directory / "conf")]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        try:
            self._wait_for_greeting()
            yield
        finally:
            process.terminate()
            process.wait(30)

    def connect(self) -> imaplib.IMAP4:
        """Signed in."""
        connection = imaplib.IMAP4("127.0.0.1", self.port, timeout=60)
        connection.login(USER, PASSWORD)
        return connection

    def _prepare(self) -> None:
        mail, run = self.directory / "mail", self.directory / "run"
        for made in (mail, run):
            made.mkdir(parents=True)
        root = os.geteuid() == 0
        owner = pwd.getpwnam("mail") if root else pwd.getpwuid(os.geteuid())
        if root:
            self.directory.chmod(0o755)
            shutil.chown(mail, owner.pw_uid, owner.pw_gid)
        text = _SETTINGS.format(
            directory=self.directory,
            run=run,
            port=self.port,
            pop3_port=self.pop3_port,
            internal="dovecot" if root else owner.pw_name,
            group="dovecot" if root else grp.getgrgid(owner.pw_gid).gr_name,
            login="dovenull" if root else owner.pw_name,
            password=PASSWORD,
            uid=owner.pw_uid,
            gid=owner.pw_gid,
        )
        (self.directory / "conf").write_text(text)

    def _wait_for_greeting(self, within: float = 60.0) -> None:
        deadline = time.monotonic() + within
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
                    if connection.recv(1):
                        return
            except OSError:
                pass
            if time.monotonic() > deadline:
                log = self.directory / "log"
                raise TimeoutError(f"Dovecot does not greet: {log.read_text()[-2000:] if log.exists() else ''}")
            time.sleep(0.05)
