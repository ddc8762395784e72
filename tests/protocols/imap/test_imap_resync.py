"""What a client knows that comes back with the MODSEQ that it was told last (RFC 7162)."""

from __future__ import annotations

import pytest

from tests.protocols.imap.conftest import ImapSite
from worldmail.interfaces.messages import Flag
from worldmail.testing.imap import ImapClient

TEXT = b"Subject: x\r\n\r\ntext\r\n"


@pytest.fixture
def four(site: ImapSite) -> ImapSite:
    """A site where bob has four messages; the MODSEQ of his INBOX is 5."""
    for _ in range(4):
        site.store.add(site.accounts["bob"], TEXT)
    return site


def selected(site: ImapSite, *enabled: bytes) -> ImapClient:
    """Bob with INBOX selected."""
    client = site.client()
    for name in enabled:
        client.say(b"ENABLE " + name)
    client.say(b"SELECT INBOX")
    return client


def gone(client: ImapClient, number: int) -> None:
    client.say(b"STORE %d +FLAGS.SILENT (\\Deleted)" % number)
    client.say(b"EXPUNGE")


@pytest.mark.parametrize(
    "command",
    [
        b"FETCH 1 MODSEQ",
        b"FETCH 1 FLAGS (CHANGEDSINCE 1)",
        b"STORE 1 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)",
        b"SEARCH MODSEQ 1",
        b"UID SEARCH RETURN (COUNT) MODSEQ 1",
        b"SORT (DATE) UTF-8 MODSEQ 1",
        b"THREAD REFS UTF-8 MODSEQ 1",
        b"STATUS INBOX (HIGHESTMODSEQ)",
        b"ENABLE CONDSTORE",
        b"ENABLE QRESYNC",
    ],
)
def test_the_first_command_that_enables_CONDSTORE_is_told_HIGHESTMODSEQ(four: ImapSite, command: bytes) -> None:
    client = selected(four)
    assert b"* OK [HIGHESTMODSEQ 5] Highest" in client.say(command).untagged
    assert not any(line.startswith(b"* OK [HIGHESTMODSEQ") for line in client.say(command).untagged)


def test_MOVE_ends_with_HIGHESTMODSEQ_if_anything_was_moved(four: ImapSite) -> None:
    client = selected(four, b"QRESYNC")
    moved = client.say(b"MOVE 1:2 Trash")
    assert moved.untagged[1:] == [b"* VANISHED 1:2"]
    assert moved.code == b"HIGHESTMODSEQ 6"
    assert client.say(b"UID MOVE 1:2 Trash").code is None


def test_REPLACE_ends_with_HIGHESTMODSEQ_as_UID_EXPUNGE_does(four: ImapSite) -> None:
    client = selected(four, b"QRESYNC")
    done = client.say(b"UID REPLACE 1 INBOX {}", TEXT)
    assert done.untagged[1] == b"* VANISHED 1"
    assert done.code == b"HIGHESTMODSEQ %d" % four.store.status(four.accounts["bob"]).highestmodseq
    assert selected(four).say(b"UID REPLACE 2 INBOX {}", TEXT).code is None


def test_while_VANISHED_is_withheld_the_client_is_told_from_where_to_begin_again(four: ImapSite) -> None:
    other, client = selected(four), selected(four, b"QRESYNC")
    gone(other, 2)
    other.say(b"STORE 2 +FLAGS (\\Flagged)")
    stored = client.say(b"STORE 1 +FLAGS.SILENT (\\Seen)")
    assert stored.untagged == [
        b"* 1 FETCH (UID 1 MODSEQ (9) FLAGS (\\Seen))",
        b"* 3 FETCH (UID 3 MODSEQ (8) FLAGS (\\Flagged))",
        b"* OK [HIGHESTMODSEQ 5] Highest",
    ]
    assert client.say(b"FETCH 1 MODSEQ").untagged[-1] == b"* OK [HIGHESTMODSEQ 5] Highest"
    assert client.say(b"NOOP").untagged == [b"* VANISHED 2", b"* OK [HIGHESTMODSEQ 9] Highest"]
    assert client.say(b"NOOP").untagged == []


def test_without_QRESYNC_nothing_is_said_of_what_is_withheld(four: ImapSite) -> None:
    client, other = selected(four, b"CONDSTORE"), selected(four)
    gone(other, 2)
    assert client.say(b"FETCH 1 UID").untagged == [b"* 1 FETCH (UID 1)"]
    assert client.say(b"NOOP").untagged == [b"* 2 EXPUNGE"]


@pytest.mark.parametrize(
    "command",
    [b"UID SEARCH 1:2", b"UID SEARCH NOT (OR 1 SEEN)", b"UID SORT (DATE) UTF-8 1", b"UID THREAD REFS UTF-8 1"],
)
def test_a_search_that_names_sequence_numbers_is_told_of_no_removal(four: ImapSite, command: bytes) -> None:
    client, other = selected(four), selected(four)
    gone(other, 1)
    assert not client.say(command).of(b"EXPUNGE")
    assert client.say(b"UID SEARCH ALL").of(b"EXPUNGE") == [b"* 1 EXPUNGE"]


def test_a_STORE_of_messages_some_of_which_are_gone_tells_which_were_MODIFIED(four: ImapSite) -> None:
    client, other = selected(four), selected(four)
    gone(other, 2)
    done = client.say(b"STORE 1:2 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)")
    assert (done.status, done.code) == (b"NO", b"MODIFIED 1")


def test_who_names_known_UIDs_is_told_of_those_alone(four: ImapSite) -> None:
    other = selected(four)
    other.say(b"STORE 1:4 +FLAGS (\\Seen)")
    client = four.client()
    client.say(b"ENABLE QRESYNC")
    validity = four.store.status(four.accounts["bob"]).uidvalidity
    told = client.say(b"SELECT INBOX (QRESYNC (%d 5 2:3))" % validity).of(b"FETCH")
    assert [line.split(b" ")[1] for line in told] == [b"2", b"3"]


def test_an_annotation_raises_the_MODSEQ_of_its_mailbox(four: ImapSite) -> None:
    client = selected(four)
    client.say(b'SETMETADATA INBOX (/private/comment "x")')
    assert client.say(b"STATUS INBOX (HIGHESTMODSEQ)").untagged[-1] == b"* STATUS INBOX (HIGHESTMODSEQ 6)"
    assert client.say(b"FETCH 1 MODSEQ").untagged == [b"* 1 FETCH (MODSEQ (2))"]


@pytest.mark.parametrize("command", [b"EXPUNGE", b"MOVE 1:* Trash"])
def test_the_tagged_HIGHESTMODSEQ_is_that_of_the_last_part_of_what_is_told(site: ImapSite, command: bytes) -> None:
    site.store.add(site.accounts["bob"], *[TEXT] * 4500, flags=Flag.DELETED)
    client = selected(site, b"QRESYNC")
    done = client.say(command)
    highest = site.store.status(site.accounts["bob"]).highestmodseq
    assert len(done.of(b"VANISHED")) > 1  # in parts
    assert done.code == b"HIGHESTMODSEQ %d" % highest
