"""CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE."""

from __future__ import annotations

from typing import Any

import pytest

from worldmail.testing.imap import ImapClient


def names(client: ImapClient, pattern: bytes = b"*") -> list[bytes]:
    """What LIST finds, INBOX and the mailboxes of a new account left out."""
    found = [line.rsplit(b'"/" ', 1)[1] for line in client.say(b'LIST "" ' + pattern).untagged]
    return [name for name in found if name not in (b"INBOX", b"Drafts", b"Junk", b"Sent", b"Trash")]


# --- CREATE ---


def test_CREATE_makes_the_levels_above_too(bob: ImapClient) -> None:
    assert bob.say(b"CREATE a/b/c").status == b"OK"
    assert names(bob) == [b"a", b"a/b", b"a/b/c"]


def test_CREATE_tells_the_id_that_STATUS_tells(bob: ImapClient) -> None:
    code = bob.say(b"CREATE a").code
    assert code is not None and code.startswith(b"MAILBOXID (F")
    assert bob.say(b"STATUS a (MAILBOXID)").untagged == [b"* STATUS a (" + code + b")"]
    assert bob.say(b"CREATE b").code != code


def test_an_id_stays_with_a_mailbox_that_is_renamed_and_never_comes_back(bob: ImapClient) -> None:
    code = bob.say(b"CREATE a").code
    bob.say(b"RENAME a b")
    assert bob.say(b"STATUS b (MAILBOXID)").untagged == [b"* STATUS b (%b)" % (code or b"")]
    bob.say(b"DELETE b")
    assert bob.say(b"CREATE b").code != code


def test_a_separator_at_the_end_only_says_what_is_planned(bob: ImapClient) -> None:
    assert bob.say(b"CREATE plans/").status == b"OK"
    assert names(bob) == [b"plans"]


@pytest.mark.parametrize("name", [b"INBOX", b"inbox", b"Sent", b"sub/a"])
def test_a_name_that_is_there_is_not_made_again(bob: ImapClient, name: bytes) -> None:
    bob.say(b"CREATE sub/a")
    answer = bob.say(b"CREATE " + name)
    assert (answer.status, answer.code) == (b"NO", b"ALREADYEXISTS")


@pytest.mark.parametrize(
    "name", [b'"a//b"', b'"/a"', b'"a*"', b'"a%b"', b"&AAA", b"&AAo-", b'"#news"', b'""', b'"\x7f"']
)
def test_what_can_be_no_name_is_refused(bob: ImapClient, name: bytes) -> None:
    assert bob.say(b"CREATE " + name).status in (b"NO", b"BAD")
    assert names(bob) == []


@pytest.mark.parametrize(
    "name", [b'"Other Users"', b'"Other Users/nobody@example.test/x"', b'"Other Users/ann@example.test/x"']
)
def test_nobody_makes_mailboxes_where_others_have_theirs(bob: ImapClient, name: bytes) -> None:
    assert bob.say(b"CREATE " + name).status == b"NO"


def test_a_mailbox_is_made_for_a_special_use(bob: ImapClient) -> None:
    assert bob.say(b"CREATE Kept (USE (\\archive))").status == b"OK"
    assert bob.say(b'LIST "" Kept').untagged == [b'* LIST (\\HasNoChildren \\Archive) "/" Kept']
    assert bob.say(b"CREATE Plain (USE ())").status == b"OK"


@pytest.mark.parametrize("use", [b"\\All", b"\\Flagged", b"\\Unheard", b"\\Sent \\Drafts"])
def test_a_use_that_is_not_offered_is_USEATTR(bob: ImapClient, use: bytes) -> None:
    answer = bob.say(b"CREATE Kept (USE (" + use + b"))")
    assert (answer.status, answer.code) == (b"NO", b"USEATTR")
    assert names(bob) == []


@pytest.mark.parametrize("rest", [b"", b" a b", b" a (NEW)", b" a (USE \\Sent)", b" a USE", b" a (USE (\\Sent)) b"])
def test_what_is_no_CREATE_is_BAD(bob: ImapClient, rest: bytes) -> None:
    assert bob.say(b"CREATE" + rest).status == b"BAD"


def test_an_account_that_may_not_create_is_told_so(site: Any) -> None:
    settings = {"imap-create": "off", "imap-rename": "off", "imap-delete": "off"}
    site.add("cat", settings=settings)
    cat = site.client("cat")
    for command in (b"CREATE a", b"RENAME Junk Spam", b"DELETE Junk"):
        answer = cat.say(command)
        assert (answer.status, answer.code) == (b"NO", b"NOPERM"), command


# --- names that the client wrote in another way (RFC 9051 §6.3.9.7) ---


def test_IMAP4rev2_tells_the_name_that_a_mailbox_got(bob: ImapClient) -> None:
    bob.session.enable("IMAP4REV2")
    assert bob.say(b"CREATE plans/").untagged == [b'* LIST (\\HasNoChildren) "/" plans ("OLDNAME" (plans/))']
    assert bob.say(b"CREATE other").untagged == []
    decomposed = '"a\u0308"'.encode()
    assert bob.say(b"CREATE " + decomposed).untagged == [
        b'* LIST (\\HasNoChildren) "/" "\xc3\xa4" ("OLDNAME" (' + decomposed + b"))"
    ]
    assert bob.say(b"RENAME other " + b"next/").untagged == [b'* LIST (\\HasNoChildren) "/" next ("OLDNAME" (next/))']
    assert bob.say(b"DELETE " + decomposed).untagged == [
        b'* LIST (\\NonExistent \\HasNoChildren) "/" "\xc3\xa4" ("OLDNAME" (' + decomposed + b"))"
    ]


def test_IMAP4rev1_is_not_told(bob: ImapClient) -> None:
    assert bob.say(b"CREATE plans/").untagged == []


# --- DELETE ---


def test_DELETE_leaves_what_is_below(bob: ImapClient) -> None:
    bob.say(b"CREATE a/b")
    assert bob.say(b"DELETE a").status == b"OK"
    assert bob.say(b'LIST "" a*').untagged == [
        b'* LIST (\\NonExistent \\Noselect \\HasChildren) "/" a',
        b'* LIST (\\HasNoChildren) "/" a/b',
    ]
    answer = bob.say(b"DELETE a")
    assert (answer.status, answer.code) == (b"NO", b"NONEXISTENT")
    assert bob.say(b"CREATE a").status == b"OK"


def test_INBOX_cannot_be_removed(bob: ImapClient) -> None:
    assert bob.say(b"DELETE inbox").status == b"NO"


def test_UIDVALIDITY_grows_when_a_name_comes_back(bob: ImapClient) -> None:
    bob.say(b"CREATE a")
    before = bob.say(b"STATUS a (UIDVALIDITY)").untagged
    bob.say(b"DELETE a")
    bob.say(b"CREATE a")
    assert bob.say(b"STATUS a (UIDVALIDITY)").untagged > before


def test_the_mail_goes_with_the_mailbox(bob: ImapClient, site: Any) -> None:
    bob.say(b"CREATE a")
    site.store.add(site.accounts["bob"], b"Subject: x\r\n\r\n", mailbox="a")
    bob.say(b"DELETE a")
    bob.say(b"CREATE a")
    assert bob.say(b"STATUS a (MESSAGES)").untagged == [b"* STATUS a (MESSAGES 0)"]


# --- RENAME ---


def test_RENAME_takes_along_what_is_below(bob: ImapClient) -> None:
    bob.say(b"CREATE a/b/c")
    bob.say(b"CREATE ab")
    assert bob.say(b"RENAME a new/a").status == b"OK"
    assert names(bob) == [b"ab", b"new", b"new/a", b"new/a/b", b"new/a/b/c"]


def test_RENAME_of_INBOX_moves_its_messages_to_a_new_mailbox(bob: ImapClient, site: Any) -> None:
    site.store.add(site.accounts["bob"], b"Subject: x\r\n\r\n", b"Subject: y\r\n\r\n")
    assert bob.say(b"RENAME INBOX old").status == b"OK"
    assert bob.say(b'LIST "" (INBOX old) RETURN (STATUS (MESSAGES))').untagged == [
        b'* LIST (\\HasNoChildren) "/" INBOX',
        b"* STATUS INBOX (MESSAGES 0)",
        b'* LIST (\\HasNoChildren) "/" old',
        b"* STATUS old (MESSAGES 2)",
    ]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (b"RENAME none b", b"NONEXISTENT"),
        (b"RENAME a Sent", b"ALREADYEXISTS"),
        (b"RENAME a INBOX", b"ALREADYEXISTS"),
        (b"RENAME a a/b", b"CANNOT"),
        (b'RENAME a "b*"', b"CANNOT"),
    ],
)
def test_what_cannot_be_renamed(bob: ImapClient, command: bytes, code: bytes) -> None:
    bob.say(b"CREATE a")
    answer = bob.say(command)
    assert (answer.status, answer.code) == (b"NO", code)
    assert names(bob) == [b"a"]


# --- subscriptions ---


def test_subscriptions_are_of_names(bob: ImapClient) -> None:
    bob.say(b"CREATE a")
    assert bob.say(b"SUBSCRIBE a").status == b"OK"
    assert bob.say(b"SUBSCRIBE a").status == b"OK"
    bob.say(b"DELETE a")
    assert bob.say(b'LSUB "" a').untagged == [b'* LSUB () "/" a']
    assert bob.say(b"UNSUBSCRIBE a").status == b"OK"
    assert bob.say(b'LSUB "" a').untagged == []
    assert bob.say(b"UNSUBSCRIBE a").status == b"OK"


def test_what_does_not_exist_cannot_be_subscribed_to(bob: ImapClient) -> None:
    answer = bob.say(b"SUBSCRIBE none")
    assert (answer.status, answer.code) == (b"NO", b"NONEXISTENT")


def test_subscriptions_are_of_an_account_not_of_a_session(site: Any) -> None:
    one, two = site.client(), site.client()
    one.say(b"CREATE a")
    one.say(b"SUBSCRIBE a")
    assert two.say(b'LSUB "" a').untagged == [b'* LSUB () "/" a']


def test_mailboxes_of_others_can_be_subscribed_to(bob: ImapClient, ann: ImapClient) -> None:
    shared = b'"Other Users/bob@example.test/Ours"'
    bob.say(b"CREATE Ours")
    assert ann.say(b"SUBSCRIBE " + shared).code == b"NONEXISTENT"
    bob.say(b"SETACL Ours ann@example.test lr")
    assert ann.say(b"SUBSCRIBE " + shared).status == b"OK"
    assert ann.say(b'LIST (SUBSCRIBED) "" "Other*"').untagged == [
        b'* LIST (\\Subscribed \\HasNoChildren) "/" ' + shared
    ]
    bob.say(b"DELETEACL Ours ann@example.test")
    assert ann.say(b'LIST (SUBSCRIBED) "" "Other*"').untagged == [
        b'* LIST (\\NonExistent \\Subscribed \\HasNoChildren) "/" ' + shared
    ]


@pytest.mark.parametrize(
    "command", [b"SUBSCRIBE", b"UNSUBSCRIBE", b"SUBSCRIBE a b", b"DELETE", b"RENAME a", b"DELETE a b"]
)
def test_arguments_are_neither_missing_nor_too_many(bob: ImapClient, command: bytes) -> None:
    assert bob.say(command).status == b"BAD"


@pytest.mark.parametrize(
    "word", [b"LIST", b"LSUB", b"STATUS", b"CREATE", b"DELETE", b"GETACL", b"GETQUOTA", b"GETMETADATA"]
)
def test_nobody_asks_for_mailboxes_before_signing_in(site: Any, word: bytes) -> None:
    assert site.server.connect().say(word + b" a b").status == b"BAD"


# --- the selected mailbox ---


def test_DELETE_of_the_selected_mailbox_leaves_none_selected(bob: ImapClient) -> None:
    bob.say(b"CREATE a")
    bob.say(b"SELECT a")
    answer = bob.say(b"DELETE a")
    assert (answer.status, answer.untagged) == (b"OK", [])
    assert bob.say(b"FETCH 1 FLAGS").status == b"BAD"
    assert bob.say(b"SELECT INBOX").status == b"OK"


@pytest.mark.parametrize("enabled", ["IMAP4REV2", "QRESYNC"])
def test_clients_that_know_CLOSED_are_told(bob: ImapClient, enabled: str) -> None:
    bob.session.enable(enabled)
    bob.say(b"CREATE a")
    bob.say(b"SELECT a")
    assert bob.say(b"DELETE a").untagged == [b"* OK [CLOSED] The selected mailbox is gone"]


def test_DELETE_of_another_mailbox_leaves_the_selected_one(bob: ImapClient) -> None:
    bob.say(b"CREATE a")
    bob.say(b"SELECT INBOX")
    assert bob.say(b"DELETE a").status == b"OK"
    assert bob.say(b"UID FETCH 1:* FLAGS").status == b"OK"


def test_a_session_whose_mailbox_another_one_removed_ends(site: Any) -> None:
    one, two = site.client(), site.client()
    one.say(b"CREATE a")
    two.say(b"SELECT a")
    one.say(b"DELETE a")
    answer = two.say(b"NOOP")
    assert two.closed is not None and b"* BYE " in answer.raw


def test_a_mailbox_that_is_renamed_stays_selected(site: Any) -> None:
    one, two = site.client(), site.client()
    one.say(b"CREATE a")
    two.say(b"SELECT a")
    assert two.say(b"RENAME a b").status == b"OK"
    one.say(b"RENAME b c")
    site.store.add(site.accounts["bob"], b"Subject: x\r\n\r\n", mailbox="c")
    assert two.say(b"NOOP").of(b"EXISTS") == [b"* 1 EXISTS"]


def test_STATUS_tells_of_the_selected_mailbox_as_it_is(site: Any, bob: ImapClient) -> None:
    bob.say(b"SELECT INBOX")
    site.store.add(site.accounts["bob"], b"Subject: x\r\n\r\n")
    answer = bob.say(b"STATUS INBOX (MESSAGES)")
    assert answer.of(b"STATUS") == [b"* STATUS INBOX (MESSAGES 1)"]
    assert answer.of(b"EXISTS") == [b"* 1 EXISTS"]


def test_asking_for_HIGHESTMODSEQ_tells_that_of_the_selected_mailbox_once(bob: ImapClient) -> None:
    bob.say(b"SELECT INBOX")
    assert len(bob.say(b"STATUS Sent (HIGHESTMODSEQ)").untagged) == 2
    assert len(bob.say(b"STATUS Sent (HIGHESTMODSEQ)").untagged) == 1


def test_SELECT_tells_IMAP4rev2_the_name_and_what_it_was_called(bob: ImapClient) -> None:
    bob.session.enable("IMAP4REV2")
    bob.say(b"CREATE " + '"\u00e4"'.encode())
    assert bob.say(b"SELECT " + '"a\u0308"'.encode()).of(b"LIST") == [
        b'* LIST (\\HasNoChildren) "/" "\xc3\xa4" ("OLDNAME" ("a\xcc\x88"))'
    ]
    assert bob.say(b"EXAMINE Sent").of(b"LIST") == [b'* LIST (\\HasNoChildren \\Sent) "/" Sent']
