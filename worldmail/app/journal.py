"""The log: one record an event, as a JSON object on one line, or in a form for people.

Records of protocols and services come in by `Journal.record`; Twisted's own events
(and those of any library that logs through it) by `Journal.event`, a
`twisted.logger` observer. Both end in the same place, in the order in which they came.

A record costs a few microseconds: it is rendered at once, and written with its
neighbours by another thread (see `sink`), after 100 ms or 64 KiB, whichever is first.

Whatever a peer sent may stand in a field: JSON's escapes cover every control character
and everything beyond ASCII, so that no line can be forged and no terminal driven.
"""

from __future__ import annotations

import json
import threading
import time
import traceback
from typing import Any

from twisted.logger import LogEvent, LogLevel, formatEvent
from zope.interface import implementer

from worldmail.app.sink import Sink
from worldmail.interfaces.world import IJournal
from worldmail.wire.flat_json import FlatJson

BATCH_SECONDS = 0.1
BATCH_OCTETS = 64 * 1024
FIELD_LIMIT = 2048
EARLY_LINES = 1000
LEGACY = "log_legacy"

_encode = json.JSONEncoder(separators=(",", ":"), default=str, check_circular=False).encode
_members = FlatJson(ascii=True).members


class Stamps:
    """Renders times as RFC 3339 in UTC with milliseconds; keeps the last second's text."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def render(self, at: float) -> str:
        second = int(at)
        if second != self._second:
            self._second, self._text = second, time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
        return f"{self._text}{int((at - second) * 1000):03d}Z"


def json_line(at: str, event: str, fields: dict[str, Any]) -> str:
    """One record as a JSON object and a line end."""
    line = f'{{"at":"{at}","event":"{event}"{"," if fields else ""}{_members(fields)}}}\n'
    return line.replace("\x7f", "\\u007f") if "\x7f" in line else line


def text_line(at: str, event: str, fields: dict[str, Any]) -> str:
    """One record for people: time, event, field=value; values are quoted where they need it.

    A traceback, or another text of several lines, follows indented.
    """
    words = [at[11:23], event]
    below = []
    for name, value in fields.items():
        if name == "traceback":
            below += [f"    {_plain(line)}" for line in str(value).splitlines()]
        elif name == "text":
            words.append(_plain(str(value)))
        else:
            words.append(f"{name}={_value(value)}")
    return "\n".join([" ".join(words), *below]) + "\n"


def _plain(text: str) -> str:
    return text if text.isprintable() else _encode(text)[1:-1].replace("\x7f", "\\u007f")


def _value(value: object) -> str:
    if isinstance(value, list | tuple):
        return ",".join(_value(item) for item in value)
    text = value if isinstance(value, str) else _encode(value)
    if text and text.isprintable() and not set(text) & {" ", '"', "="}:
        return text
    return _encode(text).replace("\x7f", "\\u007f")


@implementer(IJournal)
class Journal:
    """The log of one process. Until `start` it keeps what comes, the first lines of it at least.

    Args:
        reactor: for the timer of the batches, and to come back from other threads.
        text: True for the form for people.
        level: what is less important is left out; a record without a level is "info".
    """

    def __init__(self, reactor: Any, *, text: bool = False, level: str = "info") -> None:
        self._reactor = reactor
        self._render = text_line if text else json_line
        self._sink: Sink | None = None
        self._stamps = Stamps()
        self._lines: list[str] = []
        self._octets = 0
        self._timer: Any = None
        self._thread = threading.get_ident()
        self.set_level(level)

    def set_level(self, level: str) -> None:
        """From now on leave out what is less important."""
        self._level = LogLevel.levelWithName(level)
        self._silent = self._level > LogLevel.info

    def start(self, sink: Sink) -> None:
        """Write to `sink`, what was kept first."""
        self._sink = sink
        self.flush()

    def record(self, event: str, **fields: Any) -> None:
        """See `IJournal.record`."""
        if self._silent and LogLevel.levelWithName(fields.get("level", "info")) < self._level:
            return
        try:
            kept = {name: value for name, value in fields.items() if value is not None}
            self._add(self._render(self._stamps.render(time.time()), event, kept))
        except Exception as error:  # noqa: BLE001 - a field's own __str__ may fail; mail goes on
            self._add(self._render(self._stamps.render(time.time()), event, {"unrecordable": type(error).__name__}))

    def failure(self, event: str, error: BaseException, **fields: Any) -> None:
        """See `IJournal.failure`."""
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        self.record(event, level="error", error=_clip(repr(error)), **fields, traceback=trace)

    def event(self, event: LogEvent) -> None:
        """One of Twisted's own log events: `twisted.logger.ILogObserver`."""
        level = event.get("log_level", LogLevel.info)
        if level is LogLevel.info and event.get("log_namespace") == LEGACY:
            level = LogLevel.debug  # "Factory starting on ...": chatter of another age
        if level < self._level:
            return
        failed = event.get("log_failure")
        self.record(
            "log",
            level=level.name,
            source=event.get("log_namespace"),
            text=_clip(formatEvent(event)),
            traceback=failed.getTraceback() if failed is not None else None,
        )

    def _add(self, line: str) -> None:
        if threading.get_ident() != self._thread:
            self._reactor.callFromThread(self._add, line)
            return
        self._lines.append(line)
        self._octets += len(line)
        if self._sink is None:
            del self._lines[EARLY_LINES:]
        elif self._octets >= BATCH_OCTETS:
            self.flush()
        elif self._timer is None:
            self._timer = self._reactor.callLater(BATCH_SECONDS, self._timed_flush)

    def _timed_flush(self) -> None:
        self._timer = None
        self.flush()

    def flush(self) -> None:
        """Hand over what is waiting."""
        if self._sink is None:
            return
        lines, self._lines, self._octets = self._lines, [], 0
        if lines:
            self._sink.put("".join(lines).encode("utf-8", "backslashreplace"))

    def reopen(self) -> None:
        """The file was moved away: go on in a new one of the same name."""
        self.flush()
        if self._sink is not None:
            self._sink.reopen()

    def close(self, timeout: float = 2.0) -> None:
        """Write all; what comes later is lost."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.flush()
        if self._sink is not None:
            self._sink.close(timeout)
            self._sink = None


def lost_line(lines: int) -> bytes:
    """The record of a gap in the log."""
    stamp = Stamps().render(time.time())
    return json_line(stamp, "log.lost", {"level": "error", "records": lines}).encode("ascii")


def _clip(text: str | None) -> str:
    text = text or ""
    return text if len(text) <= FIELD_LIMIT else text[:FIELD_LIMIT] + "..."
