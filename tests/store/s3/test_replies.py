"""The XML of replies, from servers that mean well and from others."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.store.s3.replies import BadReply, error_code, moment, parse

BILLION = b"""<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<Error><Code>&b;</Code></Error>"""


def test_names_texts_and_order_are_kept_and_namespaces_are_not() -> None:
    root = parse(b"\n  <?xml version='1.0'?><r xmlns:x='urn:x'><x:a>1</x:a><b/><x:a>&lt;2&#65;</x:a></r>")
    assert root.name == "r"
    assert [one.text for one in root.all("a")] == ["1", "<2A"]
    assert (root.get("a"), root.get("b"), root.get("c")) == ("1", "", "")


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (b"", "no XML"),
        (b"<a>", "no XML"),
        (b"hello", "no XML"),
        (b"<a>&undefined;</a>", "no XML"),
        (b"<?xml version='1.0' encoding='x-nobody'?><a/>", "encoding"),
        (b"<?xml version='1.0' encoding='utf-7'?><a/>", "encoding"),
        (b"<?xml version='1.0' encoding='zlib_codec'?><a/>", "encoding"),
        (BILLION, "document type"),
        (b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", "document type"),
        (b"<a>" * 20 + b"</a>" * 20, "too many"),
        (b"<a>" + b"<b/>" * 60_000 + b"</a>", "too many"),
    ],
)
def test_what_is_no_reply_of_S3_is_refused(document: bytes, told: str) -> None:
    with pytest.raises(BadReply, match=told):
        parse(document)


@given(
    st.binary(max_size=200)
    | st.text().map(lambda text: f"<Error><Code>{text}</Code></Error>".encode("utf-8", "replace"))
)
def test_a_code_is_a_word_whatever_the_reply(document: bytes) -> None:
    code = error_code(document)
    assert re.fullmatch(r"([A-Za-z][A-Za-z0-9.]{0,63})?", code)


def test_a_code_is_that_of_an_error_alone() -> None:
    assert error_code(b"<Error><Code>SlowDown</Code><Message>later</Message></Error>") == "SlowDown"
    assert error_code(b"<Result><Code>SlowDown</Code></Result>") == ""
    assert error_code(b"<Error><Code>Slow Down\n</Code></Error>") == ""


def test_moments_are_read_with_and_without_fractions() -> None:
    assert moment("1970-01-01T00:01:00.000Z") == moment("1970-01-01T00:01:00Z") == moment("1970-01-01T00:01:00") == 60
    with pytest.raises(BadReply):
        moment("yesterday")
