"""FETCH and UID FETCH (RFC 9051 §6.4.5, §6.4.9)."""

from __future__ import annotations

import re

import pytest

from tests.protocols.imap.conftest import ImapSite
from worldmail.interfaces.messages import Flag
from worldmail.testing.imap import ImapClient, ImapServer, talk_in_all_ways
from worldmail.testing.real_store import RealStoreWorld, settle

SIMPLE = b"From: Ann <ann@example.test>\r\nSubject: first\r\nMessage-ID: <1@example.test>\r\n\r\nHello.\r\n"
PARTS = (
    b"From: ann@example.test\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\none\r\n"
    b"--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\nAAECAw==\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nwithin\r\n"
    b"--b\r\nContent-Transfer-Encoding: x-unknown\r\n\r\nthree\r\n"
    b"--b--\r\n"
)
LITERAL = re.compile(rb"~?\{(\d+)\}\r\n")


@pytest.fixture
def client(site: ImapSite) -> ImapClient:
    """Bob, in his INBOX with two messages, of which the first is read."""
    bob = site.accounts["bob"]
    site.store.add(bob, SIMPLE, flags=Flag.SEEN)
    site.store.add(bob, PARTS)
    client = site.client()
    client.session.enable("IMAP4REV2")
    client.say(b"SELECT INBOX")
    return client


def item(client: ImapClient, number: int, what: bytes) -> bytes:
    """The value of one item."""
    done = client.say(b"FETCH %d (%b)" % (number, what))
    assert done.status == b"OK", done
    (line,) = done.untagged
    _, _, rest = line.partition(b" FETCH (")
    value = rest[rest.index(b"] " if b"[" in rest.split(b" {")[0] else b" ") + 1 :].removesuffix(b")")
    value = value.removeprefix(b"<0> ").removeprefix(b" ")
    literal = LITERAL.match(value)
    return value[literal.end() : literal.end() + int(literal[1])] if literal else value


def test_the_items_of_a_message_come_in_the_order_in_which_they_were_asked_for(client: ImapClient) -> None:
    done = client.say(b"FETCH 1 (RFC822.SIZE UID FLAGS INTERNALDATE)")
    expected = b'* 1 FETCH (RFC822.SIZE %d UID 1 FLAGS (\\Seen) INTERNALDATE "17-Mar-2030 17:46:40 +0000")'
    assert done.untagged == [expected % len(SIMPLE)]


@pytest.mark.parametrize(
    ("macro", "items"),
    [
        (b"FAST", b"(FLAGS INTERNALDATE RFC822.SIZE)"),
        (b"ALL", b"(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)"),
        (b"FULL", b"(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY)"),
    ],
)
def test_a_macro_stands_for_its_items_and_stands_alone(client: ImapClient, macro: bytes, items: bytes) -> None:
    assert client.say(b"FETCH 1:2 " + macro).untagged == client.say(b"FETCH 1:2 " + items).untagged
    assert client.say(b"FETCH 1 (%b)" % macro).status == b"BAD"


@pytest.mark.parametrize(
    ("what", "value"),
    [
        (b"BODY.PEEK[]", PARTS),
        (b"BODY.PEEK[HEADER]", PARTS[: PARTS.index(b"\r\n\r\n") + 4]),
        (b"BODY.PEEK[TEXT]", PARTS[PARTS.index(b"\r\n\r\n") + 4 :]),
        (b"BODY.PEEK[HEADER.FIELDS (From)]", b"From: ann@example.test\r\n\r\n"),
        (b"BODY.PEEK[HEADER.FIELDS.NOT (content-type mime-version)]", b"From: ann@example.test\r\n\r\n"),
        (b"BODY.PEEK[1]", b"one"),
        (b"BODY.PEEK[1.MIME]", b"Content-Type: text/plain\r\n\r\n"),
        (b"BODY.PEEK[3]", b"Subject: inner\r\n\r\nwithin"),
        (b"BODY.PEEK[3.HEADER]", b"Subject: inner\r\n\r\n"),
        (b"BODY.PEEK[3.TEXT]", b"within"),
        (b"BODY.PEEK[3.1]", b"within"),
        (b"BODY.PEEK[9]", b"NIL"),
        (b"BODY.PEEK[]<0.4>", b"From"),
        (b"BODY.PEEK[TEXT]<0.3>", b"--b"),
        (b"BINARY.PEEK[2]", b"\0\1\2\3"),
        (b"BINARY.PEEK[2]<1.2>", b"\1\2"),
        (b"BINARY.SIZE[2]", b"4"),
        (b"BINARY.PEEK[]", PARTS),
    ],
)
def test_a_section_is_what_its_number_says(client: ImapClient, what: bytes, value: bytes) -> None:
    done = client.say(b"FETCH 2 " + what)
    assert done.status == b"OK"
    assert value in done.raw
    literal = LITERAL.search(done.raw)
    if literal is not None:
        assert done.raw[literal.end() : literal.end() + int(literal[1])] == value


def test_a_part_without_a_NUL_comes_as_a_literal_and_one_with_as_a_literal8(client: ImapClient) -> None:
    assert b"BINARY[2] ~{4}\r\n" in client.say(b"FETCH 2 BINARY.PEEK[2]").raw
    assert b"BINARY[1] {3}\r\n" in client.say(b"FETCH 2 BINARY.PEEK[1]").raw


def test_a_part_in_an_unknown_encoding_is_refused_with_UNKNOWN_CTE(client: ImapClient) -> None:
    for what in (b"BINARY.PEEK[4]", b"BINARY.SIZE[4]"):
        done = client.say(b"FETCH 2 " + what)
        assert (done.status, done.code) == (b"NO", b"UNKNOWN-CTE")


def test_an_octet_beyond_the_end_is_the_empty_string(client: ImapClient) -> None:
    assert b"BODY[]<5000> {0}\r\n" in client.say(b"FETCH 2 BODY.PEEK[]<5000.10>").raw


def test_the_old_names_of_RFC_3501_give_the_same(client: ImapClient) -> None:
    assert b"RFC822 {%d}\r\n%b" % (len(SIMPLE), SIMPLE) in client.say(b"FETCH 1 RFC822").raw
    assert b"RFC822.TEXT {8}\r\nHello.\r\n" in client.say(b"FETCH 1 RFC822.TEXT").raw
    assert b"RFC822.HEADER {%d}" % (len(SIMPLE) - 8) in client.say(b"FETCH 1 RFC822.HEADER").raw


@pytest.mark.parametrize("what", [b"BODY[]", b"BODY[1]", b"RFC822", b"RFC822.TEXT", b"BINARY[1]", b"BODY[]<0.1>"])
def test_octets_without_PEEK_set_Seen_and_tell_it(client: ImapClient, what: bytes) -> None:
    assert client.say(b"FETCH 2 " + what).raw.split(b"\r\n")[-3].endswith(b" FLAGS (\\Seen))")
    assert client.say(b"FETCH 2 FLAGS").untagged == [b"* 2 FETCH (FLAGS (\\Seen))"]
    assert b"FLAGS" not in client.say(b"FETCH 2 " + what).raw


@pytest.mark.parametrize("what", [b"BODY.PEEK[]", b"RFC822.HEADER", b"BINARY.PEEK[1]", b"BINARY.SIZE[1]", b"ENVELOPE"])
def test_what_only_looks_sets_nothing(client: ImapClient, what: bytes) -> None:
    client.say(b"FETCH 2 " + what)
    assert client.say(b"FETCH 2 FLAGS").untagged == [b"* 2 FETCH (FLAGS ())"]


def test_UID_FETCH_always_tells_the_UID(client: ImapClient) -> None:
    assert client.say(b"UID FETCH 1:* FLAGS").untagged[0] == b"* 1 FETCH (UID 1 FLAGS (\\Seen))"
    assert client.say(b"UID FETCH 77 FLAGS").untagged == []
    assert client.say(b"UID FETCH 77:* UID").untagged == [b"* 2 FETCH (UID 2)"]


def test_a_number_beyond_the_last_message_is_BAD(client: ImapClient) -> None:
    assert client.say(b"FETCH 3 FLAGS").status == b"BAD"


@pytest.mark.parametrize(
    "arguments",
    [
        b"",
        b"1",
        b"1 ()",
        b"1 NOTHING",
        b"1 (FLAGS",
        b"0 FLAGS",
        b"1 BODY[",
        b"1 BODY[MIME]",
        b"1 BODY[1.]",
        b"1 BODY[0]",
        b"1 BODY[HEADER.FIELDS]",
        b"1 BODY[HEADER.FIELDS ()]",
        b"1 BODY[]<0.0>",
        b"1 BODY[]<1>",
        b"1 BINARY[TEXT]",
        b"1 BINARY.SIZE[1]<0.1>",
        b"1 FLAGS (CHANGEDSINCE)",
        b"1 FLAGS ()",
        b"1 FLAGS (NOTHING 1)",
        b"1 FLAGS (PARTIAL 1:2)",
        b"1 FLAGS (CHANGEDSINCE 1 VANISHED)",
        b"1 (" + b" ".join(b"BODY[%d]" % part for part in range(1, 70)) + b")",
    ],
)
def test_what_is_none_is_BAD(client: ImapClient, arguments: bytes) -> None:
    assert client.say(b"FETCH " + arguments).status == b"BAD"


def test_CHANGEDSINCE_gives_those_alone_and_their_MODSEQ(client: ImapClient) -> None:
    before = int(re.search(rb"MODSEQ \((\d+)\)", client.say(b"FETCH 2 MODSEQ").raw)[1])  # type: ignore[index]
    client.say(b"STORE 1 +FLAGS (\\Flagged)")
    done = client.say(b"FETCH 1:* (FLAGS) (CHANGEDSINCE %d)" % before)
    assert [line.split(b" ")[1] for line in done.untagged] == [b"1"]
    assert b"MODSEQ (" in done.untagged[0]


def test_flags_that_changed_since_are_told_without_loading_the_rest(site: ImapSite) -> None:
    bob = site.accounts["bob"]
    site.store.add(bob, *[SIMPLE] * 30)
    other, client = site.client(), site.client()
    other.say(b"SELECT INBOX")
    before = site.store.status(bob).highestmodseq
    other.say(b"STORE 3,20 +FLAGS (\\Flagged)")
    client.say(b"SELECT INBOX")
    other.say(b"STORE 1 +FLAGS (\\Deleted)")
    other.say(b"EXPUNGE")
    done = client.say(b"UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d)" % before)
    told = [line for line in done.untagged if b"Flagged" in line]
    assert [line.split(b" MODSEQ")[0] for line in told] == [b"* 3 FETCH (UID 3", b"* 20 FETCH (UID 20"]
    assert done.untagged[-1] == b"* 1 EXPUNGE"
    view = client.session.selected.view  # type: ignore[union-attr]  # it is selected
    assert len(view.uids) < 5


def test_UID_FETCH_with_VANISHED_tells_what_went_since(site: ImapSite, client: ImapClient) -> None:
    client.say(b"ENABLE QRESYNC")
    before = site.store.status(site.accounts["bob"]).highestmodseq
    client.say(b"STORE 1 +FLAGS (\\Deleted)")
    client.say(b"EXPUNGE")
    done = client.say(b"UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d VANISHED)" % before)
    assert done.untagged[0] == b"* VANISHED (EARLIER) 1"


def test_PARTIAL_gives_the_first_or_the_last_of_them(site: ImapSite, client: ImapClient) -> None:
    site.store.add(site.accounts["bob"], *[SIMPLE] * 5)
    assert [line.split(b" ")[1] for line in client.say(b"UID FETCH 2:* UID (PARTIAL 1:2)").untagged[1:]] == [b"2", b"3"]
    assert [line.split(b" ")[1] for line in client.say(b"UID FETCH 1:* UID (PARTIAL -1:-2)").untagged] == [b"6", b"7"]
    assert client.say(b"UID FETCH 1:* UID (PARTIAL 9:12)").untagged == []
    assert client.say(b"UID FETCH 1:* UID (PARTIAL 1:-2)").status == b"BAD"


def test_identifiers_stay_with_the_content(client: ImapClient) -> None:
    ids = item(client, 1, b"EMAILID")
    client.say(b"COPY 1 Trash")
    client.say(b"SELECT Trash")
    assert item(client, 1, b"EMAILID") == ids
    assert re.fullmatch(rb"\([A-Za-z0-9_-]{1,255}\)", item(client, 1, b"THREADID"))
    assert item(client, 1, b"SAVEDATE") == b'"17-Mar-2030 17:46:40 +0000"'


def test_PREVIEW_is_the_beginning_of_the_text(client: ImapClient) -> None:
    assert client.say(b"FETCH 1 PREVIEW").status == b"OK"
    assert client.say(b"FETCH 1 (PREVIEW (LAZY))").status == b"OK"
    assert client.say(b"FETCH 1 PREVIEW (LAZY)").status == b"OK"
    assert client.say(b"FETCH 1 (PREVIEW (lAzY) UID)").status == b"OK"


def test_messages_that_others_expunged_are_told_with_EXPUNGEISSUED(site: ImapSite, client: ImapClient) -> None:
    other = site.client()
    other.say(b"SELECT INBOX")
    other.say(b"STORE 1 +FLAGS (\\Deleted)")
    other.say(b"EXPUNGE")
    done = client.say(b"FETCH 1:2 FLAGS")
    assert done.untagged == [b"* 2 FETCH (FLAGS ())"]
    assert (done.status, done.code) == (b"NO", b"EXPUNGEISSUED")
    assert client.say(b"UID FETCH 1:2 FLAGS").status == b"OK"


@pytest.fixture
def large() -> ImapClient:
    """Bob, with one message that is not kept in the database."""
    store = RealStoreWorld.make(inline_limit=1024)
    bob = store.add_account("bob@example.test")
    body = b"--b\r\n\r\none\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b"QUJD\r\n" * 50_000 + b"--b--\r\n"
    store.add(bob, b"Content-Type: multipart/mixed; boundary=b\r\nSubject: s\r\n\r\n" + body)
    client = ImapServer.over(store.world).connect().login()
    client.say(b"SELECT INBOX")
    return client


def test_a_large_message_is_the_same_as_a_small_one(large: ImapClient) -> None:
    sent = large.say(b"FETCH 1 (UID BODY[] BODY[1] BODY[2]<0.8> BODY[HEADER.FIELDS (Subject)] BINARY.SIZE[2])")
    assert sent.status == b"OK"
    raw = sent.raw
    size = int(re.search(rb"BODY\[\] \{(\d+)\}", raw)[1])  # type: ignore[index]
    assert raw.startswith(b"* 1 FETCH (UID 1 BODY[] {%d}\r\nContent-Type: multipart" % size)
    assert b" BODY[1] {3}\r\none BODY[2]<0> {8}\r\nQUJD\r\nQU BODY[HEADER.FIELDS (Subject)] {14}\r\n" in raw
    assert b"BINARY.SIZE[2] 150000 FLAGS (\\Seen \\Recent))\r\n" in raw
    decoded = large.say(b"FETCH 1 BINARY.PEEK[2]<3.6>").raw
    assert b"BINARY[2]<3> ~{6}\r\nABCABC)\r\n" in decoded
    assert len(large.say(b"FETCH 1 BINARY.PEEK[2]").raw) > 150_000
    header = large.say(b"FETCH 1 (BODY.PEEK[HEADER] RFC822.SIZE)").raw
    assert b"Subject: s\r\n\r\n RFC822.SIZE %d)" % size in header


def test_a_large_part_in_many_portions_is_looked_for_once(large: ImapClient) -> None:
    assert b"BODY[2]<0> {3}\r\nQUJ" in large.say(b"FETCH 1 BODY.PEEK[2]<0.3>").raw
    contents = large.session.world.messages
    asked: list[int] = []
    read = contents.read

    def counted(mailbox_id: int, uid: int, offset: int = 0, length: int | None = None) -> object:
        asked.append(length or 0)
        return read(mailbox_id, uid, offset, length)

    large.session.selected.messages = type("Counted", (), {"read": staticmethod(counted), "octets": contents.octets})()  # type: ignore[union-attr]  # it is selected
    assert b"BODY[2]<3> {5}\r\nD\r\nQU" in large.say(b"FETCH 1 BODY.PEEK[2]<3.5>").raw
    assert asked[1:] == [5]


def test_a_large_message_comes_in_chunks_of_bounded_size(large: ImapClient) -> None:
    dialogue = large.conductor.dialogue
    dialogue.receive(b"x FETCH 1 BODY.PEEK[]\r\n")
    (stream,) = settle(dialogue.handle(dialogue.next_event()))

    async def sizes() -> list[int]:
        return [len(chunk) async for chunk in stream.chunks]

    found = settle(sizes())
    assert len(found) > 4
    assert max(found) < 66_000


def test_many_bodies_come_in_batches_of_bounded_size(site: ImapSite) -> None:
    site.store.add(site.accounts["bob"], *[SIMPLE + b"x" * 20_000 + b"\r\n"] * 60)
    client = site.client()
    client.say(b"SELECT INBOX")
    dialogue = client.conductor.dialogue
    dialogue.receive(b"x FETCH 1:* BODY.PEEK[]\r\n")
    (stream,) = settle(dialogue.handle(dialogue.next_event()))

    async def sizes() -> list[int]:
        return [len(chunk) async for chunk in stream.chunks]

    found = settle(sizes())
    assert sum(found) > 60 * 20_000
    assert max(found) < 270_000


def test_binary_content_is_given_in_base64_but_for_BINARY(site: ImapSite) -> None:
    header = b"MIME-Version: 1.0\r\nContent-Type: image/x-test\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    octets = header + b"\0\r\1\n\2"
    client = site.client()
    client.say(b"SELECT INBOX")
    assert client.say(b"APPEND INBOX ~{}", octets).status == b"OK"
    done = client.say(b"FETCH 1 (BODY.PEEK[] BODY.PEEK[1] BINARY.PEEK[1] BINARY.SIZE[1])")
    assert b"Content-Transfer-Encoding: base64\r\n\r\nAA0BCgI=\r\n BODY[1] {10}\r\nAA0BCgI=\r\n" in done.raw
    assert b"BINARY[1] ~{5}\r\n\0\r\1\n\2 BINARY.SIZE[1] 5)" in done.raw


def test_octets_are_answered_alike_however_they_come() -> None:
    def make() -> ImapServer:
        store = RealStoreWorld.make()
        store.add(store.add_account("bob@example.test"), SIMPLE, PARTS)
        return ImapServer.over(store.world)

    said = talk_in_all_ways(
        make,
        [
            b"a LOGIN bob@example.test secret\r\nb SELECT INBOX\r\nc FETCH 1:",
            b"* (FLAGS BODY[])\r\nd UID FETCH {1+}\r\n1 FLAGS\r\ne STORE 1 FLA",
            b"GS.SILENT ()\r\nf FETCH 1:2 BODYSTRUCTURE\r\ng EXPUNGE\r\n",
        ],
    )
    for tag in (b"a", b"b", b"c", b"e", b"f", b"g"):
        assert b"\r\n%b OK " % tag in said
    assert b"\r\nd BAD " in said
