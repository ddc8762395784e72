"""Rights (RFC 4314): the commands that tell and change them, and what each verb asks for."""

from __future__ import annotations

from typing import Any

import pytest

from worldmail.interfaces.folders import OWNER_RIGHTS
from worldmail.testing.imap import ImapClient

OURS = b'"Other Users/bob@example.test/Ours"'
EVERY = b"lrswipkxteacd"


@pytest.fixture
def shared(bob: ImapClient) -> ImapClient:
    """Bob with a mailbox that he may share."""
    assert bob.say(b"CREATE Ours/Sub").status == b"OK"
    return bob


def acl(client: ImapClient, mailbox: bytes = b"Ours") -> dict[bytes, bytes]:
    """What GETACL tells."""
    (line,) = client.say(b"GETACL " + mailbox).untagged
    words = line.split(b" ")[3:]
    return dict(zip(words[::2], words[1::2], strict=True))


# --- the commands ---


def test_the_owner_has_every_right(shared: ImapClient) -> None:
    assert shared.say(b"GETACL Ours").untagged == [b"* ACL Ours bob@example.test " + EVERY]
    assert shared.say(b"MYRIGHTS Ours").untagged == [b"* MYRIGHTS Ours " + EVERY]


def test_rights_are_given_added_and_taken(shared: ImapClient) -> None:
    assert shared.say(b"SETACL Ours ann@example.test lrs").status == b"OK"
    assert acl(shared)[b"ann@example.test"] == b"lrs"
    shared.say(b"SETACL Ours ann@example.test +wi")
    assert acl(shared)[b"ann@example.test"] == b"lrswi"
    shared.say(b"SETACL Ours ann@example.test -sw")
    assert acl(shared)[b"ann@example.test"] == b"lri"
    shared.say(b"DELETEACL Ours ann@example.test")
    assert list(acl(shared)) == [b"bob@example.test"]


def test_no_rights_left_is_no_entry(shared: ImapClient) -> None:
    shared.say(b"SETACL Ours ann@example.test lrs")
    shared.say(b'SETACL Ours ann@example.test ""')
    assert b"ann@example.test" not in acl(shared)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (b"c", b"kxc"),
        (b"d", b"ted"),
        (b"k", b"kc"),
        (b"e", b"ed"),
        (b"lrswida", b"lrswitead"),
        (b"lcrd", b"lrkxtecd"),
    ],
)
def test_the_old_rights_c_and_d_stand_for_their_members(shared: ImapClient, given: bytes, told: bytes) -> None:
    shared.say(b"SETACL Ours ann@example.test " + given)
    assert acl(shared)[b"ann@example.test"] == told


@pytest.mark.parametrize("rights", [b"lrQ", b"lrq", b"0", b"lr+", b'"l r"', b'"\xc3\xa4"'])
def test_a_letter_that_is_no_right_is_BAD(shared: ImapClient, rights: bytes) -> None:
    assert shared.say(b"SETACL Ours ann@example.test " + rights).status == b"BAD"
    assert list(acl(shared)) == [b"bob@example.test"]


def test_identifiers_are_told_as_the_accounts_address(shared: ImapClient) -> None:
    for identifier in (b"ANN@EXAMPLE.TEST", b"ann", b'"Ann@example.test"'):
        shared.say(b"SETACL Ours " + identifier + b" lr")
        assert list(acl(shared)) == [b"bob@example.test", b"ann@example.test"]
        shared.say(b"DELETEACL Ours " + identifier)
        assert list(acl(shared)) == [b"bob@example.test"]
    shared.say(b"SETACL Ours Anyone l")
    assert list(acl(shared)) == [b"bob@example.test", b"anyone"]


def test_nobody_gets_rights_who_is_not_there(shared: ImapClient) -> None:
    for identifier in (b"zed@example.test", b"-zed", b"zed@elsewhere.test", b'"two words"'):
        for command in (b"SETACL Ours %b lr", b"LISTRIGHTS Ours %b"):
            answer = shared.say(command % identifier)
            assert (answer.status, answer.code) == (b"NO", b"CANNOT"), command
    assert list(acl(shared)) == [b"bob@example.test"]


@pytest.mark.parametrize("identifier", [b'""', b"-", b'"a\x7f"', b'"\xff"'])
def test_what_cannot_be_an_identifier_is_BAD(shared: ImapClient, identifier: bytes) -> None:
    assert shared.say(b"SETACL Ours " + identifier + b" lr").status == b"BAD"


def test_negative_rights_take_from_what_everybody_has(shared: ImapClient, ann: ImapClient) -> None:
    shared.say(b"SETACL Ours anyone lrsw")
    shared.say(b"SETACL Ours -ann sw")
    assert ann.say(b"MYRIGHTS " + OURS).untagged == [b"* MYRIGHTS " + OURS + b" lr"]
    assert acl(shared) == {b"bob@example.test": EVERY, b"-ann@example.test": b"sw", b"anyone": b"lrsw"}


def test_the_owner_keeps_every_right(shared: ImapClient) -> None:
    shared.say(b"SETACL Ours bob l")
    shared.say(b"DELETEACL Ours bob")
    shared.say(b"SETACL Ours -bob lrswipkxtea")
    shared.say(b"SETACL Ours -anyone lrswipkxtea")
    assert shared.say(b"MYRIGHTS Ours").untagged == [b"* MYRIGHTS Ours " + EVERY]


def test_LISTRIGHTS_tells_what_can_be_given(shared: ImapClient) -> None:
    for identifier in (b"ann", b"anyone", b"-Ann@Example.TEST"):
        assert shared.say(b"LISTRIGHTS Ours " + identifier).untagged == [
            b"* LISTRIGHTS Ours " + identifier + b' "" l r s w i p k x t e a c d'
        ]
    assert shared.say(b"LISTRIGHTS Ours bob").untagged == [b"* LISTRIGHTS Ours bob " + EVERY]


def test_a_new_mailbox_has_the_rights_of_the_one_above(shared: ImapClient) -> None:
    shared.say(b"SETACL Ours ann@example.test lr")
    shared.say(b"CREATE Ours/New")
    assert acl(shared, b"Ours/New") == {b"bob@example.test": EVERY, b"ann@example.test": b"lr"}
    assert acl(shared, b"Ours/Sub") == {b"bob@example.test": EVERY}


def test_rights_stay_with_a_mailbox_that_is_renamed_and_go_with_one_that_is_removed(shared: ImapClient) -> None:
    shared.say(b"SETACL Ours ann@example.test lr")
    shared.say(b"RENAME Ours Mine")
    assert acl(shared, b"Mine")[b"ann@example.test"] == b"lr"
    shared.say(b"DELETE Mine")
    shared.say(b"CREATE Mine")
    assert list(acl(shared, b"Mine")) == [b"bob@example.test"]


@pytest.mark.parametrize(
    "command",
    [
        b"GETACL",
        b"GETACL a b",
        b"SETACL Ours ann",
        b"DELETEACL Ours",
        b"LISTRIGHTS Ours",
        b"MYRIGHTS",
        b"DELETEACL a b c",
    ],
)
def test_what_is_no_such_command_is_BAD(shared: ImapClient, command: bytes) -> None:
    assert shared.say(command).status == b"BAD"


def test_who_may_administer_may_be_somebody_else(shared: ImapClient, ann: ImapClient) -> None:
    shared.say(b"SETACL Ours ann@example.test la")
    (line,) = ann.say(b"GETACL " + OURS).untagged
    assert line.endswith(b" ann@example.test la")
    assert ann.say(b"SETACL " + OURS + b" anyone lr").status == b"OK"
    assert acl(shared)[b"anyone"] == b"lr"


# --- the matrix (RFC 4314 §4, RFC 9208 §6, RFC 5464 §3.3) ---

# What a verb needs: any one of these letters.
NEEDS = {
    b"SUBSCRIBE %b": "l",
    b"UNSUBSCRIBE %b": "",
    b"CREATE %b/New": "k",
    b"DELETE %b": "x",
    b"STATUS %b (MESSAGES)": "r",
    b"GETACL %b": "a",
    b"SETACL %b anyone +p": "a",
    b"DELETEACL %b anyone": "a",
    b"LISTRIGHTS %b ann": "a",
    b"MYRIGHTS %b": "lrikxa",
}


@pytest.mark.parametrize("right", OWNER_RIGHTS)
@pytest.mark.parametrize("command", NEEDS)
def test_a_verb_needs_its_right_and_no_other(shared: ImapClient, ann: ImapClient, command: bytes, right: str) -> None:
    shared.say(b"SETACL Ours ann@example.test " + right.encode())
    answer = ann.say(_about(command, OURS))
    allowed = not NEEDS[command] or right in NEEDS[command]
    assert answer.status == (b"OK" if allowed else b"NO"), answer
    if not allowed:
        # Who may list it may know that it is there; for all others it is not (§6). CREATE says NOPERM everywhere.
        known = right == "l" or command.startswith(b"CREATE")
        assert answer.code == (b"NOPERM" if known else b"NONEXISTENT"), answer


def _about(command: bytes, mailbox: bytes) -> bytes:
    """The command, about this mailbox or what is below it."""
    return command.replace(b"%b/New", mailbox[:-1] + b'/New"').replace(b"%b", mailbox)


@pytest.mark.parametrize("right", OWNER_RIGHTS)
def test_LIST_needs_l_and_never_says_NO(shared: ImapClient, ann: ImapClient, right: str) -> None:
    shared.say(b"SETACL Ours ann@example.test " + right.encode())
    answer = ann.say(b'LIST "" ' + OURS)
    assert answer.status == b"OK"
    assert len(answer.untagged) == (right == "l")


@pytest.mark.parametrize(("rights", "status"), [(b"x", b"NO"), (b"k", b"NO"), (b"kx", b"OK"), (b"lrswiptea", b"NO")])
def test_RENAME_needs_x_there_and_k_above_the_new_name(
    shared: ImapClient, ann: ImapClient, rights: bytes, status: bytes
) -> None:
    for mailbox in (b"Ours", b"Ours/Sub"):
        shared.say(b"SETACL " + mailbox + b" ann@example.test " + rights)
    answer = ann.say(b"RENAME " + OURS[:-1] + b'/Sub" ' + OURS[:-1] + b'/Next"')
    assert answer.status == status, answer


@pytest.mark.parametrize("rights", [b"lr", b"ls", b"lw", b"li", b"lp", b"lrw", b"r", b"l", b"w", b"lkxtea"])
def test_annotations_need_l_and_one_of_rswip_and_to_change_shared_ones_w(
    shared: ImapClient, ann: ImapClient, rights: bytes
) -> None:
    shared.say(b"SETACL Ours ann@example.test " + rights)
    readable = b"l" in rights and any(right in rights for right in b"rswip")
    assert ann.say(b"GETMETADATA " + OURS + b" /shared/comment").status == (b"OK" if readable else b"NO")
    assert ann.say(b"SETMETADATA " + OURS + b' (/private/comment "x")').status == (b"OK" if readable else b"NO")
    writable = readable and b"w" in rights
    assert ann.say(b"SETMETADATA " + OURS + b' (/shared/comment "x")').status == (b"OK" if writable else b"NO")
    told = ann.say(b'LIST "" ' + OURS + b" RETURN (METADATA (/shared/comment))")
    assert (told.status, len(told.of(b"METADATA"))) == (b"OK", readable)


def test_what_nobody_gave_rights_on_is_as_if_it_were_not_there(shared: ImapClient, ann: ImapClient) -> None:
    nowhere = b'"Other Users/bob@example.test/Nowhere"'
    for command in (
        b"STATUS %b (MESSAGES)",
        b"DELETE %b",
        b"GETACL %b",
        b"MYRIGHTS %b",
        b"SETACL %b zed lr",
        b"LISTRIGHTS %b zed",
        b"SUBSCRIBE %b",
        b"GETMETADATA %b /shared/comment",
        b"RENAME %b x",
        b"GETQUOTAROOT %b",
        b"CREATE %b",
        b"CREATE %b/New",
    ):
        hidden, absent = (ann.say(_about(command, name)) for name in (OURS, nowhere))
        assert (hidden.status, hidden.code, hidden.text) == (absent.status, absent.code, absent.text), command
        assert hidden.status == b"NO"


def test_rights_that_are_taken_away_are_gone_for_a_session_that_goes_on(shared: ImapClient, ann: ImapClient) -> None:
    shared.say(b"SETACL Ours ann@example.test lr")
    assert ann.say(b"STATUS " + OURS + b" (MESSAGES)").status == b"OK"
    shared.say(b"SETACL Ours ann@example.test -r")
    assert ann.say(b"STATUS " + OURS + b" (MESSAGES)").code == b"NOPERM"
    shared.say(b"DELETEACL Ours ann@example.test")
    assert ann.say(b"STATUS " + OURS + b" (MESSAGES)").code == b"NONEXISTENT"


def test_who_may_not_administer_learns_of_no_account(site: Any, shared: ImapClient, ann: ImapClient) -> None:
    shared.say(b"SETACL Ours ann@example.test lr")
    for identifier in (b"bob", b"zed"):
        for command in (b"SETACL %b %b lr", b"LISTRIGHTS %b %b", b"DELETEACL %b %b"):
            assert ann.say(command % (OURS, identifier)).code == b"NOPERM"
