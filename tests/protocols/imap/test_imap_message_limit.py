"""MESSAGELIMIT and SAVELIMIT: what one command works on at most (RFC 9738)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.imap.conftest import ImapSite
from worldmail.interfaces.messages import Flag, Marked
from worldmail.protocols.imap.fetch.answers import take_last
from worldmail.protocols.imap.message_limit import Reached, last_of
from worldmail.protocols.imap.view.view import View
from worldmail.testing.imap import ImapClient

TEXT = b"From: a@example.test\r\nSubject: one of many\r\n\r\nText\r\n"


def limited(**settings: int) -> ImapSite:
    """Bob has the UIDs 1 to 8, of which 4 was expunged; commands work on five messages."""
    given = {"message_limit": 5, "message_limit_enforced": 5} | settings
    site = ImapSite.make(**given)
    bob = site.accounts["bob"]
    site.store.add(bob, *[TEXT] * 3)
    site.store.add(bob, TEXT, flags=Flag.DELETED)
    site.store.add(bob, *[TEXT] * 4)
    client = site.client()
    client.say(b"SELECT INBOX")
    client.say(b"EXPUNGE")
    return site


@pytest.fixture
def many() -> ImapSite:
    return limited()


@pytest.fixture
def client(many: ImapSite) -> ImapClient:
    return opened(many)


def opened(site: ImapSite) -> ImapClient:
    client = site.client()
    assert client.say(b"SELECT INBOX").status == b"OK"
    return client


# --- what is announced ---


@pytest.mark.parametrize(
    ("settings", "announced", "silent"),
    [
        ({}, b"MESSAGELIMIT=100000 SAVELIMIT=100000", b"MESSAGELIMIT=1000000"),
        ({"message_limit": 0}, b"SAVELIMIT=100000", b"MESSAGELIMIT"),
        ({"message_limit": 2000, "save_limit": 3000}, b"MESSAGELIMIT=2000 SAVELIMIT=3000", b"1000000"),
    ],
)
def test_the_limits_are_announced_as_they_are_set(settings: dict[str, int], announced: bytes, silent: bytes) -> None:
    told = ImapSite.make(**settings).client().say(b"CAPABILITY").raw
    assert announced in told
    assert silent not in told


def test_a_command_of_as_many_messages_as_the_limit_is_whole(client: ImapClient) -> None:
    done = client.say(b"FETCH 3:7 UID")
    assert done.code is None
    assert len(done.untagged) == 5


def test_a_client_that_names_more_than_is_announced_gets_them_up_to_the_limit_that_is_enforced() -> None:
    client = opened(limited(message_limit=2))
    assert client.say(b"FETCH 3:7 UID").code is None
    assert client.say(b"FETCH 1:7 UID").code == b"MESSAGELIMIT 5 3"


def test_without_a_message_limit_everything_is_worked_on() -> None:
    client = opened(limited(message_limit=0))
    done = client.say(b"FETCH 1:* UID")
    assert (len(done.untagged), done.code) == (7, None)
    assert client.say(b"THREAD REFERENCES UTF-8 ALL").status == b"OK"


def test_the_enforced_limit_is_never_below_the_announced_one() -> None:
    client = opened(limited(message_limit=6, message_limit_enforced=1))
    assert client.say(b"FETCH 1:* UID").code == b"MESSAGELIMIT 6 2"


# --- FETCH ---


def test_FETCH_answers_for_the_last_messages_from_the_highest_down(client: ImapClient) -> None:
    done = client.say(b"FETCH 1:7 (UID FLAGS)")
    assert [line[: line.index(b" FLAGS")] for line in done.untagged] == [
        b"* 7 FETCH (UID 8",
        b"* 6 FETCH (UID 7",
        b"* 5 FETCH (UID 6",
        b"* 4 FETCH (UID 5",
        b"* 3 FETCH (UID 3",
    ]
    assert (done.status, done.code) == (b"OK", b"MESSAGELIMIT 5 3")


def test_FETCH_of_octets_goes_down_too_and_goes_on_where_the_code_says(client: ImapClient) -> None:
    first = client.say(b"UID FETCH 1:* BODY.PEEK[]")
    assert [line.split(b" ", 2)[1] for line in first.untagged] == [b"7", b"6", b"5", b"4", b"3"]
    assert first.code == b"MESSAGELIMIT 5 3"
    rest = client.say(b"UID FETCH 1:2 BODY.PEEK[]")
    assert [line.split(b" ", 2)[1] for line in rest.untagged] == [b"1", b"2"]
    assert rest.code is None


def test_FETCH_of_ranges_apart_from_each_other_takes_the_last_of_them(client: ImapClient) -> None:
    done = client.say(b"FETCH 1:2,4,6:7,3 UID")
    assert [line.split(b" ", 2)[1] for line in done.untagged] == [b"7", b"6", b"4", b"3", b"2"]
    assert done.code == b"MESSAGELIMIT 5 2"


@pytest.mark.parametrize("asked", [b"UID FLAGS MODSEQ", b"UID INTERNALDATE"])
def test_FETCH_of_what_changed_counts_what_changed(many: ImapSite, asked: bytes) -> None:
    before = opened(many)
    modseq = before.say(b"STATUS INBOX (HIGHESTMODSEQ)").untagged[-1].split()[-1].rstrip(b")")
    opened(many).say(b"UID STORE 5:8 +FLAGS (x)")
    assert opened(many).say(b"UID FETCH 1:* (%b) (CHANGEDSINCE %b)" % (asked, modseq)).code is None
    opened(many).say(b"UID STORE 2:3 +FLAGS (x)")
    done = opened(many).say(b"UID FETCH 1:* (%b) (CHANGEDSINCE %b)" % (asked, modseq))
    assert [line.split(b" ", 2)[1] for line in done.of(b"FETCH")] == [b"7", b"6", b"5", b"4", b"3"]
    assert done.code == b"MESSAGELIMIT 5 3"


def test_FETCH_of_a_page_beyond_the_limit_is_refused(client: ImapClient) -> None:
    done = client.say(b"UID FETCH 1:* (UID) (PARTIAL -1:-6)")
    assert (done.status, done.code, done.untagged) == (b"NO", b"MESSAGELIMIT 5", [])
    assert len(client.say(b"UID FETCH 1:* (UID) (PARTIAL 1:5)").untagged) == 5
    assert len(client.say(b"UID FETCH 1:* (UID) (PARTIAL -3:-7)").untagged) == 5


@pytest.mark.parametrize("item", [b"RFC822.SIZE", b"BODY.PEEK[]"])
def test_a_FETCH_that_misses_messages_too_tells_the_limit_untagged(many: ImapSite, item: bytes) -> None:
    client, other = opened(many), opened(many)
    client.say(b"FETCH 1:* UID")
    other.say(b"UID STORE 6 +FLAGS (\\Deleted)")
    other.say(b"EXPUNGE")
    done = client.say(b"FETCH 1:* " + item)
    assert (done.status, done.code) == (b"NO", b"EXPUNGEISSUED")
    assert done.untagged[-1].startswith(b"* NO [MESSAGELIMIT 5 3] ")


# --- STORE ---


def test_STORE_changes_the_last_messages_and_tells_them_from_the_highest_down(client: ImapClient) -> None:
    done = client.say(b"STORE 1:* +FLAGS (\\Flagged)")
    assert [line.split(b" ", 2)[1] for line in done.untagged] == [b"7", b"6", b"5", b"4", b"3"]
    assert done.code == b"MESSAGELIMIT 5 3"
    assert client.say(b"SEARCH 3:7 UNFLAGGED").untagged == [b"* SEARCH"]
    assert client.say(b"SEARCH 1:2 FLAGGED").untagged == [b"* SEARCH"]


def test_STORE_that_has_another_code_tells_the_limit_untagged(client: ImapClient) -> None:
    done = client.say(b"UID STORE 1:* (UNCHANGEDSINCE 1) +FLAGS (\\Flagged)")
    assert done.code is not None
    assert done.code.startswith(b"MODIFIED ")
    assert done.untagged[-1].startswith(b"* NO [MESSAGELIMIT 5 3] ")


# --- MOVE ---


def test_MOVE_moves_the_last_messages_until_none_is_left(many: ImapSite, client: ImapClient) -> None:
    done = client.say(b"UID MOVE 1:* Trash")
    assert (done.status, done.code) == (b"OK", b"MESSAGELIMIT 5 3")
    assert b" 3,5:8 1:5] " in done.untagged[0]
    assert done.untagged[1:] == [b"* %d EXPUNGE" % number for number in (7, 6, 5, 4, 3)]
    done = client.say(b"UID MOVE 1:* Trash")
    assert done.code is None or not done.code.startswith(b"MESSAGELIMIT")
    assert many.store.status(many.accounts["bob"], "Trash").messages == 7


def test_MOVE_keeps_to_the_announced_limit() -> None:
    client = opened(limited(message_limit=2))
    assert client.say(b"MOVE 1:* Trash").code == b"MESSAGELIMIT 2 7"
    assert opened(limited(message_limit=0)).say(b"MOVE 1:* Trash").code == b"HIGHESTMODSEQ 6"


def test_MOVE_tells_the_limit_untagged_to_a_client_that_needs_the_MODSEQ(many: ImapSite) -> None:
    client = many.client()
    client.say(b"ENABLE QRESYNC")
    client.say(b"SELECT INBOX")
    done = client.say(b"UID MOVE 1:* Trash")
    assert done.code is not None
    assert done.code.startswith(b"HIGHESTMODSEQ ")
    assert done.untagged[-1].startswith(b"* NO [MESSAGELIMIT 5 3] ")


# --- EXPUNGE ---


def test_UID_EXPUNGE_counts_what_is_deleted(many: ImapSite, client: ImapClient) -> None:
    client.say(b"UID STORE 3:8 +FLAGS.SILENT (\\Deleted)")
    assert client.say(b"UID EXPUNGE 1:*").code is None  # five of seven


def test_UID_EXPUNGE_removes_the_last_ones_until_none_is_left(client: ImapClient) -> None:
    client.say(b"UID STORE 5:8 +FLAGS.SILENT (\\Deleted)")
    client.say(b"UID STORE 1:2 +FLAGS.SILENT (\\Deleted)")
    done = client.say(b"UID EXPUNGE 1:*")
    assert done.untagged == [b"* %d EXPUNGE" % number for number in (7, 6, 5, 4, 2)]
    assert (done.status, done.code) == (b"OK", b"MESSAGELIMIT 5 2")
    done = client.say(b"UID EXPUNGE 1:*")
    assert (done.untagged, done.code) == ([b"* 1 EXPUNGE"], None)


@pytest.mark.parametrize("command", [b"EXPUNGE", b"CLOSE"])
def test_EXPUNGE_and_CLOSE_have_no_limit(many: ImapSite, client: ImapClient, command: bytes) -> None:
    client.say(b"UID STORE 3:8 +FLAGS.SILENT (\\Deleted)")
    client.say(b"UID STORE 1:2 +FLAGS.SILENT (\\Deleted)")
    done = client.say(command)
    assert (done.status, done.code) == (b"OK", None)
    assert many.store.status(many.accounts["bob"], "INBOX").messages == 0


def test_STATUS_has_no_limit(client: ImapClient) -> None:
    assert client.say(b"STATUS INBOX (MESSAGES UNSEEN)").untagged == [b"* STATUS INBOX (MESSAGES 7 UNSEEN 7)"]


# --- SEARCH, SORT, THREAD ---


def test_SEARCH_looks_at_the_last_messages_and_tells_them_from_the_highest_down(client: ImapClient) -> None:
    done = client.say(b"SEARCH UNDELETED")
    assert done.untagged == [b"* SEARCH 7 6 5 4 3"]
    assert (done.status, done.code) == (b"OK", b"MESSAGELIMIT 5 3")
    assert client.say(b"UID SEARCH UNDELETED").untagged == [b"* SEARCH 8 7 6 5 3"]


def test_SEARCH_counts_what_it_looks_at_and_not_what_it_finds(client: ImapClient) -> None:
    client.say(b"STORE 1,7 +FLAGS.SILENT (\\Flagged)")
    done = client.say(b"SEARCH FLAGGED")
    assert (done.untagged, done.code) == ([b"* SEARCH 7"], b"MESSAGELIMIT 5 3")


@pytest.mark.parametrize("bound", [b"1:5", b"UID 1:6", b"UIDBEFORE 7", b"UNFLAGGED (UIDBEFORE 8 UIDAFTER 1)"])
def test_numbers_bound_what_SEARCH_looks_at(client: ImapClient, bound: bytes) -> None:
    assert client.say(b"SEARCH " + bound.replace(b"(", b"").replace(b")", b"")).code is None


def test_a_limited_SEARCH_saves_what_it_tells(client: ImapClient) -> None:
    assert client.say(b"SEARCH RETURN (SAVE) ALL").code == b"MESSAGELIMIT 5 3"
    done = client.say(b"UID SEARCH RETURN (ALL COUNT) $")
    assert done.untagged == [b'* ESEARCH (TAG "a%d") UID ALL 3,5:8 COUNT 5' % client.number]
    assert done.code is None


@pytest.mark.parametrize("command", [b"SORT (ARRIVAL) UTF-8 ALL", b"UID THREAD REFERENCES UTF-8 ALL"])
def test_SORT_and_THREAD_of_more_messages_are_refused(client: ImapClient, command: bytes) -> None:
    done = client.say(command)
    assert (done.status, done.code, done.untagged) == (b"NO", b"MESSAGELIMIT 5 3", [])
    assert client.say(command.replace(b"ALL", b"3:7")).status == b"OK"


def test_ESEARCH_looks_at_all_messages(client: ImapClient) -> None:
    done = client.say(b"ESEARCH IN (personal) RETURN (COUNT) UNDELETED")
    assert [line.rpartition(b" ")[2] for line in done.untagged] == [b"7"]
    done = client.say(b"ESEARCH RETURN (COUNT) UNDELETED")
    assert [line.rpartition(b" ")[2] for line in done.untagged] == [b"7"]
    assert done.code is None


CASES = [
    (b"UIDAFTER 3", b" 5 6 7 8"),
    (b"UIDAFTER 4", b" 5 6 7 8"),
    (b"UIDAFTER 8", b""),
    (b"UIDAFTER 4294967295", b""),
    (b"UIDBEFORE 5", b" 1 2 3"),
    (b"UIDBEFORE 1", b""),
    (b"uidbefore 4294967295 uidafter 7", b" 8"),
    (b"NOT UIDAFTER 2", b" 1 2"),
]


@pytest.mark.parametrize(("key", "found"), CASES)
def test_UIDAFTER_and_UIDBEFORE(key: bytes, found: bytes) -> None:
    client = opened(limited(message_limit=0))
    assert client.say(b"UID SEARCH " + key).untagged == [b"* SEARCH" + found]


@pytest.mark.parametrize("key", [b"UIDAFTER 0", b"UIDBEFORE", b"UIDBEFORE *", b"UIDAFTER 1:2", b"UIDAFTER 4294967296"])
def test_UIDAFTER_and_UIDBEFORE_take_one_UID(client: ImapClient, key: bytes) -> None:
    assert client.say(b"SEARCH " + key).status == b"BAD"


# --- which ones they are ---


@given(
    st.lists(st.integers(0, 60), unique=True, max_size=20).map(sorted),
    st.integers(0, 40),
    st.integers(1, 12),
)
def test_the_last_ones_are_kept_and_taken_from_the_end(cuts: list[int], limit: int, most: int) -> None:
    slices = list(zip(cuts[::2], cuts[1::2], strict=False))
    every = [at for start, end in slices for at in range(start, end)]
    view = View(total=60, uidnext=1000, modseq=1)
    view.append([Marked(10 + 2 * at, 0, None, 1) for at in range(60)])
    kept, reached = last_of(view, slices, limit)
    wanted = every[-limit:]
    assert [at for start, end in kept for at in range(start, end)] == wanted
    assert all(start < end for start, end in kept) or kept == slices
    assert reached == (Reached(limit, 10 + 2 * wanted[0]) if 0 < limit < len(every) else None)
    waiting = [each for each in kept if each[0] < each[1]]
    taken: list[int] = []
    while waiting:
        batch = [at for start, end in take_last(waiting, most) for at in range(start, end)]
        assert 0 < len(batch) <= most
        taken = batch + taken
    assert taken == wanted
