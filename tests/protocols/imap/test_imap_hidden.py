"""A mailbox of somebody else of which one may not know is answered for as if there were none (RFC 4314 §6)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from worldmail.testing.imap import ImapClient

MAIL = b"Subject: x\r\n\r\ntext\r\n"
URL = b"imap://ann@mail.example.test/Other%20Users/bob%40example.test/NAME/;uid=1"

COMMANDS = [
    b"SELECT NAME",
    b"EXAMINE NAME",
    b"STATUS NAME (MESSAGES)",
    b"SUBSCRIBE NAME",
    b"UNSUBSCRIBE NAME",
    b"GETACL NAME",
    b"MYRIGHTS NAME",
    b"LISTRIGHTS NAME ann@example.test",
    b"SETACL NAME ann@example.test lrs",
    b"DELETEACL NAME ann@example.test",
    b"GETQUOTAROOT NAME",
    b"GETMETADATA NAME /private/comment",
    b'SETMETADATA NAME (/private/comment "x")',
    b"SETMETADATA NAME (/shared/comment NIL)",
    b"DELETE NAME",
    b"RENAME NAME Mine",
    b"RENAME Trash NAME",
    b"CREATE NAME",
    b"CREATE NAME/below",
    b"RESETKEY NAME",
    b'LIST "" NAME',
    b'LSUB "" NAME',
    b'LIST "" NAME RETURN (STATUS (MESSAGES) MYRIGHTS CHILDREN)',
    b"COPY 1 NAME",
    b"MOVE 1 NAME",
    b"REPLACE 1 NAME {}",
    b"APPEND NAME {}",
    b"ESEARCH IN (mailboxes (NAME)) ALL",
    b"ESEARCH IN (subtree NAME) ALL",
    b"NOTIFY SET STATUS (mailboxes (NAME) (MessageNew MessageExpunge FlagChange))",
    b'GENURLAUTH "URL;urlauth=user+ann" INTERNAL',
    b'URLFETCH "URL"',
]


@pytest.mark.parametrize("rights", [b"", b"p", b"w", b"pwste"])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_answer_tells_that_it_is_there(
    site: Any, bob: ImapClient, ann: ImapClient, command: bytes, rights: bytes
) -> None:
    bob.say(b"CREATE Hidden")
    site.store.add(site.accounts["bob"], MAIL, mailbox="Hidden")
    bob.say(b'SETACL Hidden ann@example.test "%b"' % rights)
    site.store.add(site.accounts["ann"], MAIL)
    said = []
    for name in (b"Missing", b"Hidden"):
        ann.say(b"SELECT INBOX")
        whole = b'"Other Users/bob@example.test/%b"' % name
        asked = command.replace(b"URL;", URL.replace(b"NAME", name) + b";").replace(b'"URL"', b'"%b"' % URL)
        asked = asked.replace(b"%b/below" % b"NAME", whole[:-1] + b'/below"').replace(b"NAME", whole)
        answer = ann.say(asked, *[MAIL] * asked.count(b"{}"))
        said.append(re.sub(rb"^a\d+ ", b"", answer.raw.replace(name, b"NAME"), flags=re.MULTILINE))
    assert said[0] == said[1]
