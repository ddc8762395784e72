"""Annotations (RFC 5464)."""

from __future__ import annotations

import pytest

from worldmail.testing.imap import ImapClient


def test_a_value_is_what_was_set(bob: ImapClient) -> None:
    assert bob.say(b'SETMETADATA INBOX (/shared/comment "Shared comment" /private/comment "My own")').status == b"OK"
    assert bob.say(b"GETMETADATA INBOX (/private/comment /shared/comment)").untagged == [
        b'* METADATA INBOX (/private/comment "My own" /shared/comment "Shared comment")'
    ]
    bob.say(b"SETMETADATA INBOX (/private/comment NIL)")
    assert bob.say(b"GETMETADATA INBOX /private/comment").untagged == [b"* METADATA INBOX (/private/comment NIL)"]


@pytest.mark.parametrize("value", [b"", b"two\r\nlines", b'quo"tes\\', b"\xe4", b"\0\xff\r\n", b"NIL", b"x" * 2000])
def test_a_value_may_be_any_octets(bob: ImapClient, value: bytes) -> None:
    assert bob.say(b"SETMETADATA INBOX (/private/comment ~{})", value).status == b"OK"
    (line,) = bob.say(b"GETMETADATA INBOX /private/comment").untagged
    head = b"* METADATA INBOX (/private/comment "
    assert line.startswith(head)
    written = line[len(head) : -1]
    if written.startswith(b'"'):
        assert written[1:-1].replace(b'\\"', b'"').replace(b"\\\\", b"\\") == value
    else:
        assert written == b"%s{%d}\r\n" % (b"~" if b"\0" in value else b"", len(value)) + value


def test_entries_are_named_in_any_case(bob: ImapClient) -> None:
    bob.say(b'SETMETADATA INBOX (/Private/Comment "x")')
    assert bob.say(b"GETMETADATA INBOX /PRIVATE/COMMENT").untagged == [b'* METADATA INBOX (/PRIVATE/COMMENT "x")']


def test_DEPTH_asks_for_what_is_below(bob: ImapClient) -> None:
    bob.say(b'SETMETADATA INBOX (/private/f/a "1" /private/f/a/b "2" /private/f "3" /private/fx "4")')
    for options, told in (
        (b"", b'/private/f "3"'),
        (b"(DEPTH 0) ", b'/private/f "3"'),
        (b"(DEPTH 1) ", b'/private/f "3" /private/f/a "1"'),
        (b"(depth infinity) ", b'/private/f "3" /private/f/a "1" /private/f/a/b "2"'),
    ):
        assert bob.say(b"GETMETADATA " + options + b"INBOX /private/f").untagged == [
            b"* METADATA INBOX (" + told + b")"
        ]
    assert bob.say(b"GETMETADATA (DEPTH 1) INBOX /private/none").untagged == []
    assert len(bob.say(b"GETMETADATA (DEPTH infinity) INBOX (/private /shared)").untagged) == 1


def test_MAXSIZE_leaves_large_values_out_and_tells_the_largest(bob: ImapClient) -> None:
    bob.say(b"SETMETADATA INBOX (/shared/comment {} /private/comment {})", b"x" * 2199, b"y" * 1024)
    for command in (
        b"GETMETADATA INBOX (MAXSIZE 1024) (/shared/comment /private/comment)",
        b"GETMETADATA (MAXSIZE 1024) INBOX (/shared/comment /private/comment)",
    ):
        answer = bob.say(command)
        assert answer.code == b"METADATA LONGENTRIES 2199"
        assert answer.untagged == [b"* METADATA INBOX (/private/comment {1024}\r\n" + b"y" * 1024 + b")"]
    assert bob.say(b"GETMETADATA (MAXSIZE 2199 DEPTH 1) INBOX /shared/comment").code is None


def test_all_values_are_set_or_none(bob: ImapClient) -> None:
    bob.session.parser.lines.limit = 1 << 20
    answer = bob.say(b"SETMETADATA INBOX (/private/a {} /private/comment {})", b"x", b"x" * 65537)
    assert (answer.status, answer.code) == (b"NO", b"METADATA MAXSIZE 65536")
    assert bob.say(b"GETMETADATA INBOX /private/a").untagged == [b"* METADATA INBOX (/private/a NIL)"]


def test_there_can_be_only_so_many(bob: ImapClient) -> None:
    for number in range(64):
        assert bob.say(b"SETMETADATA INBOX (/private/vendor/x/%d 1)" % number).status == b"BAD"  # not a string
        assert bob.say(b'SETMETADATA INBOX (/private/vendor/x/%d "1")' % number).status == b"OK"
    answer = bob.say(b'SETMETADATA INBOX (/private/vendor/x/64 "1")')
    assert (answer.status, answer.code) == (b"NO", b"METADATA TOOMANY")
    assert bob.say(b'SETMETADATA INBOX (/shared/comment "1")').status == b"OK"


def test_the_server_has_annotations_which_nobody_shares(bob: ImapClient, ann: ImapClient) -> None:
    assert bob.say(b'SETMETADATA "" (/private/comment "mine")').status == b"OK"
    assert bob.say(b'GETMETADATA "" /private/comment').untagged == [b'* METADATA "" (/private/comment "mine")']
    assert ann.say(b'GETMETADATA "" /private/comment').untagged == [b'* METADATA "" (/private/comment NIL)']
    answer = bob.say(b'SETMETADATA "" (/shared/comment "ours")')
    assert (answer.status, answer.code) == (b"NO", b"NOPERM")


def test_private_ones_are_private_and_shared_ones_are_shared(bob: ImapClient, ann: ImapClient) -> None:
    ours = b'"Other Users/bob@example.test/Ours"'
    bob.say(b"CREATE Ours")
    bob.say(b"SETACL Ours ann@example.test lrw")
    bob.say(b'SETMETADATA Ours (/shared/comment "s" /private/comment "p")')
    assert ann.say(b"GETMETADATA " + ours + b" (/shared/comment /private/comment)").untagged == [
        b"* METADATA " + ours + b' (/shared/comment "s" /private/comment NIL)'
    ]
    ann.say(b"SETMETADATA " + ours + b' (/shared/comment "a" /private/comment "b")')
    assert bob.say(b"GETMETADATA Ours (/shared/comment /private/comment)").untagged == [
        b'* METADATA Ours (/shared/comment "a" /private/comment "p")'
    ]


def test_they_go_with_the_mailbox(bob: ImapClient) -> None:
    bob.say(b"CREATE a")
    bob.say(b'SETMETADATA a (/shared/comment "x")')
    bob.say(b"RENAME a b")
    assert bob.say(b"GETMETADATA b /shared/comment").untagged == [b'* METADATA b (/shared/comment "x")']
    bob.say(b"DELETE b")
    bob.say(b"CREATE b")
    assert bob.say(b"GETMETADATA b /shared/comment").untagged == [b"* METADATA b (/shared/comment NIL)"]


def test_a_mailbox_that_is_not_there_has_none(bob: ImapClient) -> None:
    assert bob.say(b"GETMETADATA none /shared/comment").code == b"NONEXISTENT"
    assert bob.say(b'SETMETADATA none (/shared/comment "x")').code == b"NONEXISTENT"


@pytest.mark.parametrize(
    "command",
    [
        b"GETMETADATA INBOX",
        b"GETMETADATA INBOX ()",
        b"GETMETADATA INBOX comment",
        b"GETMETADATA INBOX /other/comment",
        b"GETMETADATA INBOX /private/",
        b"GETMETADATA INBOX /private//a",
        b'GETMETADATA INBOX "/private/a*"',
        b'GETMETADATA INBOX "/private/\xc3\xa4"',
        b"GETMETADATA (DEPTH 2) INBOX /private/a",
        b"GETMETADATA (MAXSIZE x) INBOX /private/a",
        b"GETMETADATA (NEW 1) INBOX /private/a",
        b"GETMETADATA (DEPTH 1) INBOX (MAXSIZE 1) /private/a",
        b"GETMETADATA (/private/a) INBOX /private/a",
        b"GETMETADATA INBOX (DEPTH 1 /private/a)",
        b"GETMETADATA INBOX /private/a b",
        b"SETMETADATA INBOX",
        b"SETMETADATA INBOX ()",
        b"SETMETADATA INBOX /private/a NIL",
        b"SETMETADATA INBOX (/private/a)",
        b"SETMETADATA INBOX (/private NIL)",
        b"SETMETADATA INBOX (/private/a x)",
        b'SETMETADATA INBOX (/private/a "x") y',
    ],
)
def test_what_is_no_such_command_is_BAD(bob: ImapClient, command: bytes) -> None:
    assert bob.say(command).status == b"BAD"


# --- /private/specialuse (RFC 6154 §4) ---


def test_the_special_use_is_an_annotation_too(bob: ImapClient) -> None:
    assert bob.say(b"GETMETADATA Sent /private/specialuse").untagged == [
        b'* METADATA Sent (/private/specialuse "\\\\Sent")'
    ]
    assert bob.say(b"GETMETADATA (DEPTH infinity) Sent /private").untagged == [
        b'* METADATA Sent (/private/specialuse "\\\\Sent")'
    ]
    assert bob.say(b"GETMETADATA INBOX /private/specialuse").untagged == [b"* METADATA INBOX (/private/specialuse NIL)"]
    assert bob.say(b'LIST "" Sent RETURN (METADATA (/private/specialuse))').untagged[1:] == [
        b'* METADATA Sent (/private/specialuse "\\\\Sent")'
    ]


def test_setting_it_says_what_the_mailbox_is_for(bob: ImapClient) -> None:
    bob.say(b"CREATE Kept")
    assert bob.say(b'SETMETADATA Kept (/private/specialuse "\\\\archive" /private/comment "x")').status == b"OK"
    assert bob.say(b'LIST "" Kept').untagged == [b'* LIST (\\HasNoChildren \\Archive) "/" Kept']
    assert bob.say(b"SETMETADATA Kept (/private/specialuse NIL)").status == b"OK"
    assert bob.say(b'LIST "" Kept').untagged == [b'* LIST (\\HasNoChildren) "/" Kept']


def test_a_use_that_is_not_offered_changes_nothing(bob: ImapClient) -> None:
    answer = bob.say(b'SETMETADATA Sent (/private/comment "x" /private/specialuse "\\\\All")')
    assert (answer.status, answer.code) == (b"NO", b"USEATTR")
    assert bob.say(b"GETMETADATA Sent /private/comment").untagged == [b"* METADATA Sent (/private/comment NIL)"]


def test_only_the_owner_says_what_a_mailbox_is_for(bob: ImapClient, ann: ImapClient) -> None:
    bob.say(b"CREATE Ours (USE (\\Archive))")
    bob.say(b"SETACL Ours ann@example.test lrswipkxtea")
    ours = b'"Other Users/bob@example.test/Ours"'
    assert ann.say(b"SETMETADATA " + ours + b' (/private/specialuse "\\\\Sent")').code == b"NOPERM"
    assert ann.say(b"GETMETADATA " + ours + b" /private/specialuse").untagged[0].endswith(b" NIL)")
