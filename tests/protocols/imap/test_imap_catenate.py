"""CATENATE: messages out of texts and of what is here already (RFC 4469); long MULTIAPPENDs are read once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.protocols.imap.conftest import ImapSite
from worldmail.protocols.imap import catenating
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.testing.imap import ImapClient, talk_in_all_ways
from worldmail.testing.memory_contents import MemoryContents, MemoryPlaceWriter
from worldmail.testing.real_store import settle

MIXED = (
    b"Subject: two\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\none\r\n--b\r\nContent-Type: text/plain\r\n\r\n"
    + b"two " * 50
    + b"\r\n--b--\r\n"
)


@pytest.fixture
def client(site: ImapSite) -> ImapClient:
    site.store.add(site.accounts["bob"], b"Subject: x\r\n\r\ntext\r\n", MIXED)
    return site.client("bob")


def last(site: ImapSite, mailbox: str = "Drafts") -> bytes:
    """The newest message of bob's in a mailbox."""
    return messages(site, mailbox)[-1]


def messages(site: ImapSite, mailbox: str = "Drafts") -> list[bytes]:
    found = settle(site.store.world.messages.octets(site.store.status(site.accounts["bob"], mailbox).id, ((1, 999),)))
    return [octets or b"" for _, _, octets, _ in found]


def test_it_is_announced(client: ImapClient) -> None:
    assert {b"CATENATE", b"URL-PARTIAL"} <= set(client.say(b"CAPABILITY").untagged[0].split())


def test_texts_and_urls_become_one_message(site: ImapSite, client: ImapClient) -> None:
    done = client.say(
        b'APPEND Drafts (\\Seen) "01-Jan-2030 00:00:00 +0000" CATENATE (URL "/INBOX/;UID=2/;SECTION=HEADER"'
        b' TEXT {} URL "/INBOX/;UID=2/;SECTION=2" URL "/INBOX/;UID=1/;SECTION=TEXT/;PARTIAL=0.2" TEXT {+})',
        b"before\n",
        b"after",
    )
    assert done.status == b"OK"
    assert done.code is not None and done.code.startswith(b"APPENDUID ")
    header = MIXED[: MIXED.index(b"--b")]
    assert last(site) == header + b"before\r\n" + b"two " * 50 + b"te" + b"after"
    assert client.say(b"SELECT Drafts").status == b"OK"
    assert b"\\Seen" in client.say(b"FETCH 1 (FLAGS INTERNALDATE)").raw
    assert b"01-Jan-2030" in client.say(b"FETCH 1 (FLAGS INTERNALDATE)").raw


def test_urls_alone_will_do(site: ImapSite, client: ImapClient) -> None:
    assert client.say(b"APPEND Drafts CATENATE (URL /INBOX/;UID=1)").status == b"OK"
    assert last(site) == b"Subject: x\r\n\r\ntext\r\n"
    assert client.say(b"APPEND Drafts CATENATE (URL {} URL {+})", b"/INBOX/;UID=1", b"/INBOX/;UID=1").status == b"OK"
    assert last(site) == b"Subject: x\r\n\r\ntext\r\n" * 2
    assert client.session.progress is None


def test_several_messages_in_one_command(site: ImapSite, client: ImapClient) -> None:
    done = client.say(
        b"APPEND Drafts CATENATE (URL /INBOX/;UID=1) (\\Seen) {}"
        b" CATENATE (TEXT {} URL /INBOX/;UID=1/;SECTION=TEXT TEXT {}) CATENATE (URL /INBOX/;UID=1/;SECTION=TEXT)",
        b"Subject: plain\r\n\r\n",
        b"a",
        b"b",
    )
    assert done.status == b"OK", done.raw
    assert messages(site) == [
        b"Subject: x\r\n\r\ntext\r\n",
        b"Subject: plain\r\n\r\n",
        b"atext\r\nb",
        b"text\r\n",
    ]


def test_REPLACE_takes_it_too(site: ImapSite, client: ImapClient) -> None:
    assert client.say(b"SELECT INBOX").status == b"OK"
    done = client.say(b"UID REPLACE 1 INBOX CATENATE (TEXT {} URL ;UID=1/;SECTION=TEXT)", b"Subject: new\r\n\r\n")
    assert done.status == b"OK", done.raw
    assert last(site, "INBOX") == b"Subject: new\r\n\r\ntext\r\n"
    assert len(messages(site, "INBOX")) == 2


@pytest.mark.parametrize(
    "url",
    [
        b"/INBOX/;UID=1",
        b"imap://bob%40example.test@mail.example.test/INBOX/;UID=1",
        b"imap://mail.example.test/inbox/;uid=1",
        b"IMAP://bob@example.test@example.test:143/INBOX/;UID=1",
        b"//bob%40example.test;AUTH=*@mail.example.test/INBOX/;UID=1",
        b"/Sent/../INBOX/;UID=1",
    ],
)
def test_ones_own_messages_by_any_url_of_this_server(site: ImapSite, client: ImapClient, url: bytes) -> None:
    assert client.say(b'APPEND Drafts CATENATE (URL "%b")' % url).status == b"OK"
    assert last(site) == b"Subject: x\r\n\r\ntext\r\n"


def test_urls_are_seen_from_the_selected_mailbox(site: ImapSite, client: ImapClient) -> None:
    assert client.say(b"CREATE A/B").status == b"OK"
    assert client.say(b"CREATE A/C").status == b"OK"
    site.store.add(site.accounts["bob"], b"Subject: b\r\n\r\n", mailbox="A/B")
    site.store.add(site.accounts["bob"], b"Subject: c\r\n\r\n", mailbox="A/C")
    assert client.say(b'APPEND Drafts CATENATE (URL ";UID=1")').status == b"NO"
    assert client.say(b"SELECT A/B").status == b"OK"
    for url, subject in ((b";UID=1", b"b"), (b"C/;UID=1", b"c"), (b"../INBOX/;UID=1", b"x")):
        assert client.say(b'APPEND Drafts CATENATE (URL "%b")' % url).status == b"OK"
        assert last(site).startswith(b"Subject: %b\r\n" % subject)


@pytest.mark.parametrize(
    "url",
    [
        b"/INBOX/;UID=9",
        b"/INBOX/;UID=1/;SECTION=7",
        b"/INBOX/;UID=1/;SECTION=WHATEVER",
        b"/Nowhere/;UID=1",
        b"/Other%20Users/ann%40example.test/INBOX/;UID=1",
        b"/INBOX;UIDVALIDITY=1/;UID=1",
        b"/INBOX",
        b"/INBOX?ALL",
        b"imap://ann%40example.test@mail.example.test/INBOX/;UID=1",
        b"imap://bob%40example.test@other.test/INBOX/;UID=1",
        b"imap://other.test/INBOX/;UID=1",
        b"http://mail.example.test/INBOX/;UID=1",
        b"/%ff/;UID=1",
        b"/INBOX/;UID=1;URLAUTH=anonymous",
        b"/INBOX/;UID=1;URLAUTH=anonymous:internal:" + b"0" * 64,
        b"",
    ],
)
def test_a_bad_url_is_named_and_nothing_is_done(site: ImapSite, client: ImapClient, url: bytes) -> None:
    done = client.say(b'APPEND Drafts {} CATENATE (TEXT {} URL "%b" TEXT {+})' % url, b"Subject: p\r\n\r\n", b"a", b"b")
    assert (done.status, done.code) == (b"NO", b'BADURL "%b"' % url)
    done = client.say(b'APPEND Drafts CATENATE (URL /INBOX/;UID=1 URL "%b")' % url)
    assert (done.status, done.code) == (b"NO", b'BADURL "%b"' % url)
    assert messages(site) == []
    assert client.say(b"NOOP").status == b"OK"


def test_what_no_code_can_hold_is_encoded(client: ImapClient) -> None:
    done = client.say(b"APPEND Drafts CATENATE (URL {+})", b'/a]"\\\r\n\x80/;UID=1')
    assert done.code == b'BADURL "/a%5D%22%5C%0D%0A%80/;UID=1"'


def test_a_url_that_was_authorised_may_be_of_another(site: ImapSite, client: ImapClient) -> None:
    site.store.add(site.accounts["ann"], b"Subject: ann's\r\n\r\n")
    rump = b"imap://ann%40example.test@mail.example.test/INBOX/;UID=1;URLAUTH=user+bob%40example.test"
    url = site.client("ann").say(b'GENURLAUTH "%b" INTERNAL' % rump).untagged[0].split(b'"')[1]
    assert client.say(b'APPEND Drafts CATENATE (URL "%b")' % url).status == b"OK"
    assert last(site) == b"Subject: ann's\r\n\r\n"


def test_the_whole_may_not_be_too_big(site: ImapSite) -> None:
    site.store.add(site.add("cat", max_message=1000), b"x" * 400 + b"\r\n")
    cat = site.client("cat")
    for command in (
        b"APPEND Drafts CATENATE (URL /INBOX/;UID=1 URL /INBOX/;UID=1 URL /INBOX/;UID=1)",
        b"APPEND Drafts CATENATE (TEXT {+} URL /INBOX/;UID=1 URL /INBOX/;UID=1)",
        b"APPEND Drafts CATENATE (URL /INBOX/;UID=1 URL /INBOX/;UID=1 TEXT {})",
        b"APPEND Drafts CATENATE (URL /INBOX/;UID=1 URL /INBOX/;UID=1 TEXT {+})",
    ):
        done = cat.say(command, *([b"y" * 300] if b"{" in command else []))
        assert (done.status, done.code) == (b"NO", b"TOOBIG")
    assert b"MESSAGES 0" in cat.say(b"STATUS Drafts (MESSAGES)").raw
    assert cat.say(b"APPEND Drafts CATENATE (URL /INBOX/;UID=1 URL /INBOX/;UID=1)").status == b"OK"


def test_lines_go_on_from_text_to_text_and_what_is_binary_is_kept(site: ImapSite, client: ImapClient) -> None:
    assert client.say(b"APPEND Drafts CATENATE (TEXT {} TEXT {})", b"a\r", b"\nb\nc").status == b"OK"
    assert last(site) == b"a\r\nb\r\nc"
    done = client.say(b"APPEND Drafts CATENATE (TEXT {} TEXT ~{} TEXT {})", b"a\r", b"\0\n", b"\nd")
    assert done.status == b"OK", done.raw
    assert last(site) == b"a\r\n\0\n\r\nd"
    assert client.say(b"APPEND Drafts CATENATE (TEXT {+})", b"a\0b").status == b"BAD"


def test_UTF8_parts_need_UTF8(site: ImapSite, client: ImapClient) -> None:
    command = b"APPEND Drafts CATENATE (TEXT {} UTF8 (~{}) URL /INBOX/;UID=1/;SECTION=TEXT)"
    text = "Subject: grün\r\n\r\n".encode()
    assert client.say(command, b"To: x\r\n", text).status == b"BAD"
    assert client.say(b"ENABLE UTF8=ACCEPT").status == b"OK"
    assert client.say(command, b"To: x\r\n", text).status == b"OK"
    assert last(site) == b"To: x\r\n" + text + b"text\r\n"


@pytest.mark.parametrize(
    "arguments",
    [
        b"CATENATE ()",
        b"CATENATE",
        b"CATENATE (URL)",
        b"CATENATE (URL /INBOX/;UID=1",
        b"CATENATE (URL /INBOX/;UID=1 )",
        b'CATENATE (TEXT "x")',
        b"CATENATE (TEXT /INBOX/;UID=1)",
        b"CATENATE (FILE x)",
        b"CATENATE (URL /INBOX/;UID=1) x",
        b"CATENATE (URL /INBOX/;UID=1)CATENATE (URL /INBOX/;UID=1)",
    ],
)
def test_what_is_no_catenate_is_BAD(site: ImapSite, client: ImapClient, arguments: bytes) -> None:
    assert client.say(b"APPEND Drafts " + arguments).status == b"BAD"
    assert messages(site) == []


def test_nothing_at_all_is_no_message(client: ImapClient) -> None:
    assert client.say(b"APPEND Drafts CATENATE (TEXT {})", b"").status == b"NO"
    assert client.say(b"APPEND Drafts CATENATE (URL /INBOX/;UID=1/;PARTIAL=99999)").status == b"NO"


def test_parts_and_octets_of_a_command_are_bounded(
    site: ImapSite, client: ImapClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = b"URL /INBOX/;UID=1/;PARTIAL=0.1"
    done = client.say(b"APPEND Drafts CATENATE (%b)" % b" ".join([url] * 1001))
    assert (done.status, done.code) == (b"NO", b"LIMIT")
    monkeypatch.setattr(catenating, "MOST_COPIED", 100)
    site.add("cat", max_message=40)
    cat = site.client("cat")
    site.store.add(site.accounts["cat"], b"x" * 24)
    messages = b" ".join([b"CATENATE (URL /INBOX/;UID=1/;PARTIAL=0.9)"] * 4)
    done = cat.say(b"APPEND Drafts " + messages)
    assert (done.status, done.code) == (b"NO", b"LIMIT")
    assert cat.say(b"APPEND Drafts " + messages[: messages.rindex(b" CATENATE")]).status == b"OK"


@pytest.fixture
def given_up(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Writers of large content that were begun; those that were given up are taken out."""
    begun: list[object] = []
    create, abort = MemoryContents.create, MemoryPlaceWriter.abort

    def noted(contents: MemoryContents) -> MemoryPlaceWriter:
        begun.append(writer := create(contents))
        return writer

    def aborted(writer: MemoryPlaceWriter) -> Any:
        begun.remove(writer)
        return abort(writer)

    monkeypatch.setattr(MemoryContents, "create", noted)
    monkeypatch.setattr(MemoryPlaceWriter, "abort", aborted)
    return begun


def large(site: ImapSite) -> None:
    site.store.store.acceptance._inline_limit = 10
    site.store.add(site.accounts["bob"], b"Subject: large\r\n\r\n" + b"x" * 400_000)


def test_a_refused_message_leaves_nothing_behind(site: ImapSite, client: ImapClient, given_up: list[object]) -> None:
    large(site)
    before, given_up[:] = set(site.store.contents.kept), []
    done = client.say(
        b"APPEND Drafts CATENATE (TEXT {} URL /INBOX/;UID=3) CATENATE (URL /INBOX/;UID=3) CATENATE (URL /INBOX/;UID=9)",
        b"y" * 100_000,
    )
    assert done.code == b'BADURL "/INBOX/;UID=9"'
    assert set(site.store.contents.kept) == before and given_up == []
    assert client.say(b"APPEND Drafts CATENATE (URL /INBOX/;UID=3 TEXT {})", b"y" * 100_000).status == b"OK"
    (row,) = settle(site.store.world.messages.stored(site.store.status(site.accounts["bob"], "Drafts").id, ((1, 9),)))
    assert row.size == 500_018


def test_a_client_that_leaves_leaves_nothing_behind(site: ImapSite, client: ImapClient, given_up: list[object]) -> None:
    large(site)
    given_up.clear()
    client.send(b"x APPEND Drafts CATENATE (URL /INBOX/;UID=3 TEXT {10}\r\nxxx")
    assert len(given_up) == 1
    client.drop()
    assert given_up == []


def test_the_same_however_it_is_cut(site: ImapSite) -> None:
    def make() -> Any:
        fresh = ImapSite.make()
        fresh.store.add(fresh.accounts["bob"], b"Subject: x\r\n\r\ntext\r\n")
        return fresh.server

    said = talk_in_all_ways(
        make,
        [
            b"a LOGIN bob@example.test secret\r\n",
            b"b APPEND Drafts CATENATE (URL {13+}\r\n/INBOX/;UID=1 TEXT {3+}\r\nabc URL /INBOX/;UID=1) {2+}\r\nhi\r\n",
            b"c STATUS Drafts (MESSAGES SIZE)\r\nd APPEND Drafts CATENATE (TEXT {1+}\r\nx URL /x TEXT {2+}\r\nzz)\r\n",
        ],
    )
    assert b"b OK [APPENDUID" in said
    assert b"(MESSAGES 2 SIZE 45)" in said
    assert b'd NO [BADURL "/x"]' in said


def test_each_message_of_a_long_command_is_read_once(
    client: ImapClient, site: ImapSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = {"literal": 0, "flags": 0}

    def counted(name: str) -> Any:
        original = getattr(Reader, name)

        def count(self: Reader) -> Any:
            counts[name] += 1
            return original(self)

        return count

    for name in counts:
        monkeypatch.setattr(Reader, name, counted(name))
    many = 300
    command = b"APPEND Drafts" + b" (\\Seen) {+}" * many
    assert client.say(command, *[b"Subject: %d\r\n\r\n" % number for number in range(many)]).status == b"OK"
    assert len(messages(site)) >= 256
    # Once while they come, once when the command is whole.
    assert counts["literal"] <= 2 * many and counts["flags"] <= 2 * many


def test_what_stands_between_messages_is_bounded(client: ImapClient) -> None:
    client.send(b"x APPEND Drafts")
    keywords = b" ".join(b"k%d" % number for number in range(5000))
    answer = b""
    for _ in range(40):
        answer += client.send(b" (%b) {1}\r\nx" % keywords)
        if b"x NO" in answer:
            break
    assert b"x NO [TOOBIG]" in answer
