"""UIDONLY: no message sequence numbers (RFC 9586), and PARTIAL (RFC 9394)."""

from __future__ import annotations

import pytest

from tests.protocols.imap.conftest import ImapSite
from worldmail.testing.imap import ImapClient

TEXT = b"Subject: x\r\n\r\ntext\r\n"


@pytest.fixture
def client(site: ImapSite) -> ImapClient:
    """Bob, with three messages, the first UID of which is 2."""
    site.store.add(site.accounts["bob"], *[TEXT] * 4)
    first = site.client()
    first.say(b"SELECT INBOX")
    first.say(b"STORE 1 +FLAGS (\\Deleted)")
    first.say(b"EXPUNGE")
    first.drop()
    client = site.client()
    assert client.say(b"ENABLE UIDONLY").untagged == [b"* ENABLED UIDONLY"]
    client.say(b"SELECT INBOX")
    return client


def test_UIDONLY_and_PARTIAL_are_announced(site: ImapSite) -> None:
    names = site.client().say(b"CAPABILITY").raw.split()
    assert b"UIDONLY" in names and b"PARTIAL" in names


def test_SELECT_tells_no_sequence_number(site: ImapSite, client: ImapClient) -> None:
    done = client.say(b"SELECT INBOX")
    assert b"* 3 EXISTS" in done.untagged
    assert b"UNSEEN" not in done.raw


@pytest.mark.parametrize(
    "command",
    [
        b"FETCH 1 FLAGS",
        b"STORE 1 +FLAGS (\\Seen)",
        b"COPY 1 Trash",
        b"MOVE 1 Trash",
        b"SEARCH ALL",
        b"SEARCH 1",
        b"REPLACE 1 INBOX {+}",
        b"UID SEARCH 1:2",
    ],
)
def test_sequence_numbers_are_refused_with_UIDREQUIRED(client: ImapClient, command: bytes) -> None:
    done = client.say(command, *([TEXT] if b"{" in command else []))
    assert (done.status, done.code) == (b"BAD", b"UIDREQUIRED")


def test_QRESYNC_takes_no_sequence_numbers_either(client: ImapClient) -> None:
    client.say(b"ENABLE QRESYNC")
    assert client.say(b"SELECT INBOX (QRESYNC (1 2 1:3 (1 1)))").code == b"UIDREQUIRED"


def test_answers_name_messages_by_UID(client: ImapClient) -> None:
    assert client.say(b"UID FETCH 1:* FLAGS").untagged[0] == b"* 2 UIDFETCH (FLAGS ())"
    assert client.say(b"UID FETCH 3 (UID RFC822.SIZE)").untagged == [b"* 3 UIDFETCH (UID 3 RFC822.SIZE 20)"]
    assert client.say(b"UID STORE 4 +FLAGS (\\Seen)").untagged == [b"* 4 UIDFETCH (FLAGS (\\Seen))"]
    assert b"* 2 UIDFETCH (BODY[TEXT] {6}\r\ntext\r\n FLAGS (\\Seen))" in client.say(b"UID FETCH 2 BODY[TEXT]").raw


def test_what_others_do_is_told_by_UID(site: ImapSite, client: ImapClient) -> None:
    other = site.client()
    other.say(b"SELECT INBOX")
    other.say(b"STORE 1 +FLAGS (\\Flagged)")
    assert client.say(b"NOOP").untagged == [b"* 2 UIDFETCH (FLAGS (\\Flagged))"]
    other.say(b"STORE 1 +FLAGS.SILENT (\\Deleted)")
    other.say(b"EXPUNGE")
    other.say(b"APPEND INBOX {}", TEXT)
    assert client.say(b"NOOP").untagged == [b"* VANISHED 2", b"* 3 EXISTS", b"* 1 RECENT"]


def test_a_saved_result_is_no_way_round_UID_FETCH(client: ImapClient) -> None:
    client.say(b"UID SEARCH RETURN (SAVE) ALL")
    for command in (b"FETCH $ FLAGS", b"STORE $ +FLAGS (\\Seen)", b"COPY $ Trash", b"MOVE $ Trash"):
        refused = client.say(command)
        assert (refused.status, refused.code) == (b"BAD", b"UIDREQUIRED"), command
    assert len(client.say(b"UID FETCH $ FLAGS").untagged) == 3


def test_UID_EXPUNGE_and_UID_MOVE_tell_VANISHED(client: ImapClient) -> None:
    client.say(b"UID STORE 2 +FLAGS.SILENT (\\Deleted)")
    assert client.say(b"UID EXPUNGE 2").untagged == [b"* VANISHED 2"]
    assert client.say(b"UID MOVE 3:4 Trash").untagged[1:] == [b"* VANISHED 3:4"]


def test_UID_REPLACE_tells_VANISHED(client: ImapClient) -> None:
    done = client.say(b"UID REPLACE 3 INBOX {}", TEXT)
    assert b"* VANISHED 3" in done.untagged and b"EXPUNGE" not in done.raw
