"""Surrogates of headers (RFC 6857): read back by Python's own parser."""

from __future__ import annotations

import email
import email.header
import email.policy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.mail.surrogate import MOST_OCTETS, encoded_words, surrogate_header


def header_of(text: str) -> Any:
    """What Python's own parser makes of the surrogate."""
    made = surrogate_header(text.encode("utf-8", "surrogateescape"))
    assert made.isascii() and all(len(line) <= 998 for line in made.split(b"\r\n"))
    return email.message_from_bytes(made + b"\r\n", policy=email.policy.default)


def test_unstructured_text_is_read_back() -> None:
    message = header_of("Subject: plain gr\u00fc\u00dfe aus k\u00f6ln ascii \u65e5\u672c\u8a9e\r\nX-A: kept\r\n")
    assert message["subject"] == "plain gr\u00fc\u00dfe aus k\u00f6ln ascii \u65e5\u672c\u8a9e"
    assert message["x-a"] == "kept"


def test_folded_text_and_long_text_are_read_back() -> None:
    text = " ".join(["\u00fcber"] * 60)
    assert header_of(f"Subject: {text[:50]}\r\n {text[50:]}\r\n")["subject"].replace("  ", " ") == text.replace(
        "  ", " "
    )


def test_display_names_are_read_back_and_addresses_kept() -> None:
    message = header_of(
        'To: J\u00fcrgen <j@example.test>, "M\u00fc, X" <m@example.test>,\r\n'
        " plain <p@example.test>, q@example.test\r\n"
    )
    found = [(address.display_name, address.addr_spec) for address in message["to"].addresses]
    assert found == [
        ("J\u00fcrgen", "j@example.test"),
        ("M\u00fc, X", "m@example.test"),
        ("plain", "p@example.test"),
        ("", "q@example.test"),
    ]


def test_a_domain_becomes_A_labels_and_a_local_part_that_cannot_be_written_becomes_an_empty_group() -> None:
    message = header_of("From: <a@b\u00fccher.example>\r\nTo: J\u00fc <j\u00fc@example.test>, b@example.test\r\n")
    assert message["from"].addresses[0].addr_spec == "a@xn--bcher-kva.example"
    assert [address.addr_spec for address in message["to"].addresses] == ["b@example.test"]
    assert "Removed:;" in str(message["to"]) or message["to"].groups[0].addresses == ()


def test_parameters_take_RFC_2231_form() -> None:
    message = header_of('Content-Disposition: attachment; filename="gr\u00fc\u00dfe.txt"; size=3\r\n')
    assert message.get_filename() == "gr\u00fc\u00dfe.txt"
    assert message["content-disposition"].params["size"] == "3"


def test_what_cannot_be_written_is_kept_under_another_name() -> None:
    message = header_of("Message-ID: <\u00fc@example.test>\r\n")
    assert message["message-id"] is None
    assert message["downgraded-message-id"] == "<\u00fc@example.test>"


def test_octets_that_are_not_UTF_8_are_kept_in_encoded_words() -> None:
    made = surrogate_header(b"Subject: gr\xfc\xdfe\r\n\r\n")
    assert made == b"Subject: =?unknown-8bit?B?Z3L832U=?=\r\n\r\n"


def test_fields_that_are_ASCII_stay_octet_by_octet() -> None:
    header = b"A: b\r\n  c\r\nSubject: \xc3\xbc\r\nX-Odd :  d  \r\n\r\n"
    made = surrogate_header(header)
    assert made.startswith(b"A: b\r\n  c\r\nSubject: =?") and made.endswith(b"?=\r\nX-Odd :  d  \r\n\r\n")


@given(st.text(max_size=200))
def test_encoded_words_fit_their_limit_and_are_read_back(text: str) -> None:
    words = encoded_words(text)
    assert all(len(word) <= 75 and word.isascii() for word in words)
    if "\r" not in text and "\n" not in text and text.isprintable():
        decoded = email.header.decode_header("\r\n ".join(words)) if words else []
        assert "".join(part.decode("utf-8") if isinstance(part, bytes) else part for part, _ in decoded) == text


@given(st.binary(max_size=400))
def test_any_header_gets_an_ASCII_surrogate(octets: bytes) -> None:
    made = surrogate_header(octets)
    assert made.isascii()
    assert octets.isascii() is False or made == octets


@pytest.mark.parametrize(
    "unit", ["\u00fc", '"', "\\", "(", "<", ",", ":", ";", " ", "\t", "=?", '"\\', ";a=", '("', "\u00fc ", "a,"]
)
@pytest.mark.parametrize("name", ["To", "Subject", "Content-Type", "Received"])
def test_hostile_headers_cost_linear_time(unit: str, name: str) -> None:
    header = f"{name}: ".encode() + (unit * 65536).encode()[:65000] + "\u00fc\r\n".encode()
    assert surrogate_header(header).isascii()


def field_of(text: str) -> str:
    """What becomes of one field, unfolded."""
    made = surrogate_header(f"{text}\r\n".encode()).decode("ascii")
    return made.replace("\r\n ", " ").removesuffix("\r\n")


def test_a_mailbox_that_cannot_be_written_is_shown_as_the_name_of_an_empty_group() -> None:
    # RFC 6857 §3.1.8
    assert field_of("From: <\u00fc@example.test>") == "From: =?utf-8?B?w7xAZXhhbXBsZS50ZXN0?= :;"
    assert field_of("To: Bob \u00fc@\u00fc.test, b@example.test").endswith("?= :;, b@example.test")
    (group,) = header_of("From: J\u00fc <\u00fc@example.test>\r\n")["from"].groups
    assert (group.display_name.split(), group.addresses) == (["J\u00fc", "\u00fc@example.test"], ())


def test_a_group_with_such_a_mailbox_is_told_whole() -> None:
    # RFC 6857 §3.1.7
    message = header_of("To: Team: a@example.test, \u00fc@example.test; , z@example.test\r\n")
    assert message["to"].groups[0].display_name == "Team a@example.test, \u00fc@example.test"
    assert [address.addr_spec for address in message["to"].addresses] == ["z@example.test"]
    assert field_of("Cc: M\u00fc: a@example.test;") == "Cc: =?utf-8?B?TcO8?=: a@example.test;"
    assert field_of("Cc: A: b@\u00fc.test, \u00fc@c.test").endswith(" :;")


def test_comments_are_encoded_where_they_stand_however_they_nest() -> None:
    # RFC 6857 §3.1.3, §3.2.2, §3.2.3
    assert field_of("Date: 1 Jan 2030 10:00:00 +0000 (\u00fc)") == "Date: 1 Jan 2030 10:00:00 +0000 (=?utf-8?B?w7w=?=)"
    assert field_of("Message-ID: <a@b> (x (\u00fc) y)").startswith("Message-ID: <a@b> (=?utf-8?B?")
    assert field_of("MIME-Version: (\u00fc").endswith("w7w=?=)")
    assert field_of('Content-Type: a/b; c="(\u00fc)" (\u00e4)') == (
        "Content-Type: a/b; c*=utf-8''%28%C3%BC%29 (=?utf-8?B?w6Q=?=)"
    )


def test_ids_that_cannot_be_written_are_kept_as_text() -> None:
    # RFC 6857 §3.1.10
    assert field_of("References: <a@b> <\u00fc@c>") == "Downgraded-References: <a@b> =?utf-8?B?PMO8QGM+?="


def test_clauses_of_Received_that_cannot_be_written_are_left_out() -> None:
    # RFC 6857 §3.2.4
    trace = "from b\u00fc.test (\u00fc) by b.test with UTF8SMTP id 1{} for <{}@example.test>; 1 Jan 2030 10:00:00 +0000"
    kept = "Received: from xn--b-eha.test (=?utf-8?B?w7w=?=) by b.test with UTF8SMTP{}; 1 Jan 2030 10:00:00 +0000"
    assert field_of("Received: " + trace.format("", "a")) == kept.format(" id 1 for <a@example.test>")
    assert field_of("Received: " + trace.format("", "\u00fc")) == kept.format(" id 1")
    assert field_of("Received: " + trace.format("\u00fc", "\u00fc")) == kept.format("")


def test_typed_addresses_are_embedded_in_ASCII() -> None:
    # RFC 6857 §3.1.9, RFC 6533 §3
    assert field_of("Original-Recipient: utf-8;\u00fc+a@\u65e5.test") == (
        "Original-Recipient: utf-8; \\x{FC}\\x{2B}a@\\x{65E5}.test"
    )
    assert field_of("Original-Recipient: x400; \u00fc").startswith("Downgraded-Original-Recipient: x400; =?utf-8?")


def test_long_parameters_come_in_pieces() -> None:
    name = "gr\u00fc\u00dfe " * 40 + ".txt"
    header = surrogate_header(f'Content-Disposition: attachment; filename="{name}"\r\n'.encode())
    assert max(map(len, header.split(b"\r\n"))) <= 998
    assert email.message_from_bytes(header + b"\r\n", policy=email.policy.default).get_filename() == name


def test_lists_and_signatures_are_kept_under_their_names() -> None:
    # RFC 6857 §3.2.8, §5
    assert field_of("List-Id: \u00fc <a.example.test>") == "List-Id: =?utf-8?B?w7w=?= <a.example.test>"
    assert field_of("DKIM-Signature: v=1; i=\u00fc@example.test").startswith("DKIM-Signature: v=1; =?utf-8?")


def test_there_is_a_bound_to_what_is_written_anew() -> None:
    one = "X: " + "\u00fc" * (MOST_OCTETS // 4 - 9) + "\r\n"
    made = surrogate_header((one * 3 + "A: b\r\n\r\n").encode()).split(b"\r\nX: ")
    assert b"=?utf-8?" in made[0] and b"=?utf-8?" in made[1]
    assert made[2] == b"?" * (MOST_OCTETS // 2 - 18) + b"\r\nA: b\r\n\r\n"


@pytest.mark.parametrize("name", ["To", "Received", "Message-ID", "Content-Type", "Date", "Original-Recipient"])
@given(st.text(alphabet='\u00fc\u65e5a@<>()\\",:; =utf-8xidfor.\t', max_size=60))
def test_any_field_gets_an_ASCII_surrogate_that_has_one_header(name: str, text: str) -> None:
    made = surrogate_header(f"{name}: {text}\r\n\r\n".encode())
    assert made.isascii() and made.endswith(b"\r\n\r\n")
    assert made.count(b"\n") == made.count(b"\r\n") and b"\r\n\r\n" not in made[:-2]


def test_phrases_of_Keywords_stay_apart() -> None:
    # RFC 6857 §3.2.7
    assert field_of("Keywords: a b, \u00fc \u00e4,c") == "Keywords: a b, =?utf-8?B?w7wgw6Q=?=, c"
