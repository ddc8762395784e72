"""What ENABLE IMAP4rev2 and ENABLE UTF8=ACCEPT change (RFC 9051 Appendix E, RFC 6855)."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from tests.protocols.imap.conftest import ImapSite
from worldmail.protocols.imap.message_sink import AsciiHeader, RawHeader
from worldmail.testing.imap import ImapClient

IMPLIED = (
    *("NAMESPACE", "UNSELECT", "UIDPLUS", "ESEARCH", "SEARCHRES", "ENABLE", "IDLE", "SASL-IR", "LIST-EXTENDED"),
    *("LIST-STATUS", "MOVE", "LITERAL+", "BINARY", "SPECIAL-USE", "STATUS=SIZE"),
)
MAIL = b"From: a@example.test\r\nSubject: x\r\n\r\ntext\r\n"


@pytest.fixture
def rev2(bob: ImapClient, site: Any) -> ImapClient:
    """Bob, who speaks IMAP4rev2, with a message in INBOX."""
    site.store.add(site.accounts["bob"], MAIL)
    assert bob.say(b"ENABLE imap4rev2").untagged == [b"* ENABLED IMAP4rev2"]
    return bob


def test_both_revisions_are_announced_with_all_that_the_second_implies(bob: ImapClient) -> None:
    (line,) = bob.say(b"CAPABILITY").untagged
    names = line.split()[2:]
    assert names[:2] == [b"IMAP4rev1", b"IMAP4rev2"]
    # RFC 9051 Appendix E: what became part of IMAP4rev2 is still to be announced for clients of IMAP4rev1.
    for name in IMPLIED:
        assert name.encode() in names, name


def test_SELECT_tells_no_RECENT_and_no_UNSEEN_but_the_name(rev2: ImapClient) -> None:
    answer = rev2.say(b"SELECT inbox")
    assert not answer.of(b"RECENT")
    assert not [line for line in answer.untagged if b"UNSEEN" in line]
    assert answer.of(b"LIST") == [b'* LIST (\\HasNoChildren) "/" INBOX']
    assert b"\\Recent" not in rev2.say(b"FETCH 1 (FLAGS)").raw


def test_switching_mailboxes_tells_where_the_old_one_ends(rev2: ImapClient) -> None:
    rev2.say(b"SELECT INBOX")
    assert [line for line in rev2.say(b"SELECT Sent").untagged if b"[CLOSED]" in line]


def test_SEARCH_is_answered_by_ESEARCH(rev2: ImapClient) -> None:
    rev2.say(b"SELECT INBOX")
    answer = rev2.say(b"SEARCH ALL")
    assert answer.of(b"ESEARCH") == [b'* ESEARCH (TAG "a%d") ALL 1' % rev2.number]
    assert not answer.of(b"SEARCH")


def test_names_are_in_UTF8(rev2: ImapClient, site: Any) -> None:
    name = "Entwürfe".encode()
    assert rev2.say(b'CREATE "' + name + b'"').status == b"OK"
    assert [line for line in rev2.say(b'LIST "" "Entw*"').of(b"LIST") if name in line]
    other = site.client("bob")
    assert [line for line in other.say(b'LIST "" "Entw*"').of(b"LIST") if b"Entw&APw-rfe" in line]


def test_messages_that_arrive_are_told_without_RECENT(rev2: ImapClient, site: Any) -> None:
    rev2.say(b"SELECT INBOX")
    site.store.add(site.accounts["bob"], MAIL)
    assert rev2.say(b"NOOP").untagged == [b"* 2 EXISTS"]


def test_after_UTF8_ACCEPT_a_charset_may_not_be_named(bob: ImapClient, site: Any) -> None:
    site.store.add(site.accounts["bob"], MAIL)
    bob.say(b"SELECT INBOX")
    assert bob.say(b"SEARCH CHARSET UTF-8 SUBJECT x").status == b"OK"
    assert bob.say(b"ENABLE UTF8=ACCEPT").untagged == [b"* ENABLED UTF8=ACCEPT"]
    assert bob.say(b"SEARCH CHARSET UTF-8 SUBJECT x").status == b"BAD"
    assert bob.say(b'SEARCH SUBJECT "\xc3\xbc"').of(b"SEARCH") == [b"* SEARCH"]


RAW = "Subject: x\r\nFrom: bü@example.test\r\n\r\ntext\r\n"


@pytest.mark.parametrize("octets", [RAW.encode(), RAW.encode("latin-1"), RAW[:18].encode() + b"\xfc"])
@pytest.mark.parametrize("literal", [b"{}", b"{+}", b"~{}"])
def test_raw_headers_are_refused_where_the_site_says_so_from_those_who_did_not_enable_them(
    octets: bytes, literal: bytes
) -> None:
    bob = ImapSite.make(append_8bit_headers=False).client()
    for piece in (b"", b"x" * 5000):  # literals that are kept with their command, and that are streamed
        done = bob.say(b"APPEND INBOX " + literal, octets.replace(b"x", b"x" + piece))
        assert (done.status, done.code) == (b"NO", b"CANNOT")  # RFC 6855 §4
    assert bob.say(b"STATUS INBOX (MESSAGES)").untagged == [b"* STATUS INBOX (MESSAGES 0)"]


@pytest.mark.parametrize("name", [b"UTF8=ACCEPT", b"IMAP4rev2"])
def test_raw_headers_are_taken_from_those_who_did(name: bytes) -> None:
    bob = ImapSite.make(append_8bit_headers=False).client()
    bob.say(b"ENABLE " + name)
    assert bob.say(b"APPEND INBOX {}", RAW.encode()).status == b"OK"


@pytest.mark.parametrize(
    "octets",
    ["\r\ntextü\r\n", "\ntextü\n", "A: b\r\n\r\nü", "A: b\n\nü", "A: b\r\n\r\nContent-Type: x/y\r\n\r\n" + RAW],
)
@pytest.mark.parametrize("literal", [b"{}", b"~{}"])
def test_8_bit_text_is_no_raw_header(bob: ImapClient, octets: str, literal: bytes) -> None:
    assert bob.say(b"APPEND INBOX " + literal, octets.encode()).status == b"OK"


def test_the_end_of_a_header_is_seen_wherever_it_is_cut() -> None:
    for octets, raw in (
        ("A: b\r\n\r\nü", False),
        ("\r\nü", False),
        ("A: b\r\nC: ü\r\n\r\n", True),
        ("A: b\n\nü", False),
    ):
        whole = octets.encode()
        for cut in range(len(whole)):
            header = AsciiHeader()
            with pytest.raises(RawHeader) if raw else nullcontext():
                assert not (header.takes(whole[:cut]) and header.takes(whole[cut:]))


def test_old_mail_with_raw_headers_is_taken_from_everybody(bob: ImapClient) -> None:
    assert bob.say(b"APPEND INBOX {}", RAW.encode("latin-1")).status == b"OK"


def test_after_UTF8_ACCEPT_messages_with_UTF8_headers_are_taken(bob: ImapClient) -> None:
    octets = "Subject: Grüße\r\n\r\nx\r\n".encode()
    assert bob.say(b"APPEND INBOX UTF8 (~{})", octets).status in (b"NO", b"BAD")
    bob.say(b"ENABLE UTF8=ACCEPT")
    assert bob.say(b"APPEND INBOX UTF8 (~{})", octets).status == b"OK"


def test_what_is_quoted_must_be_UTF_8_once_that_is_enabled(site: Any) -> None:
    client = site.client()
    assert client.say(b"ENABLE UTF8=ACCEPT").status == b"OK"
    for command in (b'CREATE "\xff\xfe"', b'STATUS "\xc3" (MESSAGES)', b'LIST "" "\xe4*"', b'ID ("name" "\xfc")'):
        assert client.say(command).status == b"BAD", command  # RFC 6855 §3
    assert client.say('CREATE "\xe4"'.encode()).status == b"OK"
