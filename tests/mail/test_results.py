"""Authentication-Results: whose word a field is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.mail.results import server_of, without_results

OURS = frozenset(("mx.example.test", "xn--bcher-kva.test"))


@pytest.mark.parametrize(
    "value",
    [
        b"mx.example.test; none",
        b"MX.Example.Test; spf=pass smtp.mailfrom=a.test",
        b"mx.example.test 1; dkim=pass",
        b"mx.example.test",
        b"mx.example.test.;none",
        b'"mx.example.test"; none',
        b'"mx.exa\\mple.test" 1; none',
        b"(a (nested) comment) mx.example.test (another); none",
        b"\r\n\tmx.example.test;\r\n\tspf=pass",
        "bücher.test; none".encode(),
        b"xn--bcher-kva.test; none",
    ],
)
def test_what_claims_to_be_ours_goes(value: bytes) -> None:
    raw = b"Subject: x\r\nAUTHENTICATION-results: " + value + b"\r\nTo: y\r\n"
    assert without_results(raw, OURS) == b"Subject: x\r\nTo: y\r\n"


@pytest.mark.parametrize(
    "value",
    [
        b"mx.other.test; none",
        b"sub.mx.example.test; none",
        b"example.test; mx.example.test",
        b"(mx.example.test) other.test; none",
        b"",
        b";",
        b"(never ends mx.example.test",
        b"\xff\xfe; none",
    ],
)
def test_what_is_anothers_stays(value: bytes) -> None:
    raw = b"Authentication-Results: " + value + b"\r\nSubject: x\r\n"
    assert without_results(raw, OURS) == raw


def test_other_fields_stay_whatever_they_say() -> None:
    raw = b"X-Authentication-Results: mx.example.test; none\r\nARC-Authentication-Results: i=1; mx.example.test\r\n"
    assert without_results(raw, OURS) == raw


@given(st.binary(max_size=300))
def test_any_value_is_read(value: bytes) -> None:
    assert isinstance(server_of(value), str)


def test_the_longest_header_is_read_in_no_time() -> None:
    for value in (b"(" * 200_000, b'"' + b"\\" * 200_000, b"a" * 200_000, b'"' * 200_000):
        without_results(b"Authentication-Results: " + value + b"\r\n", OURS)
