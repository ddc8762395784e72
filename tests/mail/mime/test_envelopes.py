"""ENVELOPE, and the addresses in it (RFC 9051 §7.5.2; RFC 5322 §3.4, §4.4)."""

from __future__ import annotations

import pytest

from worldmail.mail.mime.addresses import render_addresses
from worldmail.mail.mime.envelope import render_envelope
from worldmail.mail.mime.loose_addresses import MAXIMUM_ADDRESSES
from worldmail.mail.mime.quoting import nstring, string, text

MISSING = b'"MISSING_MAILBOX" "MISSING_DOMAIN"'
END = b"(NIL NIL NIL NIL)"


@pytest.mark.parametrize(
    ("value", "rendered"),
    [
        (b"bob@b.test", b'(NIL NIL "bob" "b.test")'),
        (b"Bob <bob@b.test>", b'("Bob" NIL "bob" "b.test")'),
        (b'"Bob B." <bob@b.test> , <c@d.test>', b'("Bob B." NIL "bob" "b.test")(NIL NIL "c" "d.test")'),
        (b"John Q. Public <j@b.test>", b'("John Q. Public" NIL "j" "b.test")'),
        (b"A  B\tC <a@b.test>", b'("A B C" NIL "a" "b.test")'),
        (b'"A, \\"B\\"" <a@b.test>', b'("A, \\"B\\"" NIL "a" "b.test")'),
        (b"J\xc3\xb6rg <j@b.test>", b'({5}\r\nJ\xc3\xb6rg NIL "j" "b.test")'),
        (b"=?utf-8?q?J=C3=B6rg?= <j@b.test>", b'("=?utf-8?q?J=C3=B6rg?=" NIL "j" "b.test")'),
        (b'"john doe"@b.test', b'(NIL NIL "john doe" "b.test")'),
        (b'<"a\\"b"@c.test>', b'(NIL NIL "a\\"b" "c.test")'),
        (b"a@[IPv6:::1]", b'(NIL NIL "a" "[IPv6:::1]")'),
        (b"o'neil+tag@b.test", b'(NIL NIL "o\'neil+tag" "b.test")'),
    ],
)
def test_an_address_has_its_name_mailbox_and_host(value: bytes, rendered: bytes) -> None:
    assert render_addresses(value) == b"(%b)" % rendered


@pytest.mark.parametrize(
    ("value", "rendered"),
    [
        (b"bob@b.test (Bob)", b'("Bob" NIL "bob" "b.test")'),
        (b"bob@b.test (a (nested) one) (Bob)", b'("Bob" NIL "bob" "b.test")'),
        (b"(Bob) bob@b.test", b'(NIL NIL "bob" "b.test")'),
        (b"B (c) ob <bob@b.test> (last)", b'("B ob" NIL "bob" "b.test")'),
        (b"bob@b.test (not closed, c@d.test", b'("not closed, c@d.test" NIL "bob" "b.test")'),
    ],
)
def test_a_comment_is_the_name_of_an_address_without_one(value: bytes, rendered: bytes) -> None:
    assert render_addresses(value) == b"(%b)" % rendered


@pytest.mark.parametrize(
    ("value", "rendered"),
    [
        (b"undisclosed-recipients:;", b'(NIL NIL "undisclosed-recipients" NIL)' + END),
        (b"G: a@b, C <c@d>; , e@f", b'(NIL NIL "G" NIL)(NIL NIL "a" "b")("C" NIL "c" "d")%b(NIL NIL "e" "f")' % END),
        (b'"Two Words": a@b', b'(NIL NIL "Two Words" NIL)(NIL NIL "a" "b")' + END),
        (b":a@b;", b'(NIL NIL "" NIL)(NIL NIL "a" "b")' + END),
    ],
)
def test_a_group_is_opened_and_closed(value: bytes, rendered: bytes) -> None:
    assert render_addresses(value) == b"(%b)" % rendered


@pytest.mark.parametrize(
    ("value", "rendered"),
    [
        (b"<@r.test,@s.test:a@b.test>", b'(NIL "@r.test,@s.test" "a" "b.test")'),
        (b"a . b @ c . test", b'(NIL NIL "a.b" "c.test")'),
        (b'"a"."b c"@d.test', b'(NIL NIL "a.b c" "d.test")'),
        (b",a@b, ,c@d,", b'(NIL NIL "a" "b")(NIL NIL "c" "d")'),
    ],
)
def test_obsolete_forms_are_read(value: bytes, rendered: bytes) -> None:
    assert render_addresses(value) == b"(%b)" % rendered


@pytest.mark.parametrize(
    ("value", "rendered"),
    [
        (b"bob", b'(NIL NIL "bob" "MISSING_DOMAIN")'),
        (b"Bob <bob>", b'("Bob" NIL "bob" "MISSING_DOMAIN")'),
        (b"<>", b"(NIL NIL %b)" % MISSING),
        (b"@b.test", b'(NIL NIL "MISSING_MAILBOX" "b.test")'),
        (b"a b c", b'("a b c" NIL %b)' % MISSING),
        (b'"alone"', b'("alone" NIL %b)' % MISSING),
        (b"a@b..test", b'(NIL NIL "a" "MISSING_DOMAIN")'),
        (b"<a@>", b'(NIL NIL "a" "SYNTAX_ERROR")'),
        (b"<a@b@c.test>", b'(NIL NIL "a" "SYNTAX_ERROR")'),
        (b"<a@b.test", b'(NIL NIL "a" "SYNTAX_ERROR")'),
        (b"<a@b.t:est>", b'(NIL NIL "a" "SYNTAX_ERROR")'),
        (b"<a b@c.test>", b'(NIL NIL "a" "SYNTAX_ERROR")'),
        (b"<@r.test>", b'(NIL "INVALID_ROUTE" %b)' % MISSING),
        (b'"not closed <a@b.test>', b"(NIL NIL %b)" % MISSING),
    ],
)
def test_what_is_missing_or_broken_is_never_guessed_and_never_looks_like_a_group(value: bytes, rendered: bytes) -> None:
    assert render_addresses(value) == b"(%b)" % rendered


@pytest.mark.parametrize(
    "value", [b"a@b c@d, e@f", b"<a@b> <c@d>, e@f", b"<a@b> x, e@f", b"a@b; e@f", b"a@b@c, e@f", b"[x] <a@b>, e@f"]
)
def test_what_follows_a_broken_address_is_read(value: bytes) -> None:
    rendered = render_addresses(value)
    assert b'"a" "b")' in rendered and rendered.endswith(b'(NIL NIL "e" "f"))')


@pytest.mark.parametrize("value", [None, b"", b" ", b",", b";", b" , ; "])
def test_a_list_without_addresses_is_NIL(value: bytes | None) -> None:
    assert render_addresses(value) == b"NIL"


@pytest.mark.parametrize("member", [b"a@b.test,", b'"\\"" <a@b.test>,'])
def test_there_is_a_bound_to_the_number_of_addresses(member: bytes) -> None:
    assert render_addresses(member * (MAXIMUM_ADDRESSES + 10)).count(b'"b.test"') == MAXIMUM_ADDRESSES


def test_an_envelope_has_ten_fields() -> None:
    fields = {
        b"date": b"Sun, 22 Nov 2026 01:00:00 +0000",
        b"subject": b"two  words",
        b"from": b"a@b",
        b"to": b"c@d",
        b"bcc": b"e@f",
        b"message-id": b"<x@y>",
    }
    from_ = b'((NIL NIL "a" "b"))'
    assert render_envelope(fields) == b"(%b)" % b" ".join(
        (
            *(b'"Sun, 22 Nov 2026 01:00:00 +0000"', b'"two words"', from_, from_, from_),
            *(b'((NIL NIL "c" "d"))', b"NIL", b'((NIL NIL "e" "f"))', b"NIL", b'"<x@y>"'),
        )
    )


@pytest.mark.parametrize("value", [b"", b",", b" "])
def test_Sender_and_Reply_To_that_are_empty_are_those_of_From(value: bytes) -> None:
    fields = {b"from": b"a@b", b"sender": value, b"reply-to": value}
    assert render_envelope(fields).count(b'((NIL NIL "a" "b"))') == 3


def test_Sender_and_Reply_To_have_their_own_addresses() -> None:
    rendered = render_envelope({b"from": b"a@b", b"sender": b"c@d", b"reply-to": b"e@f"})
    assert rendered == b'(NIL NIL ((NIL NIL "a" "b")) ((NIL NIL "c" "d")) ((NIL NIL "e" "f")) NIL NIL NIL NIL NIL)'


@pytest.mark.parametrize(
    ("value", "rendered"),
    [
        (b"", b'""'),
        (b'a "b" \\', b'"a \\"b\\" \\\\"'),
        (b"J\xc3\xb6rg", b"{5}\r\nJ\xc3\xb6rg"),
        (b"a\rb", b"{3}\r\na\rb"),
        (b"a\nb", b"{3}\r\na\nb"),
        (b"x" * 1001, b"{1001}\r\n" + b"x" * 1001),
    ],
)
def test_a_string_is_quoted_if_it_may_be_and_a_literal_if_not(value: bytes, rendered: bytes) -> None:
    assert string(value) == nstring(value) == rendered


def test_text_for_people_has_single_spaces() -> None:
    assert text(b" a \t b ") == b'"a b"' and nstring(None) == b"NIL"
