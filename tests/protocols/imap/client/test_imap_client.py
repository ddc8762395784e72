"""The IMAP client: signing in, looking, fetching, deleting, and servers that say what they should not."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from zope.interface.verify import verifyObject

from worldmail.interfaces.collection import IRemoteDrop, Listed, RemoteLost, RemoteRefused
from worldmail.interfaces.outbound import Login, Phase, Security
from worldmail.protocols.imap.client.responses import quoted, uid_set
from worldmail.testing.scripted_imap import MailboxMeeting, ScriptedMailbox, make_means
from worldmail.testing.smtp_client import CUTS, HOP, TLS

LOGIN = Login(user="ann", password="secret")
SECURE = evolve(HOP, security=Security.VERIFIED, implicit_tls=True, login=LOGIN, port=993)
CLEAR = evolve(HOP, security=Security.NEVER, login=LOGIN, port=143)
MESSAGES = {3: b"Subject: one\r\n\r\n.dot\r\n* BYE {4}\r\n", 5: b"Subject: two\r\n\r\n", 9: b"a5 OK done\r\n"}


class Taken(list[bytes]):
    """What was fetched."""

    async def take(self, octets: bytes) -> None:
        self.append(octets)

    @property
    def text(self) -> bytes:
        return b"".join(self)


def meet(server: ScriptedMailbox | None = None, hop: Any = SECURE, **changes: Any) -> MailboxMeeting:
    changes.setdefault("tls", TLS if hop.implicit_tls else None)
    return MailboxMeeting(server=server or ScriptedMailbox(messages=dict(MESSAGES)), hop=hop, **changes)


def fetch(meeting: MailboxMeeting, *uids: int, most: int = 1000) -> list[Any]:
    taken = [Taken() for _ in uids]
    found = meeting.ask(*(meeting.drop.retrieve(uid, most, one.take) for uid, one in zip(uids, taken, strict=True)))
    return [one.text if result is None else result for one, result in zip(taken, found, strict=True)]


@pytest.mark.parametrize("manner", [{}, {"body_first": True}, {"side_by_side": True}])
@pytest.mark.parametrize("cut", CUTS)
def test_all_is_listed_fetched_octet_for_octet_and_deleted(cut: str, manner: dict[str, bool]) -> None:
    meeting = meet(ScriptedMailbox(messages=dict(MESSAGES), **manner), cut=cut)
    assert meeting.ready
    assert verifyObject(IRemoteDrop, meeting.drop)
    [found] = meeting.ask(meeting.drop.messages())
    assert found == [Listed(number=uid, octets=len(text), unique=f"7.{uid}") for uid, text in MESSAGES.items()]
    assert fetch(meeting, *MESSAGES) == list(MESSAGES.values())
    assert meeting.ask(meeting.drop.header(3)) == [b"Subject: one\r\n"]
    meeting.ask(meeting.drop.delete(5), meeting.drop.delete(9))
    assert meeting.ask(meeting.drop.close()) == [None]
    assert list(meeting.server.messages) == [3]
    assert meeting.closed == "finished"


def test_nothing_is_changed_there_before_the_end() -> None:
    meeting = meet()
    fetch(meeting, *MESSAGES)
    meeting.ask(meeting.drop.delete(5))
    words = {command.split(" ")[0] for command in meeting.server.commands}
    assert words == {"CAPABILITY", "AUTHENTICATE", "EXAMINE", "UID"}
    assert all("PEEK" in command for command in meeting.server.commands if "BODY" in command)
    assert not any("STORE" in command for command in meeting.server.commands)


def test_many_commands_are_under_way_at_once_as_many_as_the_window_has() -> None:
    server = ScriptedMailbox(messages=dict.fromkeys(range(1, 21), b"x\r\n"))
    meeting = meet(server, drop_means=make_means(window=4))
    assert fetch(meeting, *range(1, 21)) == [b"x\r\n"] * 20
    assert server.most == 4


def test_a_server_that_says_behind_a_body_whose_it_was_is_asked_for_one_at_a_time() -> None:
    server = ScriptedMailbox(messages=dict.fromkeys(range(1, 21), b"x\r\n"), body_first=True)
    assert fetch(meet(server), *range(1, 21)) == [b"x\r\n"] * 20
    assert server.most == 1


def test_who_drops_the_connection_behind_the_goodbye_changes_nothing_of_why_it_closes() -> None:
    meeting = meet()

    async def leave() -> None:
        await meeting.drop.close()
        meeting.drop.abort()

    assert meeting.ask(leave()) == [None]
    assert meeting.closed == "finished"


def test_without_uidplus_others_marks_are_not_expunged_with_ours() -> None:
    server = ScriptedMailbox(messages=dict(MESSAGES), capabilities="IMAP4rev1 AUTH=PLAIN", marked={3})
    meeting = meet(server)
    meeting.ask(meeting.drop.delete(5))
    [lost] = meeting.ask(meeting.drop.close())
    assert isinstance(lost, RemoteLost) and "others are marked" in str(lost)
    assert list(server.messages) == [3, 5, 9] and server.marked == {3, 5}
    assert meeting.closed == "finished"


def test_without_uidplus_ours_alone_are_expunged() -> None:
    server = ScriptedMailbox(messages=dict(MESSAGES), capabilities="IMAP4rev1 AUTH=PLAIN")
    meeting = meet(server)
    meeting.ask(meeting.drop.delete(5))
    assert meeting.ask(meeting.drop.close()) == [None]
    assert list(server.messages) == [3, 9]


@pytest.mark.parametrize(
    "answer", ["TAG OK done", "* SEARCH 3 (MODSEQ 917)\r\nTAG OK done", "* ESEARCH UID ALL 3\r\nTAG OK"]
)
def test_without_uidplus_nothing_is_expunged_if_it_is_not_known_what_is_marked(answer: str) -> None:
    answers = {"UID SEARCH": [answer]}
    server = ScriptedMailbox(messages=dict(MESSAGES), capabilities="IMAP4rev1 AUTH=PLAIN", marked={3}, answers=answers)
    meeting = meet(server)
    meeting.ask(meeting.drop.delete(5))
    [lost] = meeting.ask(meeting.drop.close())
    assert isinstance(lost, RemoteLost) and "does not tell" in str(lost)
    assert list(server.messages) == [3, 5, 9]


def test_in_another_mailbox_of_the_same_name_nothing_is_deleted() -> None:
    meeting = meet()
    meeting.ask(meeting.drop.delete(5))
    meeting.server.uidvalidity = 8
    [lost] = meeting.ask(meeting.drop.close())
    assert "UIDVALIDITY" in str(lost)
    assert list(meeting.server.messages) == [3, 5, 9]


def test_a_password_goes_by_the_strongest_mechanism_that_both_know() -> None:
    meeting = meet()
    assert [line.split(" ")[:2] for line in meeting.server.commands if line.startswith("AUTH")] == [
        ["AUTHENTICATE", "SCRAM-SHA-256"],
        ["AUTHENTICATE", "PLAIN"],
    ]


def test_a_server_without_initial_responses_asks_for_them() -> None:
    assert meet(ScriptedMailbox(capabilities="IMAP4rev1 AUTH=PLAIN")).ready


def test_login_is_for_servers_that_know_nothing_else() -> None:
    meeting = meet(ScriptedMailbox(capabilities="IMAP4rev1"))
    assert meeting.ready
    assert 'LOGIN "ann" "secret"' in meeting.server.commands


def test_a_server_that_repeats_the_password_makes_nobody_tell_it() -> None:
    meeting = meet(ScriptedMailbox(capabilities="IMAP4rev1", answers={"LOGIN": ['TAG BAD what is "ann" "secret"?']}))
    assert meeting.trouble is not None
    assert "secret" not in meeting.trouble.reason and "***" in meeting.trouble.reason


@pytest.mark.parametrize("capabilities", ["IMAP4rev1 AUTH=PLAIN", "IMAP4rev1 LOGINDISABLED"])
def test_a_password_never_goes_in_the_clear(capabilities: str) -> None:
    meeting = meet(ScriptedMailbox(capabilities=capabilities), CLEAR)
    assert not meeting.ready and meeting.trouble is not None
    assert meeting.trouble.phase is Phase.LOGIN
    assert not any("secret" in line or line.startswith("AUTH") for line in meeting.server.commands)


def test_starttls_is_asked_for_and_what_was_announced_before_is_forgotten() -> None:
    meeting = meet(hop=evolve(CLEAR, security=Security.VERIFIED))
    assert meeting.ready and meeting.server.secured
    assert meeting.server.commands[:3] == ["CAPABILITY", "STARTTLS", "CAPABILITY"]


@pytest.mark.parametrize("greeting", ["* OK ready", "* PREAUTH you are in"])
def test_a_server_without_tls_is_not_spoken_to_where_tls_is_asked_for(greeting: str) -> None:
    server = ScriptedMailbox(capabilities="IMAP4rev1", answers={"GREETING": [greeting]})
    meeting = meet(server, evolve(CLEAR, security=Security.VERIFIED))
    assert meeting.trouble is not None and meeting.trouble.phase is Phase.TLS
    assert server.commands == ["CAPABILITY"]


def test_what_is_said_behind_the_consent_to_tls_is_an_attack() -> None:
    server = ScriptedMailbox(answers={"STARTTLS": ["TAG OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN"]})
    meeting = meet(server, evolve(CLEAR, security=Security.VERIFIED))
    assert meeting.trouble is not None and "in the clear" in meeting.trouble.reason


@pytest.mark.parametrize(
    ("command", "answer", "words"),
    [
        ("GREETING", "* BYE busy", "busy"),
        ("GREETING", "+OK pop", "turns us away"),
        ("GREETING", "x" * 70_000, "no answer of its protocol"),
        ("CAPABILITY", "TAG BAD what", "what"),
        ("EXAMINE", "TAG NO no such mailbox", "no such mailbox"),
        ("EXAMINE", "* 1 EXISTS\r\nother OK done", "does not fit"),
        ("EXAMINE", "* LIST {99999999999}", "more than can be taken"),
        ("EXAMINE", "* LIST" + " {0}\r\n" * 5000, "more than can be taken"),
        ("AUTHENTICATE", "+ ***", "base64"),
    ],
)
def test_a_mailbox_that_is_not_to_be_had_is_told(command: str, answer: str, words: str) -> None:
    meeting = meet(ScriptedMailbox(answers={command: [answer]}))
    assert meeting.trouble is not None and not meeting.ready
    assert words in f"{meeting.trouble.reason}"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("TAG OK done", RemoteRefused),
        ("* 1 FETCH (UID 3 BODY[] NIL)\r\nTAG OK done", RemoteRefused),
        ("TAG NO [EXPUNGEISSUED] gone", RemoteRefused),
        ("* 1 FETCH (UID 4 BODY[] {2}\r\nab)\r\nTAG OK done", RemoteLost),
        ("* 1 FETCH (BODY[] {2}\r\nab)\r\nTAG OK done", RemoteLost),
        ("* 1 FETCH (UID 3 BODY[] {5000}", RemoteLost),
        ("* 1 FETCH (UID 3 BODY[] {1}\r\nx BODY[] {1}\r\ny)\r\nTAG OK done", RemoteLost),
        ("* BYE shutting down", RemoteLost),
        ("* OK half CLOSE", RemoteLost),
        ("\0", RemoteLost),
    ],
)
@pytest.mark.parametrize("cut", CUTS)
def test_what_a_server_says_in_the_place_of_a_message(answer: str, kind: type[Exception], cut: str) -> None:
    meeting = meet(ScriptedMailbox(messages=dict(MESSAGES), answers={"UID FETCH": [answer]}), cut=cut)
    [found] = fetch(meeting, 3)
    assert isinstance(found, kind), found


def test_a_message_in_a_quoted_string_and_news_of_others_are_understood() -> None:
    answer = '* 9 FETCH (UID 77 FLAGS (\\Seen))\r\n* 1 FETCH (UID 3 BODY[] "a\\"b")\r\n* 8 EXISTS\r\nTAG OK done'
    meeting = meet(ScriptedMailbox(messages=dict(MESSAGES), answers={"UID FETCH": [answer]}))
    assert fetch(meeting, 3) == [b'a"b']


def test_what_the_taker_raises_comes_when_all_was_read_and_the_conversation_goes_on() -> None:
    meeting = meet()

    async def fails(octets: bytes) -> None:
        raise ValueError("no room")

    [found] = meeting.ask(meeting.drop.retrieve(3, 1000, fails))
    assert isinstance(found, ValueError)
    assert fetch(meeting, 5) == [MESSAGES[5]]


def test_lone_line_ends_become_whole_ones() -> None:
    meeting = meet(ScriptedMailbox(messages={1: b"a\nb\rc\r\nd\r"}))
    assert fetch(meeting, 1) == [b"a\r\nb\r\nc\r\nd\r\n"]


def test_names_of_mailboxes_are_written_as_the_protocol_has_them() -> None:
    meeting = meet(mailbox='Entwürfe "x"')
    assert 'EXAMINE "Entw&APw-rfe \\"x\\""' in meeting.server.commands


def test_sets_and_strings() -> None:
    assert uid_set([1, 2, 3, 5, 9, 8]) == b"1:3,5,8:9"
    assert uid_set([4]) == b"4"
    assert quoted('a"b\\') == b'"a\\"b\\\\"'
    assert quoted("é") is None


def test_a_lost_connection_is_told_to_all_who_wait_and_to_who_asks_later() -> None:
    meeting = meet(ScriptedMailbox(messages=dict(MESSAGES), answers={"UID FETCH": [" CLOSE"]}))
    assert all(isinstance(one, RemoteLost) for one in fetch(meeting, 3, 5))
    assert isinstance(meeting.ask(meeting.drop.messages())[0], RemoteLost)
    assert isinstance(meeting.ask(meeting.drop.delete(3))[0], RemoteLost)
