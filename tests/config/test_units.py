"""Values with units are read strictly and written so that they are read back."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.config.units import (
    Listen,
    duration,
    listen,
    network,
    octets,
    place,
    write_duration,
    write_octets,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("512", 512), (512, 512), ("64KiB", 65536), ("25MB", 25_000_000), ("1.5 KiB", 1536), ("2GiB", 2 << 30)],
)
def test_a_size_is_read(text: object, value: int) -> None:
    assert octets(text) == value


@pytest.mark.parametrize("text", ["", "MB", "-1", -1, True, 1.5, None, "1.5B", "10 XB", "10mb", "1e3", "10 MB "])
def test_what_is_no_size_is_refused_with_what_was_expected(text: object) -> None:
    with pytest.raises(ValueError, match='"64KiB"'):
        octets(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("500ms", 0.5), ("30s", 30), ("5m", 300), ("1.5h", 5400), ("7d", 604800), ("2w", 1209600), (5, 5), (0.5, 0.5)],
)
def test_a_time_is_read(text: object, value: float) -> None:
    assert duration(text) == value


@pytest.mark.parametrize("text", ["", "5", "5M", "m", "-5m", -1, True, None, float("inf"), float("nan"), "5 minutes"])
def test_what_is_no_time_is_refused_with_what_was_expected(text: object) -> None:
    with pytest.raises(ValueError, match='"500ms"'):
        duration(text)


@given(st.integers(0, 1 << 60))
def test_a_size_that_was_written_is_read_back(value: int) -> None:
    assert octets(write_octets(value)) == value


@given(st.one_of(st.integers(0, 10**9), st.integers(0, 10**6).map(lambda milliseconds: milliseconds / 1000)))
def test_a_time_that_was_written_is_read_back(value: float) -> None:
    assert duration(write_duration(value)) == pytest.approx(value, abs=1e-6)


def test_a_network_is_read_with_its_width_or_as_one_address() -> None:
    assert network("10.0.0.0/8") == ipaddress.ip_network("10.0.0.0/8")
    assert network("2001:db8::1") == ipaddress.ip_network("2001:db8::1/128")


@pytest.mark.parametrize("text", ["", "10.0.0.1/8", "10.0.0.0/33", "300.1.1.1", "example.test", 10, None])
def test_what_is_no_network_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r'"10\.0\.0\.0/8"'):
        network(text)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:2025", "127.0.0.1", 2025), ("[::1]:25", "::1", 25), ("*:25", "*", 25), ("[0:0::1]:0", "::1", 0)],
)
def test_a_place_to_listen_is_read(text: str, host: str, port: int) -> None:
    assert listen(text) == Listen(host, port)
    assert listen(str(listen(text))) == listen(text)


@pytest.mark.parametrize(
    "text",
    [
        "25",
        ":25",
        "localhost:25",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "::1:25",
        "[::1]",
        "1.1.1.1:-1",
        "1.1.1.1:٣",
        25,
    ],
)
def test_what_is_no_place_to_listen_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match='"127.0.0.1:2025"'):
        listen(text)


@pytest.mark.parametrize("text", ["", "a\0b", 3])
def test_what_is_no_path_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="a path"):
        place(text)
