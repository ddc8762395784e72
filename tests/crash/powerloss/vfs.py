"""A SQLite VFS that loses power at its Nth operation on the disk, and forgets what was not synced.

Every xWrite, xTruncate, xSync and xDelete counts. From the chosen operation on nothing more
is done and everything fails; `forget` then undoes what was not synced. It sees the
database, its WAL and its journals; what is in shared memory (-shm) is rebuilt by SQLite.
It can also fail at one operation alone, and work on.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import apsw

from powerloss.undo import Change, DirtyFile

NEVER = 1 << 62


class PowerLost(apsw.IOError):
    """The disk does nothing more."""


class CrashingVfs(apsw.VFS):
    """Named `name`, over the system's own VFS.

    `cut_at` is the first operation that is not done any more, `fail_at` one that fails.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name, "")
        self.vfs_name = name
        self.operations = 0
        self.cut_at = NEVER
        self.fail_at = NEVER
        self.dirty: dict[str, list[Change]] = {}
        self.removed: dict[str, bytes] = {}

    @property
    def dead(self) -> bool:
        """True from the cut on."""
        return self.operations >= self.cut_at

    def operation(self) -> None:
        """Count one; raises from the cut on, or if it is the one to fail."""
        if not self.dead:
            self.operations += 1
        if self.dead:
            raise PowerLost
        if self.operations == self.fail_at:
            raise apsw.IOError("a fault that is injected")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        return CrashingFile(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.operation()
        if syncdir:
            self.removed.pop(filename, None)
        elif filename not in self.removed:
            self.removed[filename] = Path(filename).read_bytes()
        super().xDelete(filename, syncdir)

    def forget(self, mode: str, seed: int) -> None:
        """Undo what the disk may forget, once every connection is closed; then the power is back."""
        chance = random.Random(f"{seed} {mode}")
        for filename, octets in self.removed.items():
            Path(filename).write_bytes(octets)
        for filename, changes in self.dirty.items():
            if os.path.exists(filename):
                DirtyFile(os.open(filename, os.O_RDWR), changes).cut(mode, chance)
        self.power_on()

    def power_on(self) -> None:
        """Begin anew: everything is durable, nothing is to fail."""
        self.dirty.clear()
        self.removed.clear()
        self.operations, self.cut_at, self.fail_at = 0, NEVER, NEVER


class CrashingFile(apsw.VFSFile):
    """One open file of it."""

    def __init__(self, vfs: CrashingVfs, name: Any, flags: list[int]) -> None:
        self.filename = name.filename() if isinstance(name, apsw.URIFilename) else name
        self.vfs = vfs
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self.vfs.operation()
        size = super().xFileSize()
        old = super().xRead(min(len(data), max(0, size - offset)), offset) if offset < size else b""
        self._changed(Change(offset, old, bytes(data), size, max(size, offset + len(data))))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        self.vfs.operation()
        size = super().xFileSize()
        old = super().xRead(size - newsize, newsize) if newsize < size else b""
        self._changed(Change(newsize, old, b"", size, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:
        self.vfs.operation()
        super().xSync(flags)
        self.vfs.dirty.pop(self.filename, None)

    def xRead(self, amount: int, offset: int) -> bytes:
        if self.vfs.dead:
            raise PowerLost
        return super().xRead(amount, offset)

    def _changed(self, change: Change) -> None:
        if self.filename:
            self.vfs.dirty.setdefault(self.filename, []).append(change)
