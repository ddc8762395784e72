"""The file system that loses power: passes everything through to a directory, and can be cut.

Usage: python filesystem.py BACKING MOUNTPOINT

Reads commands from stdin, a line each, and answers each with a line on stdout:

    settle            everything until now is durable
    refuse ERROR      from now on every operation that changes something fails with it (EROFS, EIO, ENOSPC)
    allow             no more
    cut MODE SEED     from now on every operation fails with EIO; what was not durable is undone in BACKING; ends
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import mfusepy as fuse

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from powerloss.undo import Undo

P = ParamSpec("P")
R = TypeVar("R")

_STAT = ("st_mode", "st_uid", "st_gid", "st_size", "st_nlink", "st_ino", "st_blocks")
_STATVFS = ["f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_frsize", "f_namemax", "f_files", "f_ffree", "f_favail"]


def powered(operation: Callable[P, R]) -> Callable[P, R]:
    """One at a time, and none after the cut."""

    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        disk: Any = args[0]
        with disk.turn:
            if disk.dead:
                raise fuse.FuseOSError(errno.EIO)
            return operation(*args, **kwargs)

    return run


def changing(operation: Callable[P, R]) -> Callable[P, R]:
    """`powered`, and refused while changes are."""

    @powered
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        disk: Any = args[0]
        if disk.refusal is not None:
            raise fuse.FuseOSError(disk.refusal)
        return operation(*args, **kwargs)

    return run


class Disk(fuse.Operations):
    """Paths are those of the mount; `undo` hears of every change before it is made."""

    use_ns = True

    def __init__(self, backing: Path, attic: Path) -> None:
        self.backing = backing
        self.undo = Undo(backing, attic)
        self.turn = threading.RLock()
        self.dead = False
        self.refusal: int | None = None

    def real(self, path: str) -> Path:
        return self.backing / path.lstrip("/")

    def cut(self, mode: str, seed: str) -> str:
        with self.turn:
            self.dead = True
            return self.undo.cut(mode, random.Random(seed))

    # --- reading ---

    @powered
    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        try:
            found = os.lstat(self.real(path))
        except OSError as error:
            raise fuse.FuseOSError(error.errno) from None
        times = {name: getattr(found, f"{name}_ns") for name in ("st_atime", "st_mtime", "st_ctime")}
        return {name: getattr(found, name) for name in _STAT} | times

    @powered
    def readdir(self, path: str, fh: int) -> Iterator[str]:
        return iter([".", "..", *os.listdir(self.real(path))])

    @powered
    def open(self, path: str, flags: int) -> int:
        if self.refusal == errno.EROFS and flags & (os.O_WRONLY | os.O_RDWR):
            raise fuse.FuseOSError(errno.EROFS)
        if flags & os.O_TRUNC:
            self.truncate(path, 0)
        return os.open(self.real(path), flags & ~(os.O_APPEND | os.O_TRUNC))

    @powered
    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    @powered
    def statfs(self, path: str) -> dict[str, int]:
        found = os.statvfs(self.backing)
        return {name: getattr(found, name) for name in _STATVFS}

    @powered
    def readlink(self, path: str) -> str:
        return os.readlink(self.real(path))

    def access(self, path: str, amode: int) -> int:
        return 0

    def flush(self, path: str, fh: int) -> int:
        return 0

    def release(self, path: str, fh: int) -> int:
        os.close(fh)
        return 0

    # --- octets ---

    @changing
    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        self.undo.writing(fh, offset, data)
        return os.pwrite(fh, data, offset)

    @changing
    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        descriptor = os.open(self.real(path), os.O_RDWR)
        try:
            self.undo.truncating(descriptor, length)
            os.ftruncate(descriptor, length)
        finally:
            os.close(descriptor)
        return 0

    @changing
    def fsync(self, path: str, datasync: int, fh: int) -> int:
        self.undo.file_synced(fh)
        return 0

    def fallocate(self, *_: object) -> int:
        raise fuse.FuseOSError(errno.EOPNOTSUPP)

    # --- names ---

    @changing
    def create(self, path: str, mode: int, fi: Any = None) -> int:
        self.undo.naming(self.real(path))
        return os.open(self.real(path), os.O_RDWR | os.O_CREAT, mode)

    @changing
    def unlink(self, path: str) -> int:
        self.undo.naming(self.real(path))
        self.real(path).unlink()
        return 0

    @changing
    def rename(self, old: str, new: str, flags: int = 0) -> int:
        if self.real(old).is_dir():
            raise fuse.FuseOSError(errno.EXDEV)
        self.undo.naming(self.real(new))
        self.undo.naming(self.real(old))
        self.real(old).rename(self.real(new))
        return 0

    @changing
    def link(self, target: str, source: str) -> int:
        self.undo.naming(self.real(target))
        os.link(self.real(source), self.real(target))
        return 0

    @changing
    def mkdir(self, path: str, mode: int) -> int:
        self.undo.naming(self.real(path))
        self.real(path).mkdir(mode)
        return 0

    @changing
    def rmdir(self, path: str) -> int:
        self.undo.naming(self.real(path))
        self.real(path).rmdir()
        return 0

    @changing
    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        self.undo.directory_synced(self.real(path))
        return 0

    # --- the rest needs no undoing ---

    @powered
    def chmod(self, path: str, mode: int) -> int:
        os.chmod(self.real(path), mode)
        return 0

    @powered
    def chown(self, path: str, uid: int, gid: int) -> int:
        os.chown(self.real(path), uid, gid)
        return 0

    @powered
    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        os.utime(self.real(path), ns=times)
        return 0


def obey(disk: Disk) -> None:
    """Take commands until the cut; then leave without a word to the kernel."""
    for line in sys.stdin:
        command, *rest = line.split()
        if command == "settle":
            with disk.turn:
                disk.undo.settle()
            print("settled", flush=True)
        elif command == "refuse":
            disk.refusal = getattr(errno, rest[0])
            print("refused", flush=True)
        elif command == "allow":
            disk.refusal = None
            print("allowed", flush=True)
        elif command == "cut":
            print(disk.cut(*rest), flush=True)
            os._exit(0)


def main(backing: str, mountpoint: str) -> None:
    """Serve until cut or unmounted."""
    attic = Path(backing).with_name(Path(backing).name + ".attic")
    shutil.rmtree(attic, ignore_errors=True)
    attic.mkdir()
    disk = Disk(Path(backing), attic)
    threading.Thread(target=obey, args=(disk,), daemon=True).start()
    fuse.FUSE(disk, mountpoint, foreground=True, nothreads=False, attr_timeout=0, entry_timeout=0, negative_timeout=0)


if __name__ == "__main__":
    main(*sys.argv[1:])
