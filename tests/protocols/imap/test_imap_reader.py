"""Arguments of commands."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import date
from typing import Any

import pytest

from worldmail.errors import BadName
from worldmail.interfaces.messages import Flag
from worldmail.protocols.imap.fetch.moments import date_time
from worldmail.protocols.imap.grammar.flags import Flags
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.parser import Literal
from worldmail.protocols.imap.replies import BadCommand


def read(text: bytes | tuple[Any, ...], how: Callable[[Reader], Any], *, utf8: bool = False) -> Any:
    """What `how` takes off it; nothing may be left."""
    reader = Reader(text if isinstance(text, tuple) else (text,), utf8=utf8)
    found = how(reader)
    reader.end()
    return found


@pytest.mark.parametrize(
    ("text", "how", "found"),
    [
        (b"abc", Reader.atom, b"abc"),
        (b"seen", Reader.word, b"SEEN"),
        (b"a]b", Reader.astring, b"a]b"),
        (b'""', Reader.astring, b""),
        (b'"a b"', Reader.astring, b"a b"),
        (rb'"a\"b\\c"', Reader.string, rb'a"b\c'),
        (b"nil", Reader.nstring, None),
        (b'"NIL"', Reader.nstring, b"NIL"),
        (b"NIL", Reader.astring, b"NIL"),
        (b"0", Reader.number, 0),
        (b"4294967295", Reader.number, 4294967295),
        (b"9223372036854775807", Reader.number64, 9223372036854775807),
        (b"7", Reader.nz_number, 7),
        (b"1-Feb-2030", Reader.date, date(2030, 2, 1)),
        (b'"28-feb-1999"', Reader.date, date(1999, 2, 28)),
        (b'" 1-Feb-2030 10:20:30 +0200"', Reader.date_time, 1896164430),
        (b'"01-Feb-2030 08:20:30 +0000"', Reader.date_time, 1896164430),
        (b'"01-Feb-2030 03:20:30 -0500"', Reader.date_time, 1896164430),
        (b"()", Reader.flags, Flags()),
        (rb"(\Seen \DELETED $Junk $junk Later)", Reader.flags, Flags(9, ("$Junk", "Later"))),
        (rb"(\Recent)", Reader.flags, Flags()),
        (rb"\Flagged x", Reader.flags_of_store, Flags(4, ("x",))),
        (rb"(\Flagged)", Reader.flags_of_store, Flags(4)),
        (b"inbox", Reader.mailbox, "INBOX"),
        (b"inbox/x", Reader.mailbox, "INBOX/x"),
        (b"inboxes", Reader.mailbox, "inboxes"),
        (b"Entw&APw-rfe", Reader.mailbox, "Entwürfe"),
        (b"%/*", Reader.list_mailbox, "%/*"),
        (b'"a %"', Reader.list_mailbox, "a %"),
    ],
)
def test_what_the_grammar_allows_is_read(text: bytes, how: Callable[[Reader], Any], found: object) -> None:
    assert read(text, how) == found


def test_flags_are_those_of_the_store() -> None:
    assert read(rb"(\Answered \Draft)", Reader.flags).system == Flag.ANSWERED | Flag.DRAFT


@pytest.mark.parametrize(
    ("text", "how"),
    [
        (b"", Reader.atom),
        (b"(", Reader.atom),
        (b'"a', Reader.string),
        (rb'"a\b"', Reader.string),
        (b"abc", Reader.string),
        (b"a b", Reader.atom),
        (b"4294967296", Reader.number),
        (b"9" * 5000, Reader.number64),
        (b"-1", Reader.number),
        (b"0", Reader.nz_number),
        (b"0:1", Reader.numbers),
        (b"30-Feb-2030", Reader.date),
        (b"1-Foo-2030", Reader.date),
        (b"1-Feb-0000", Reader.date),
        (b'"01-Feb-2030 24:00:00 +0000"', Reader.date_time),
        (b'"01-Feb-2030"', Reader.date_time),
        (b"(", Reader.flags),
        (b"(a  b)", Reader.flags),
        (b"(a b", Reader.flags),
        (rb"(\Foo)", Reader.flags),
        (b"(" + b"k" * 200 + b")", Reader.flags),
        (b"a%", Reader.mailbox),
    ],
)
def test_what_it_does_not_allow_is_a_bad_command(text: bytes, how: Callable[[Reader], Any]) -> None:
    with pytest.raises(BadCommand):
        read(text, how)


def test_literals_stand_for_strings() -> None:
    parts = (b"", Literal(b'a "b', 4), b" ", Literal(b"inbox", 5), b" x")
    reader = Reader(parts)
    assert reader.peek() == b"{"
    assert reader.astring() == b'a "b'
    reader.space()
    assert reader.mailbox() == "INBOX"
    reader.space()
    assert reader.atom() == b"x"
    assert reader.at_end()
    reader.end()


def test_a_literal_is_no_atom_and_not_passed_over() -> None:
    with pytest.raises(BadCommand):
        read((b"", Literal(b"abc", 3), b""), Reader.atom)
    with pytest.raises(BadCommand):
        Reader((b"x", Literal(b"abc", 3), b""), 1).end()


def test_NUL_is_in_no_literal_but_a_literal8() -> None:
    with pytest.raises(BadCommand):
        read((b"", Literal(b"a\0b", 3), b""), Reader.string)
    assert read((b"", Literal(b"a\0b", 3, True), b""), Reader.string) == b"a\0b"


def test_a_message_is_no_string() -> None:
    with pytest.raises(BadCommand):
        read((b"", Literal(b"", 3, False, object()), b""), Reader.astring)


def test_blanks_at_the_end_are_not_held_against_a_client() -> None:
    assert read(b"abc  ", Reader.atom) == b"abc"


@pytest.mark.parametrize(
    ("wire", "name"),
    [
        (b"&-", "&"),
        (b"a&-b", "a&b"),
        (b"&U,BTFw-", "台北"),
        (b"&2D3cqQ-", "💩"),
        (b"&AEE-", "A"),  # not what should be sent, and clear
        (b"A&AwA-", "\u00c0"),  # NFC
        ("ü".encode(), "ü"),
        (b"&AGkAbgBiAG8AeA-", "INBOX"),
        ("ınbox".encode(), "ınbox"),
    ],
)
def test_names_are_decoded(wire: bytes, name: str) -> None:
    assert read((b"", Literal(wire, len(wire)), b""), Reader.mailbox) == name


@pytest.mark.parametrize("wire", [b"a&b", b"&", b"&A-", b"&AAA", b"&2D0-", b"&====-", b"\xff", b"x" * 2000, b"&AP8"])
def test_names_that_cannot_be_decoded_are_bad_names(wire: bytes) -> None:
    with pytest.raises(BadName):
        read((b"", Literal(wire, len(wire)), b""), Reader.mailbox)


def test_where_names_are_in_UTF_8_an_ampersand_is_one() -> None:
    assert read(b'"A&AwA-"', Reader.mailbox, utf8=True) == "A&AwA-"
    assert read('"ü"'.encode(), Reader.mailbox, utf8=True) == "ü"


def test_a_moment_is_written_as_it_is_read() -> None:
    written = date_time(1896164430)
    assert written == b"01-Feb-2030 08:20:30 +0000"
    assert read(b'"%b"' % written, Reader.date_time) == 1896164430


@pytest.mark.parametrize(
    "text", [b'"' + b"\\\\" * 30_000, b'"' + b'\\"' * 30_000 + b'"', b"(" * 60_000, b"1," * 30_000, b"9" * 60_000]
)
def test_long_arguments_are_read_or_refused_and_not_pondered(text: bytes) -> None:
    for how in (Reader.string, Reader.astring, Reader.flags, Reader.numbers, Reader.number, Reader.list_mailbox):
        for _ in range(3):
            with suppress(BadCommand, BadName):
                how(Reader((text,)))
