"""Messages that go before the replies to those in front of them came."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from worldmail.interfaces.outbound import Fate, HopFailed, Outcome, Shipment
from worldmail.protocols.smtp.client.dialogue import ClientDialogue
from worldmail.testing.scripted_smtp import ScriptedServer
from worldmail.testing.smtp_client import CUTS, HOP, ClientMeeting, MemoryContent, make_means, make_shipment

OFFERS = ("PIPELINING", "CHUNKING", "8BITMIME", "ENHANCEDSTATUSCODES")


def meet(server: Any = None, ahead: int = 8, **changes: Any) -> ClientMeeting:
    return ClientMeeting(server=server or ScriptedServer(offers=OFFERS), means=make_means(ahead=ahead), **changes)


def send_all(meeting: ClientMeeting, *shipments: Shipment) -> list[Outcome | None]:
    """All at once."""
    outcomes: list[Outcome | None] = [None] * len(shipments)

    def keep(outcome: Outcome, at: int) -> None:
        outcomes[at] = outcome

    for at, shipment in enumerate(shipments):
        sent = meeting.dialogue.send(shipment)
        assert isinstance(sent, Deferred)
        sent.addCallback(keep, at)
    meeting._go_on()
    return outcomes


def fates(outcomes: list[Outcome | None]) -> list[Fate | None]:
    return [None if outcome is None else outcome.fates[0].fate for outcome in outcomes]


def shipment(number: int, **changes: Any) -> Shipment:
    return make_shipment(f"u{number}@b.test", text=b"Subject: %d\r\n\r\nbody\r\n" % number, **changes)


@pytest.mark.parametrize("cut", CUTS)
def test_all_go_in_order_and_each_has_its_own_reply(cut: str) -> None:
    server = ScriptedServer(
        offers=OFFERS, answers={"RCPT": ["250 ok", "550 5.1.1 no", "250 ok", "450 4.2.1 later", "250 ok"]}
    )
    meeting = meet(server, cut=cut)
    outcomes = send_all(meeting, *(shipment(number) for number in range(5)))
    assert fates(outcomes) == [Fate.DELIVERED, Fate.FAILED, Fate.DELIVERED, Fate.DEFERRED, Fate.DELIVERED]
    assert [text.split(b"\r\n")[0] for text in server.texts] == [b"Subject: 0", b"Subject: 2", b"Subject: 4"]


def test_they_go_in_one_flight_and_no_more_than_may_be_ahead() -> None:
    server = ScriptedServer(offers=OFFERS, answers={"BDAT": ["SILENCE"]})
    meeting = meet(server, ahead=3)
    send_all(meeting, *(shipment(number) for number in range(10)))
    assert sum(line.startswith("MAIL") for line in server.commands) == 4


def test_without_leave_each_waits_for_the_one_before() -> None:
    for offers, ahead in ((OFFERS, 0), (("PIPELINING",), 0), (("CHUNKING",), 8), ((), 8)):
        server = ScriptedServer(offers=offers, answers={"BDAT": [""], "TEXT": [""]})
        meeting = meet(server, ahead=ahead)
        send_all(meeting, shipment(1), shipment(2))
        assert sum(line.startswith("MAIL") for line in server.commands) == 1


@pytest.mark.parametrize("cut", CUTS)
def test_without_CHUNKING_the_next_envelope_goes_behind_the_lone_dot(cut: str) -> None:
    """RFC 2920 §3.1: the message content may be the first of a group, DATA the last."""
    server = ScriptedServer(
        offers=("PIPELINING",),
        answers={
            "RCPT": ["250 ok", "550 5.1.1 no", "250 ok", "450 4.2.1 later", "250 ok", "250 ok"],
            "TEXT": ["250 ok", "554 5.6.0 no", "250 ok"],
        },
    )
    outcomes = send_all(meet(server, cut=cut), *(shipment(number) for number in range(6)))
    assert fates(outcomes) == [Fate.DELIVERED, Fate.FAILED, Fate.FAILED, Fate.DEFERRED, Fate.DELIVERED, Fate.DELIVERED]
    assert [text.split(b"\r\n")[0] for text in server.texts] == [b"Subject: %d" % number for number in (0, 2, 4, 5)]


def test_without_CHUNKING_no_more_than_one_envelope_is_ahead() -> None:
    server = ScriptedServer(offers=("PIPELINING",), answers={"TEXT": ["SILENCE"]})
    send_all(meet(server), *(shipment(number) for number in range(5)))
    assert server.commands[1:] == [
        "MAIL FROM:<alice@a.test>",
        "RCPT TO:<u0@b.test>",
        "DATA",
        "RSET",
        "MAIL FROM:<alice@a.test>",
        "RCPT TO:<u1@b.test>",
        "DATA",
    ]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"DATA": ["354 go on", "450 4.3.2 not now", "354 go on"]}, [Fate.DELIVERED, Fate.DEFERRED, Fate.DELIVERED]),
        ({"DATA": ["354 go on", "CLOSE"]}, [Fate.DELIVERED, Fate.DEFERRED, Fate.DEFERRED]),
        ({"TEXT": ["CLOSE"]}, [Fate.UNKNOWN, Fate.DEFERRED, Fate.DEFERRED]),
        ({"TEXT": ["250 ok", "CLOSE"]}, [Fate.DELIVERED, Fate.UNKNOWN, Fate.DEFERRED]),
        ({"RSET": ["421 4.3.2 stopping CLOSE"]}, [Fate.DELIVERED, Fate.DEFERRED, Fate.DEFERRED]),
        ({"MAIL": ["250 ok", "550 5.7.1 no", "250 ok"]}, [Fate.DELIVERED, Fate.FAILED, Fate.DELIVERED]),
    ],
)
def test_an_envelope_that_went_ahead_has_its_own_end(answers: dict[str, list[str]], expected: list[Fate]) -> None:
    server = ScriptedServer(offers=("PIPELINING",), answers=answers)
    assert fates(send_all(meet(server), *(shipment(number) for number in range(3)))) == expected


def test_the_envelope_of_what_is_too_large_for_one_flight_goes_ahead() -> None:
    server = ScriptedServer(offers=OFFERS, answers={"BDAT": ["SILENCE"]})
    large = make_shipment("u@b.test", text=MemoryContent(b"x" * 998 + b"\r\n", apart=True))
    send_all(meet(server), shipment(1), large, shipment(2))
    assert [line.split()[0] for line in server.commands[1:]] == ["MAIL", "RCPT", "BDAT", "RSET", "MAIL", "RCPT"]


def test_what_is_too_large_for_one_flight_has_its_turn() -> None:
    meeting = meet()
    large = make_shipment("u@b.test", text=MemoryContent(b"x" * 998 + b"\r\n", apart=True))
    outcomes = send_all(meeting, shipment(1), large, shipment(2), shipment(3))
    assert fates(outcomes) == [Fate.DELIVERED] * 4
    assert [text[:10] for text in meeting.server.texts] == [b"Subject: 1", b"x" * 10, b"Subject: 2", b"Subject: 3"]


def test_what_cannot_go_is_told_and_stands_in_no_way() -> None:
    meeting = meet()
    outcomes = send_all(meeting, shipment(1), make_shipment("bücher@b.test"), shipment(2))
    assert fates(outcomes) == [Fate.DELIVERED, Fate.FAILED, Fate.DELIVERED]


def test_a_transaction_that_stays_open_takes_none_behind_it_along() -> None:
    server = ScriptedServer(offers=OFFERS, answers={"RCPT": ["550 5.1.1 no", "250 ok"]})
    outcomes = send_all(meet(server), shipment(1), shipment(2), shipment(3))
    assert fates(outcomes) == [Fate.FAILED, Fate.DELIVERED, Fate.DELIVERED]
    assert server.commands.count("RSET") == 2


def test_when_the_connection_breaks_what_was_sent_is_unknown_and_the_rest_deferred() -> None:
    server = ScriptedServer(offers=OFFERS, answers={"BDAT": ["250 ok", "CLOSE"]})
    meeting = meet(server, ahead=3)
    outcomes = send_all(meeting, *(shipment(number) for number in range(8)))
    assert fates(outcomes)[:2] == [Fate.DELIVERED, Fate.UNKNOWN]
    assert set(fates(outcomes)[2:]) <= {Fate.UNKNOWN, Fate.DEFERRED}
    assert fates(outcomes)[-1] is Fate.DEFERRED


def test_421_is_for_what_was_under_way_and_the_rest_is_not_delivered() -> None:
    server = ScriptedServer(offers=OFFERS, answers={"BDAT": ["250 ok", "421 4.3.2 stopping CLOSE"]})
    outcomes = send_all(meet(server), *(shipment(number) for number in range(4)))
    assert fates(outcomes)[:2] == [Fate.DELIVERED, Fate.DEFERRED]
    assert None not in outcomes


def test_no_more_are_begun_than_the_server_takes() -> None:
    server = ScriptedServer(offers=(*OFFERS, "LIMITS MAILMAX=2"))
    meeting = meet(server)
    send_all(meeting, shipment(1), shipment(2))
    assert not meeting.dialogue.usable


def test_replies_to_several_may_come_together() -> None:
    server = ScriptedServer(offers=OFFERS, answers={"MAIL": ["SILENCE"]})
    meeting = meet(server)
    outcomes = send_all(meeting, shipment(1), shipment(2), shipment(3))
    assert outcomes == [None] * 3
    first, second, third = ("250 ok", "250 ok", "250 queued"), ("250 ok", "250 ok", "550 no", "503 no"), ("250 ok",) * 4
    meeting.hear("".join(f"{line}\r\n" for line in (*first, *second, *third)).encode())
    assert fates(outcomes) == [Fate.DELIVERED, Fate.FAILED, Fate.DELIVERED]


def test_goodbye_comes_behind_all_of_them() -> None:
    meeting = meet()
    for number in range(3):
        meeting.dialogue.send(shipment(number))
    meeting.quit()
    assert len(meeting.server.texts) == 3
    assert meeting.server.commands[-1] == "QUIT"


def test_who_waits_for_a_connection_that_is_never_handed_over_is_told() -> None:
    dialogue = ClientDialogue(HOP, make_means())
    failures: list[object] = []
    Deferred.fromCoroutine(dialogue.ready()).addErrback(lambda failure: failures.append(failure.value))
    dialogue.closed("input behind ATRN")
    assert len(failures) == 1
    assert isinstance(failures[0], HopFailed)
    assert "input behind ATRN" in failures[0].trouble.reason
