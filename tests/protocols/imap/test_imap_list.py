"""LIST and LSUB, in their old and their extended form."""

from __future__ import annotations

from typing import Any

import pytest

from worldmail.testing.imap import ImapClient

FRUIT = (b"Fruit", b"Fruit/Apple", b"Fruit/Banana", b"Fruit/Peach", b"Tofu", b"Vegetable/Broccoli", b"Vegetable/Corn")


def listed(client: ImapClient, command: bytes) -> dict[bytes, bytes]:
    """The names that a LIST or LSUB tells of, with their attributes (and extended items, if any)."""
    answer = client.say(command)
    assert answer.status == b"OK", answer
    found = {}
    for line in answer.untagged:
        _, kind, rest = line.split(b" ", 2)
        assert kind in (b"LIST", b"LSUB"), line
        attributes, _, rest = rest.partition(b') "/" ')
        name, _, items = rest.partition(b" (")
        assert name not in found
        found[name] = attributes[1:] + (b" (" + items if items else b"")
    return found


@pytest.fixture
def gardener(bob: ImapClient) -> ImapClient:
    """Bob with the mailboxes of RFC 9051 §6.3.9.8, and nothing else but INBOX."""
    for name in (b"Drafts", b"Junk", b"Sent", b"Trash"):
        assert bob.say(b"DELETE " + name).status == b"OK"
        bob.say(b"UNSUBSCRIBE " + name)
    for name in FRUIT:
        assert bob.say(b"CREATE " + name).status == b"OK"
    for name in (b"Fruit/Banana", b"Fruit/Peach", b"Vegetable", b"Vegetable/Broccoli"):
        assert bob.say(b"SUBSCRIBE " + name).status == b"OK"
    assert bob.say(b"DELETE Fruit/Peach").status == b"OK"
    return bob


def test_a_new_account_has_its_mailboxes_for_special_uses(bob: ImapClient) -> None:
    assert listed(bob, b'LIST "" *') == {
        b"INBOX": b"\\HasNoChildren",
        b"Drafts": b"\\HasNoChildren \\Drafts",
        b"Junk": b"\\HasNoChildren \\Junk",
        b"Sent": b"\\HasNoChildren \\Sent",
        b"Trash": b"\\HasNoChildren \\Trash",
    }


def test_an_empty_name_asks_for_the_separator_and_the_root(bob: ImapClient) -> None:
    assert bob.say(b'LIST "" ""').untagged == [b'* LIST (\\Noselect) "/" ""']
    assert bob.say(b'LIST Fruit ""').untagged == [b'* LIST (\\Noselect) "/" ""']
    assert bob.say(b'LIST "Other Users/ann@example.test" ""').untagged == [b'* LIST (\\Noselect) "/" "Other Users/"']
    assert bob.say(b'LIST () "" ""').untagged == []
    assert bob.say(b'LIST "" ("" INBOX)').untagged == [b'* LIST (\\HasNoChildren) "/" INBOX']


def test_a_percent_sign_stays_in_its_level(gardener: ImapClient) -> None:
    assert list(listed(gardener, b'LIST "" %')) == [b"INBOX", b"Fruit", b"Tofu", b"Vegetable"]
    assert list(listed(gardener, b'LIST "" %/%')) == [
        b"Fruit/Apple",
        b"Fruit/Banana",
        b"Vegetable/Broccoli",
        b"Vegetable/Corn",
    ]
    assert list(listed(gardener, b"LIST Fruit/ %")) == [b"Fruit/Apple", b"Fruit/Banana"]
    assert list(listed(gardener, b'LIST "" *o')) == []
    assert list(listed(gardener, b'LIST "" *o*')) == [b"INBOX", b"Tofu", b"Vegetable/Broccoli", b"Vegetable/Corn"]


def test_INBOX_is_found_in_any_case(gardener: ImapClient) -> None:
    for pattern in (b"inbox", b"InBoX", b"inb%", b"*nbo*"):
        assert list(listed(gardener, b'LIST "" ' + pattern)) == [b"INBOX"], pattern


def test_several_patterns_name_each_mailbox_once(gardener: ImapClient) -> None:
    assert list(listed(gardener, b'LIST "" (Tofu "Fruit/%" *fu inbox)')) == [
        b"INBOX",
        b"Fruit/Apple",
        b"Fruit/Banana",
        b"Tofu",
    ]


def test_a_pattern_that_no_name_can_match_is_ignored(gardener: ImapClient) -> None:
    assert listed(gardener, b'LIST "" "&"') == {}
    assert list(listed(gardener, b'LIST "" (&AAA Tofu)')) == [b"Tofu"]


def test_a_level_without_a_mailbox_is_told_as_such(gardener: ImapClient) -> None:
    assert gardener.say(b"DELETE Vegetable").status == b"OK"
    assert listed(gardener, b'LIST "" V%') == {b"Vegetable": b"\\NonExistent \\Noselect \\HasChildren"}
    assert listed(gardener, b'LIST () "" V%') == {b"Vegetable": b"\\NonExistent \\HasChildren"}
    assert gardener.say(b"DELETE Vegetable").code == b"NONEXISTENT"


# --- RFC 9051 §6.3.9.8, the extended examples by their number ---


def test_example_2_subscribed_names_exist_or_not(gardener: ImapClient) -> None:
    assert listed(gardener, b'LIST (SUBSCRIBED) "" "*"') == {
        b"INBOX": b"\\Subscribed \\HasNoChildren",
        b"Fruit/Banana": b"\\Subscribed \\HasNoChildren",
        b"Fruit/Peach": b"\\NonExistent \\Subscribed \\HasNoChildren",
        b"Vegetable": b"\\Subscribed \\HasChildren",
        b"Vegetable/Broccoli": b"\\Subscribed \\HasNoChildren",
    }


def test_example_3_children(gardener: ImapClient) -> None:
    assert listed(gardener, b'LIST () "" "%" RETURN (CHILDREN)') == {
        b"INBOX": b"\\HasNoChildren",
        b"Fruit": b"\\HasChildren",
        b"Tofu": b"\\HasNoChildren",
        b"Vegetable": b"\\HasChildren",
    }


def test_example_6_subscriptions_of_what_there_is(gardener: ImapClient) -> None:
    found = listed(gardener, b'LIST (REMOTE) "" "*" RETURN (SUBSCRIBED)')
    assert b"Fruit/Peach" not in found
    subscribed = [name for name, attributes in found.items() if b"\\Subscribed" in attributes]
    assert subscribed == [b"INBOX", b"Fruit/Banana", b"Vegetable", b"Vegetable/Broccoli"]
    assert len(found) == 8


CHILDINFO = b' ("CHILDINFO" ("SUBSCRIBED"))'


def test_example_8_CHILDINFO_is_told_of_names_above_subscribed_ones(bob: ImapClient) -> None:
    for name in (b"Foo/Bar", b"Foo/Baz", b"Moo"):
        bob.say(b"CREATE " + name)
    for name in (b"INBOX", b"Drafts", b"Junk", b"Sent", b"Trash"):
        bob.say(b"UNSUBSCRIBE " + name)
    recursive = b'LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"'
    assert listed(bob, recursive) == {}  # B
    bob.say(b"SUBSCRIBE Foo/Baz")
    assert listed(bob, b'LIST (SUBSCRIBED) "" "%"') == {}
    assert listed(bob, recursive) == {b"Foo": b"\\HasChildren" + CHILDINFO}  # A
    bob.say(b"SUBSCRIBE Foo")
    assert listed(bob, recursive) == {b"Foo": b"\\Subscribed \\HasChildren" + CHILDINFO}  # A1
    bob.say(b"UNSUBSCRIBE Foo")
    bob.say(b"DELETE Foo")
    assert listed(bob, recursive) == {b"Foo": b"\\NonExistent \\HasChildren" + CHILDINFO}  # A2
    bob.say(b"DELETE Foo/Baz")
    bob.say(b"DELETE Foo/Bar")
    assert listed(bob, recursive) == {b"Foo": b"\\NonExistent \\HasNoChildren" + CHILDINFO}


def test_example_9_CHILDINFO_is_left_out_where_it_tells_nothing_new(bob: ImapClient) -> None:
    names = (b"foo2/bar1", b"foo2/bar2", b"baz2/bar2", b"baz2/bar22", b"baz2/bar222", b"eps2/mamba", b"qux2/bar2")
    for name in (b"INBOX", b"Drafts", b"Junk", b"Sent", b"Trash"):
        bob.say(b"UNSUBSCRIBE " + name)
    for name in names:
        bob.say(b"CREATE " + name)
        bob.say(b"SUBSCRIBE " + name)
    bob.say(b"SUBSCRIBE eps2")
    bob.say(b"DELETE qux2")
    assert listed(bob, b'LIST (RECURSIVEMATCH SUBSCRIBED) "" "*2"') == {
        b"baz2/bar2": b"\\Subscribed \\HasNoChildren",
        b"baz2/bar22": b"\\Subscribed \\HasNoChildren",
        b"baz2/bar222": b"\\Subscribed \\HasNoChildren",
        b"eps2": b"\\Subscribed \\HasChildren" + CHILDINFO,
        b"foo2": b"\\HasChildren" + CHILDINFO,
        b"foo2/bar2": b"\\Subscribed \\HasNoChildren",
        b"qux2/bar2": b"\\Subscribed \\HasNoChildren",
    }


def test_mailboxes_with_a_special_use_can_be_asked_for(gardener: ImapClient) -> None:
    gardener.say(b"CREATE Fruit/Kept (USE (\\Archive))")
    assert listed(gardener, b'LIST (SPECIAL-USE) "" "*"') == {b"Fruit/Kept": b"\\HasNoChildren \\Archive"}
    assert listed(gardener, b'LIST (SPECIAL-USE SUBSCRIBED) "" "*"') == {}
    assert listed(gardener, b'LIST (SPECIAL-USE RECURSIVEMATCH) "" "%"') == {
        b"Fruit": b'\\HasChildren ("CHILDINFO" ("SPECIAL-USE"))'
    }
    assert listed(gardener, b'LIST "" "Fruit/K%" RETURN (SPECIAL-USE)') == {b"Fruit/Kept": b"\\HasNoChildren \\Archive"}


@pytest.mark.parametrize(
    "command",
    [
        b'LIST (RECURSIVEMATCH) "" *',
        b'LIST (REMOTE RECURSIVEMATCH) "" *',
        b'LIST (NEW) "" *',
        b'LIST "" * RETURN (NEW)',
        b'LIST "" * RETURN',
        b'LIST "" ()',
        b'LIST ""',
        b"LIST",
        b'LIST "" * RETURN (STATUS ())',
        b'LIST "" * RETURN (STATUS (WEATHER))',
        b'LIST "" * RETURN (STATUS)',
        b'LIST "" * GIVE (CHILDREN)',
        b'LIST "" * *',
    ],
)
def test_what_is_no_LIST_is_BAD(bob: ImapClient, command: bytes) -> None:
    assert bob.say(command).status == b"BAD"


def test_options_that_stand_twice_count_once(gardener: ImapClient) -> None:
    twice = listed(gardener, b'LIST (SUBSCRIBED SUBSCRIBED) "" * RETURN (CHILDREN CHILDREN)')
    assert twice == listed(gardener, b'LIST (SUBSCRIBED) "" * RETURN (CHILDREN)')


def test_STATUS_comes_behind_each_mailbox_that_can_be_selected(gardener: ImapClient, site: Any) -> None:
    site.store.add(site.accounts["bob"], b"Subject: x\r\n\r\n", mailbox="Tofu")
    gardener.say(b"DELETE Vegetable")
    assert gardener.say(b'LIST "" (T% V%) RETURN (STATUS (MESSAGES UNSEEN))').untagged == [
        b'* LIST (\\HasNoChildren) "/" Tofu',
        b"* STATUS Tofu (MESSAGES 1 UNSEEN 1)",
        b'* LIST (\\NonExistent \\HasChildren) "/" Vegetable',
    ]


def test_STATUS_is_left_out_without_the_right_to_read(bob: ImapClient, ann: ImapClient) -> None:
    bob.say(b"CREATE Ours")
    bob.say(b"SETACL Ours ann@example.test l")
    shared = b'"Other Users/bob@example.test/Ours"'
    asked = b'LIST "" "Other*" RETURN (STATUS (MESSAGES) MYRIGHTS)'
    told = ann.say(asked).untagged
    assert told[-2:] == [b'* LIST (\\Noselect \\HasNoChildren) "/" ' + shared, b"* MYRIGHTS " + shared + b" l"]
    bob.say(b"SETACL Ours ann@example.test lr")
    assert ann.say(asked).untagged[-3:] == [
        b'* LIST (\\HasNoChildren) "/" ' + shared,
        b"* STATUS " + shared + b" (MESSAGES 0)",
        b"* MYRIGHTS " + shared + b" lr",
    ]


def test_annotations_come_behind_each_mailbox(gardener: ImapClient) -> None:
    gardener.say(b'SETMETADATA Tofu (/shared/comment "white" /private/comment "a longer value")')
    answer = gardener.say(b'LIST "" (Tofu Fruit) RETURN (METADATA (/shared/comment))')
    assert answer.untagged == [
        b'* LIST (\\HasChildren) "/" Fruit',
        b"* METADATA Fruit (/shared/comment NIL)",
        b'* LIST (\\HasNoChildren) "/" Tofu',
        b'* METADATA Tofu (/shared/comment "white")',
    ]
    answer = gardener.say(b'LIST "" Tofu RETURN (METADATA (MAXSIZE 5) (/shared/comment /private/comment))')
    assert answer.untagged[1:] == [b'* METADATA Tofu (/shared/comment "white")']
    assert answer.code == b"METADATA LONGENTRIES 14"


def test_more_names_than_one_slice_come_in_their_order(bob: ImapClient, site: Any) -> None:
    for number in range(1100):
        site.store.add_mailbox(site.accounts["bob"], f"many/{number:04}")
    answer = bob.say(b'LIST "" many/% RETURN (STATUS (MESSAGES))')
    assert answer.untagged == [
        line
        for number in range(1100)
        for line in (
            b'* LIST (\\HasNoChildren) "/" many/%04d' % number,
            b"* STATUS many/%04d (MESSAGES 0)" % number,
        )
    ]
    assert answer.status == b"OK"


def test_names_beyond_ASCII_go_in_the_encoding_that_was_enabled(bob: ImapClient) -> None:
    assert bob.say(b"CREATE Entw&APw-rfe").status == b"OK"
    assert list(listed(bob, b'LIST "" Entw*')) == [b"Entw&APw-rfe"]
    assert list(listed(bob, b'LIST "" "Entw&APw-%"')) == [b"Entw&APw-rfe"]
    assert list(listed(bob, b'LSUB "" *w*')) == []
    bob.session.enable("UTF8=ACCEPT")
    assert list(listed(bob, b'LIST "" Entw*')) == ['"Entwürfe"'.encode()]
    assert list(listed(bob, '''LIST "" "Entwü%"'''.encode())) == ['"Entwürfe"'.encode()]


def test_other_peoples_mailboxes_are_listed_with_the_right_l_alone(bob: ImapClient, ann: ImapClient) -> None:
    bob.say(b"CREATE Work/Plans")
    assert listed(ann, b'LIST "" "Other Users/%"') == {}
    bob.say(b"SETACL Work/Plans ann@example.test r")
    assert listed(ann, b'LIST "" "Other*"') == {}
    bob.say(b"SETACL Work/Plans ann@example.test lr")
    assert listed(ann, b'LIST "" "Other*"') == {
        b'"Other Users"': b"\\NonExistent \\Noselect \\HasChildren",
        b'"Other Users/bob@example.test"': b"\\NonExistent \\Noselect \\HasChildren",
        b'"Other Users/bob@example.test/Work"': b"\\NonExistent \\Noselect \\HasChildren",
        b'"Other Users/bob@example.test/Work/Plans"': b"\\HasNoChildren",
    }
    assert list(listed(ann, b'LIST "Other Users/" %')) == [b'"Other Users/bob@example.test"']


# --- LSUB (RFC 3501 §6.3.9) ---


def test_LSUB_tells_of_subscribed_names_whether_they_exist_or_not(gardener: ImapClient) -> None:
    assert listed(gardener, b'LSUB "" *') == {
        b"INBOX": b"",
        b"Fruit/Banana": b"",
        b"Fruit/Peach": b"",
        b"Vegetable": b"",
        b"Vegetable/Broccoli": b"",
    }
    assert listed(gardener, b"LSUB Fruit/ P*") == {b"Fruit/Peach": b""}


def test_LSUB_with_a_percent_sign_tells_of_the_level_above(gardener: ImapClient) -> None:
    assert listed(gardener, b'LSUB "" %') == {b"INBOX": b"", b"Fruit": b"\\Noselect", b"Vegetable": b""}
    assert listed(gardener, b'LSUB "" Fruit') == {}


def test_LSUB_of_an_empty_name_asks_for_the_separator(bob: ImapClient) -> None:
    assert bob.say(b'LSUB "" ""').untagged == [b'* LSUB (\\Noselect) "/" ""']
    assert bob.say(b'LSUB "" "&"').untagged == []
    assert bob.say(b'LSUB ""').status == b"BAD"
