"""From settings to a content store; TLS; and what `worldmail check` says about a bucket."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hostile
import pytest
from hostile import Hostile
from objects import SECRET, Service, credentials_file, exchange_of, settings_for, soon

from worldmail.config.reader import parse_settings
from worldmail.config.settings import Settings
from worldmail.errors import ConfigurationError, TemporaryFailure
from worldmail.store.s3 import exchange
from worldmail.store.s3.bucket import Bucket
from worldmail.store.s3.checks import check_bucket
from worldmail.store.s3.opening import content_objects
from worldmail.store.s3.settings import S3Settings
from worldmail.transport.certificates import self_signed

FILE = Path("/somewhere/worldmail.toml")


def told(settings: S3Settings) -> str:
    return "\n".join(check_bucket(Settings(content_stores={"s3": settings})))


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "FIRST_PAUSE", 0.001)


@pytest.fixture
def server() -> Iterator[Hostile]:
    made = Hostile()
    yield made
    made.stop()


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Callable[[str], Service]]:
    """Makes a server with a certificate for a name of its own choice, which is in the file ca.pem."""
    made: list[Hostile] = []

    def make(name: str) -> Service:
        certificate, key = self_signed([name])
        (tmp_path / "ca.pem").write_bytes(certificate)
        (tmp_path / "key.pem").write_bytes(key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "ca.pem", tmp_path / "key.pem")
        made.append(Hostile(tls=context))
        return Service(url=f"https://localhost:{made[-1].port}", bucket="mail")

    make.made = made  # type: ignore[attr-defined]  # for those who tell it to misbehave
    yield make
    for server in made:
        server.stop()


def test_TLS_is_spoken_with_a_certificate_that_ca_file_vouches_for(
    secured: Callable[[str], Service], tmp_path: Path
) -> None:
    settings = settings_for(secured("localhost"), credentials_file(tmp_path), ca_file=tmp_path / "ca.pem")
    bucket = Bucket(exchange=exchange_of(settings))
    assert bucket.size("none", soon()) is None
    assert told(settings) == ""
    bucket.exchange.stop()


@pytest.mark.parametrize(
    ("name", "known", "reason"),
    [("localhost", False, "self-signed certificate"), ("other.test", True, "Hostname mismatch")],
)
def test_another_certificate_is_refused(
    secured: Callable[[str], Service], tmp_path: Path, name: str, known: bool, reason: str
) -> None:
    service = secured(name)
    ca_file = tmp_path / "ca.pem" if known else None
    settings = settings_for(service, credentials_file(tmp_path), ca_file=ca_file)
    with pytest.raises(TemporaryFailure) as caught:
        Bucket(exchange=exchange_of(settings)).size("x", soon())
    assert reason in str(caught.value.reason)
    assert reason in told(settings)


@pytest.mark.parametrize("fault", [hostile.stall, hostile.trickle])
def test_neither_silence_nor_a_trickle_lasts_beyond_the_end_in_TLS(
    secured: Callable[[str], Service], tmp_path: Path, fault: hostile.Fault
) -> None:
    service = secured("localhost")
    settings = settings_for(service, credentials_file(tmp_path), ca_file=tmp_path / "ca.pem")
    bucket = Bucket(exchange=exchange_of(settings))
    assert bucket.size("none", soon()) is None
    secured.made[-1].always = fault  # type: ignore[attr-defined]  # the fixture has put it there
    with pytest.raises(TemporaryFailure) as caught:
        bucket.read("0" * 32, 0, 10, soon(0.3))
    assert "timed out" in str(caught.value.reason) or "the time was up" in str(caught.value.reason)
    bucket.exchange.stop()


def test_a_peer_that_never_shakes_hands_is_left(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        service = Service(url=f"https://localhost:{silent.getsockname()[1]}", bucket="mail")
        settings = settings_for(service, credentials_file(tmp_path), timeout=0.05)
        with pytest.raises(TemporaryFailure) as caught:
            Bucket(exchange=exchange_of(settings)).size("x", soon())
    assert "timed out" in str(caught.value.reason)


def test_a_ca_file_that_cannot_be_read_is_a_temporary_failure(
    secured: Callable[[str], Service], tmp_path: Path
) -> None:
    settings = settings_for(secured("localhost"), credentials_file(tmp_path), ca_file=tmp_path / "none.pem")
    assert "none.pem" in told(settings)


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:8333", "http://localhost", "http://[::1]:80", "https://s3.example.test/", ""]
)
def test_an_endpoint_that_is_encrypted_or_on_the_loopback_is_taken(endpoint: str) -> None:
    exchange_of(S3Settings(endpoint=endpoint, bucket="mail"))


def test_cleartext_to_another_machine_must_be_asked_for() -> None:
    with pytest.raises(ConfigurationError, match="expected https://, or cleartext = true"):
        exchange_of(S3Settings(endpoint="http://s3.example.test", bucket="mail"))
    with pytest.raises(ConfigurationError, match="expected https://"):
        exchange_of(S3Settings(endpoint="http://127.example.test", bucket="mail"))
    exchange_of(S3Settings(endpoint="http://s3.example.test", bucket="mail", cleartext=True))


@pytest.mark.parametrize(
    ("settings", "host", "root"),
    [
        ({}, "s3.us-east-1.amazonaws.com", "/mail/"),
        ({"addressing": "virtual-host", "region": "eu-west-1"}, "mail.s3.eu-west-1.amazonaws.com", "/"),
        ({"endpoint": "https://s3.example.test:443"}, "s3.example.test", "/mail/"),
        ({"endpoint": "https://s3.example.test:9000"}, "s3.example.test:9000", "/mail/"),
        ({"endpoint": "http://[::1]:9000"}, "[::1]:9000", "/mail/"),
        ({"endpoint": "http://localhost:80", "addressing": "virtual-host"}, "mail.localhost", "/"),
    ],
)
def test_a_bucket_is_named_in_the_path_or_in_the_host(settings: dict[str, Any], host: str, root: str) -> None:
    made = exchange_of(S3Settings(bucket="mail", **settings))
    assert (made.host, made.root) == (host, root)


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("endpoint = 'ftp://x'", "endpoint"),
        ("endpoint = 'https://user:secret@x'", "endpoint"),
        ("endpoint = 'https://x/path'", "endpoint"),
        ("bucket = '../etc'", "bucket"),
        ("prefix = '/mail'", "prefix"),
        ("prefix = 'a/../b'", "prefix"),
        ("prefix = 'a b'", "prefix"),
        ("region = 'us east'", "region"),
        ("addressing = 'dns'", "addressing"),
        ("part_size = '1MiB'", "part_size"),
    ],
)
def test_a_setting_that_cannot_be_is_named_by_its_line(line: str, key: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"worldmail.toml:2: \[s3\] {key}: found"):
        parse_settings(f"[s3]\n{line}", {}, FILE, {"s3": S3Settings})


def test_without_a_bucket_nothing_is_built(tmp_path: Path) -> None:
    foundations = SimpleNamespace(
        settings=Settings(content_stores={"s3": S3Settings()}),
        data=tmp_path,
        clock=SimpleNamespace(now=time.time),
        reactor=None,
        database=None,
    )
    with pytest.raises(ConfigurationError, match=r"\[s3\] bucket: is missing"):
        content_objects(foundations)  # type: ignore[arg-type]  # all that it takes
    assert "[s3] bucket: is missing" in told(S3Settings())


def test_check_finds_nothing_wrong_with_a_bucket_that_works(service: Service, tmp_path: Path) -> None:
    assert told(settings_for(service, credentials_file(tmp_path), prefix="any/thing/")) == ""


def test_check_says_what_is_wrong_with_a_real_bucket(service: Service, tmp_path: Path) -> None:
    good = credentials_file(tmp_path)
    assert "404 NoSuchBucket: the bucket is not there" in told(
        settings_for(Service(url=service.url, bucket="another"), good)
    )
    (tmp_path / "others").mkdir()
    wrong = credentials_file(tmp_path / "others", secret="wrong")
    assert "403 SignatureDoesNotMatch: the secret is another one" in told(settings_for(service, wrong))
    unknown = credentials_file(tmp_path / "others", key_id="AKIDNOBODY")
    assert "403 InvalidAccessKeyId: the service does not know the access key" in told(settings_for(service, unknown))
    stranger = credentials_file(tmp_path / "others", key_id="AKIDSTRANGER")
    assert "403 AccessDenied: the key may not list objects" in told(settings_for(service, stranger))


def test_check_says_where_nobody_answers(server: Hostile, tmp_path: Path) -> None:
    settings = settings_for(Service(url=server.url, bucket="mail"), credentials_file(tmp_path))
    assert told(settings) == ""
    server.stop()
    assert f"bucket mail at {server.url}: GET the bucket: ConnectionRefusedError" in told(settings)
    assert "expected an S3 service there" in told(settings)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (hostile.reply(200, b"<html/>"), "answers with 'html', expected ListBucketResult"),
        (hostile.reply(200, b"It works!"), "answers with 'no XML: "),
        (hostile.reply(301, b"", x_amz_bucket_region="eu-north-1"), "301: the bucket is in the region eu-north-1"),
        (hostile.refuse(403, "RequestTimeTooSkewed"), "the clock of this machine is wrong"),
        (hostile.refuse(418), "418: expected a listing"),
    ],
)
def test_check_says_what_an_answer_means(server: Hostile, tmp_path: Path, fault: hostile.Fault, text: str) -> None:
    server.always = fault
    found = told(settings_for(Service(url=server.url, bucket="mail"), credentials_file(tmp_path)))
    assert text in found
    assert "expected" in found or "region" in found or "clock" in found
    assert SECRET not in found


def test_check_notices_that_uploads_may_not_be_listed(server: Hostile, tmp_path: Path) -> None:
    server.faults = [None, hostile.refuse(403, "AccessDenied")]
    found = told(settings_for(Service(url=server.url, bucket="mail"), credentials_file(tmp_path)))
    assert "the key may not list multipart uploads" in found


def test_check_says_that_there_are_no_credentials(tmp_path: Path) -> None:
    assert "none: the credentials: No such file" in told(S3Settings(bucket="mail", credentials=tmp_path / "none"))
