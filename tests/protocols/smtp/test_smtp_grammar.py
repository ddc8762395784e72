"""The arguments of commands: what is taken, what is refused and how."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from worldmail.errors import Refusal
from worldmail.mail.address import Address
from worldmail.mail.envelope import Body, Notify, Return
from worldmail.protocols.smtp.grammar import (
    AuthArguments,
    Chunk,
    Lookup,
    parse_anything,
    parse_auth,
    parse_chunk,
    parse_client_name,
    parse_lookup,
    parse_mail,
    parse_nothing,
    parse_rcpt,
)
from worldmail.protocols.smtp.replies import MAXIMUM_TEXT, reply
from worldmail.protocols.smtp.xtext import decode_utf8_address, decode_xtext, encode_xtext

PARSERS = [
    parse_nothing,
    parse_client_name,
    parse_mail,
    parse_rcpt,
    parse_chunk,
    parse_auth,
    parse_anything,
    parse_lookup,
]


def refusal(parse: object, argument: bytes) -> str:
    with pytest.raises(Refusal) as caught:
        parse(argument)  # type: ignore[operator]
    return f"{caught.value.reply_code} {caught.value.reply_enhanced}"


@given(st.sampled_from(PARSERS), st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode)))
@example(parse_mail, b"FROM:<" + b'"' * 1000 + b">")
@example(parse_mail, b"FROM:<" + b'"\\' * 500 + b">")
@example(parse_mail, b"FROM:<" + b"@a," * 300 + b":x@y>")
@example(parse_rcpt, b"TO:<" + b"a." * 500 + b"@b>")
@example(parse_auth, b"PLAIN " + b"A" * 12000)
@example(parse_chunk, b"9" * 2000)
def test_any_argument_is_read_or_refused(parse: object, argument: bytes) -> None:
    try:
        parse(argument)  # type: ignore[operator]
    except Refusal as refused:
        assert refused.reply_code in (501, 553, 555)
        assert refused.reply_enhanced.startswith("5.")


atoms = st.text(alphabet=string.ascii_letters + string.digits + "!#$%&'*+-/=?^_`{|}~", min_size=1, max_size=20)
locals_ = st.one_of(
    st.lists(atoms, min_size=1, max_size=3).map(".".join),
    st.text(alphabet=string.printable[:95], min_size=1, max_size=25),
)
labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?", fullmatch=True)
domains = st.lists(labels, min_size=1, max_size=4).map(".".join)
routes = st.lists(domains, max_size=2).map(lambda names: ",".join(f"@{name}" for name in names) + ":" if names else "")


@given(locals_, domains, routes, st.sampled_from(["FROM:", "from:", "From: "]), st.sampled_from(["", " ", "  "]))
def test_every_mailbox_is_read_back_from_a_path(local: str, domain: str, route: str, word: str, end: str) -> None:
    address = Address(local, domain)
    assert parse_mail(f"{word}<{route}{address}>{end}".encode()).sender == address
    rcpt = word.lower().replace("from", "To")
    assert parse_rcpt(f"{rcpt}<{route}{address}>{end}".encode()).address == address


printable = st.text(alphabet=[chr(point) for point in range(32, 127)], max_size=30)


@given(printable)
def test_xtext_is_read_back(text: str) -> None:
    encoded = encode_xtext(text)
    assert decode_xtext(encoded) == text
    assert " " not in encoded
    assert "=" not in encoded


@given(st.text(max_size=30))
def test_what_xtext_decodes_is_printable_ascii(text: str) -> None:
    try:
        decoded = decode_xtext(text)
    except ValueError:
        return
    assert decoded.isascii()
    assert decoded.isprintable()
    assert decode_xtext(encode_xtext(decoded)) == decoded


@pytest.mark.parametrize("text", ["+0D+0A", "+0d", "a+4", "+", "a=b", "a b", "+7F", "+00", "ü", "+GG", "+80"])
def test_xtext_is_strict(text: str) -> None:
    with pytest.raises(ValueError):
        decode_xtext(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [(r"\x{FC}@a.test", "ü@a.test"), ("ü@a.test", "ü@a.test"), (r"a+2Bb\x{20AC}", "a+b€"), ("a@b", "a@b")],
)
def test_the_three_forms_of_a_utf8_address(text: str, address: str) -> None:
    assert decode_utf8_address(text) == address


@pytest.mark.parametrize("text", [r"\x{D800}", r"\x{110000}", r"\x{0A}", r"\x{2028}", "ü\n", r"\x{85}"])
def test_a_utf8_address_holds_no_control_character(text: str) -> None:
    with pytest.raises(ValueError):
        decode_utf8_address(text)


def test_all_parameters_of_mail() -> None:
    arguments = parse_mail(b"FROM:<a@b.test> SIZE=12 BODY=BinaryMime smtputf8 RET=full ENVID=a+20b AUTH=x+2By@z.test")
    assert (arguments.size, arguments.body, arguments.smtputf8) == (12, Body.BINARY, True)
    assert (arguments.returns, arguments.envelope_id, arguments.submitter) == (Return.FULL, "a b", "x+y@z.test")
    assert parse_mail(b"FROM:<> AUTH=<>").submitter == ""


@pytest.mark.parametrize(
    "parameter",
    [
        b"SIZE",
        b"SIZE=",
        b"SIZE=-1",
        b"SIZE=1x",
        b"SIZE=" + b"1" * 21,
        b"BODY",
        b"BODY=9BIT",
        b"SMTPUTF8=1",
        b"RET=SOME",
        b"RET",
        b"ENVID",
        b"ENVID==",
        b"ENVID=a=b",
        b"ENVID=" + b"a" * 101,
        b"ENVID=+0D",
        b"AUTH=",
        b"AUTH=not an address",
        b"AUTH=a@",
        b"SIZE=1 SIZE=1",
        b"RET=FULL RET=HDRS",
        b"ENVID=a ENVID=a",
        b"BODY=7BIT body=7BIT",
        b"=1",
        b"-X=1",
        b"S\xc3\xa4IZE=1",
    ],
)
def test_wrong_parameters_of_mail_are_501(parameter: bytes) -> None:
    assert refusal(parse_mail, b"FROM:<a@b.test> " + parameter) in ("501 5.5.4", "555 5.5.4")
    if not parameter.startswith(b"AUTH=not"):
        assert refusal(parse_mail, b"FROM:<a@b.test> " + parameter) == "501 5.5.4"


@pytest.mark.parametrize("parameter", [b"FOO", b"FOO=bar", b"NOTIFY=NEVER", b"ORCPT=rfc822;a@b", b"HOLD=1"])
def test_unknown_parameters_of_mail_are_555(parameter: bytes) -> None:
    assert refusal(parse_mail, b"FROM:<a@b.test> " + parameter) == "555 5.5.4"


@pytest.mark.parametrize("parameter", [b"FOO", b"SIZE=1", b"RET=FULL", b"ENVID=x", b"BODY=7BIT"])
def test_unknown_parameters_of_rcpt_are_555(parameter: bytes) -> None:
    assert refusal(parse_rcpt, b"TO:<a@b.test> " + parameter) == "555 5.5.4"


@pytest.mark.parametrize(
    ("parameter", "wishes"),
    [
        (b"NOTIFY=NEVER", {Notify.NEVER}),
        (b"notify=failure", {Notify.FAILURE}),
        (b"NOTIFY=SUCCESS,FAILURE,DELAY", {Notify.SUCCESS, Notify.FAILURE, Notify.DELAY}),
    ],
)
def test_notify_is_read(parameter: bytes, wishes: set[Notify]) -> None:
    assert parse_rcpt(b"TO:<a@b.test> " + parameter).notify == wishes


@pytest.mark.parametrize(
    "parameter",
    [
        b"NOTIFY",
        b"NOTIFY=",
        b"NOTIFY=NEVER,DELAY",
        b"NOTIFY=,DELAY",
        b"NOTIFY=DELAY,",
        b"NOTIFY=DELAY,DELAY",
        b"NOTIFY=SOON",
        b"NOTIFY=NEVER NOTIFY=NEVER",
        b"ORCPT",
        b"ORCPT=rfc822",
        b"ORCPT=;a@b",
        b"ORCPT=rfc822;",
        b"ORCPT=rfc822;a+0D+0Ab",
        b"ORCPT=rfc822;" + b"a" * 500,
        b"ORCPT=rfc822;a ORCPT=rfc822;a",
        b"ORCPT=a b;c",
    ],
)
def test_wrong_parameters_of_rcpt_are_501(parameter: bytes) -> None:
    assert refusal(parse_rcpt, b"TO:<a@b.test> " + parameter) in ("501 5.5.4", "555 5.5.4")


def test_orcpt_beyond_ascii_needs_smtputf8() -> None:
    assert parse_rcpt("TO:<a@b.test> ORCPT=utf-8;ü@x.test".encode()).needs_utf8
    original = parse_rcpt(rb"TO:<a@b.test> ORCPT=utf-8;\x{FC}@x.test").original
    assert original is not None
    assert original.address == "ü@x.test"


@pytest.mark.parametrize(
    "argument",
    [
        b"",
        b"FROM",
        b"FROM:",
        b"FROM:a@b.test",
        b"FROM:<a@b.test",
        b"FROM:a@b.test>",
        b"FROM:<a@b.test>SIZE=1",
        b"FROM:<<a@b.test>>",
        b"FROM:<a@b.test> <c@d.test>",
        b"FROM:<a@b@c.test>",
        b"FROM:<@x.test>",
        b"FROM:<@x.test:>x",
        b"FROM:<a b@c.test>",
        b"TO:<a@b.test>",
        b"FROM  <a@b.test>",
        b'FROM:<"a@b.test>',
        b"FROM:<a@b.test>\tSIZE=1",
        b"FROM:\t<a@b.test>",
    ],
)
def test_malformed_reverse_paths_are_501(argument: bytes) -> None:
    assert refusal(parse_mail, argument).startswith(("501 5.5.4", "501 5.1.7", "555"))


@pytest.mark.parametrize(
    "path", [b"<.a@b.test>", b"<a..b@c.test>", b"<a@-b.test>", b"<" + b"a" * 65 + b"@b.test>", b"<a@[1.2]>"]
)
def test_addresses_that_are_none_are_501_5_1(path: bytes) -> None:
    assert refusal(parse_mail, b"FROM:" + path) == "501 5.1.7"
    assert refusal(parse_rcpt, b"TO:" + path) == "501 5.1.3"


def test_an_underscore_in_a_domain_or_host_name_is_let_pass() -> None:
    sender = parse_mail(b"FROM:<a@host_name.example.test>").sender
    assert sender is not None and sender.domain == "host_name.example.test"
    assert parse_rcpt(b"TO:<a@_x.test>").address.domain_key == "_x.test"
    assert parse_client_name(b"host_name.example.test") == "host_name.example.test"


def test_a_null_recipient_is_501() -> None:
    assert refusal(parse_rcpt, b"TO:<>") == "501 5.5.4"


def test_chunks() -> None:
    assert parse_chunk(b"0") == Chunk(0, False)
    assert parse_chunk(b"86400  last ") == Chunk(86400, True)


def test_auth() -> None:
    assert parse_auth(b"plain") == AuthArguments("PLAIN", None)
    assert parse_auth(b"SCRAM-SHA-256-PLUS  = ") == AuthArguments("SCRAM-SHA-256-PLUS", b"=")
    assert refusal(parse_auth, b"PLAIN a b") == "501 5.5.4"
    assert refusal(parse_auth, b"A" * 21) == "501 5.5.4"


def test_lookups() -> None:
    assert parse_lookup(b" <bob> ") == Lookup("bob", False)
    assert parse_lookup("bücher SMTPUTF8".encode()) == Lookup("bücher", True)
    assert parse_lookup("bücher".encode()) == Lookup("bücher", False)
    assert refusal(parse_lookup, b" ") == "501 5.5.4"
    assert refusal(parse_lookup, b"a\x01") == "501 5.5.4"


@given(st.integers(200, 599), st.lists(st.text(max_size=600), min_size=1, max_size=4))
def test_a_reply_is_as_many_lines_as_were_asked_for_and_none_is_too_long(code: int, lines: list[str]) -> None:
    wire = reply(code, "2.0.0", *lines)
    cut = wire.split(b"\r\n")
    assert len(cut) == len(lines) + 1
    assert cut[-1] == b""
    assert all(line.startswith(b"%d" % code) for line in cut[:-1])
    assert all(b"\r" not in line and b"\n" not in line for line in cut)
    assert all(len(line.decode()) <= MAXIMUM_TEXT + 16 for line in cut)
    assert cut[-2][3:4] == b" "
