"""The keys of agents that fetch: what they take and what they refuse."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.ondemand.collecting_site import KEYS
from worldmail.errors import BadValue
from worldmail.mail.address import Address
from worldmail.ondemand.collecting_keys import check_collecting
from worldmail.ondemand.collecting_memory import kept_name, name_by_header
from worldmail.ondemand.sorting import STEPS, Rule


def read(**texts: str) -> dict[str, Any]:
    given = {key.replace("_", "-"): text for key, text in texts.items()}
    return KEYS.read(KEYS.changed({}, {"kind": "imap", **given}))


def test_what_follows_where_nothing_is_said() -> None:
    values = read(domains="example.test")
    assert values["steps"] == STEPS
    assert (values["leave"], values["largest"], values["at_once"], values["mailbox"]) == (0, 64_000_000, 2000, "INBOX")


def test_values_are_read_as_they_are_meant() -> None:
    values = read(
        domains="Example.TEST, bücher.test",
        steps="x-original-to,received,X-RCPT-TO,to",
        rules="News.Lists.Test=ann@example.test bob@example.test, @Bank.test=boss@example.test, Eve@far.test=a@b.test",
        leave="7",
    )
    ann, bob, boss = (Address.parse(f"{name}@example.test") for name in ("ann", "bob", "boss"))
    assert values["domains"] == ("example.test", "xn--bcher-kva.test")
    assert values["steps"] == ("X-Original-To", "Received", "X-RCPT-TO", "To")
    assert values["rules"] == (
        Rule(of="news.lists.test", recipients=(ann, bob)),
        Rule(of="@bank.test", recipients=(boss,)),
        Rule(of="eve@far.test", recipients=(Address.parse("a@b.test"),)),
    )
    assert values["leave"] == 7 * 86400
    assert read(leave="forever")["leave"] == math.inf
    assert read(leave="12h")["leave"] == 12 * 3600


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("domains", ".example.test"),
        ("domains", "*"),
        ("recipient", "ann"),
        ("steps", "To:"),
        ("steps", "x y"),
        ("rules", "news"),
        ("rules", "=ann@example.test"),
        ("rules", "news="),
        ("rules", "two words=ann@example.test"),
        ("rules", "@=ann@example.test"),
        ("leave", "-1"),
        ("leave", "tomorrow"),
        ("leave", "99999"),
        ("largest", "1"),
        ("largest", "much"),
        ("at_once", "0"),
        ("mailbox", "a\x00b"),
    ],
)
def test_what_cannot_be_meant_is_refused(key: str, text: str) -> None:
    with pytest.raises(BadValue, match=key.replace("_", "-")):
        read(**{key: text})


def test_it_must_be_known_whom_mail_is_for_in_one_way() -> None:
    for texts in ({}, {"domains": "example.test", "recipient": "ann@example.test"}):
        with pytest.raises(BadValue, match="one of these"):
            check_collecting(read(**texts))
    check_collecting(read(domains="example.test"))
    check_collecting(read(recipient="ann@example.test"))


def test_names_are_kept_as_they_are_unless_they_are_too_long_or_could_be_taken_for_ours() -> None:
    assert kept_name("7.1") == "7.1"
    for odd in ("x" * 300, "a\x7fb", "sha256:abc"):
        assert kept_name(odd).startswith("long:") and len(kept_name(odd)) < 80


def test_what_a_server_writes_into_a_message_does_not_change_its_name() -> None:
    assert name_by_header(b"Subject: x\r\n") == name_by_header(b"Status: RO\r\nSubject: x\r\nX-UID: 4\r\n")
    assert name_by_header(b"Subject: x\r\n") != name_by_header(b"Subject: y\r\n")
