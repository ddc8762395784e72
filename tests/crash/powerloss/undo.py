"""What a disk may forget: every write, size and name since the last sync that covered it.

Octets and sizes become durable with fsync of the file; names with fsync of their directory,
and with nothing else (POSIX promises no more). At a cut, of what is not durable

- nothing is kept ("none"),
- the first operations are kept and the next one in part, torn between sectors ("prefix"), or
- any sectors are kept, in any order ("scatter": disks reorder).
"""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

from attrs import define, field, frozen

SECTOR = 512
MODES = ("none", "prefix", "scatter")


@frozen
class Change:
    """A write of `new` over `old` at `offset`, or a truncation to `size_after` (with `new` empty)."""

    offset: int
    old: bytes
    new: bytes
    size_before: int
    size_after: int


@define
class DirtyFile:
    """A file with changes since its last sync, and a descriptor of our own to undo them with."""

    descriptor: int
    changes: list[Change] = field(factory=list)

    def cut(self, mode: str, chance: random.Random) -> None:
        """Undo what the disk forgets."""
        for change in reversed(self.changes):
            _put(self.descriptor, change.offset, change.old)
            os.ftruncate(self.descriptor, change.size_before)
        if mode == "prefix":
            whole = chance.randrange(len(self.changes) + 1)
            for change in self.changes[:whole]:
                self._redo(change)
            for change in self.changes[whole : whole + 1]:
                self._redo_in_part(change, chance)
        elif mode == "scatter":
            for change in self.changes:
                self._redo_in_part(change, chance)
        os.close(self.descriptor)

    def _redo(self, change: Change) -> None:
        _put(self.descriptor, change.offset, change.new)
        os.ftruncate(self.descriptor, change.size_after)

    def _redo_in_part(self, change: Change, chance: random.Random) -> None:
        start = 0
        while start < len(change.new):
            end = min(len(change.new), start + SECTOR - (change.offset + start) % SECTOR)
            if chance.random() < 0.5:
                _put(self.descriptor, change.offset + start, change.new[start:end])
            start = end


def _put(descriptor: int, offset: int, data: bytes) -> None:
    if data:
        os.pwrite(descriptor, data, offset)


@frozen
class NameChange:
    """In its directory, `name` came to mean something else; `before` keeps what it meant, None for nothing."""

    name: str
    before: Path | None


@define
class Undo:
    """The log of everything not durable below `root`. What names meant is kept by links in `attic`, beside it."""

    root: Path
    attic: Path
    _files: dict[int, DirtyFile] = field(factory=dict)
    _names: dict[Path, list[NameChange]] = field(factory=dict)
    _kept: int = 0

    # --- before something changes ---

    def writing(self, descriptor: int, offset: int, new: bytes) -> None:
        """`new` is about to be written through this descriptor."""
        size = os.fstat(descriptor).st_size
        dirty = self._dirty(descriptor)
        old = os.pread(dirty.descriptor, len(new), offset)
        dirty.changes.append(Change(offset, old, new, size, max(size, offset + len(new))))

    def truncating(self, descriptor: int, length: int) -> None:
        """The file is about to get this length."""
        size = os.fstat(descriptor).st_size
        dirty = self._dirty(descriptor)
        old = os.pread(dirty.descriptor, max(0, size - length), length)
        dirty.changes.append(Change(length, old, b"", size, length))

    def naming(self, path: Path) -> None:
        """The name is about to be made, given to something else, or taken away."""
        before = None
        if os.path.lexists(path):
            self._kept += 1
            before = self.attic / str(self._kept)
            if path.is_dir():
                before.mkdir()
            else:
                os.link(path, before, follow_symlinks=False)
        self._names.setdefault(path.parent, []).append(NameChange(path.name, before))

    # --- syncs ---

    def file_synced(self, descriptor: int) -> None:
        """fsync or fdatasync of a file: its octets and size are durable."""
        dirty = self._files.pop(os.fstat(descriptor).st_ino, None)
        if dirty is not None:
            os.close(dirty.descriptor)

    def directory_synced(self, path: Path) -> None:
        """fsync of a directory: its names are durable."""
        for change in self._names.pop(path, []):
            _discard(change.before)

    def settle(self) -> None:
        """Everything until now is durable."""
        for dirty in self._files.values():
            os.close(dirty.descriptor)
        self._files.clear()
        for path in list(self._names):
            self.directory_synced(path)

    # --- the cut ---

    def cut(self, mode: str, chance: random.Random) -> str:
        """Forget; a line about how much."""
        files, changes = len(self._files), sum(len(dirty.changes) for dirty in self._files.values())
        names = sum(map(len, self._names.values()))
        for dirty in self._files.values():
            dirty.cut(mode, chance)
        for directory, log in self._names.items():
            kept = 0 if mode == "none" else chance.randrange(len(log) + 1)
            self._undo_names(directory, log[kept:])
            for change in log[:kept]:
                _discard(change.before)
        self._files.clear()
        self._names.clear()
        return f"{mode}: {changes} changes of {files} files and {names} names were not durable"

    def _undo_names(self, directory: Path, log: list[NameChange]) -> None:
        if not directory.is_dir():
            return
        for change in reversed(log):
            path = directory / change.name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            if change.before is not None:
                change.before.rename(path)

    def _dirty(self, descriptor: int) -> DirtyFile:
        number = os.fstat(descriptor).st_ino
        if number not in self._files:
            self._files[number] = DirtyFile(os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR))
        return self._files[number]


def _discard(kept: Path | None) -> None:
    if kept is None:
        return
    if kept.is_dir():
        kept.rmdir()
    else:
        kept.unlink(missing_ok=True)
