"""What the rights on a mailbox let an account do with its messages (RFC 4314 §4, §5.2)."""

from __future__ import annotations

from typing import Any

import pytest

from worldmail.interfaces.folders import OWNER_RIGHTS
from worldmail.interfaces.messages import Flag
from worldmail.testing.imap import Answered, ImapClient

OURS = b'"Other Users/bob@example.test/Ours"'
MAIL = b"Subject: x\r\n\r\ntext\r\n"


@pytest.fixture
def shared(bob: ImapClient, site: Any) -> ImapClient:
    """Bob with a mailbox of two messages, one of them deleted."""
    bob.say(b"CREATE Ours")
    site.store.add(site.accounts["bob"], MAIL, mailbox="Ours")
    site.store.add(site.accounts["bob"], MAIL, mailbox="Ours", flags=Flag.DELETED)
    return bob


def opened(shared: ImapClient, ann: ImapClient, rights: str, word: bytes = b"SELECT") -> Answered:
    """Ann selects it with these rights."""
    shared.say(b'SETACL Ours ann@example.test "%b"' % rights.encode())
    return ann.say(word + b" " + OURS)


def flags(client: ImapClient, number: int) -> set[bytes]:
    """The flags of a message, \\Recent left out."""
    (line,) = client.say(b"FETCH %d FLAGS" % number).untagged
    return set(line.partition(b"FLAGS (")[2].split(b")")[0].split()) - {b"\\Recent"}


@pytest.mark.parametrize("word", [b"SELECT", b"EXAMINE"])
@pytest.mark.parametrize("right", OWNER_RIGHTS)
def test_selecting_needs_r(shared: ImapClient, ann: ImapClient, right: str, word: bytes) -> None:
    answer = opened(shared, ann, right, word)
    assert answer.status == (b"OK" if right == "r" else b"NO")
    if right != "r":
        assert answer.code == (b"NOPERM" if right == "l" else b"NONEXISTENT")


@pytest.mark.parametrize("right", OWNER_RIGHTS)
def test_READ_WRITE_is_told_if_anything_may_be_changed(shared: ImapClient, ann: ImapClient, right: str) -> None:
    answer = opened(shared, ann, "r" + right)
    assert answer.code == (b"READ-WRITE" if right in "swtei" else b"READ-ONLY")


@pytest.mark.parametrize(
    ("rights", "permanent"),
    [
        ("lr", b""),
        ("lrs", b"\\Seen"),
        ("lrt", b"\\Deleted"),
        ("lrw", b"\\Answered \\Flagged \\Draft \\*"),
        ("lrswt", b"\\Answered \\Flagged \\Draft \\Deleted \\Seen \\*"),
    ],
)
def test_PERMANENTFLAGS_are_those_that_may_be_changed(
    shared: ImapClient, ann: ImapClient, rights: str, permanent: bytes
) -> None:
    assert b"[PERMANENTFLAGS (" + permanent + b")]" in opened(shared, ann, rights).raw


@pytest.mark.parametrize("how", [b"+FLAGS", b"FLAGS"])
@pytest.mark.parametrize(
    ("rights", "left"),
    [
        ("rs", {b"\\Seen"}),
        ("rt", {b"\\Deleted"}),
        ("rw", {b"\\Flagged", b"word"}),
        ("rswt", {b"\\Seen", b"\\Deleted", b"\\Flagged", b"word"}),
    ],
)
def test_STORE_changes_what_may_be_changed(
    shared: ImapClient, ann: ImapClient, rights: str, left: set[bytes], how: bytes
) -> None:
    opened(shared, ann, rights)
    assert ann.say(b"STORE 1 " + how + b" (\\Seen \\Deleted \\Flagged word)").status == b"OK"
    assert flags(ann, 1) == left


@pytest.mark.parametrize("rights", ["r", "ri", "rlipkxea"])
def test_STORE_is_refused_where_nothing_may_be_changed(shared: ImapClient, ann: ImapClient, rights: str) -> None:
    opened(shared, ann, rights)
    answer = ann.say(b"STORE 1 +FLAGS (\\Seen \\Deleted \\Flagged word)")
    assert (answer.status, answer.code) == (b"NO", b"NOPERM")
    assert flags(ann, 1) == set()


@pytest.mark.parametrize("right", OWNER_RIGHTS)
def test_reading_sets_Seen_with_the_right_s_alone(shared: ImapClient, ann: ImapClient, right: str) -> None:
    opened(shared, ann, "r" + right)
    assert ann.say(b"FETCH 1 BODY[]").status == b"OK"
    assert flags(ann, 1) == ({b"\\Seen"} if right == "s" else set())


def test_what_one_has_seen_the_other_has_not(shared: ImapClient, ann: ImapClient) -> None:
    opened(shared, ann, "rs")
    shared.say(b"SELECT Ours")
    ann.say(b"FETCH 1 BODY[]")
    shared.say(b"STORE 2 +FLAGS (\\Seen)")
    assert (flags(ann, 1), flags(ann, 2)) == ({b"\\Seen"}, {b"\\Deleted"})
    assert (flags(shared, 1), flags(shared, 2)) == (set(), {b"\\Seen", b"\\Deleted"})
    ann.say(b"STORE 1 -FLAGS (\\Seen)")
    assert flags(ann, 1) == set()


@pytest.mark.parametrize("command", [b"EXPUNGE", b"UID EXPUNGE 1:*"])
@pytest.mark.parametrize("right", OWNER_RIGHTS)
def test_expunging_needs_e(shared: ImapClient, ann: ImapClient, right: str, command: bytes) -> None:
    opened(shared, ann, "r" + right)
    assert ann.say(command).status == (b"OK" if right == "e" else b"NO")
    assert shared.say(b"STATUS Ours (MESSAGES)").untagged == [
        b"* STATUS Ours (MESSAGES %d)" % (1 if right == "e" else 2)
    ]


@pytest.mark.parametrize("right", OWNER_RIGHTS)
def test_CLOSE_expunges_with_e_and_is_OK_without(shared: ImapClient, ann: ImapClient, right: str) -> None:
    opened(shared, ann, "r" + right)
    assert ann.say(b"CLOSE").status == b"OK"
    assert shared.say(b"STATUS Ours (MESSAGES)").untagged == [
        b"* STATUS Ours (MESSAGES %d)" % (1 if right == "e" else 2)
    ]


@pytest.mark.parametrize("right", OWNER_RIGHTS)
def test_COPY_needs_i_there(shared: ImapClient, ann: ImapClient, site: Any, right: str) -> None:
    site.store.add(site.accounts["ann"], MAIL)
    shared.say(b"SETACL Ours ann@example.test " + right.encode())
    ann.say(b"SELECT INBOX")
    answer = ann.say(b"COPY 1 " + OURS)
    assert answer.status == (b"OK" if right == "i" else b"NO")
    if right != "i":  # who may not even know of it by MYRIGHTS is answered as if it were not there
        hidden = b"TRYCREATE" if right in "swpte" else b"NONEXISTENT"
        assert answer.code == (b"NOPERM" if right == "l" else hidden)


@pytest.mark.parametrize(
    ("rights", "left"),
    [
        ("ri", set()),
        ("ris", {b"\\Seen"}),
        ("rit", {b"\\Deleted"}),
        ("riw", {b"\\Draft", b"word"}),
        ("riswt", {b"\\Seen", b"\\Deleted", b"\\Draft", b"word"}),
    ],
)
def test_COPY_sets_the_flags_that_may_be_set_there(
    shared: ImapClient, ann: ImapClient, site: Any, rights: str, left: set[bytes]
) -> None:
    all_flags = Flag.SEEN | Flag.DELETED | Flag.DRAFT
    site.store.add(site.accounts["ann"], MAIL, flags=all_flags, keywords=("word",))
    shared.say(b"SETACL Ours ann@example.test " + rights.encode())
    ann.say(b"SELECT INBOX")
    assert ann.say(b"COPY 1 " + OURS).status == b"OK"
    ann.say(b"SELECT " + OURS)
    assert flags(ann, 3) == left


@pytest.mark.parametrize(("rights", "status"), [("re", b"NO"), ("rt", b"NO"), ("rte", b"OK"), ("rlswipkxa", b"NO")])
def test_MOVE_from_a_mailbox_needs_t_and_e(shared: ImapClient, ann: ImapClient, rights: str, status: bytes) -> None:
    opened(shared, ann, rights)
    assert ann.say(b"MOVE 1 INBOX").status == status
    assert ann.say(b"STATUS INBOX (MESSAGES)").of(b"STATUS") == [b"* STATUS INBOX (MESSAGES %d)" % (status == b"OK")]


def test_EXAMINE_changes_nothing_whatever_the_rights(shared: ImapClient, ann: ImapClient) -> None:
    opened(shared, ann, OWNER_RIGHTS, b"EXAMINE")
    for command in (b"STORE 1 +FLAGS (\\Flagged)", b"EXPUNGE", b"MOVE 1 INBOX"):
        assert ann.say(command).status == b"NO", command
    ann.say(b"FETCH 1 BODY[]")
    assert flags(ann, 1) == set()
    ann.say(b"CLOSE")
    assert shared.say(b"STATUS Ours (MESSAGES)").untagged == [b"* STATUS Ours (MESSAGES 2)"]


def test_the_announcement_names_the_rights_that_RFC_2086_did_not_have(bob: ImapClient) -> None:
    assert {b"ACL", b"RIGHTS=kxte", b"LIST-MYRIGHTS"} <= set(bob.say(b"CAPABILITY").raw.split())


@pytest.mark.parametrize(
    "command",
    [
        b"FETCH 1 BODY.PEEK[]",
        b"SEARCH SUBJECT x",
        b"UID SORT (SUBJECT) UTF-8 ALL",
        b"STORE 1 +FLAGS (\\Flagged)",
        b"COPY 1 INBOX",
        b"MOVE 1 INBOX",
        b"EXPUNGE",
        b"CLOSE",
        b"NOOP",
    ],
)
def test_a_right_that_was_taken_away_is_not_used_once_more(shared: ImapClient, ann: ImapClient, command: bytes) -> None:
    opened(shared, ann, OWNER_RIGHTS)
    shared.say(b"DELETEACL Ours ann@example.test")
    answer = ann.say(command)
    assert answer.untagged == [b"* BYE The selected mailbox is gone"]
    assert shared.say(b"STATUS Ours (MESSAGES DELETED)").untagged == [b"* STATUS Ours (MESSAGES 2 DELETED 1)"]
    shared.say(b"SELECT Ours")
    assert flags(shared, 1) == set()


@pytest.mark.parametrize("command", [b"EXPUNGE", b"MOVE 1 INBOX", b"STORE 1 +FLAGS (\\Deleted)"])
def test_who_may_only_read_from_now_on_removes_nothing(shared: ImapClient, ann: ImapClient, command: bytes) -> None:
    opened(shared, ann, OWNER_RIGHTS)
    shared.say(b"SETACL Ours ann@example.test lr")
    assert ann.say(command).code == b"NOPERM"
    assert shared.say(b"STATUS Ours (MESSAGES DELETED)").untagged == [b"* STATUS Ours (MESSAGES 2 DELETED 1)"]


def test_which_flags_can_be_changed_is_told_when_rights_change(shared: ImapClient, ann: ImapClient) -> None:
    opened(shared, ann, "lrw")
    shared.say(b"SETACL Ours ann@example.test lrs")
    told = ann.say(b"NOOP").untagged  # RFC 4314 §5.1.1
    assert told[-1] == b"* OK [PERMANENTFLAGS (\\Seen)] Flags that are kept"
    assert ann.say(b"NOOP").untagged == []
