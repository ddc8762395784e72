"""APPEND and REPLACE (RFC 9051 §6.3.12, RFC 3502, RFC 3516 §4.4, RFC 6855 §4, RFC 7889, RFC 8508)."""

from __future__ import annotations

import re

import pytest

from tests.protocols.imap.conftest import ImapSite
from worldmail.testing.imap import ImapClient, ImapServer, talk_in_all_ways
from worldmail.testing.real_store import RealStoreWorld

TEXT = b"Subject: x\r\n\r\ntext\r\n"


def selected(site: ImapSite, name: str = "bob") -> ImapClient:
    """A session of somebody's, in INBOX."""
    client = site.client(name)
    client.session.enable("IMAP4REV2")
    assert client.say(b"SELECT INBOX").status == b"OK"
    return client


def body(client: ImapClient, number: int) -> bytes:
    """A message as it is given."""
    raw = client.say(b"FETCH %d BODY.PEEK[]" % number).raw
    head = re.search(rb"\{(\d+)\}\r\n", raw)
    assert head is not None
    return raw[head.end() : head.end() + int(head[1])]


def test_APPEND_keeps_flags_and_date_and_tells_the_UID(site: ImapSite) -> None:
    client = selected(site)
    done = client.say(b'APPEND INBOX (\\Seen $Work) "01-Feb-2030 10:20:30 +0100" {}', TEXT)
    assert done.untagged[-1] == b"* 1 EXISTS"
    assert done.code is not None and re.fullmatch(rb"APPENDUID \d+ 1", done.code)
    told = client.say(b"FETCH 1 (FLAGS INTERNALDATE BODY.PEEK[])").raw
    assert b'FLAGS (\\Seen $Work) INTERNALDATE "01-Feb-2030 09:20:30 +0000" BODY[] {20}\r\n' + TEXT in told


@pytest.mark.parametrize("date", [b"31-Dec-9999 23:00:00 -0200", b"01-Jan-0001 01:00:00 +0200"])
def test_a_date_that_has_another_year_than_four_digits_in_UTC_is_refused(site: ImapSite, date: bytes) -> None:
    assert selected(site).say(b'APPEND INBOX "%b" {}' % date, TEXT).status == b"BAD"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"A: b\n\nc\n", b"A: b\r\n\r\nc\r\n"),
        (b"A: b\r\n\r\nc", b"A: b\r\n\r\nc"),
        (b"A: b\r\rc\r", b"A: b\r\n\r\nc\r\n"),
        (b"A: b\r\n\r\nc\n\rd", b"A: b\r\n\r\nc\r\n\r\nd"),
        (b"\xff\xfe: \x80\r\n\r\n\xe9", b"\xff\xfe: \x80\r\n\r\n\xe9"),
    ],
)
def test_lines_are_kept_with_CRLF_whatever_they_ended_in(site: ImapSite, sent: bytes, kept: bytes) -> None:
    client = selected(site)
    assert client.say(b"APPEND INBOX {}", sent).status == b"OK"
    assert body(client, 1) == kept
    assert b"RFC822.SIZE %d" % len(kept) in client.say(b"FETCH 1 RFC822.SIZE").raw


def test_a_NUL_is_for_a_literal8_alone(site: ImapSite) -> None:
    client = selected(site)
    assert client.say(b"APPEND INBOX {+}", b"A: b\r\n\r\n\0").status == b"BAD"
    assert client.say(b"APPEND INBOX ~{+}", b"A: b\r\n\r\n\0").status == b"OK"
    assert client.say(b"FETCH 1 BODY.PEEK[]").status == b"OK"
    assert b"\0" not in body(client, 1)


def test_several_messages_are_appended_all_or_none(site: ImapSite) -> None:
    client = selected(site)
    done = client.say(b"APPEND INBOX (\\Seen) {} {+} (\\Draft) {}", TEXT, TEXT, TEXT)
    assert done.code is not None and done.code.endswith(b" 1:3")
    assert [line.split(b" ")[-1] for line in client.say(b"FETCH 1:3 FLAGS").untagged] == [
        b"(\\Seen))",
        b"())",
        b"(\\Draft))",
    ]
    site.add("cat", quota=len(TEXT) * 2)
    cat = selected(site, "cat")
    refused = cat.say(b"APPEND INBOX {} {} {}", TEXT, TEXT, TEXT)
    assert (refused.status, refused.code) == (b"NO", b"OVERQUOTA")
    assert b"MESSAGES 0" in cat.say(b"STATUS INBOX (MESSAGES)").raw


def test_what_cannot_be_appended_is_refused_before_its_octets(site: ImapSite) -> None:
    client = selected(site)
    for command, code in (
        (b"APPEND Nowhere {20}", b"[TRYCREATE]"),
        (b"APPEND INBOX {99999999999}", b"[TOOBIG]"),
        (b"APPEND INBOX {0}", b"NO"),
        (b"APPEND INBOX (\\Nothing) {20}", b"BAD"),
        (b"APPEND INBOX UTF8 (~{20}", b"BAD"),
    ):
        answer = client.send(b"x " + command + b"\r\n")
        assert answer.startswith(b"x ") and code in answer, answer
    assert client.say(b"NOOP").status == b"OK"


def test_what_came_with_its_line_is_refused_for_the_same_reasons(site: ImapSite) -> None:
    client = selected(site)
    for command, code in (
        (b"APPEND Nowhere {20+}\r\n" + bytes(20), b"[TRYCREATE]"),
        (b"APPEND INBOX {3+}\r\na\0b", b"BAD"),
        (b"APPEND INBOX {0+}\r\n", b"NO"),
        (b"APPEND INBOX CATENATE (TEXT {0+}\r\n)", b"NO"),
        (b"APPEND INBOX UTF8 (~{1+}\r\na)", b"BAD"),
        (b"APPEND INBOX {1+}\r\na b", b"BAD"),
        (b'APPEND "Other Users/nobody@x.test/y" {1+}\r\na', b"NO"),
    ):
        answer = client.send(b"x " + command + b"\r\n")
        assert answer.startswith(b"x ") and code in answer, answer
    assert b"(MESSAGES 0)" in client.say(b"STATUS INBOX (MESSAGES)").raw


def test_an_account_may_have_a_smaller_limit_of_its_own(site: ImapSite) -> None:
    site.add("cat", max_message=100)
    cat = site.client("cat")
    assert b"APPENDLIMIT=100" in cat.say(b"CAPABILITY").raw
    assert cat.say(b"APPEND INBOX {+}", b"x" * 101).code == b"TOOBIG"
    assert cat.say(b"APPEND INBOX {+}", b"\n" * 60).code == b"TOOBIG"
    assert cat.say(b"APPEND INBOX {+}", b"x" * 100).status == b"OK"


def test_UTF8_takes_a_literal8_once_it_is_enabled(site: ImapSite) -> None:
    client = selected(site)
    client.session.enable("UTF8=ACCEPT")
    text = "Subject: grün\r\n\r\n".encode()
    assert client.say(b"APPEND INBOX (\\Seen) UTF8 (~{+})", text).status == b"OK"
    assert body(client, 1) == text
    assert client.say(b"APPEND INBOX UTF8 (~{+})", b"A: b\n\0\n").status == b"BAD"


def test_the_name_may_be_a_literal_too(site: ImapSite) -> None:
    client = selected(site)
    assert client.say(b"APPEND {} {}", b"Drafts", TEXT).status == b"OK"
    assert b"MESSAGES 1" in client.say(b"STATUS Drafts (MESSAGES)").raw


@pytest.mark.parametrize(
    "command", [b"APPEND", b"APPEND INBOX", b"APPEND INBOX ()", b"APPEND INBOX text", b"APPEND INBOX {+} x"]
)
def test_what_is_none_is_BAD(site: ImapSite, command: bytes) -> None:
    client = selected(site)
    assert client.say(command, *([TEXT] if b"{" in command else [])).status == b"BAD"
    assert b"MESSAGES 0" in client.say(b"STATUS INBOX (MESSAGES)").raw


def test_flags_that_the_account_may_not_set_are_left_out(site: ImapSite) -> None:
    owner = site.client("bob")
    owner.say(b"CREATE box")
    owner.say(b"SETACL box ann@example.test lri")
    ann = site.client("ann")
    done = ann.say(b'APPEND "Other Users/bob@example.test/box" (\\Seen \\Flagged word) {}', TEXT)
    assert done.status == b"OK"
    owner.say(b"SELECT box")
    assert b"FLAGS (\\Recent)" in owner.say(b"FETCH 1 FLAGS").raw


def test_the_UIDs_are_not_told_to_one_who_may_not_read(site: ImapSite) -> None:
    owner = site.client("bob")
    owner.say(b"CREATE box")
    owner.say(b"SETACL box ann@example.test li")
    done = site.client("ann").say(b'APPEND "Other Users/bob@example.test/box" {}', TEXT)
    assert (done.status, done.code) == (b"OK", None)


def test_a_large_message_is_the_same_when_it_is_read() -> None:
    store = RealStoreWorld.make(inline_limit=1024)
    store.add_account("bob@example.test")
    client = ImapServer.over(store.world).connect().login()
    text = b"Subject: large\n\n" + b"0123456789abcdef\n" * 20_000
    assert client.say(b"APPEND INBOX {}", text).status == b"OK"
    client.say(b"SELECT INBOX")
    assert body(client, 1) == text.replace(b"\n", b"\r\n")


def test_REPLACE_puts_one_message_in_the_place_of_another(site: ImapSite) -> None:
    client = selected(site)
    client.say(b"APPEND INBOX {} {}", TEXT, TEXT)
    done = client.say(b"REPLACE 1 INBOX (\\Draft) {}", b"A: new\r\n\r\n")
    assert re.fullmatch(rb"\* OK \[APPENDUID \d+ 3\] .*", done.untagged[0])
    assert done.untagged[1:] == [b"* 1 EXPUNGE", b"* 2 EXISTS"]
    elsewhere = client.say(b"UID REPLACE 2 Drafts {}", TEXT)
    assert elsewhere.untagged[1:] == [b"* 1 EXPUNGE"]
    assert client.say(b"FETCH 1:* UID").untagged == [b"* 1 FETCH (UID 3)"]


def test_REPLACE_of_what_is_not_there_appends_nothing(site: ImapSite) -> None:
    client = selected(site)
    client.say(b"APPEND INBOX {}", TEXT)
    assert client.say(b"UID REPLACE 77 INBOX {}", TEXT).status == b"NO"
    assert client.say(b"REPLACE 2 INBOX {}", TEXT).status == b"BAD"
    assert client.say(b"REPLACE 1 INBOX {} {}", TEXT, TEXT).status == b"BAD"
    client.say(b"EXAMINE INBOX")
    assert client.say(b"REPLACE 1 INBOX {}", TEXT).code == b"NOPERM"
    assert b"MESSAGES 1" in client.say(b"STATUS INBOX (MESSAGES)").raw


def test_octets_are_taken_alike_however_they_come() -> None:
    def make() -> ImapServer:
        store = RealStoreWorld.make()
        store.add_account("bob@example.test")
        return ImapServer.over(store.world)

    said = talk_in_all_ways(
        make,
        [
            b"a LOGIN bob@example.test secret\r\nb SELECT INBOX\r\nc APPEND INBOX {",
            b"11+}\r\nA: b\r",
            b"\n\nc\r\nd\r\nd APPEND INBOX {4+}\r\nA: b {6+}\r\nB: c\r\n\r\ne FETCH 1:* BODY.PEEK[]\r\n",
        ],
    )
    for tag in (b"a", b"b", b"c", b"d", b"e"):
        assert b"\r\n%b OK " % tag in said
    assert b"A: b\r\n\r\nc\r\nd" in said


def test_more_messages_than_SAVELIMIT_are_neither_copied_nor_appended() -> None:
    limited = ImapSite.make(save_limit=1000)
    limited.store.add(limited.accounts["bob"], *[TEXT] * 1001)
    client = selected(limited)
    assert b"SAVELIMIT=1000" in client.say(b"CAPABILITY").raw
    done = client.say(b"COPY 1:* Trash")
    assert (done.status, done.code) == (b"NO", b"MESSAGELIMIT 1000 2")
    assert client.say(b"COPY 2:* Trash").status == b"OK"
    head = b"x APPEND Trash {1+}\r\na" + b" {1+}\r\na" * 1000
    assert b"x NO [MESSAGELIMIT 1000]" in client.send(head + b"\r\n")
