"""SELECT, EXAMINE, CLOSE, UNSELECT, CHECK (RFC 9051 §6.3.2, §6.3.3, §6.4.1, §6.4.2), and QRESYNC (RFC 7162 §3.2.5)."""

from __future__ import annotations

import pytest

from tests.protocols.imap.conftest import ImapSite
from worldmail.interfaces.messages import Flag
from worldmail.testing.imap import ImapClient
from worldmail.testing.real_store import settle

TEXT = b"Subject: x\r\n\r\ntext\r\n"


@pytest.fixture
def three(site: ImapSite) -> ImapSite:
    """A site where bob has three messages, the first of them read."""
    bob = site.accounts["bob"]
    site.store.add(bob, TEXT, flags=Flag.SEEN)
    site.store.add(bob, TEXT, TEXT)
    return site


def test_SELECT_tells_what_a_client_needs_before_its_first_command(three: ImapSite) -> None:
    done = three.client().say(b"SELECT INBOX")
    assert (done.status, done.code) == (b"OK", b"READ-WRITE")
    told = b"\n".join(done.untagged)
    for part in (
        b"* 3 EXISTS",
        b"* 3 RECENT",
        b"[UNSEEN 2]",
        b"[UIDVALIDITY ",
        b"[UIDNEXT 4]",
        b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)",
        b"[PERMANENTFLAGS (\\Answered \\Flagged \\Draft \\Deleted \\Seen \\*)]",
        b"[HIGHESTMODSEQ ",
        b"[MAILBOXID (F",
        b"[URLMECH INTERNAL",
    ):
        assert part in told


def test_IMAP4rev2_has_LIST_in_place_of_RECENT_and_UNSEEN(three: ImapSite) -> None:
    client = three.client()
    client.session.enable("IMAP4REV2")
    done = client.say(b"SELECT INBOX")
    told = b"\n".join(done.untagged)
    assert b'* LIST (\\HasNoChildren) "/" INBOX' in told
    assert b"RECENT" not in told and b"UNSEEN" not in told
    assert b"\\Recent" not in client.say(b"FETCH 1:* FLAGS").raw


def test_messages_are_recent_in_the_first_session_that_selects_alone(three: ImapSite) -> None:
    one, other = three.client(), three.client()
    assert b"* 3 RECENT" in one.say(b"SELECT INBOX").untagged
    assert b"* 0 RECENT" in other.say(b"SELECT INBOX").untagged
    assert b"\\Recent" in one.say(b"FETCH 1 FLAGS").raw
    assert b"\\Recent" not in other.say(b"FETCH 1 FLAGS").raw


def test_keywords_are_among_the_flags_and_new_ones_are_told_before_they_are_met(three: ImapSite) -> None:
    one, other = three.client(), three.client()
    one.say(b"SELECT INBOX")
    flags = b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work"
    permanent = b"* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Draft \\Deleted \\Seen $Work"
    stored = one.say(b"STORE 1 +FLAGS ($Work)").untagged
    assert stored[:2] == [flags + b")", permanent + b" \\*)] Flags that are kept"]
    assert flags + b")" in other.say(b"SELECT INBOX").untagged
    one.say(b"STORE 2 +FLAGS (Red)")
    assert one.say(b"STORE 3 +FLAGS ($work Red)").of(b"FLAGS") == []
    told = other.say(b"NOOP").untagged
    assert told[:2] == [flags + b" Red)", permanent + b" Red \\*)] Flags that are kept"]
    assert [line[:9] for line in told[2:]] == [b"* 2 FETCH", b"* 3 FETCH"]


def test_what_arrives_where_nothing_was_recent_is_recent(three: ImapSite) -> None:
    first = three.client()
    first.say(b"SELECT INBOX")
    first.say(b"LOGOUT")
    client = three.client()
    client.say(b"SELECT INBOX")
    three.store.add(three.accounts["bob"], TEXT)
    assert client.say(b"NOOP").untagged == [b"* 4 EXISTS", b"* 1 RECENT"]


def test_what_arrives_is_recent_in_one_of_the_sessions_that_have_the_mailbox_selected(three: ImapSite) -> None:
    one, other, third = three.client(), three.client(), three.client()
    one.say(b"SELECT INBOX")
    other.say(b"SELECT INBOX")
    three.store.add(three.accounts["bob"], TEXT)
    assert other.say(b"NOOP").untagged == [b"* 4 EXISTS", b"* 0 RECENT"]
    assert third.say(b"STATUS INBOX (RECENT)").untagged == [b"* STATUS INBOX (RECENT 1)"]  # one was not told yet
    assert one.say(b"NOOP").untagged == [b"* 4 EXISTS", b"* 4 RECENT"]
    assert third.say(b"STATUS INBOX (RECENT)").untagged == [b"* STATUS INBOX (RECENT 0)"]
    assert b"* 0 RECENT" in third.say(b"EXAMINE INBOX").untagged
    assert b"\\Recent" in one.say(b"FETCH 4 FLAGS").raw
    assert b"\\Recent" not in other.say(b"FETCH 4 FLAGS").raw + third.say(b"FETCH 4 FLAGS").raw


@pytest.mark.parametrize("end", [b"LOGOUT", b"UNSELECT", b"CLOSE", b"SELECT Trash", b"UNAUTHENTICATE", b""])
def test_what_a_session_was_told_of_is_recent_in_no_later_one(three: ImapSite, end: bytes) -> None:
    one = three.client()
    one.say(b"SELECT INBOX")
    three.store.add(three.accounts["bob"], TEXT)
    assert one.say(b"NOOP").untagged == [b"* 4 EXISTS", b"* 4 RECENT"]
    if end:
        one.say(end)
    else:
        one.session.closed("gone")
    three.store.add(three.accounts["bob"], TEXT)
    later = three.client()
    assert b"* 1 RECENT" in later.say(b"SELECT INBOX").untagged
    assert b"\\Recent" not in later.say(b"FETCH 1:4 FLAGS").raw


def test_once_the_first_session_left_another_is_told_what_is_recent(three: ImapSite) -> None:
    one, other = three.client(), three.client()
    one.say(b"SELECT INBOX")
    other.say(b"SELECT INBOX")
    three.store.add(three.accounts["bob"], TEXT)
    one.say(b"NOOP")
    one.say(b"LOGOUT")
    three.store.add(three.accounts["bob"], TEXT)
    assert other.say(b"NOOP").untagged == [b"* 5 EXISTS", b"* 1 RECENT"]
    assert other.say(b"SEARCH RECENT").untagged == [b"* SEARCH 5"]


def test_EXAMINE_leaves_messages_recent_and_changes_nothing(three: ImapSite) -> None:
    client = three.client()
    done = client.say(b"EXAMINE INBOX")
    assert done.code == b"READ-ONLY"
    assert b"* 3 RECENT" in done.untagged
    assert b"PERMANENTFLAGS ()" in done.raw
    for command in (b"STORE 1 +FLAGS (\\Seen)", b"EXPUNGE", b"MOVE 1 Trash", b"UID EXPUNGE 1"):
        refused = client.say(command)
        assert (refused.status, refused.code) == (b"NO", b"NOPERM"), command
    client.say(b"FETCH 2 BODY[]")
    assert b"\\Seen" not in client.say(b"FETCH 2 FLAGS").raw
    assert b"* 3 RECENT" in three.client().say(b"SELECT INBOX").untagged


def test_a_mailbox_that_is_not_there_leaves_none_selected(three: ImapSite) -> None:
    client = three.client()
    client.say(b"SELECT INBOX")
    refused = client.say(b"SELECT Nowhere")
    assert (refused.status, refused.code) == (b"NO", b"NONEXISTENT")
    assert [line[:13] for line in refused.untagged] == [b"* OK [CLOSED]"]  # RFC 7162 §3.2.11
    assert client.say(b"FETCH 1 FLAGS").status == b"BAD"


def test_selecting_another_mailbox_says_that_the_first_is_closed(three: ImapSite) -> None:
    client = three.client()
    client.say(b"SELECT INBOX")
    assert client.say(b"SELECT Trash").untagged[0].startswith(b"* OK [CLOSED]")


def test_CLOSE_expunges_silently_and_UNSELECT_does_not(three: ImapSite) -> None:
    client = three.client()
    client.say(b"SELECT INBOX")
    client.say(b"STORE 1 +FLAGS (\\Deleted)")
    assert client.say(b"UNSELECT").untagged == []
    assert b"* 3 EXISTS" in client.say(b"SELECT INBOX").untagged
    assert client.say(b"CLOSE").untagged == []
    assert b"* 2 EXISTS" in client.say(b"SELECT INBOX").untagged


def test_CLOSE_of_an_examined_mailbox_expunges_nothing(three: ImapSite) -> None:
    client = three.client()
    client.say(b"SELECT INBOX")
    client.say(b"STORE 1 +FLAGS (\\Deleted)")
    client.say(b"EXAMINE INBOX")
    assert client.say(b"CLOSE").status == b"OK"
    assert b"* 3 EXISTS" in client.say(b"EXAMINE INBOX").untagged


def test_CHECK_tells_what_is_new_as_NOOP_does(three: ImapSite) -> None:
    client = three.client()
    client.say(b"SELECT INBOX")
    three.store.add(three.accounts["bob"], TEXT)
    assert client.say(b"CHECK").untagged == [b"* 4 EXISTS", b"* 4 RECENT"]


def test_an_empty_mailbox_has_no_message_of_any_number(site: ImapSite) -> None:
    client = site.client()
    assert b"* 0 EXISTS" in client.say(b"SELECT INBOX").untagged
    assert client.say(b"FETCH 1:* FLAGS").status == b"BAD"
    assert client.say(b"UID FETCH 1:* FLAGS").status == b"OK"
    assert client.say(b"EXPUNGE").status == b"OK"


def test_a_session_whose_mailbox_is_deleted_ends_with_BYE(site: ImapSite) -> None:
    one, other = site.client(), site.client()
    one.say(b"CREATE box")
    other.say(b"SELECT box")
    one.say(b"DELETE box")
    assert other.say(b"NOOP").raw.startswith(b"* BYE")
    assert other.closed is not None


@pytest.mark.parametrize(
    "parameters",
    [b"(FOO)", b"(QRESYNC)", b"(QRESYNC (1))", b"(QRESYNC (1 0))", b"(QRESYNC (1 2 *))", b"(QRESYNC (1 2 3 (1:2 5)))"],
)
def test_parameters_that_are_none_are_BAD(site: ImapSite, parameters: bytes) -> None:
    client = site.client()
    client.say(b"ENABLE QRESYNC")
    assert client.say(b"SELECT INBOX " + parameters).status == b"BAD"


def test_QRESYNC_has_to_be_enabled_before_it_is_used(site: ImapSite) -> None:
    assert site.client().say(b"SELECT INBOX (QRESYNC (1 2))").status == b"BAD"


def resync(client: ImapClient, *, known: bytes = b"", modseq: int, validity: int) -> list[bytes]:
    """What QRESYNC tells beside the rest."""
    done = client.say(b"SELECT INBOX (QRESYNC (%d %d%b))" % (validity, modseq, known))
    assert done.status == b"OK", done
    return [line for line in done.untagged if b"FETCH" in line or b"VANISHED" in line]


def test_QRESYNC_tells_what_vanished_and_what_changed_since(three: ImapSite) -> None:
    client = three.client()
    client.say(b"ENABLE QRESYNC")
    client.say(b"SELECT INBOX")
    bob = three.accounts["bob"]
    before = three.store.status(bob)
    client.say(b"STORE 1 +FLAGS (\\Deleted)")
    client.say(b"EXPUNGE")
    client.say(b"STORE 1 +FLAGS (\\Flagged)")
    three.store.add(bob, TEXT)
    again = three.client()
    again.say(b"ENABLE QRESYNC")
    told = resync(again, modseq=before.highestmodseq, validity=before.uidvalidity)
    assert told[0] == b"* VANISHED (EARLIER) 1"
    assert told[1].startswith(b"* 1 FETCH (UID 2 MODSEQ (")
    assert b"\\Flagged" in told[1]
    assert told[2].startswith(b"* 3 FETCH (UID 4 MODSEQ (")
    assert len(told) == 3
    only = resync(again, known=b" 2:4", modseq=before.highestmodseq, validity=before.uidvalidity)
    assert not any(b"VANISHED" in line for line in only)
    with_match = resync(again, known=b" 1:4 (1,2 1,2)", modseq=before.highestmodseq, validity=before.uidvalidity)
    assert with_match[0] == b"* VANISHED (EARLIER) 1"


def test_QRESYNC_tells_nothing_to_one_who_knows_all_or_another_UIDVALIDITY(three: ImapSite) -> None:
    client = three.client()
    client.say(b"ENABLE QRESYNC")
    now = three.store.status(three.accounts["bob"])
    assert resync(client, modseq=now.highestmodseq, validity=now.uidvalidity) == []
    assert resync(client, modseq=1, validity=now.uidvalidity + 1) == []


def test_with_QRESYNC_expunges_are_told_as_VANISHED_with_HIGHESTMODSEQ(three: ImapSite) -> None:
    one, other = three.client(), three.client()
    for client in (one, other):
        client.say(b"ENABLE QRESYNC")
        client.say(b"SELECT INBOX")
    one.say(b"STORE 1:2 +FLAGS.SILENT (\\Deleted)")
    done = one.say(b"EXPUNGE")
    assert b"* VANISHED 1:2" in done.untagged
    assert done.code is not None and done.code.startswith(b"HIGHESTMODSEQ ")
    assert b"* VANISHED 1:2" in other.say(b"NOOP").untagged
    one.say(b"STORE 1 +FLAGS (\\Deleted)")
    assert one.say(b"CLOSE").raw.endswith(b" OK CLOSE completed\r\n")  # no HIGHESTMODSEQ (RFC 7162 §3.2.8)


def test_SELECT_loads_no_message_and_a_FETCH_of_the_last_loads_the_last(site: ImapSite) -> None:
    bob = site.accounts["bob"]
    site.store.add(bob, *[TEXT] * 50)
    settle(site.store.world.messages.take_recent(site.store.status(bob).id))
    client = site.client()
    client.say(b"SELECT INBOX")
    view = client.session.selected.view  # type: ignore[union-attr]  # it is selected
    assert len(view.uids) == 0
    assert client.say(b"FETCH 48:* FLAGS").status == b"OK"
    assert list(view.uids) == [48, 49, 50]
    assert client.say(b"UID FETCH 40 FLAGS").untagged == [b"* 40 FETCH (UID 40 FLAGS ())"]
    assert len(view.uids) == 11


def test_loading_late_keeps_the_numbers_of_what_others_expunged_meanwhile(site: ImapSite) -> None:
    bob = site.accounts["bob"]
    site.store.add(bob, *[TEXT] * 5)
    client, other = site.client(), site.client()
    client.session.enable("IMAP4REV2")
    client.say(b"SELECT INBOX")
    other.say(b"SELECT INBOX")
    other.say(b"STORE 2 +FLAGS (\\Deleted)")
    other.say(b"EXPUNGE")
    assert client.say(b"FETCH 4 UID").untagged == [b"* 4 FETCH (UID 4)"]
    assert client.say(b"FETCH 1:3 UID").untagged == [b"* 1 FETCH (UID 1)", b"* 3 FETCH (UID 3)"]
    assert client.say(b"NOOP").untagged == [b"* 2 EXPUNGE"]


def test_who_has_INBOX_selected_does_not_stay_with_its_messages_when_it_is_renamed(three: ImapSite) -> None:
    client, other = three.client(), three.client()
    client.say(b"ENABLE QRESYNC")
    for each in (client, other):
        each.say(b"SELECT INBOX")
    other.idle()
    renamed = client.say(b"RENAME INBOX old")
    assert (renamed.status, [line[:13] for line in renamed.untagged]) == (b"OK", [b"* OK [CLOSED]"])
    assert client.say(b"FETCH 1 FLAGS").status == b"BAD"
    assert other.told() == b"* BYE The selected mailbox is gone\r\n"  # or it would wait in vain for mail
    assert other.closed


def test_other_names_may_change_under_a_selected_INBOX(three: ImapSite) -> None:
    client, other = three.client(), three.client()
    client.say(b"SELECT INBOX")
    other.say(b"CREATE a")
    other.say(b"RENAME a b")
    assert client.say(b"NOOP").raw.endswith(b" OK NOOP completed\r\n")
    three.store.add(three.accounts["bob"], TEXT)
    assert client.say(b"NOOP").of(b"EXISTS") == [b"* 4 EXISTS"]


def test_a_mailbox_that_is_renamed_stays_selected(three: ImapSite) -> None:
    three.store.add(three.accounts["bob"], TEXT, mailbox="Sent")
    client = three.client()
    client.say(b"SELECT Sent")
    client.say(b"RENAME Sent Posted")
    assert client.say(b"FETCH 1 UID").untagged == [b"* 1 FETCH (UID 1)"]
