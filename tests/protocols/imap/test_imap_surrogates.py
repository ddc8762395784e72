"""Headers in ASCII for clients that enabled no UTF-8, where a site wants it (RFC 6855 §8, RFC 6857, RFC 6858 §3)."""

from __future__ import annotations

import re

import pytest

from tests.mail.mime.test_surrogates import NESTED
from worldmail.mail.mime.surrogates import surrogate_message
from worldmail.protocols.imap.fetch import surrogates
from worldmail.store.messages import messages as store_messages
from worldmail.testing.imap import ImapClient, ImapServer
from worldmail.testing.real_store import RealStoreWorld, settle

PLAIN = b"Subject: plain\r\nFrom: a@example.test\r\n\r\ntext\r\n"
BODY = "Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\ntëxt\r\n".encode()
RAW = "Subject: grüße\r\nFrom: Jü <jü@bücher.example>\r\nTo: é <e@example.test>\r\n\r\ntëxt\r\n".encode()
LATIN = "Subject: grüße\r\nX: y\r\n\r\ntext\r\n".encode("latin-1")
HIDDEN = (
    "Subject: x\r\nContent-Type: message/rfc822\r\n\r\nX-Hidden: hidden höader\r\nSubject: inner\r\n\r\ntext\r\n"
).encode()
BINARY = "Subject: ü\r\nContent-Type: application/x\r\nContent-Transfer-Encoding: binary\r\n\r\n".encode() + bytes(
    range(256)
)
LARGE = NESTED.replace(b"\r\nt\xc3\xabxt\r\n", b"\r\n" + b"0123456789abcdef\r\n" * 300)
MESSAGES = (PLAIN, BODY, RAW, LATIN, NESTED, HIDDEN, BINARY, LARGE)
RAW_UIDS = b"3:8"

SECTIONS = (
    *("", "HEADER", "TEXT", "HEADER.FIELDS (Subject To X)", "HEADER.FIELDS.NOT (Subject)", "1", "1.MIME", "2"),
    *("2.MIME", "2.HEADER", "2.HEADER.FIELDS (From Subject X)", "2.TEXT", "2.1", "3.HEADER", "3", "1.HEADER", "9"),
)
ITEMS = (
    *("ENVELOPE", "BODYSTRUCTURE", "BODY", "RFC822", "RFC822.HEADER", "RFC822.TEXT", "BINARY.PEEK[]", "BINARY.PEEK[1]"),
    *("BINARY.SIZE[1]", "BINARY.SIZE[2]", "(FLAGS ENVELOPE BODY.PEEK[HEADER] BODYSTRUCTURE)", "PREVIEW"),
    *("(BODY.PEEK[HEADER.FIELDS (Subject)]<2.9> BODY.PEEK[TEXT]<3.7>)", "(BODY.PEEK[]<5.1> BODY.PEEK[2.HEADER])"),
    *(f"BODY.PEEK[{section}]" for section in SECTIONS),
    *(f"BODY.PEEK[{section}]<{cut}>" for section in SECTIONS for cut in ("0.1", "10.40", "30.100000", "9999.1")),
)


def connect(messages: tuple[bytes, ...] = MESSAGES, *, inline: int = 1 << 20, **settings: bool) -> ImapClient:
    """Bob, who has selected his INBOX with these messages."""
    store = RealStoreWorld.make(inline_limit=inline)
    store.add(store.add_account("bob@example.test", "secret"), *messages)
    client = ImapServer.over(store.world, **settings).connect().login()
    assert client.say(b"SELECT INBOX").status == b"OK"
    return client


def fetched(client: ImapClient, command: str) -> bytes:
    """All that came before the tagged reply."""
    done = client.say(command.encode())
    assert done.status == b"OK", done
    return b"".join(line + b"\r\n" for line in done.untagged)


def literal_of(answer: bytes) -> bytes:
    found = re.search(rb"\{(\d+)\}\r\n", answer)
    assert found is not None
    return answer[found.end() : found.end() + int(found[1])]


@pytest.mark.parametrize("inline", [1 << 20, 1000, 10])
def test_all_is_as_if_the_surrogates_had_been_stored(inline: int) -> None:
    given = connect(inline=inline, utf8_surrogates=True)
    stored = connect(tuple(map(surrogate_message, MESSAGES)), inline=inline)
    for item in ITEMS:
        for number in ("1:*", *map(str, range(1, 9))):
            command = f"FETCH {number} {item}"
            assert fetched(given, command) == fetched(stored, command), command


@pytest.mark.parametrize("inline", [1 << 20, 10])
@pytest.mark.parametrize("enabled", [b"UTF8=ACCEPT", b"IMAP4rev2"])
def test_who_enables_UTF_8_gets_what_is_there_from_then_on(inline: int, enabled: bytes) -> None:
    client, other = connect(inline=inline, utf8_surrogates=True), connect(inline=inline)
    for item in ("BODY.PEEK[]", "BODY.PEEK[2]", "BODY.PEEK[2.HEADER]", "ENVELOPE"):
        assert fetched(client, f"FETCH 5,8 {item}") != fetched(other, f"FETCH 5,8 {item}")
    for one in (client, other):
        assert one.say(b"ENABLE " + enabled).status == b"OK"
    for item in ITEMS:
        done = client.say(f"FETCH 1:* {item}".encode())
        assert done.raw.endswith(b" OK FETCH completed\r\n")
        assert done.untagged == other.say(f"FETCH 1:* {item}".encode()).untagged


@pytest.mark.parametrize("inline", [1 << 20, 10])
def test_by_default_headers_are_given_as_they_are(inline: int) -> None:
    client = connect(inline=inline)
    for uid, message in enumerate(MESSAGES, 1):
        if message is not BINARY:
            assert literal_of(fetched(client, f"UID FETCH {uid} BODY.PEEK[]")) == message
    done = client.say(b"FETCH 3 (ENVELOPE BODY.PEEK[HEADER])")
    assert done.code is None and "{7}\r\ngrüße".encode() in done.raw  # in a literal: RFC 3501 §4.3.1


@pytest.mark.parametrize("inline", [1 << 20, 10])
def test_pieces_of_a_surrogate_are_joined_to_it(inline: int) -> None:
    client = connect(inline=inline, utf8_surrogates=True)
    whole = literal_of(fetched(client, "UID FETCH 8 BODY.PEEK[]"))
    assert whole == surrogate_message(LARGE)
    for size in (97, 1000):
        pieces, at = [], 0
        while at < len(whole):
            pieces.append(literal_of(fetched(client, f"UID FETCH 8 BODY.PEEK[]<{at}.{size}>")))
            at += size
        assert b"".join(pieces) == whole
    assert whole == b"".join(literal_of(fetched(client, f"UID FETCH 8 BODY.PEEK[{one}]")) for one in ("HEADER", "TEXT"))


@pytest.mark.parametrize("inline", [1 << 20, 10])
def test_sizes_of_parts_are_those_of_the_octets_that_are_given(inline: int) -> None:
    client = connect(inline=inline, utf8_surrogates=True)
    part = literal_of(fetched(client, "FETCH 6 BODY.PEEK[1]"))
    assert b"X-Hidden: hidden =?utf-8?" in part
    assert b'"message" "rfc822" NIL NIL NIL "7bit" %d (' % len(part) in fetched(client, "FETCH 6 BODYSTRUCTURE")


def test_the_size_of_a_message_is_that_of_the_message_itself() -> None:
    # RFC 6858 §3; RFC 9051 §6.3.11
    client = connect((RAW, PLAIN), utf8_surrogates=True)
    assert len(surrogate_message(RAW)) > len(RAW)
    assert b"RFC822.SIZE %d BODY[] {%d}" % (len(RAW), len(surrogate_message(RAW))) in fetched(
        client, "FETCH 1 (RFC822.SIZE BODY.PEEK[])"
    )
    assert fetched(client, f"SEARCH LARGER {len(RAW)}") == b"* SEARCH\r\n"
    assert fetched(client, "STATUS INBOX (SIZE)") == b"* STATUS INBOX (SIZE %d)\r\n" % (len(RAW) + len(PLAIN))


@pytest.mark.parametrize("inline", [1 << 20, 10])
def test_which_messages_were_replaced_is_told_by_UID(inline: int) -> None:
    # RFC 6858 §3
    client = connect(inline=inline, utf8_surrogates=True)
    for item in ("BODY.PEEK[]", "BODY.PEEK[1]<0.10>"):
        assert client.say(f"FETCH 1:* {item}".encode()).code == b"DOWNGRADED " + RAW_UIDS
    assert client.say(b"FETCH 1:* BODY.PEEK[HEADER]").raw.endswith(b" OK [DOWNGRADED 3:5,7:8] FETCH completed\r\n")
    assert client.say(b"UID FETCH 1:4,6 ENVELOPE").code == b"DOWNGRADED 3:4"
    assert client.say(b"UID FETCH 1:4,6 (ENVELOPE BODY)").code == b"DOWNGRADED 3:4,6"
    for command in (b"FETCH 1:2 BODY.PEEK[]", b"FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE PREVIEW THREADID)"):
        assert client.say(command).raw.endswith(b" OK FETCH completed\r\n")
    client.say(b"STORE 2 +FLAGS (\\Deleted)")
    client.say(b"EXPUNGE")
    assert client.say(b"FETCH 2 RFC822.HEADER").code == b"DOWNGRADED 3"


def test_DOWNGRADED_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surrogates, "MOST_TOLD", 2)
    client = connect(utf8_surrogates=True)
    for item in (b"ENVELOPE", b"RFC822"):
        assert client.say(b"FETCH 1:* " + item).code == b"DOWNGRADED 3:4"


def test_it_is_told_beside_the_limit_of_messages() -> None:
    store = RealStoreWorld.make()
    store.add(store.add_account("bob@example.test", "secret"), *MESSAGES)
    limits = {"message_limit": 4, "message_limit_enforced": 4}
    client = ImapServer.over(store.world, utf8_surrogates=True, **limits).connect().login()
    client.say(b"SELECT INBOX")
    done = client.say(b"FETCH 1:* ENVELOPE")
    assert done.code == b"DOWNGRADED 5,7:8"
    assert [line for line in done.untagged if line.startswith(b"* NO [MESSAGELIMIT 4 5]")]


@pytest.mark.parametrize("inline", [1 << 20, 10])
def test_what_is_told_of_arrivals_is_of_surrogates_too(inline: int) -> None:
    store = RealStoreWorld.make(inline_limit=inline)
    bob = store.add_account("bob@example.test", "secret")
    client = ImapServer.over(store.world, utf8_surrogates=True).connect().login()
    client.say(b"SELECT INBOX")
    assert client.say(b"NOTIFY SET (SELECTED (MessageNew (BODY.PEEK[] ENVELOPE) MessageExpunge))").status == b"OK"
    store.add(bob, RAW)
    told = client.told()
    assert surrogate_message(RAW) in told and "ü".encode() not in told.replace(surrogate_message(RAW), b"")
    assert b"* OK [DOWNGRADED 1] " in told


@pytest.mark.parametrize("inline", [1 << 20, 10])
def test_messages_that_go_meanwhile_are_left_out(inline: int, monkeypatch: pytest.MonkeyPatch) -> None:
    client = connect(inline=inline, utf8_surrogates=True)
    selected = client.session.selected
    assert selected is not None
    describe = surrogates.Surrogates.describe

    async def gone(self: surrogates.Surrogates, batch: object) -> object:
        settle(selected.messages.expunge(selected.id, [(4, 5)], deleted_only=False))
        return await describe(self, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(surrogates.Surrogates, "describe", gone)
    done = client.say(b"FETCH 1:* ENVELOPE")
    assert (done.status, done.code) == (b"NO", b"EXPUNGEISSUED")
    assert [int(line.split()[1]) for line in done.of(b"FETCH")] == [1, 2, 3, 6, 7, 8]


def test_many_messages_are_read_a_bounded_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_messages, "OCTETS_AT_ONCE", 300)
    messages = tuple(RAW.replace(b"t\xc3\xabxt", b"%d" % number) for number in range(40))
    given = connect(messages, utf8_surrogates=True)
    stored = connect(tuple(map(surrogate_message, messages)))
    for item in ("ENVELOPE", "BODY.PEEK[]", "(BODYSTRUCTURE BODY.PEEK[HEADER])"):
        assert fetched(given, f"FETCH 1:* {item}") == fetched(stored, f"FETCH 1:* {item}")
        assert given.say(f"FETCH 1:* {item}".encode()).code == b"DOWNGRADED 1:40"


def test_of_large_messages_the_beginning_is_enough_for_an_ENVELOPE(monkeypatch: pytest.MonkeyPatch) -> None:
    client = connect(inline=10, utf8_surrogates=True)
    read, asked = store_messages.Messages.read, []

    def recorded(messages: object, mailbox_id: int, uid: int, *piece: int) -> object:
        asked.append((uid, piece))
        return read(messages, mailbox_id, uid, *piece)  # type: ignore[arg-type]

    monkeypatch.setattr(store_messages.Messages, "read", recorded)
    fetched(client, "FETCH 1:* ENVELOPE")
    assert [uid for uid, _ in asked] == [3, 4, 5, 7, 8] and all(piece for _, piece in asked)
    asked.clear()
    fetched(client, "FETCH 1:* (ENVELOPE BODYSTRUCTURE)")
    assert [uid for uid, piece in asked if not piece] == [5, 6, 8]


def test_what_is_copied_stays_as_it_is() -> None:
    client = connect((RAW,), utf8_surrogates=True)
    assert client.say(b"COPY 1 Drafts").status == b"OK"
    assert client.say(b"APPEND Sent CATENATE (URL /INBOX/;UID=1)").status == b"OK"
    client.say(b"ENABLE UTF8=ACCEPT")
    for name in (b"Drafts", b"Sent"):
        client.say(b"SELECT " + name)
        assert literal_of(fetched(client, "FETCH 1 BODY.PEEK[]")) == RAW
