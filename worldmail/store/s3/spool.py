"""The part that is being filled: a file without a name, so that memory stays flat and nothing is left behind."""

from __future__ import annotations

import hashlib
import tempfile
from typing import BinaryIO, cast

from attrs import define, field

from worldmail.store.s3.bucket import Body


def _new_md5() -> hashlib._Hash:
    """Against accidents on the way; the signature is what keeps out a forger."""
    return hashlib.md5(usedforsecurity=False)


@define(kw_only=True)
class Spool:
    """Octets of one part. Blocks; raises OSError."""

    directory: str
    length: int = field(default=0, init=False)
    _file: BinaryIO | None = field(default=None, init=False)
    _sha256: hashlib._Hash = field(factory=hashlib.sha256, init=False)
    _md5: hashlib._Hash = field(factory=_new_md5, init=False)

    def append(self, octets: memoryview) -> None:
        """Take octets."""
        self._sha256.update(octets)
        self._md5.update(octets)
        self.length += len(octets)
        file = self._opened()
        while octets:  # a disk that is nearly full takes a part, and tells why not the rest when that is tried
            octets = octets[file.write(octets) :]

    def body(self) -> Body:
        """All that was taken."""
        file = self._opened()
        file.flush()
        return Body(file=file, length=self.length, digest=self._sha256.digest(), md5=self._md5.digest())

    def clear(self) -> None:
        """Begin anew."""
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()
        self.length = 0
        self._sha256, self._md5 = hashlib.sha256(), _new_md5()

    def close(self) -> None:
        """Forget it. Harmless a second time."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _opened(self) -> BinaryIO:
        if self._file is None:
            # It stays open from call to call.
            self._file = cast("BinaryIO", tempfile.TemporaryFile(dir=self.directory, buffering=0))  # noqa: SIM115 - see above
        return self._file
