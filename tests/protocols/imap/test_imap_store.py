"""STORE, COPY, MOVE, EXPUNGE and their UID forms (RFC 9051 §6.4.3 to §6.4.9, RFC 7162 §3.1.3, RFC 6851)."""

from __future__ import annotations

import re

import pytest

from tests.protocols.imap.conftest import ImapSite
from worldmail.testing.imap import ImapClient

TEXT = b"Subject: x\r\n\r\ntext\r\n"


@pytest.fixture
def client(site: ImapSite) -> ImapClient:
    """Bob, in his INBOX with four messages."""
    site.store.add(site.accounts["bob"], *[TEXT] * 4)
    return selected(site)


def selected(site: ImapSite, name: str = "bob") -> ImapClient:
    """One more session of somebody's, in INBOX."""
    client = site.client(name)
    client.session.enable("IMAP4REV2")
    assert client.say(b"SELECT INBOX").status == b"OK"
    return client


def flags(client: ImapClient, number: int = 1) -> bytes:
    """The flags of a message."""
    (line,) = client.say(b"FETCH %d FLAGS" % number).untagged
    return line[line.index(b"FLAGS (") + 7 :].split(b")")[0]


def modseq(client: ImapClient, number: int) -> int:
    """Its MODSEQ."""
    found = re.search(rb"MODSEQ \((\d+)\)", client.say(b"FETCH %d MODSEQ" % number).raw)
    assert found is not None
    return int(found[1])


def test_STORE_adds_removes_and_replaces(client: ImapClient) -> None:
    assert client.say(b"STORE 1 +FLAGS (\\Seen $Work)").untagged[-1] == b"* 1 FETCH (UID 1 FLAGS (\\Seen $Work))"
    assert client.say(b"STORE 1 -FLAGS \\Seen").untagged == [b"* 1 FETCH (UID 1 FLAGS ($Work))"]
    assert client.say(b"STORE 1 FLAGS (\\Draft \\Flagged)").untagged == [b"* 1 FETCH (UID 1 FLAGS (\\Flagged \\Draft))"]
    assert client.say(b"STORE 1 FLAGS ()").untagged == [b"* 1 FETCH (UID 1 FLAGS ())"]


def test_a_keyword_keeps_the_spelling_in_which_it_came_first(client: ImapClient) -> None:
    client.say(b"STORE 1 +FLAGS (Work)")
    client.say(b"STORE 2 +FLAGS (WORK)")
    assert flags(client, 2) == b"Work"


def test_SILENT_tells_nothing_and_changes_all_the_same(client: ImapClient) -> None:
    assert client.say(b"STORE 1:4 +FLAGS.SILENT (\\Seen)").untagged == []
    assert flags(client, 4) == b"\\Seen"


def test_what_another_session_changed_meanwhile_is_told_though_silence_was_asked_for(
    site: ImapSite, client: ImapClient
) -> None:
    client.say(b"FETCH 1:4 FLAGS")
    selected(site).say(b"STORE 1 +FLAGS (\\Flagged)")
    told = client.say(b"STORE 1 +FLAGS.SILENT (\\Seen)").untagged
    assert told == [b"* 1 FETCH (UID 1 FLAGS (\\Flagged \\Seen))"]


def test_Recent_cannot_be_stored_and_is_passed_over(client: ImapClient) -> None:
    assert client.say(b"STORE 1 +FLAGS (\\Recent)").status in (b"OK", b"NO")
    assert flags(client) == b""


def test_UNCHANGEDSINCE_leaves_what_changed_and_names_it(client: ImapClient) -> None:
    since = modseq(client, 4)
    client.say(b"STORE 2 +FLAGS (\\Flagged)")
    done = client.say(b"STORE 1:3 (UNCHANGEDSINCE %d) +FLAGS (\\Deleted)" % since)
    assert (done.status, done.code) == (b"OK", b"MODIFIED 2")
    assert [line.split(b" ")[1] for line in done.untagged] == [b"1", b"3"]
    assert b"MODSEQ (" in done.untagged[0]
    by_uid = client.say(b"UID STORE 2:3 (UNCHANGEDSINCE %d) +FLAGS (\\Deleted)" % since)
    assert by_uid.code == b"MODIFIED 2:3"
    assert flags(client, 2) == b"\\Flagged"


def test_other_flags_that_changed_meanwhile_are_no_reason_for_MODIFIED(site: ImapSite, client: ImapClient) -> None:
    client.say(b"FETCH 1:4 FLAGS")
    since = modseq(client, 4)
    selected(site).say(b"STORE 1:3 +FLAGS (\\Flagged Work)")
    done = client.say(b"STORE 1:4 (UNCHANGEDSINCE %d) +FLAGS.SILENT (\\Deleted Home)" % since)
    assert (done.status, done.code) == (b"OK", None)  # RFC 7162 §3.1.12
    for number in (1, 2, 3):
        assert flags(client, number) == b"\\Flagged \\Deleted Home Work"
        assert any(b"FLAGS (\\Flagged \\Deleted Home Work)" in line for line in done.of(b"FETCH"))
    assert flags(client, 4) == b"\\Deleted Home"


@pytest.mark.parametrize(
    "change", [b"+FLAGS (\\Deleted)", b"+FLAGS (\\Seen work)", b"-FLAGS (WORK)", b"FLAGS (\\Seen)"]
)
def test_flags_that_others_changed_meanwhile_are_a_reason_for_MODIFIED(
    site: ImapSite, client: ImapClient, change: bytes
) -> None:
    client.say(b"FETCH 1:4 FLAGS")
    since = modseq(client, 4)
    selected(site).say(b"STORE 2 +FLAGS (\\Deleted Work)")
    done = client.say(b"STORE 1:3 (UNCHANGEDSINCE %d) %b" % (since, change))
    assert (done.status, done.code) == (b"OK", b"MODIFIED 2")
    assert flags(client, 2) == b"\\Deleted Work"


def test_a_MODSEQ_that_is_older_than_what_was_told_meets_MODIFIED(site: ImapSite, client: ImapClient) -> None:
    client.say(b"FETCH 1:4 FLAGS")
    since = modseq(client, 4)
    selected(site).say(b"STORE 2 +FLAGS (\\Flagged)")
    assert client.say(b"NOOP").of(b"FETCH")
    assert client.say(b"STORE 2 (UNCHANGEDSINCE %d) +FLAGS (\\Seen)" % since).code == b"MODIFIED 2"
    assert client.say(b"STORE 1 (UNCHANGEDSINCE 0) +FLAGS (\\Seen)").code == b"MODIFIED 1"


def test_a_silent_STORE_tells_the_MODSEQ_to_those_who_reckon_with_it(client: ImapClient) -> None:
    client.say(b"ENABLE CONDSTORE")
    (line,) = client.say(b"UID STORE 1 +FLAGS.SILENT (\\Seen)").untagged
    assert re.fullmatch(rb"\* 1 FETCH \(UID 1 MODSEQ \(\d+\)\)", line)


@pytest.mark.parametrize(
    "arguments",
    [
        b"",
        b"1",
        b"1 FLAGS",
        b"1 +FLAGS.LOUD (\\Seen)",
        b"1 *FLAGS (\\Seen)",
        b"1 FLAGS (\\Nothing)",
        b"1 (UNCHANGEDSINCE) FLAGS ()",
        b"1 (NOTHING 1) FLAGS ()",
        b"1 FLAGS (%b)" % (b"k" * 200),
        b"9 FLAGS ()",
        b"* FLAGS (\\Seen",
    ],
)
def test_what_is_none_is_BAD(client: ImapClient, arguments: bytes) -> None:
    assert client.say(b"STORE " + arguments).status == b"BAD"


def test_no_EXPUNGE_is_told_while_numbers_are_in_flight(site: ImapSite, client: ImapClient) -> None:
    other = selected(site)
    other.say(b"STORE 1 +FLAGS (\\Deleted)")
    other.say(b"EXPUNGE")
    for command in (b"FETCH 2 FLAGS", b"STORE 2 +FLAGS (\\Seen)", b"SEARCH ALL"):
        assert b"EXPUNGE" not in client.say(command).raw, command
    assert client.say(b"UID FETCH 2 FLAGS").untagged[-1] == b"* 1 EXPUNGE"


def test_EXPUNGE_removes_what_is_deleted_from_the_last_to_the_first(client: ImapClient) -> None:
    client.say(b"STORE 1,3:4 +FLAGS.SILENT (\\Deleted)")
    assert client.say(b"EXPUNGE").untagged == [b"* 4 EXPUNGE", b"* 3 EXPUNGE", b"* 1 EXPUNGE"]
    assert client.say(b"FETCH 1:* UID").untagged == [b"* 1 FETCH (UID 2)"]


def test_UID_EXPUNGE_removes_only_those_that_it_names(client: ImapClient) -> None:
    client.say(b"STORE 1:4 +FLAGS.SILENT (\\Deleted)")
    assert client.say(b"UID EXPUNGE 2,77").untagged == [b"* 2 EXPUNGE"]
    client.say(b"STORE 1 -FLAGS.SILENT (\\Deleted)")
    assert client.say(b"UID EXPUNGE 1").untagged == []


def test_COPY_keeps_flags_and_date_and_tells_the_UIDs(client: ImapClient) -> None:
    client.say(b"STORE 2 +FLAGS (\\Seen one)")
    done = client.say(b"COPY 2:3 Trash")
    assert done.code is not None
    assert re.fullmatch(rb"COPYUID \d+ 2:3 1:2", done.code)
    client.say(b"SELECT Trash")
    assert flags(client, 1) == b"\\Seen one"
    assert client.say(b"UID COPY 77 INBOX").code is None


def test_COPY_into_the_same_mailbox_is_told_as_new_mail(client: ImapClient) -> None:
    done = client.say(b"COPY 1 INBOX")
    assert done.untagged == [b"* 5 EXISTS"]
    assert done.code is not None and done.code.endswith(b" 1 5")


@pytest.mark.parametrize("word", [b"COPY 1", b"UID COPY 1", b"MOVE 1", b"UID MOVE 1"])
def test_a_target_that_is_not_there_is_refused_with_TRYCREATE(client: ImapClient, word: bytes) -> None:
    done = client.say(word + b" Nowhere")
    assert (done.status, done.code) == (b"NO", b"TRYCREATE")
    assert client.say(b"FETCH 4 UID").status == b"OK"


def test_MOVE_tells_COPYUID_before_the_EXPUNGE(client: ImapClient) -> None:
    done = client.say(b"MOVE 2:3 Trash")
    assert re.fullmatch(rb"\* OK \[COPYUID \d+ 2:3 1:2\] .*", done.untagged[0])
    assert done.untagged[1:] == [b"* 3 EXPUNGE", b"* 2 EXPUNGE"]
    assert client.say(b"FETCH 1:* UID").untagged == [b"* 1 FETCH (UID 1)", b"* 2 FETCH (UID 4)"]


def test_COPY_beyond_the_quota_is_refused_with_OVERQUOTA_and_copies_nothing(site: ImapSite) -> None:
    small = site.add("cat", quota=len(TEXT) * 3)
    site.store.add(small, TEXT, TEXT)
    client = selected(site, "cat")
    done = client.say(b"COPY 1:2 Trash")
    assert (done.status, done.code) == (b"NO", b"OVERQUOTA")
    assert b"MESSAGES 0" in client.say(b"STATUS Trash (MESSAGES)").raw
    assert client.say(b"MOVE 1:2 Trash").status == b"OK"


def share(site: ImapSite, rights: bytes) -> ImapClient:
    """Ann, in bob's mailbox "box" with two messages and these rights."""
    owner = site.client("bob")
    owner.say(b"CREATE box")
    site.store.add(site.accounts["bob"], TEXT, TEXT, mailbox="box")
    assert owner.say(b"SETACL box ann@example.test " + rights).status == b"OK"
    ann = site.client("ann")
    ann.session.enable("IMAP4REV2")
    assert ann.say(b'SELECT "Other Users/bob@example.test/box"').status == b"OK"
    return ann


@pytest.mark.parametrize(
    ("rights", "flag", "status"),
    [
        (b"lrs", b"\\Seen", b"OK"),
        (b"lrs", b"\\Deleted", b"NO"),
        (b"lrs", b"\\Flagged", b"NO"),
        (b"lrw", b"\\Seen", b"NO"),
        (b"lrw", b"word", b"OK"),
        (b"lrw", b"\\Answered", b"OK"),
        (b"lrt", b"\\Deleted", b"OK"),
        (b"lrt", b"word", b"NO"),
    ],
)
def test_each_right_lets_change_its_own_flags(site: ImapSite, rights: bytes, flag: bytes, status: bytes) -> None:
    done = share(site, rights).say(b"STORE 1 +FLAGS (%b)" % flag)
    assert done.status == status
    if status == b"NO":
        assert done.code == b"NOPERM"


def test_flags_beyond_the_rights_are_left_alone_and_the_rest_is_done(site: ImapSite) -> None:
    done = share(site, b"lrt").say(b"STORE 1 +FLAGS (\\Deleted \\Seen)")
    assert done.untagged == [b"* 1 FETCH (UID 1 FLAGS (\\Deleted))"]


def test_EXPUNGE_takes_the_right_e_and_MOVE_t_too(site: ImapSite) -> None:
    ann = share(site, b"lrst")
    assert ann.say(b"EXPUNGE").code == b"NOPERM"
    assert ann.say(b"MOVE 1 Trash").code == b"NOPERM"
    assert ann.say(b"COPY 1 Trash").status == b"OK"
    assert ann.say(b"CLOSE").status == b"OK"


def test_COPY_into_a_mailbox_without_the_right_i_is_refused(site: ImapSite) -> None:
    ann = share(site, b"lrs")
    name = b'"Other Users/bob@example.test/box"'
    assert ann.say(b"COPY 1 " + name).code == b"NOPERM"
    assert ann.say(b"APPEND %b {}" % name, TEXT).code == b"NOPERM"


def test_a_reader_without_s_reads_without_marking(site: ImapSite) -> None:
    ann = share(site, b"lrw")
    assert b"FLAGS" not in ann.say(b"FETCH 1 BODY[]").raw
    assert flags(ann) == b""
