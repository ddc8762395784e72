"""Commands as well-known clients spell them, without being told the answer beforehand."""

from __future__ import annotations

import pytest

from tests.protocols.imap.conftest import ImapSite
from worldmail.interfaces.messages import Flag

MAIL = b"From: a@example.test\r\nSubject: x\r\n\r\ntext\r\n"

THUNDERBIRD = (
    (b'ID ("name" "Thunderbird" "version" "128.0")', b'* ID ("name" "WorldMail")'),
    (b'LIST "" "*" RETURN (SPECIAL-USE)', b'* LIST (\\HasNoChildren \\Sent) "/" Sent'),
    (b'LSUB "" "*"', b'* LSUB () "/" INBOX'),
    (b'SELECT "INBOX"', b"* 2 EXISTS"),
    (b"UID FETCH 1:* (FLAGS)", b"* 2 FETCH (UID 2 FLAGS (\\Seen \\Recent))"),
    (b"UID FETCH 1 (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Subject)])", b"\r\nSubject: x\r\n"),
    (b"UID STORE 1 +Flags ($Forwarded NonJunk)", b"$Forwarded"),
    (b'STATUS "INBOX" (UIDNEXT MESSAGES UNSEEN RECENT)', b"UNSEEN 1"),
    (b'UID COPY 1 "Trash"', b"[COPYUID "),
    (b"UID EXPUNGE 1", b"OK"),
)
APPLE = (
    (b'ID ("name" "iPhone Mail" "version" "21F79" "os" "iOS")', b"OK"),
    (b'CREATE "Sent Messages"', b"OK"),
    (b'SUBSCRIBE "Sent Messages"', b"OK"),
    (b'LIST "" "Sent Messages"', b'* LIST (\\HasNoChildren) "/" "Sent Messages"'),
    (
        b'STATUS "Sent Messages" (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)',
        b'* STATUS "Sent Messages" (MESSAGES 0 UIDNEXT 1',
    ),
    (b"SELECT INBOX", b"[READ-WRITE]"),
    (b"UID SEARCH 1:* NOT DELETED", b"* SEARCH 1 2"),
    (b'UID MOVE 1 "Sent Messages"', b"* 1 EXPUNGE"),
    (b"CHECK", b"OK"),
    (b"CLOSE", b"OK"),
)
OUTLOOK = (
    (b'LIST "" ""', b'* LIST (\\Noselect) "/" ""'),
    (b'LIST "" "%"', b'* LIST (\\HasNoChildren) "/" INBOX'),
    (b'CREATE "Deleted Items"', b"OK"),
    (b'SELECT "Inbox"', b"[READ-WRITE]"),
    (b"UID SEARCH UNDELETED", b"* SEARCH 1 2"),
    (b"SEARCH 1:* UNDELETED SINCE 1-Jan-2020", b"* SEARCH 1 2"),
    (b"FETCH 1:* (UID FLAGS)", b"* 1 FETCH (UID 1 FLAGS ("),
    (b"UID FETCH 1 (BODY.PEEK[])", b"\r\ntext\r\n)"),
    (b"STATUS INBOX (MESSAGES)", b"* STATUS INBOX (MESSAGES 2)"),
    (b"NOOP", b"OK"),
)


@pytest.mark.parametrize("habits", [THUNDERBIRD, APPLE, OUTLOOK], ids=["Thunderbird", "Apple Mail", "Outlook"])
def test_what_clients_say_is_understood(site: ImapSite, habits: tuple[tuple[bytes, bytes], ...]) -> None:
    site.store.add(site.accounts["bob"], MAIL)
    site.store.add(site.accounts["bob"], MAIL, flags=Flag.SEEN)
    client = site.client()
    for command, expected in habits:
        done = client.say(command)
        assert done.status == b"OK" and expected in done.raw, (command, done)


@pytest.mark.parametrize(
    "flags", [b"($Forwarded)", b"(\\Seen $NotJunk NonJunk)", b"()", b'(\\Seen) " 1-Jan-2026 10:00:00 +0100"']
)
def test_a_message_is_stored_with_the_flags_that_clients_give_it(site: ImapSite, flags: bytes) -> None:
    client = site.client()
    for mailbox in (b"INBOX", b'"inbox"', b"Sent"):
        assert client.say(b"APPEND %b %b {}" % (mailbox, flags), MAIL).status == b"OK"


def test_ID_comes_before_login_and_XLIST_is_not_there(site: ImapSite) -> None:
    client = site.server.connect()
    assert client.say(b"ID NIL").status == b"OK"
    assert b"XLIST" not in client.login(b"bob@example.test").say(b"CAPABILITY").raw
    assert client.say(b'XLIST "" "*"').status == b"BAD"
