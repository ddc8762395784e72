"""A bucket that fails in every way we could think of: what passes is tried again, the rest is a temporary failure."""

from __future__ import annotations

import hashlib
import io
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import hostile
import pytest
from hostile import Fault, Hostile
from objects import SECRET, Service, credentials_file, exchange_of, settings_for, soon

from worldmail.errors import TemporaryFailure
from worldmail.store.s3 import exchange
from worldmail.store.s3.bucket import Body, Bucket

KEY = "0" * 32
DATA = b"0123456789" * 10

Work = Callable[[Bucket], object]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hostile]:
    monkeypatch.setattr(exchange, "FIRST_PAUSE", 0.001)
    made = Hostile()
    yield made
    made.stop()


@pytest.fixture
def bucket(server: Hostile, tmp_path: Path, timeout: float) -> Iterator[Bucket]:
    settings = settings_for(Service(url=server.url, bucket="mail"), credentials_file(tmp_path), timeout=timeout)
    made = Bucket(exchange=exchange_of(settings))
    yield made
    made.exchange.stop()


@pytest.fixture
def timeout() -> float:
    """Seconds; no reply of a machine that does much else is taken for silence."""
    return 30.0


impatient = pytest.mark.parametrize("timeout", [0.1])
"""For what is tried against a server that is silent."""


def body(data: bytes = DATA) -> Body:
    sha256, md5 = hashlib.sha256(data), hashlib.md5(data)
    return Body(file=io.BytesIO(data), length=len(data), digest=sha256.digest(), md5=md5.digest())


def put(bucket: Bucket) -> object:
    return bucket.put(KEY, body(), soon())


def read(bucket: Bucket) -> bytes:
    return bucket.read(KEY, 10, 30, soon())


def upload(bucket: Bucket) -> object:
    number = bucket.begin(KEY, soon())
    tags = [bucket.send_part(KEY, number, part, body(), soon()) for part in (1, 2)]
    return bucket.complete(KEY, number, tags, 2 * len(DATA), soon())


def remove(bucket: Bucket) -> object:
    return bucket.remove(KEY, soon())


def listed(bucket: Bucket) -> list[str]:
    return [one.key for page in bucket.objects("", 30) for one in page]


def failure(work: Work, bucket: Bucket) -> str:
    """The reason of the temporary failure that `work` ends in."""
    with pytest.raises(TemporaryFailure) as caught:
        work(bucket)
    reason = str(caught.value.reason)
    assert SECRET not in reason + repr(caught.value) + repr(bucket)
    assert caught.value.reply_code == 451
    return reason


PASSING: dict[str, Fault] = {
    "500": hostile.refuse(500, "InternalError"),
    "500 without a word": hostile.refuse(500),
    "503": hostile.refuse(503, "SlowDown"),
    "429": hostile.refuse(429),
    "a digest that is not that of what arrived": hostile.refuse(400, "BadDigest"),
    "a time-out over there": hostile.refuse(400, "RequestTimeout"),
    "a cut connection": hostile.cut,
    "silence": hostile.stall,
    "another protocol": hostile.babble,
}


@impatient
@pytest.mark.parametrize("work", [put, upload, remove, listed])
@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_is_tried_again(server: Hostile, bucket: Bucket, work: Work, fault: str) -> None:
    server.faults = [PASSING[fault], PASSING[fault], None, PASSING[fault]]
    work(bucket)
    assert server.objects == ({} if work in (remove, listed) else {KEY: DATA if work is put else 2 * DATA})


@impatient
@pytest.mark.parametrize("fault", [*PASSING, "half a reply"])
def test_a_read_is_tried_again_and_whole(server: Hostile, bucket: Bucket, fault: str) -> None:
    server.objects[KEY] = DATA
    server.faults = [PASSING.get(fault, hostile.do_and_truncate)]
    assert read(bucket) == DATA[10:40]


@pytest.mark.parametrize("fault", [hostile.do_and_cut, hostile.do_and_truncate])
@pytest.mark.parametrize("number", range(5))
def test_a_step_that_was_done_although_its_reply_was_lost_is_no_failure(
    server: Hostile, bucket: Bucket, fault: Fault, number: int
) -> None:
    server.faults = [*([None] * number), fault]
    upload(bucket)
    assert server.objects == {KEY: 2 * DATA}


@pytest.mark.parametrize("fault", [hostile.refuse(503, "SlowDown"), hostile.cut, hostile.babble])
@pytest.mark.parametrize("work", [put, upload, read, remove, listed])
def test_what_does_not_pass_ends_after_a_few_tries(server: Hostile, bucket: Bucket, work: Work, fault: Fault) -> None:
    server.always = fault
    assert "tried 5 times" in failure(work, bucket)
    assert len(server.asked) == 5


@impatient
@pytest.mark.parametrize("fault", [hostile.stall, hostile.trickle, hostile.go_on])
@pytest.mark.parametrize("work", [put, read, remove])
def test_neither_silence_nor_a_trickle_lasts_beyond_the_end(
    server: Hostile, bucket: Bucket, work: Work, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.always = fault
    end = time.monotonic() + 0.25
    monkeypatch.setitem(globals(), "soon", lambda: end)
    reason = failure(work, bucket)
    assert "timed out" in reason or "the time was up" in reason


@pytest.mark.parametrize("status", [403, 404, 400, 301, 307, 304])
@pytest.mark.parametrize("work", [put, upload, read, listed])
def test_a_refusal_is_not_tried_again_and_its_code_is_told(
    server: Hostile, bucket: Bucket, work: Work, status: int
) -> None:
    server.always = lambda request: request.say(
        status, b"" if status == 304 else hostile.error("AccessDenied"), location="http://127.0.0.1:9/elsewhere"
    )
    assert f"{status}" in failure(work, bucket)
    assert len(server.asked) == 1


def test_what_a_server_says_beyond_a_code_is_not_told(server: Hostile, bucket: Bucket) -> None:
    def echo(request: hostile.Request) -> None:
        request.say(403, hostile.error("SignatureDoesNotMatch", f"{request.headers['authorization']} {SECRET}"))

    server.always = echo
    reason = failure(put, bucket)
    assert reason.endswith("403 SignatureDoesNotMatch")
    assert "AWS4" not in reason


@pytest.mark.parametrize("code", ["InternalError", "SlowDown"])
def test_a_completion_that_is_200_and_an_error_is_tried_again(server: Hostile, bucket: Bucket, code: str) -> None:
    server.faults = [None, None, None, hostile.refuse(200, code)]
    upload(bucket)
    assert server.objects == {KEY: 2 * DATA}


@pytest.mark.parametrize(
    "reply",
    [
        hostile.refuse(200, "InvalidPart"),
        hostile.reply(200, b""),
        hostile.reply(200, b"<html/>"),
        hostile.reply(200, b"<CompleteMultipartUploadResult>"),
        hostile.reply(200, b"<CompleteMultipartUploadResult/>"),
    ],
    ids=["another error", "nothing", "another page", "half a result", "a result of nothing"],
)
def test_a_completion_is_believed_only_with_its_result_and_the_object(
    server: Hostile, bucket: Bucket, reply: Fault
) -> None:
    server.faults = [None, None, None, reply]
    failure(upload, bucket)
    assert server.objects == {}


def test_an_object_of_another_size_is_not_what_was_completed(server: Hostile, bucket: Bucket) -> None:
    def lose_a_part(request: hostile.Request) -> None:
        server.uploads["upload0"].pop(2)
        request.serve()

    server.faults = [None, None, None, lose_a_part]
    assert "not there whole" in failure(upload, bucket)


@pytest.mark.parametrize(
    ("status", "data", "content_range"),
    [
        (200, DATA, ""),
        (206, DATA[10:40], ""),
        (206, DATA[10:40], "bytes 11-40/100"),
        (206, DATA[10:39], "bytes 10-38/100"),
        (206, DATA[10:39], "bytes 10-39/100"),
        (206, DATA[10:41], "bytes 10-39/100"),
        (206, DATA[10:41], "bytes 10-40/100"),
        (206, DATA[10:39], "bytes 10-38/*"),
        (206, b"", "bytes 10-9/100"),
    ],
)
def test_another_range_than_was_asked_for_is_refused(
    server: Hostile, bucket: Bucket, status: int, data: bytes, content_range: str
) -> None:
    server.always = hostile.reply(status, data, content_range=content_range)
    failure(read, bucket)


def test_the_end_of_an_object_may_be_less_than_was_asked_for(server: Hostile, bucket: Bucket) -> None:
    server.objects[KEY] = DATA
    assert bucket.read(KEY, 90, 30, soon()) == DATA[90:]
    assert bucket.read(KEY, 100, 30, soon()) == b""
    assert bucket.read(KEY, 70, 30, soon()) == DATA[70:]


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"<ListBucketResult",
        b"<!DOCTYPE x [<!ENTITY a 'b'>]><ListBucketResult>&a;</ListBucketResult>",
        b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        b"<ListBucketResult><Contents><Key>x</Key></Contents></ListBucketResult>",
        b"<r>" + b" " * (5 << 20) + b"</r>",
    ],
    ids=["nothing", "half", "entities", "no next page", "no time", "too long"],
)
def test_a_listing_that_cannot_be_is_refused(server: Hostile, bucket: Bucket, reply: bytes) -> None:
    server.always = hostile.reply(200, reply)
    failure(listed, bucket)


def test_a_listing_that_goes_in_circles_is_left(server: Hostile, bucket: Bucket) -> None:
    page = b"<R><IsTruncated>true</IsTruncated><NextContinuationToken>same</NextContinuationToken></R>"
    server.always = hostile.reply(200, page)
    assert "does not go on" in failure(listed, bucket)
    assert len(server.asked) == 2


@pytest.mark.parametrize("seconds", [-600.0, 0.0, 600.0])
def test_the_age_of_objects_is_told_by_the_clock_that_dated_them(
    server: Hostile, bucket: Bucket, seconds: float
) -> None:
    server.ahead = seconds
    assert abs(bucket.ahead(KEY, soon()) - seconds) < 60


def test_without_a_date_the_clocks_count_as_equal(server: Hostile, bucket: Bucket) -> None:
    def say_nothing(request: hostile.Request) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    server.always = say_nothing
    assert bucket.ahead(KEY, soon()) == 0


def test_a_marker_of_the_next_page_is_given_back_as_it_came(server: Hostile, bucket: Bucket) -> None:
    token = "a%2Fb+c/=="
    page = f"<R><IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken></R>"
    server.faults = [hostile.reply(200, page.encode())]
    listed(bucket)
    assert parse_qs(urlsplit(server.asked[-1][1]).query)["continuation-token"] == [token]


def test_an_upload_without_an_id_and_a_part_without_a_tag_are_refused(server: Hostile, bucket: Bucket) -> None:
    server.faults = [hostile.reply(200, b"<R/>"), None, hostile.reply(200, b""), None]
    assert "without an id" in failure(upload, bucket)
    assert "without an ETag" in failure(upload, bucket)


def test_a_connection_is_used_again_unless_the_server_closed_it(server: Hostile, bucket: Bucket) -> None:
    ports: list[int] = []

    def note(request: hostile.Request) -> None:
        ports.append(request.client_address[1])
        request.serve()

    def note_and_close(request: hostile.Request) -> None:
        note(request)
        request.close_connection = True

    server.faults = [note, note, note_and_close, note]
    for _ in range(4):
        put(bucket)
    assert ports[0] == ports[1] == ports[2] != ports[3]


def test_stopping_ends_what_waits_for_a_silent_server(server: Hostile, tmp_path: Path) -> None:
    settings = settings_for(Service(url=server.url, bucket="mail"), credentials_file(tmp_path), timeout=60)
    bucket = Bucket(exchange=exchange_of(settings))
    server.always = hostile.stall
    reasons: list[str] = []
    thread = threading.Thread(target=lambda: reasons.append(failure(put, bucket)))
    thread.start()
    while not server.asked:
        time.sleep(0.01)
    bucket.exchange.stop()
    thread.join(30)
    assert len(reasons) == 1
    assert "the server stops" in failure(put, bucket)


def test_a_server_that_is_not_there_is_a_temporary_failure_and_recovers_by_itself(
    server: Hostile, bucket: Bucket
) -> None:
    put(bucket)
    server.stop()
    assert "refused" in failure(read, bucket)
    again = Hostile(port=server.port)
    again.objects = server.objects
    try:
        assert read(bucket) == DATA[10:40]
    finally:
        again.stop()
