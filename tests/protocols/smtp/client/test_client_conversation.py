"""A conversation between its transactions, and at its end."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer
from zope.interface.verify import verifyObject

from worldmail.interfaces.outbound import (
    Fate,
    Hop,
    HopFailed,
    IConnector,
    IConversation,
    IOutbound,
    IOutgoingContent,
    Login,
    Outcome,
    Phase,
    Security,
    Trouble,
)
from worldmail.interfaces.protocol import IDialogue
from worldmail.protocols.smtp.client.content import Converted
from worldmail.protocols.smtp.client.dialogue import ClientDialogue
from worldmail.protocols.smtp.client.outbound import Outbound
from worldmail.testing.feeding import settle
from worldmail.testing.scripted_smtp import OFFERS, ScriptedServer
from worldmail.testing.smtp_client import CUTS, HOP, ClientMeeting, MemoryContent, make_means, make_shipment
from worldmail.wire.ready import Ready


def meet(cut: str = "whole", **answers: list[str]) -> ClientMeeting:
    return ClientMeeting(server=ScriptedServer(answers=answers), cut=cut)


def result(awaitable: Any) -> list[Any]:
    """What it came to, if it did."""
    results: list[Any] = []
    if isinstance(awaitable, Ready):
        return [awaitable.value]
    awaitable.addCallback(results.append)
    return results


def test_it_is_what_it_says() -> None:
    meeting = meet()
    verifyObject(IDialogue, meeting.dialogue)
    verifyObject(IConversation, meeting.dialogue)
    verifyObject(IOutgoingContent, MemoryContent(b"x"))
    verifyObject(IOutgoingContent, Converted(0, None, MemoryContent(b"x").chunks))


def test_many_messages_go_over_one_connection() -> None:
    meeting = meet()
    for _ in range(50):
        assert meeting.send(make_shipment()).fates[0].fate is Fate.DELIVERED
    assert len(meeting.server.texts) == 50
    assert meeting.server.commands.count("EHLO mail.a.test") == 1
    assert "RSET" not in meeting.commands


def test_the_next_message_may_follow_from_the_outcome_of_the_one_before() -> None:
    meeting = meet()
    outcomes: list[Outcome] = []

    def again(outcome: Outcome) -> None:
        outcomes.append(outcome)
        if len(outcomes) < 5:
            meeting.dialogue.send(make_shipment()).addCallback(again)  # type: ignore[attr-defined]  # a Deferred

    meeting.dialogue.send(make_shipment()).addCallback(again)  # type: ignore[attr-defined]  # a Deferred
    meeting.hear(b"")
    assert [outcome.fates[0].fate for outcome in outcomes] == [Fate.DELIVERED] * 5


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("said", [b"421 4.4.2 timeout\r\n", b"250 ok\r\n", b"what?\r\n", b"421-a\r\n421 b\r\n"])
def test_a_server_that_speaks_unasked_is_left(said: bytes, cut: str) -> None:
    meeting = meet(cut)
    meeting.hear(said)
    assert meeting.closed == "the server spoke unasked"
    assert not meeting.dialogue.usable
    outcome = meeting.send(make_shipment())
    assert (outcome.fates[0].fate, outcome.fates[0].reply) == (Fate.DEFERRED, None)


def test_what_a_server_says_unasked_is_no_answer_to_what_is_sent_next() -> None:
    meeting = meet()
    meeting.dialogue.receive(b"250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n")
    outcome = meeting.send(make_shipment())
    assert outcome.fates[0].fate is Fate.DEFERRED
    assert not [command for command in meeting.commands if command.startswith("MAIL")]


def test_replies_glued_on_to_the_last_one_end_the_conversation_after_it() -> None:
    meeting = meet(TEXT=["250 2.0.0 ok\r\n250 and more"])
    assert meeting.send(make_shipment()).fates[0].fate is Fate.DELIVERED
    assert meeting.closed == "the server spoke unasked"


def test_goodbye_is_said_and_answered() -> None:
    meeting = meet()
    closing = result(meeting.dialogue.close())
    assert not closing and not meeting.dialogue.usable
    meeting.hear(b"")
    assert closing == [None]
    assert meeting.commands == ["QUIT"]
    assert meeting.closed == "finished"
    assert result(meeting.dialogue.close()) == [None]


@pytest.mark.parametrize("said", ["CLOSE", "SILENCE", "what", "500 no", "421 bye CLOSE", "354 x"])
def test_goodbye_is_goodbye_whatever_the_answer(said: str) -> None:
    meeting = meet(QUIT=[said])
    closing = result(meeting.dialogue.close())
    meeting.hear(b"")
    if said == "SILENCE":
        assert meeting.dialogue.timeout == 10
        meeting.time_out()
    assert closing == [None]


def test_goodbye_waits_for_the_transaction_under_way() -> None:
    meeting = meet()
    outcomes: list[Outcome] = []
    sending = meeting.dialogue.send(make_shipment())
    closing = result(meeting.dialogue.close())
    sending.addCallback(outcomes.append)  # type: ignore[attr-defined]  # a Deferred
    meeting.hear(b"")
    assert outcomes[0].fates[0].fate is Fate.DELIVERED
    assert closing == [None] and meeting.commands[-1] == "QUIT"


def test_a_connection_that_is_dropped_gives_up_what_is_under_way() -> None:
    for phase, fate in (("MAIL", Fate.DEFERRED), ("DATA", Fate.DEFERRED), ("TEXT", Fate.UNKNOWN)):
        meeting = meet(**{phase: ["SILENCE"]})
        outcomes: list[Outcome] = []
        meeting.begin(make_shipment(), outcomes)
        assert not outcomes
        meeting.dialogue.abort()
        assert outcomes[0].fates[0].fate is fate
        assert meeting.closed == "aborted"
        meeting.dialogue.abort()


def test_a_message_that_waits_when_the_connection_breaks_was_not_sent() -> None:
    meeting = meet()
    outcomes = result(meeting.dialogue.send(make_shipment()))
    meeting.lose("closed by peer")
    assert outcomes[0].fates[0].fate is Fate.DEFERRED
    assert result(meeting.dialogue.send(make_shipment()))[0].fates[0].fate is Fate.DEFERRED


def test_who_idles_too_long_says_goodbye() -> None:
    meeting = meet()
    assert meeting.dialogue.timeout == 300
    meeting.time_out()
    assert meeting.commands == ["QUIT"] and not meeting.dialogue.usable


def test_when_we_stop_what_is_under_way_comes_to_its_end() -> None:
    meeting = meet(TEXT=["SILENCE"])
    outcomes: list[Outcome] = []
    meeting.begin(make_shipment(), outcomes)
    assert meeting.dialogue.shutting_down() == ()
    meeting.hear(b"250 2.0.0 ok\r\n")
    assert outcomes[0].fates[0].fate is Fate.DELIVERED
    assert meeting.commands[-1] == "QUIT"


def test_when_we_stop_idlers_say_goodbye() -> None:
    meeting = meet()
    assert list(meeting.dialogue.shutting_down()) == [b"QUIT\r\n"]
    meeting.hear(b"221 bye\r\n")
    assert meeting.closed == "finished"


def test_a_conversation_that_breaks_before_it_began_says_so_once() -> None:
    meeting = meet(GREETING=["SILENCE"])
    meeting.lose("closed by peer")
    assert meeting.trouble is not None and meeting.trouble.phase is Phase.GREETING
    assert list(meeting.dialogue.refused("too many")) == []


# --- the way to a server -------------------------------------------------------------------------------


@implementer(IConnector)
class Connector:
    """Connects to servers in memory.

    Args:
        servers: by address; no server, no connection.
    """

    def __init__(self, **servers: ScriptedServer | None) -> None:
        self.servers = {name.replace("_", ".").removeprefix("a"): server for name, server in servers.items()}
        self.asked: list[tuple[str, Security]] = []
        self.handshake: str | None = None

    def connect(self, make_dialogue: Any, hop: Hop) -> Deferred[Any]:
        for address in hop.addresses:
            self.asked.append((address, hop.security))
            server = self.servers.get(address)
            if server is not None:
                meeting = Prepared(
                    server=server,
                    hop=hop,
                    handshake=self.handshake,
                    made=make_dialogue(),
                    peer_changes={"host": address},
                )
                return succeed(meeting.dialogue)
        trouble = Trouble(fate=Fate.DEFERRED, status="4.4.1", phase=Phase.CONNECT, server=hop.host, reason="nobody")
        return fail(HopFailed(trouble))


class Prepared(ClientMeeting):
    """A meeting whose dialogue somebody else made, and awaits."""

    def __init__(self, *, made: Any, **values: Any) -> None:
        self.made = made
        super().__init__(**values)

    def make_dialogue(self) -> Any:
        return self.made


HOST = evolve(HOP, addresses=("192.0.2.1", "192.0.2.2"))
NO = {"GREETING": ["554 5.7.1 no"]}


def connect(connector: Connector, hop: Hop = HOST) -> tuple[list[Any], list[Trouble]]:
    outbound = Outbound(connector, make_means())
    verifyObject(IOutbound, outbound)
    verifyObject(IConnector, connector)
    conversations: list[Any] = []
    troubles: list[Trouble] = []
    waiting = Deferred.fromCoroutine(outbound.connect(hop))
    waiting.addCallbacks(conversations.append, lambda failure: troubles.append(failure.value.trouble))
    return conversations, troubles


def test_the_first_address_that_takes_mail_is_taken() -> None:
    connector = Connector(a192_0_2_1=ScriptedServer(answers=NO), a192_0_2_2=ScriptedServer())
    [conversation], _ = connect(connector)
    assert conversation.server == "mx.b.test[192.0.2.2]:25"
    assert conversation.usable


def test_where_no_address_takes_mail_the_last_one_says_why() -> None:
    _, [trouble] = connect(Connector(a192_0_2_1=ScriptedServer(answers=NO), a192_0_2_2=ScriptedServer(answers=NO)))
    assert (trouble.fate, trouble.status, trouble.server) == (Fate.FAILED, "5.7.1", "mx.b.test[192.0.2.2]:25")


def test_where_nobody_is_reached_nothing_is_tried_again() -> None:
    connector = Connector()
    _, [trouble] = connect(connector)
    assert trouble.phase is Phase.CONNECT
    assert [address for address, _ in connector.asked] == ["192.0.2.1", "192.0.2.2"]


def test_a_login_that_fails_is_not_tried_at_other_addresses() -> None:
    servers = [ScriptedServer(offers=("AUTH PLAIN",), answers={"AUTH": ["535 no"]}) for _ in range(2)]
    connector = Connector(a192_0_2_1=servers[0], a192_0_2_2=servers[1])
    _, [trouble] = connect(connector, evolve(HOST, login=Login(user="u", password="p", plaintext=True)))
    assert trouble.phase is Phase.LOGIN
    assert not servers[1].commands


@pytest.mark.parametrize(
    ("security", "clear"), [(Security.OPPORTUNISTIC, True), (Security.ENCRYPTED, False), (Security.VERIFIED, False)]
)
def test_a_handshake_that_fails_is_followed_by_one_attempt_in_the_clear_where_TLS_was_only_wished_for(
    security: Security, clear: bool
) -> None:
    def server() -> ScriptedServer:
        return ScriptedServer(offers=(*OFFERS, "STARTTLS"))

    connector = Connector(a192_0_2_1=server())
    connector.handshake = "it has expired"
    conversations, troubles = connect(connector, evolve(HOST, addresses=("192.0.2.1",), security=security))
    if clear:
        assert conversations[0].usable and not troubles
        assert connector.asked[-1] == ("192.0.2.1", Security.NEVER)
        assert "STARTTLS" not in connector.servers["192.0.2.1"].commands[-1]  # type: ignore[union-attr]  # it is there
    else:
        assert not conversations and troubles[0].phase is Phase.TLS
        assert [asked for asked in connector.asked if asked[1] is Security.NEVER] == []


def test_a_handshake_that_fails_is_followed_by_the_clear_though_the_hosts_other_address_is_dead() -> None:
    connector = Connector(a192_0_2_2=ScriptedServer(offers=(*OFFERS, "STARTTLS")))
    connector.handshake = "it has expired"
    [conversation], _ = connect(connector)
    assert conversation.usable and conversation.server == "mx.b.test[192.0.2.2]:25"


def test_an_address_that_is_dead_says_nothing_where_another_one_answers() -> None:
    _, [trouble] = connect(Connector(a192_0_2_1=ScriptedServer(answers=NO)))
    assert (trouble.fate, trouble.status) == (Fate.FAILED, "5.7.1")


@pytest.mark.parametrize("busy", [1, 2])
def test_a_host_refuses_for_good_only_if_all_its_addresses_do(busy: int) -> None:
    answers = {1: NO, 2: NO, busy: {"GREETING": ["421 4.3.2 busy"]}}
    servers = {f"a192_0_2_{number}": ScriptedServer(answers=said) for number, said in answers.items()}
    _, [trouble] = connect(Connector(**servers))
    assert (trouble.fate, trouble.server) == (Fate.DEFERRED, f"mx.b.test[192.0.2.{busy}]:25")


def test_one_that_never_began_fails_those_alone_who_wait_for_it() -> None:
    failed: list[BaseException] = []

    class Kept(Deferred[Any]):
        def errback(self, error: Any = None) -> None:
            failed.append(error)

    dialogue = ClientDialogue(HOP, make_means(promise=Kept))
    dialogue.closed("TLS handshake failed")
    assert failed == []
    with pytest.raises(HopFailed, match="The connection was lost"):
        settle(dialogue.ready())
