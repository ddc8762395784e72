"""Which priority a message gets: of MT-PRIORITY in MAIL (RFC 6710), of a field MT-Priority (RFC 6758)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.smtp.test_smtp_asked import EHLO, SEND, accepted, announced, play, submit
from worldmail.mail.header import Header
from worldmail.protocols.smtp.priorities import tunnelled
from worldmail.testing.smtp import SmtpScene

LOWERED = ["250 2.3.6 0 is the priority of the message, more is for users of ours"]
TAKEN = ["250 2.1.0 Sender ok"]
TRUSTED: dict[str, Any] = {"relay_networks": ("192.0.2.0/28",), "peer": {"host": "192.0.2.7"}}


@pytest.mark.parametrize(
    ("parameter", "reply", "priority"),
    [(b"MT-PRIORITY=6", LOWERED, 0), (b"MT-PRIORITY=0", TAKEN, 0), (b"MT-PRIORITY=-3", TAKEN, -3), (b"", TAKEN, None)],
)
def test_strangers_lower_priority_and_do_not_raise_it(parameter: bytes, reply: list[str], priority: int | None) -> None:
    scene, talk = play(parameter, then=SEND)
    assert talk.replies[2] == reply
    assert accepted(scene).wishes.priority == priority


def test_users_and_trusted_networks_raise_priority() -> None:
    scene, talk = submit(b"MT-PRIORITY=6", SEND)
    assert talk.replies[3] == TAKEN
    assert accepted(scene).wishes.priority == 6
    scene, talk = play(b"MT-PRIORITY=6", then=SEND, **TRUSTED)
    assert talk.replies[2] == TAKEN
    assert accepted(scene).wishes.priority == 6


def traced(scene: SmtpScene) -> str:
    """Our Received field, unfolded."""
    field = scene.contents()[0].decode("latin-1").partition("\r\nSubject")[0]
    return field.replace("\r\n\t", " ")


@pytest.mark.parametrize(
    ("parameter", "clause"), [(b"MT-PRIORITY=6", 6), (b"MT-PRIORITY=-9", -9), (b"MT-PRIORITY=0", 0)]
)
def test_received_has_the_priority_that_came_in_a_clause_behind_all_others(parameter: bytes, clause: int) -> None:
    """RFC 6710 §7, §10: it is an additional registered clause, so behind ID and FOR (RFC 5321 §4.4)."""
    scene, _ = play(parameter, then=SEND)
    assert f" for <bob@example.test> PRIORITY {clause}; Sun, 17 Mar 2030 " in traced(scene)
    two = SEND.replace(b"DATA", b"RCPT TO:<alice@example.test>\r\nDATA", 1)
    scene, _ = play(parameter, then=two)
    assert re.search(rf" id \S+ PRIORITY {clause}; ", traced(scene))


def test_received_says_nothing_of_priority_where_none_was_given() -> None:
    assert "PRIORITY" not in traced(play(b"", then=SEND)[0])


def test_the_log_has_the_priority_that_came_and_the_one_that_was_granted() -> None:
    """RFC 6710 §4.1."""
    scene, _ = play(b"MT-PRIORITY=6", then=SEND)
    (record,) = [fields for event, fields in scene.world.journal.records if event == "accepted"]
    assert (record["asked_priority"], record["priority"]) == (6, 0)
    scene, _ = play(b"", then=SEND)
    (record,) = [fields for event, fields in scene.world.journal.records if event == "accepted"]
    assert record.keys().isdisjoint(("asked_priority", "priority"))


FIELD = b"RCPT TO:<bob@example.test>\r\nDATA\r\nSubject: x\r\nMT-Priority: 4\r\nTo: y\r\n\r\nMT-Priority: 4\r\n.\r\n"
GONE = b"Subject: x\r\nTo: y\r\n\r\nMT-Priority: 4\r\n"


def with_field(value: bytes) -> bytes:
    return FIELD.replace(b": 4\r\nTo", b": " + value + b"\r\nTo")


def test_a_stranger_who_asks_for_more_in_a_field_is_told_at_the_end_and_loses_the_field() -> None:
    scene, talk = play(b"", then=FIELD)
    (last,) = talk.replies[-1]
    assert last.startswith("250 2.3.6 0 is the priority of the message, more is for users of ours: ")
    assert last.endswith(accepted(scene).id)
    assert accepted(scene).wishes.priority == 0
    assert scene.contents()[0].endswith(GONE)
    assert " PRIORITY 0; " in traced(scene)


def test_a_stranger_may_ask_for_less_in_a_field_as_in_MAIL() -> None:
    scene, talk = play(b"", then=with_field(b"-3"))
    assert talk.codes[-1] == "250 2.0.0"
    assert accepted(scene).wishes.priority == -3
    assert b"\r\nMT-Priority: -3\r\nTo: y\r\n" in scene.contents()[0]


def test_what_MAIL_says_counts_and_a_field_that_says_otherwise_goes() -> None:
    scene, talk = play(b"MT-PRIORITY=-2", then=FIELD)
    assert talk.codes[-1] == "250 2.0.0"
    assert accepted(scene).wishes.priority == -2
    assert scene.contents()[0].endswith(GONE)
    scene, _ = play(b"MT-PRIORITY=-2", then=FIELD, **TRUSTED)
    assert accepted(scene).wishes.priority == -2
    assert scene.contents()[0].endswith(GONE)
    scene, _ = play(b"MT-PRIORITY=4", then=FIELD, **TRUSTED)
    assert accepted(scene).wishes.priority == 4
    assert b"\r\nMT-Priority: 4\r\nTo: y\r\n" in scene.contents()[0]


@pytest.mark.parametrize("value", [b"4", b" 4 (urgent) ", b"(a (b)) 4 (c)", b"\r\n 4"])
def test_an_MT_Priority_field_of_who_may_counts_where_MAIL_said_nothing(value: bytes) -> None:
    """RFC 6758 §4 allows comments and folding."""
    scene, talk = play(b"", then=with_field(value), **TRUSTED)
    assert talk.codes[-1] == "250 2.0.0"
    assert accepted(scene).wishes.priority == 4
    assert " PRIORITY 4; " in traced(scene)
    assert b"\r\nMT-Priority: " + value + b"\r\nTo: y\r\n" in scene.contents()[0]


@pytest.mark.parametrize("value", [b"", b"high", b"10", b"+4", b"4 4", b"\xff", b"(4)", b"4\r\nMT-Priority: 4"])
def test_an_MT_Priority_field_that_is_none_or_not_alone_counts_for_nothing(value: bytes) -> None:
    scene, talk = play(b"", then=with_field(value), **TRUSTED)
    assert talk.codes[-1] == "250 2.0.0"
    assert accepted(scene).wishes.priority == 0
    assert scene.contents()[0].endswith(GONE)


def test_mail_of_users_below_the_lowest_priority_is_put_off() -> None:
    """RFC 6710 §4.1: 450 with X.7.15, of an MSA."""
    scene: dict[str, Any] = {"settings": {"lowest_priority": 3}}
    assert submit(b"MT-PRIORITY=3", SEND, **scene)[1].codes[-1] == "250 2.0.0"
    for parameter in (b"MT-PRIORITY=2", b"MT-PRIORITY=-9"):
        made, talk = submit(parameter, SEND, **scene)
        assert "450 4.7.15" in talk.codes and made.world.acceptance.accepted == []
    made, talk = submit(b"", SEND, **scene)  # which counts as 0
    assert talk.codes[-1] == "450 4.7.15" and made.world.acceptance.accepted == []
    assert submit(b"", with_field(b"3"), **scene)[1].codes[-1] == "250 2.0.0"
    assert submit(b"", with_field(b"2"), **scene)[1].codes[-1] == "450 4.7.15"
    made, talk = play(b"", then=SEND, **scene)
    assert talk.codes[-1] == "250 2.0.0", "other servers' mail is no submission"


@pytest.mark.parametrize("name", ["MIXER", "a.b-c_9", "x" * 20])
def test_the_policy_of_priorities_is_announced_if_it_is_named(name: str) -> None:
    words = announced(SmtpScene(settings={"priority_policy": name}).play(EHLO))
    assert f"MT-PRIORITY {name}" in words and "MT-PRIORITY" not in words


@pytest.mark.parametrize("name", ["a b", "x" * 21, "ü", "a\r\nb", "a,b"])
def test_a_policy_that_has_no_such_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="priority_policy"):
        SmtpScene(settings={"priority_policy": name}).make_session()


VALUES = st.lists(
    st.sampled_from([b"4", b"-", b" ", b"(", b")", b"\\", b'"', b"\r\n ", b"9", b"0", b"\xff", b"x"])
).map(b"".join)


@given(st.lists(VALUES, max_size=3))
def test_whatever_stands_in_the_field_is_a_priority_or_none(values: list[bytes]) -> None:
    header = Header(b"".join(b"MT-Priority: " + value + b"\r\n" for value in values) + b"A: b\r\n")
    found = tunnelled(header)
    assert found is None or (len(values) == 1 and -9 <= found <= 9)
