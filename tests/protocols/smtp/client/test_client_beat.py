"""NOOP as a heartbeat of a connection that is kept open, and how its end is told."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from worldmail.interfaces.outbound import Fate, HopFailed
from worldmail.protocols.smtp.client.means import Patience
from worldmail.testing.scripted_smtp import ScriptedServer
from worldmail.testing.smtp_client import CUTS, ClientMeeting, make_shipment


def results(waited: Any) -> list[Any]:
    """What it comes to; nothing while it does not."""
    assert isinstance(waited, Deferred)
    found: list[Any] = []
    waited.addBoth(found.append)
    return found


def beat(meeting: ClientMeeting) -> list[Any]:
    found = results(meeting.dialogue.beat())
    meeting._go_on()
    return found


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("answer", ["250 2.0.0 ok", "500 what?", "250-a\r\n250 b"])
def test_any_answer_says_that_somebody_is_there(cut: str, answer: str) -> None:
    meeting = ClientMeeting(server=ScriptedServer(answers={"NOOP": [answer]}), cut=cut)
    assert beat(meeting) == [None]
    assert meeting.dialogue.usable
    assert meeting.dialogue.timeout == Patience().idle
    assert beat(meeting) == [None]


def test_who_does_not_answer_in_time_is_gone() -> None:
    meeting = ClientMeeting(server=ScriptedServer(answers={"NOOP": ["SILENCE"]}))
    found, ended = beat(meeting), results(meeting.dialogue.ended())
    assert not found
    assert meeting.dialogue.timeout == Patience().beat == 30.0
    meeting.dialogue.timed_out()
    assert isinstance(found[0].value, HopFailed)
    assert not meeting.dialogue.usable
    meeting.lose("timed out")
    assert ended == [None]


def test_421_to_it_ends_the_conversation() -> None:
    meeting = ClientMeeting(server=ScriptedServer(answers={"NOOP": ["421 4.3.2 stopping"]}))
    [failed] = beat(meeting)
    assert "ends the conversation" in str(failed.value)
    assert meeting.closed is not None


def test_mail_that_comes_meanwhile_goes_behind_it() -> None:
    server = ScriptedServer(answers={"NOOP": ["SILENCE"]})
    meeting = ClientMeeting(server=server)
    found = beat(meeting)
    sent = results(meeting.dialogue.send(make_shipment("bob@b.test")))
    meeting._go_on()
    assert meeting.writes[-1] == b"NOOP\r\n"
    meeting.hear(b"250 2.0.0 ok\r\n")
    assert found == [None]
    assert meeting.writes[-1].startswith(b"MAIL FROM:")
    meeting.lose("reset")
    assert sent[0].fates[0].fate is Fate.DEFERRED


def test_a_connection_that_is_gone_says_so_to_all_who_wait() -> None:
    meeting = ClientMeeting(server=ScriptedServer())
    ended = results(meeting.dialogue.ended())
    meeting.lose("reset")
    assert ended == [None]
    [failed] = results(meeting.dialogue.beat())
    assert isinstance(failed.value, HopFailed)
    assert results(Deferred.fromCoroutine(_wait(meeting.dialogue.ended()))) == [None]


async def _wait(waited: Any) -> Any:
    return await waited
