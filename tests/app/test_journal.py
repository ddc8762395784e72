"""The log: whole lines, nothing forged, nothing that holds up the server."""

from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import Logger, LogLevel, LogPublisher
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from worldmail.app.journal import BATCH_OCTETS, BATCH_SECONDS, Journal, json_line, lost_line, text_line
from worldmail.app.observer import JournalObserver
from worldmail.app.sink import Sink
from worldmail.interfaces.world import IJournal


class ListSink:
    """Keeps batches."""

    def __init__(self) -> None:
        self.batches: list[bytes] = []

    def put(self, batch: bytes) -> None:
        self.batches.append(batch)

    def close(self, timeout: float) -> None:
        pass

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in b"".join(self.batches).splitlines()]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sink() -> ListSink:
    return ListSink()


@pytest.fixture
def journal(clock: Clock, sink: ListSink) -> Journal:
    made = Journal(clock)
    made.start(sink)  # type: ignore[arg-type]  # it only needs put and close
    return made


def test_it_is_a_journal(journal: Journal) -> None:
    assert verifyObject(IJournal, journal)


def test_records_are_written_together_after_a_moment(journal: Journal, clock: Clock, sink: ListSink) -> None:
    journal.record("one", session="a")
    journal.record("two", session="a")
    assert sink.batches == []
    clock.advance(BATCH_SECONDS)
    assert len(sink.batches) == 1
    assert [record["event"] for record in sink.records] == ["one", "two"]


def test_a_full_batch_does_not_wait(journal: Journal, sink: ListSink) -> None:
    while not sink.batches:
        journal.record("long", text="x" * 1000)
    assert BATCH_OCTETS <= len(sink.batches[0]) < BATCH_OCTETS + 1200


def test_fields_that_are_None_are_left_out(journal: Journal, sink: ListSink) -> None:
    journal.record("event", there=0, not_there=None)
    journal.flush()
    assert sink.records[0].keys() == {"at", "event", "there"}


def test_a_field_that_cannot_be_rendered_does_not_raise(journal: Journal, sink: ListSink) -> None:
    class Bad:
        def __str__(self) -> str:
            raise RuntimeError("no")

    journal.record("event", bad=Bad())
    journal.flush()
    assert sink.records[0]["unrecordable"] == "RuntimeError"


def test_a_failure_carries_its_traceback_and_level(journal: Journal, sink: ListSink) -> None:
    try:
        raise KeyError("lost")
    except KeyError as error:
        journal.failure("fault", error, session="s")
    journal.flush()
    (record,) = sink.records
    assert record["level"] == "error" and record["session"] == "s"
    assert "KeyError: 'lost'" in record["traceback"]


def test_what_was_recorded_before_the_start_is_not_lost(clock: Clock, sink: ListSink) -> None:
    journal = Journal(clock)
    journal.record("early")
    clock.advance(1)
    journal.start(sink)  # type: ignore[arg-type]
    assert [record["event"] for record in sink.records] == ["early"]


def test_the_level_leaves_out_what_is_less_important(clock: Clock, sink: ListSink) -> None:
    journal = Journal(clock, level="warn")
    journal.start(sink)  # type: ignore[arg-type]
    journal.record("usual")
    journal.record("loud", level="warn")
    journal.flush()
    assert [record["event"] for record in sink.records] == ["loud"]


def test_twisted_events_come_in_at_their_level(journal: Journal, sink: ListSink) -> None:
    publisher = LogPublisher(journal.event)
    log = Logger(namespace="some.library", observer=publisher)
    log.debug("not wanted")
    log.emit(LogLevel.warn, "about {what}", what="this\nthat")
    log.emit(LogLevel.critical, "failed", log_failure=Failure(ValueError("v")))
    journal.flush()
    warned, failed = sink.records
    assert (warned["level"], warned["source"], warned["text"]) == ("warn", "some.library", "about this\nthat")
    assert "ValueError: v" in failed["traceback"]


def test_a_record_from_another_thread_comes_back_to_the_reactor(sink: ListSink) -> None:
    calls: list[Any] = []

    class ReactorOfThreads(Clock):
        def callFromThread(self, *call: Any) -> None:
            calls.append(call)

    journal = Journal(ReactorOfThreads())
    journal.start(sink)  # type: ignore[arg-type]
    thread = threading.Thread(target=journal.record, args=("elsewhere",))
    thread.start()
    thread.join()
    ((run, line),) = calls
    run(line)
    journal.flush()
    assert [record["event"] for record in sink.records] == ["elsewhere"]


def test_early_twisted_events_are_handed_to_the_journal_in_order(journal: Journal, sink: ListSink) -> None:
    observer = JournalObserver()
    log = Logger(namespace="n", observer=LogPublisher(observer))
    log.info("one")
    observer.hand_over(journal.event)
    log.info("two")
    journal.flush()
    assert [record["text"] for record in sink.records] == ["one", "two"]


@given(st.dictionaries(st.sampled_from(["a", "b", "text"]), st.text()))
def test_a_json_line_is_one_line_of_ASCII_without_controls(fields: dict[str, str]) -> None:
    line = json_line("2030-01-01T00:00:00.000Z", "event", fields)
    assert line.endswith("\n") and all(" " <= character <= "~" for character in line[:-1])
    assert json.loads(line) == {"at": "2030-01-01T00:00:00.000Z", "event": "event", **fields}


@given(st.dictionaries(st.sampled_from(["a", "b", "text"]), st.text()))
def test_a_line_for_people_is_one_line_without_controls(fields: dict[str, str]) -> None:
    line = text_line("2030-01-01T00:00:00.000Z", "event", fields)
    assert line.endswith("\n") and line[:-1].isprintable()


def test_a_list_for_people_has_commas() -> None:
    line = text_line("2030-01-01T00:00:00.000Z", "event", {"a": ["x", "y z"]})
    assert line == '00:00:00.000 event a=x,"y z"\n'


def test_a_traceback_for_people_stands_indented_below() -> None:
    line = text_line("2030-01-01T00:00:00.000Z", "event", {"a": "x y", "traceback": "one\n\x1b[1mtwo"})
    assert line == '00:00:00.000 event a="x y"\n    one\n    \\u001b[1mtwo\n'


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    return tmp_path / "log"


def test_a_sink_writes_in_order_to_a_private_file(log_file: Path) -> None:
    sink = Sink(str(log_file), lost_line)
    for number in range(100):
        sink.put(b"%d\n" % number)
    sink.close()
    assert log_file.read_bytes().split() == [b"%d" % number for number in range(100)]
    assert log_file.stat().st_mode & 0o777 == 0o600


def test_a_rotated_log_goes_on_in_a_new_file(log_file: Path) -> None:
    sink = Sink(str(log_file), lost_line)
    sink.put(b"old\n")
    rotated = log_file.with_suffix(".1")
    while not log_file.exists() or not log_file.stat().st_size:
        threading.Event().wait(0.01)
    log_file.rename(rotated)
    sink.reopen()
    sink.put(b"new\n")
    sink.close()
    assert (rotated.read_bytes(), log_file.read_bytes()) == (b"old\n", b"new\n")


def test_a_full_disk_loses_lines_and_says_how_many(log_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = Sink(str(log_file), lost_line)
    real_write, full = os.write, threading.Event()
    full.set()

    def write(descriptor: int, data: Any) -> int:
        if full.is_set():
            raise OSError(errno.ENOSPC, "No space left on device")
        return real_write(descriptor, data)

    monkeypatch.setattr("worldmail.app.sink.os.write", write)
    sink.put(b"{}\n{}\n")
    while sink.lost < 2:
        threading.Event().wait(0.01)
    full.clear()
    sink.put(b'{"event":"after"}\n')
    sink.close()
    records = [json.loads(line) for line in log_file.read_bytes().splitlines()]
    assert [(record["event"], record.get("records")) for record in records] == [("log.lost", 2), ("after", None)]


def test_a_log_that_cannot_be_written_is_told_of_once_on_standard_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log_file = tmp_path / "gone" / "log"
    sink = Sink(str(log_file), lost_line)
    for _ in range(3):
        sink.put(b"{}\n")
    while sink.lost < 3:
        threading.Event().wait(0.01)
    log_file.parent.mkdir()
    sink.put(b"{}\n")
    sink.close()
    assert capfd.readouterr().err == f"worldmail: the log {log_file} cannot be written: No such file or directory\n"
    assert log_file.read_text().endswith("\n{}\n")


def test_a_line_cut_off_by_a_full_disk_does_not_spoil_the_next(log_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_write = os.write
    answers: list[Any] = [lambda descriptor, data: real_write(descriptor, data[:3]), None]

    def write(descriptor: int, data: Any) -> int:
        if answers:
            answer = answers.pop(0)
            if answer is None:
                raise OSError(errno.ENOSPC, "No space left on device")
            return int(answer(descriptor, data))
        return real_write(descriptor, data)

    monkeypatch.setattr("worldmail.app.sink.os.write", write)
    sink = Sink(str(log_file), lost_line)
    sink.put(b"first\n")
    while sink.lost < 1:
        threading.Event().wait(0.01)
    sink.put(b"second\n")
    sink.close()
    lines = log_file.read_bytes().splitlines()
    assert lines[0] == b"fir" and lines[-1] == b"second"


def test_a_reader_that_stopped_holds_up_nobody_and_memory_stays_bounded(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    sink = Sink(str(fifo), lost_line, pending_limit=200_000)
    batch = b"x" * 9_999 + b"\n"
    for _ in range(100):
        sink.put(batch)  # the pipe holds 64 KiB; the rest cannot be written
    assert 0 < sink.lost < 100
    os.close(reader)  # the writer's thread gets EPIPE
    sink.close(0.1)
