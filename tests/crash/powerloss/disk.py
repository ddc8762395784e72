"""A mounted disk whose power can be cut, and given back."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from attrs import define, field

_PROGRAM = Path(__file__).with_name("filesystem.py")


def can_mount() -> bool:
    """True where FUSE may be used."""
    return os.access("/dev/fuse", os.R_OK | os.W_OK) and shutil.which("fusermount3") is not None


@define(kw_only=True)
class PowerLossDisk:
    """Mounts `backing` at `mountpoint` through the file system that forgets."""

    backing: Path
    mountpoint: Path
    _process: subprocess.Popen[str] | None = field(default=None, init=False)

    def mount(self) -> None:
        """Power on."""
        self.backing.mkdir(exist_ok=True)
        self.mountpoint.mkdir(exist_ok=True)
        command = (sys.executable, str(_PROGRAM), str(self.backing), str(self.mountpoint))
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 10
        while not os.path.ismount(self.mountpoint):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise OSError(f"cannot mount {self.mountpoint}")
            time.sleep(0.005)

    def settle(self) -> None:
        """Everything until now is durable."""
        self._command("settle")

    def refuse(self, error: str) -> None:
        """Everything that would change the disk fails with this error: "EROFS", "EIO", "ENOSPC"."""
        self._command(f"refuse {error}")

    def allow(self) -> None:
        """It works again."""
        self._command("allow")

    def cut(self, mode: str, seed: int) -> str:
        """Power off; a line about what was lost. Whoever uses the disk must be killed before `mount`."""
        return self._command(f"cut {mode} {seed}")

    def unmount(self) -> None:
        """Take the mount away, whether cut or not."""
        subprocess.run(("fusermount3", "-u", "-z", str(self.mountpoint)), check=False, stderr=subprocess.DEVNULL)
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                pipe.close()
            self._process = None

    def _command(self, line: str) -> str:
        assert self._process is not None and self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()
