"""What an SMTP server may say to our client."""

from __future__ import annotations

from worldmail.interfaces.outbound import Fate, Outcome
from worldmail.testing.scripted_smtp import ScriptedServer
from worldmail.testing.smtp_client import ClientMeeting, make_shipment

SERVERS = (
    b"220 mx\r\n250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n|250 ok\r\n250 ok\r\n550 5.1.1 no\r\n250 2.0.0 ok\r\n",
    b"220 mx\r\n500 what\r\n250 mx\r\n|250 ok\r\n|452 4.5.3 many\r\n|250 ok\r\n|354 go\r\n|421 no\r\n",
    b"220 mx\r\n250-mx\r\n250-AUTH=LOGIN\r\n250-LIMITS RCPTMAX=1 MAILMAX=1\r\n250 SIZE 1\r\n|250-\r\n",
    b"554-5.7.1 \xff\x00\r\n554 \x1b[0m\r\n",
)


def smtp_server(octets: bytes) -> None:
    """Every recipient has a fate, and what is kept of the server's words can be shown. "|" is a pause."""
    meeting = ClientMeeting(server=ScriptedServer(answers={"GREETING": ["SILENCE"]}))
    outcomes: list[Outcome] = []
    begun = False
    for said in octets.split(b"|"):
        meeting.hear(said)
        if meeting.ready and not begun:
            begun = True
            meeting.begin(make_shipment("a@b.test", "b@b.test"), outcomes)
    meeting.lose("closed by peer")
    assert (meeting.trouble is None) is meeting.ready
    if begun:
        [outcome] = outcomes
        assert len(outcome.fates) == 2
        for fate in outcome.fates:
            assert fate.status[0] == {Fate.DELIVERED: "2", Fate.FAILED: "5"}.get(fate.fate, "4")
            assert str(fate.reply or "").isprintable()
