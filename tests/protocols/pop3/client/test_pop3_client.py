"""The POP3 client: signing in, looking, fetching, deleting, and servers that say what they should not."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from attrs import evolve

from worldmail.interfaces.collection import Listed, RemoteLost, RemoteRefused
from worldmail.interfaces.outbound import Login, Phase, Security
from worldmail.testing.scripted_pop3 import STAMP, DropMeeting, ScriptedDrop, make_means
from worldmail.testing.smtp_client import CUTS, HOP, TLS

LOGIN = Login(user="ann", password="secret")
SECURE = evolve(HOP, security=Security.VERIFIED, implicit_tls=True, login=LOGIN, port=995)
CLEAR = evolve(HOP, security=Security.NEVER, login=LOGIN, port=110)
MESSAGES = [b"Subject: one\r\n\r\n.dot\r\n..two\r\n", b"Subject: two\r\n\r\n", b".\r\n.\r\n"]


class Taken(list[bytes]):
    """What was fetched."""

    async def take(self, octets: bytes) -> None:
        self.append(octets)

    @property
    def text(self) -> bytes:
        return b"".join(self)


def meet(server: ScriptedDrop | None = None, hop: Any = SECURE, **changes: Any) -> DropMeeting:
    changes.setdefault("tls", TLS if hop.implicit_tls else None)
    return DropMeeting(server=server or ScriptedDrop(messages=list(MESSAGES)), hop=hop, **changes)


@pytest.mark.parametrize("cut", CUTS)
def test_all_is_listed_fetched_octet_for_octet_and_deleted(cut: str) -> None:
    meeting = meet(cut=cut)
    assert meeting.ready
    [found] = meeting.ask(meeting.drop.messages())
    assert found == [Listed(number=n + 1, octets=len(text), unique=f"u{n + 1}") for n, text in enumerate(MESSAGES)]
    taken = [Taken() for _ in MESSAGES]
    meeting.ask(*(meeting.drop.retrieve(n + 1, 1000, one.take) for n, one in enumerate(taken)))
    assert [one.text for one in taken] == MESSAGES
    assert meeting.ask(meeting.drop.header(1)) == [b"Subject: one\r\n"]
    meeting.ask(meeting.drop.delete(2), meeting.drop.close())
    assert meeting.server.deleted == [2]
    assert meeting.closed == "finished"


def test_who_drops_the_connection_behind_the_goodbye_changes_nothing_of_why_it_closes() -> None:
    meeting = meet()

    async def leave() -> None:
        await meeting.drop.close()
        meeting.drop.abort()

    assert meeting.ask(leave()) == [None]
    assert meeting.closed == "finished"


def test_commands_go_out_together_only_if_the_server_can_have_that() -> None:
    for offers, most in ((("UIDL", "PIPELINING"), 3), (("UIDL",), 1)):
        meeting = meet(ScriptedDrop(messages=list(MESSAGES), capabilities=(*offers, "USER")))
        taken = [Taken() for _ in MESSAGES]
        meeting.ask(*(meeting.drop.retrieve(n + 1, 1000, one.take) for n, one in enumerate(taken)))
        assert [one.text for one in taken] == MESSAGES
        assert meeting.server.most == most


def test_no_more_go_out_together_than_the_window_has() -> None:
    server = ScriptedDrop(messages=[b"x\r\n"] * 20)
    meeting = meet(server, drop_means=make_means(window=4))
    meeting.ask(*(meeting.drop.delete(n + 1) for n in range(20)))
    assert server.deleted == list(range(1, 21))
    assert server.most == 4


def test_a_password_goes_by_the_strongest_mechanism_that_both_know() -> None:
    meeting = meet()
    assert meeting.ready
    assert [line.split(" ")[:2] for line in meeting.server.commands if line.startswith("AUTH")] == [
        ["AUTH", "SCRAM-SHA-256"],
        ["AUTH", "PLAIN"],
    ]


def test_a_server_of_old_gets_apop_and_the_password_never_in_the_clear() -> None:
    meeting = meet(ScriptedDrop(capabilities=None), CLEAR)
    assert meeting.ready
    assert not any("secret" in line for line in meeting.server.commands)
    assert any(line.startswith("APOP ann ") for line in meeting.server.commands)


def test_in_the_clear_without_apop_nothing_is_sent() -> None:
    meeting = meet(ScriptedDrop(capabilities=("USER",), answers={"GREETING": ["+OK hello"]}), CLEAR)
    assert meeting.trouble is not None
    assert meeting.trouble.phase is Phase.LOGIN
    assert meeting.server.commands == ["CAPA", "QUIT"]


def test_user_and_pass_are_sent_in_tls() -> None:
    meeting = meet(ScriptedDrop(capabilities=("USER",), answers={"GREETING": ["+OK hello"]}))
    assert meeting.ready
    assert [line for line in meeting.server.commands if not line.startswith("CAPA")] == ["USER ann", "PASS secret"]


def test_stls_comes_before_the_password_and_what_was_learnt_before_it_is_forgotten() -> None:
    meeting = meet(hop=evolve(CLEAR, security=Security.ENCRYPTED))
    assert meeting.ready
    assert meeting.server.secured
    assert meeting.server.commands[:3] == ["CAPA", "STLS", "CAPA"]
    assert not any(line.startswith("APOP") for line in meeting.server.commands), f"{STAMP} came in the clear"


def test_where_tls_is_asked_for_and_not_had_nothing_is_sent() -> None:
    meeting = meet(ScriptedDrop(answers={"STLS": ["-ERR no"]}), evolve(CLEAR, security=Security.ENCRYPTED))
    assert meeting.trouble is not None
    assert meeting.trouble.status == "4.7.4"
    assert meeting.server.commands[-1] == "QUIT"


def test_what_was_injected_behind_stls_ends_the_conversation() -> None:
    meeting = meet(
        ScriptedDrop(answers={"STLS": ["+OK go\r\n+OK injected"]}), evolve(CLEAR, security=Security.ENCRYPTED)
    )
    assert meeting.trouble is not None
    assert "in the clear" in meeting.trouble.reason


def test_a_wrong_password_is_told_with_the_server_s_words() -> None:
    meeting = meet(ScriptedDrop(password="other"))
    assert meeting.trouble is not None
    assert meeting.trouble.phase is Phase.LOGIN
    assert "[AUTH] no" in meeting.trouble.reason


def test_a_mailbox_that_is_in_use_is_not_asked_for_in_every_way() -> None:
    server = ScriptedDrop(answers={"AUTH": ["-ERR [IN-USE] busy"]})
    meeting = meet(server)
    assert meeting.trouble is not None
    assert "busy" in meeting.trouble.reason
    assert sum(line.startswith(("AUTH", "USER")) for line in server.commands) == 1


def test_a_long_initial_response_goes_in_a_line_of_its_own() -> None:
    login = Login(user="a" * 200, password="secret")
    meeting = meet(ScriptedDrop(capabilities=("SASL PLAIN",)), evolve(SECURE, login=login))
    assert meeting.ready
    assert max(map(len, meeting.server.commands[:2])) < 253


def test_without_uidl_messages_have_no_names() -> None:
    meeting = meet(ScriptedDrop(messages=[b"x\r\n"], answers={"UIDL": ["-ERR what?"]}))
    assert meeting.ask(meeting.drop.messages()) == [[Listed(number=1, octets=3)]]


def test_without_top_the_header_comes_from_the_whole() -> None:
    meeting = meet(ScriptedDrop(messages=list(MESSAGES), answers={"TOP": ["-ERR what?"]}))
    assert meeting.ask(meeting.drop.header(1)) == [b"Subject: one\r\n"]


def test_a_message_that_is_refused_stands_in_no_other_s_way() -> None:
    meeting = meet(ScriptedDrop(messages=list(MESSAGES), answers={"RETR": ["-ERR gone", "+OK\r\nx\r\n."]}))
    first, second = Taken(), Taken()
    results = meeting.ask(meeting.drop.retrieve(1, 1000, first.take), meeting.drop.retrieve(2, 1000, second.take))
    assert isinstance(results[0], RemoteRefused)
    assert str(results[0]) == "gone"
    assert second.text == b"x\r\n"


def test_what_the_taker_raises_comes_when_the_message_was_read_past() -> None:
    async def take(octets: bytes) -> None:
        raise OSError("no room")

    meeting, second = meet(), Taken()
    results = meeting.ask(meeting.drop.retrieve(1, 1000, take), meeting.drop.retrieve(2, 1000, second.take))
    assert isinstance(results[0], OSError)
    assert second.text == MESSAGES[1]


def test_more_than_was_said_ends_the_conversation() -> None:
    meeting, taken = meet(ScriptedDrop(messages=[b"x" * 1000 + b"\r\n"])), Taken()
    [result] = meeting.ask(meeting.drop.retrieve(1, 100, taken.take))
    assert isinstance(result, RemoteLost)
    assert meeting.closed


@pytest.mark.parametrize("ends", [b"a\nb\n", b"a\rb\r", b"a\r\nb\r\n", b"a\n\rb"])
def test_lines_that_end_in_other_ways_end_in_crlf(ends: bytes) -> None:
    meeting, taken = meet(ScriptedDrop(answers={"RETR": ["+OK\r\n" + ends.decode() + "\r\n."]})), Taken()
    meeting.ask(meeting.drop.retrieve(1, 1000, taken.take))
    assert b"\n" not in taken.text.replace(b"\r\n", b"")
    assert b"\r" not in taken.text.replace(b"\r\n", b"")


def test_a_bare_line_end_before_a_dot_ends_nothing() -> None:
    hidden = "x\n.\n-ERR in the message\r\n.\r."
    meeting, taken = meet(ScriptedDrop(answers={"RETR": [f"+OK\r\n{hidden}\r\n."]})), Taken()
    assert meeting.ask(meeting.drop.retrieve(1, 1000, taken.take)) == [None]
    assert b"-ERR in the message" in taken.text


@pytest.mark.parametrize("answer", ["hello", "* OK", "+", "+OKAY", "\0", "220 no", "+OK" + "x" * 20_000])
def test_what_is_no_answer_ends_the_conversation(answer: str) -> None:
    meeting = meet(ScriptedDrop(answers={"DELE": [answer]}))
    [result] = meeting.ask(meeting.drop.delete(1))
    assert isinstance(result, RemoteLost)
    assert meeting.closed


def test_when_the_connection_breaks_all_who_wait_are_told() -> None:
    meeting = meet(ScriptedDrop(messages=list(MESSAGES), answers={"RETR": ["+OK\r\nhalf CLOSE"]}))
    results = meeting.ask(*(meeting.drop.retrieve(1, 1000, Taken().take) for _ in range(3)), meeting.drop.close())
    assert all(isinstance(result, RemoteLost) for result in results)
    [late] = meeting.ask(meeting.drop.delete(1))
    assert isinstance(late, RemoteLost)


def test_quit_that_is_not_answered_well_does_not_count_as_removed() -> None:
    for answer in ("-ERR some deleted messages not removed", "CLOSE"):
        meeting = meet(ScriptedDrop(answers={"QUIT": [answer]}))
        [result] = meeting.ask(meeting.drop.close())
        assert isinstance(result, RemoteLost)


def test_a_server_that_turns_us_away_is_told_why() -> None:
    meeting = meet(ScriptedDrop(answers={"GREETING": ["-ERR [SYS/TEMP] later CLOSE"]}))
    assert meeting.trouble is not None
    assert "later" in meeting.trouble.reason


def test_utf8_is_asked_for_in_tls_alone() -> None:
    server = ScriptedDrop(capabilities=("STLS", "USER", "UTF8"))
    meeting = meet(server, evolve(CLEAR, security=Security.ENCRYPTED))
    assert meeting.ready
    assert server.commands[:4] == ["CAPA", "STLS", "CAPA", "UTF8"]


@pytest.mark.parametrize("stamp", ["<a\xb1@b.test>", "<a@b\x80.test>", "<a\x1b@b.test>", "<ab.test>", "<a@>", "<@b>"])
def test_what_is_no_timestamp_is_answered_by_no_digest(stamp: str) -> None:
    meeting = meet(ScriptedDrop(capabilities=None, answers={"GREETING": [f"+OK hello {stamp}"]}), CLEAR)
    assert meeting.trouble is not None
    assert meeting.server.commands == ["CAPA", "QUIT"]


def test_a_server_that_repeats_the_password_makes_nobody_tell_it() -> None:
    told = base64.b64encode(b"\0ann\0secret").decode()
    for capabilities, answers in (
        (("USER",), {"PASS": ["-ERR what is PASS secret?"]}),
        (("SASL PLAIN",), {"AUTH": [f"-ERR what is AUTH PLAIN {told}?"], "PASS": ["-ERR no"]}),
        (("SASL PLAIN",), {"AUTH": [f"-ERR [IN-USE] what is AUTH PLAIN {told}?"]}),
    ):
        meeting = meet(ScriptedDrop(capabilities=capabilities, answers={**answers, "GREETING": ["+OK"]}))
        assert meeting.trouble is not None
        assert "secret" not in meeting.trouble.reason and told not in meeting.trouble.reason


def test_utf8_is_asked_for_where_it_is_offered() -> None:
    meeting = meet(ScriptedDrop(capabilities=("USER", "UTF8"), answers={"UTF8": ["-ERR no"]}))
    assert meeting.ready
    assert meeting.server.commands[:2] == ["CAPA", "UTF8"], "there is none for who has signed in"


def test_lists_with_nonsense_in_them_are_read_as_far_as_they_go() -> None:
    rows = f"5 {'9' * 5000}\r\n1 10\r\nx 5\r\n2\r\n3 -4\r\n99999999999 1\r\n4 7 extra"
    meeting = meet(ScriptedDrop(answers={"LIST": [f"+OK\r\n{rows}\r\n."], "UIDL": ["+OK\r\n4 name\r\n."]}))
    [found] = meeting.ask(meeting.drop.messages())
    assert found == [
        Listed(number=1, octets=10),
        Listed(number=3, octets=0),
        Listed(number=4, octets=7, unique="name"),
        Listed(number=5, octets=0),
    ]


def test_names_of_other_octets_are_other_names() -> None:
    answers = {"LIST": ["+OK\r\n1 10\r\n2 10\r\n."], "UIDL": ["+OK\r\n1 a\xff\r\n2 a\xfe\r\n."]}
    meeting = meet(ScriptedDrop(answers=answers))
    [found] = meeting.ask(meeting.drop.messages())
    assert [one.unique for one in found] == ["a\xff", "a\xfe"]
