"""Lines out of bytes, in bounded memory.

Only CRLF ends a line (RFC 5321 §2.3.8); a CR or LF on its own is a fault, not an
end. The first wrong octet of a line decides which fault it is, so the answer is the
same however the bytes were split over segments.
"""

from __future__ import annotations

from worldmail.wire.faults import Fault

__all__ = ["Fault", "LineBuffer"]

SHOWN = 16
"""Octets of a faulty line that are kept, to tell what it was meant to be."""

_WRONG = ((b"\r", Fault.BARE_CR), (b"\n", Fault.BARE_LF), (b"\0", Fault.NUL))


class LineBuffer:
    """What a peer sent and nobody has read yet: as lines, as counted octets, or as raw chunks.

    Memory is bounded by whoever feeds it: the buffer keeps what it is given until it
    is taken, except for the rest of a faulty line, which is dropped as it comes.

    Args:
        limit: the longest line allowed, in octets, its CRLF included. May be changed
            at any time (`buffer.limit = ...`); it counts for lines not yet taken.

    Attributes:
        rejected: how the last faulty line began, at most `SHOWN` octets of it.
    """

    __slots__ = ("_data", "_pieces", "_scan", "_skipping", "_spared", "_start", "_waiting", "limit", "rejected")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._data = b""
        self._start = 0  # the first octet not yet taken
        self._scan = 0  # no CRLF begins in [_start, _scan)
        self._pieces: list[bytes] = []  # what came after _data, not joined yet
        self._waiting = 0  # octets in _pieces
        self._skipping = False  # inside a faulty line that was reported already
        self._spared = b""  # a line with an LF on its own, and what followed it
        self.rejected = b""

    @property
    def buffered(self) -> int:
        """Octets that nothing has been made of yet."""
        return len(self._data) - self._start + self._waiting

    def append(self, data: bytes) -> None:
        """Take what came from the peer. Costs nothing but a list entry."""
        self._pieces.append(data)
        self._waiting += len(data)

    def take(self) -> bytes | Fault | None:
        """The next line without its CRLF; None if it is not all there.

        A fault is returned once, as soon as the wrong octet is there; the rest of that
        line, to its CRLF, is dropped as it comes and never read as a line of its own.
        """
        if self._pieces:
            self._join()
        elif self._start == len(self._data):
            self._data = b""  # a peer that is silent now may have sent much
            self._start = self._scan = 0
            return None
        if self._skipping and not self._skip():
            return None
        start = self._start
        if start == len(self._data):
            return None
        end = self._data.find(b"\r\n", self._scan)
        if end < 0 or end - start + 2 > self.limit:
            return self._unfinished(end)
        line = self._data[start:end]
        if b"\n" in line or b"\r" in line or b"\0" in line:
            return self._reject(_first_fault(line))
        self._start = self._scan = end + 2
        return line

    def take_back(self) -> bytes:
        """The line that was just reported for an LF on its own, up to this; what follows it is read as it comes."""
        line, _, rest = self._spared.partition(b"\n")
        self._data, self._spared = rest, b""
        self._start = self._scan = 0
        self._skipping = False
        return line

    def take_octets(self, most: int) -> bytes:
        """Up to `most` octets of what is there, whatever they are; b"" if nothing is."""
        if self._pieces:
            self._join()
        start = self._start
        octets = self._data[start : start + most]
        self._start = self._scan = start + len(octets)
        return octets

    def take_rest(self) -> bytes:
        """Everything that is there, as one chunk (not copied where it came as one)."""
        if self._pieces:
            self._join()
        rest = self._data[self._start :] if self._start else self._data
        self._data = b""
        self._start = self._scan = 0
        return rest

    def give_back(self, data: bytes) -> None:
        """Put octets in front of everything that is there, to be taken again."""
        if data:
            behind = self.take_rest()
            self._data = data + behind if behind else data

    def clear(self) -> None:
        """Forget all of it (after STARTTLS)."""
        self._data = b""
        self._start = self._scan = self._waiting = 0
        self._pieces.clear()
        self._skipping = False
        self._spared = b""

    def _join(self) -> None:
        """Make `_data` the whole of what is there; `_scan` keeps its place."""
        start = self._start
        if start == len(self._data):
            self._data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
            self._scan = 0
        else:
            self._data = b"".join((self._data[start:], *self._pieces))
            self._scan -= start
        self._start = self._waiting = 0
        self._pieces.clear()

    def _unfinished(self, end: int) -> Fault | None:
        """No line that fits is at the front (its CRLF is at `end`, or not there yet): is it faulty already?"""
        data, start = self._data, self._start
        stop = len(data) if end < 0 else end
        if end < 0 and stop > start and data[-1] == 13:
            stop -= 1  # what follows this CR is not known yet
        window = data[start : min(stop, start + self.limit - 1)]
        fault = _first_fault(window)
        if fault is None and len(window) == self.limit - 1:
            fault = Fault.TOO_LONG
        self._scan = max(start, len(data) - 1) if end < 0 else end
        return None if fault is None else self._reject(fault)

    def _reject(self, fault: Fault | None) -> Fault | None:
        """Report the line at the front, and drop the rest of it."""
        self.rejected = self._data[self._start : self._start + SHOWN]
        self._spared = self._data[self._start :] if fault is Fault.BARE_LF else b""
        self._skipping = True
        self._skip()
        return fault

    def _skip(self) -> bool:
        """Drop the rest of a faulty line; False while its end has not come."""
        end = self._data.find(b"\r\n", self._scan)
        if end < 0:
            self._data = b"\r" if self._data.endswith(b"\r") else b""
            self._start = self._scan = 0
            return False
        self._start = self._scan = end + 2
        self._skipping = False
        return True


def _first_fault(text: bytes) -> Fault | None:
    """The fault of a stretch in which there is no CRLF and whose last CR, if any, is not the half of one."""
    places = [(place, fault) for octet, fault in _WRONG if (place := text.find(octet)) >= 0]
    return min(places, key=lambda found: found[0])[1] if places else None
