"""What a server can take, and what goes along with a message."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from worldmail.interfaces.outbound import Fate, Outcome, Wishes
from worldmail.mail.address import Address
from worldmail.mail.envelope import Notify, OriginalRecipient, Recipient, Return, TlsFacts
from worldmail.protocols.smtp.grammar import parse_mail, parse_rcpt
from worldmail.testing.scripted_smtp import ScriptedServer
from worldmail.testing.smtp_client import HOP, TLS, ClientMeeting, MemoryContent, make_means, make_shipment
from worldmail.testing.world import ManualClock

NOW = 1_000_000
UTF8_TEXT = "Subject: grüße\r\n\r\nx\r\n".encode()


def meet(*offers: str, tls: TlsFacts | None = None) -> ClientMeeting:
    means = make_means(clock=ManualClock(time=NOW + 0.9))
    return ClientMeeting(server=ScriptedServer(offers=offers), tls=tls, means=means)


def send(meeting: ClientMeeting, *recipients: str | Recipient, **values: Any) -> tuple[Outcome, str]:
    outcome = meeting.send(make_shipment(*recipients, **values))
    mail = [command for command in meeting.commands if command.startswith("MAIL")]
    return outcome, mail[-1].removeprefix("MAIL FROM:<alice@a.test>") if mail else "not said"


def refused(meeting: ClientMeeting, status: str, *recipients: str, **values: Any) -> None:
    """The whole message cannot go, and nothing was said."""
    outcome, mail = send(meeting, *recipients, **values)
    assert {(fate.fate, fate.status) for fate in outcome.fates} == {(Fate.FAILED, status)}
    assert all(fate.reason.isascii() and fate.reason and fate.reply is None for fate in outcome.fates)
    assert mail == "not said"
    assert meeting.dialogue.usable


@pytest.mark.parametrize(
    ("offer", "said"), [("SIZE", " SIZE=100"), ("SIZE 0", " SIZE=100"), ("SIZE 100", " SIZE=100"), ("X", "")]
)
def test_the_size_is_told(offer: str, said: str) -> None:
    assert send(meet(offer), text=b"x" * 98 + b"\r\n")[1] == said


def test_what_is_too_large_is_not_even_tried() -> None:
    refused(meet("SIZE 99", "PIPELINING"), "5.3.4", "a@b.test", "b@b.test", text=b"x" * 100)


def test_the_null_sender_is_said_so() -> None:
    meeting = meet()
    send(meeting, sender=None)
    assert meeting.commands[0] == "MAIL FROM:<>"


# --- SMTPUTF8 (RFC 6531) ------------------------------------------------------------------------------


def test_a_message_in_utf8_goes_as_it_is_where_that_is_taken() -> None:
    meeting = meet("SMTPUTF8", "8BITMIME")
    outcome = meeting.send(make_shipment("jürgen@bücher.test", sender="ñ@a.test", text=UTF8_TEXT, smtputf8=True))
    assert outcome.fates[0].fate is Fate.DELIVERED
    assert meeting.commands[:2] == ["MAIL FROM:<ñ@a.test> BODY=8BITMIME SMTPUTF8", "RCPT TO:<jürgen@bücher.test>"]


@pytest.mark.parametrize(
    ("sender", "text"), [("ñ@a.test", b"x\r\n"), ("a@bücher.test", b"x\r\n"), ("a@a.test", UTF8_TEXT)]
)
def test_a_message_that_needs_SMTPUTF8_does_not_go_without(sender: str, text: bytes) -> None:
    refused(meet("8BITMIME"), "5.6.7", sender=sender, text=text, smtputf8=True)


def test_a_recipient_that_needs_SMTPUTF8_is_alone_in_that() -> None:
    outcome, mail = send(meet(), "a@b.test", "ñ@b.test", "c@b.test", smtputf8=True)
    assert [fate.status for fate in outcome.fates] == ["2.0.0", "5.6.7", "2.0.0"]
    assert mail == ""


def test_an_address_that_needs_SMTPUTF8_gets_it_though_nobody_had_declared_it() -> None:
    outcome, mail = send(meet("SMTPUTF8"), "a@b.test", "ñ@b.test")
    assert [fate.fate for fate in outcome.fates] == [Fate.DELIVERED] * 2
    assert mail == " SMTPUTF8"


@pytest.mark.parametrize("apart", [False, True])
def test_a_message_that_needs_nothing_of_it_goes_without(apart: bool) -> None:
    text = "Subject: x\r\n\r\nnot the header: grüße\r\n".encode()
    outcome, mail = send(meet("8BITMIME"), text=MemoryContent(text, apart=apart, piece=7), smtputf8=True)
    assert outcome.fates[0].fate is Fate.DELIVERED
    assert "SMTPUTF8" not in mail


@pytest.mark.parametrize("text", [UTF8_TEXT, b"Subject: x\r\nX: \xc3\xbc", b"\xc3", b"X: y\r\n\xff\r\n\r\n"])
@pytest.mark.parametrize("piece", [1, 3, 1000])
def test_a_header_with_more_than_ascii_is_found_however_it_is_cut(text: bytes, piece: int) -> None:
    refused(meet("8BITMIME"), "5.6.7", text=MemoryContent(text, apart=True, piece=piece), smtputf8=True)


def test_a_body_that_follows_no_header_is_none() -> None:
    outcome, _ = send(meet("8BITMIME"), text="\r\ngrüße\r\n".encode(), smtputf8=True)
    assert outcome.fates[0].fate is Fate.DELIVERED


# --- DSN (RFC 3461) ------------------------------------------------------------------------------------

WISHFUL = Recipient(
    address=Address.parse("bob@b.test"),
    notify=frozenset((Notify.SUCCESS, Notify.FAILURE)),
    original=OriginalRecipient(address_type="rfc822", address="b+o=b@x.test"),
)


def test_wishes_for_reports_are_passed_on_where_they_are_taken() -> None:
    meeting = meet("DSN")
    outcome, mail = send(meeting, WISHFUL, envelope_id="id+ =1", returns=Return.HEADERS)
    assert outcome.dsn
    assert mail == " RET=HDRS ENVID=id+2B+20+3D1"
    assert meeting.commands[1] == "RCPT TO:<bob@b.test> NOTIFY=FAILURE,SUCCESS ORCPT=rfc822;b+2Bo+3Db@x.test"
    assert parse_mail(b"FROM:<alice@a.test>" + mail.encode()).envelope_id == "id+ =1"
    assert parse_rcpt(meeting.commands[1][5:].encode()).original == WISHFUL.original


def test_wishes_for_reports_are_kept_where_they_are_not_taken() -> None:
    meeting = meet("8BITMIME")
    outcome, mail = send(meeting, WISHFUL, envelope_id="id", returns=Return.FULL)
    assert (outcome.dsn, mail, meeting.commands[1]) == (False, "", "RCPT TO:<bob@b.test>")


@pytest.mark.parametrize("address", ["jürgen@bücher.test", "a+b=c\\d@x.test", "😀@x.test"])
def test_an_original_recipient_in_utf8_is_written_in_ascii(address: str) -> None:
    meeting = meet("DSN")
    original = OriginalRecipient(address_type="utf-8", address=address)
    send(meeting, Recipient(address=Address.parse("bob@b.test"), original=original))
    assert meeting.commands[1].isascii()
    assert parse_rcpt(meeting.commands[1][5:].encode()).original == original


def test_an_original_recipient_that_cannot_be_written_is_left_out() -> None:
    meeting = meet("DSN")
    original = OriginalRecipient(address_type="rfc822", address="ü@x.test")
    send(meeting, Recipient(address=Address.parse("bob@b.test"), original=original))
    assert meeting.commands[1] == "RCPT TO:<bob@b.test>"


# --- REQUIRETLS (RFC 8689), MT-PRIORITY (RFC 6710), DELIVERBY (RFC 2852) --------------------------------


def test_a_message_that_requires_TLS_goes_in_verified_TLS_and_says_so() -> None:
    assert send(meet("REQUIRETLS", tls=TLS), wishes=Wishes(require_tls=True))[1] == " REQUIRETLS"


@pytest.mark.parametrize(
    ("offers", "tls"),
    [((), TLS), (("REQUIRETLS",), None), (("REQUIRETLS",), TlsFacts(version="TLSv1.3", cipher="x", bits=256))],
)
def test_a_message_that_requires_TLS_goes_in_no_other_way(offers: tuple[str, ...], tls: TlsFacts | None) -> None:
    refused(meet(*offers, tls=tls), "5.7.30", wishes=Wishes(require_tls=True))


def test_a_message_that_requires_TLS_goes_to_no_host_that_the_DNS_named() -> None:
    means = make_means(clock=ManualClock(time=NOW))
    hop = evolve(HOP, by_dns=True)
    meeting = ClientMeeting(server=ScriptedServer(offers=("REQUIRETLS",)), tls=TLS, hop=hop, means=means)
    refused(meeting, "5.7.30", wishes=Wishes(require_tls=True))


@pytest.mark.parametrize(("offers", "said"), [(("MT-PRIORITY",), " MT-PRIORITY=-3"), ((), "")])
def test_a_priority_is_passed_on(offers: tuple[str, ...], said: str) -> None:
    assert send(meet(*offers), wishes=Wishes(priority=-3))[1] == said


@pytest.mark.parametrize(
    ("offers", "wishes", "said"),
    [
        (("DELIVERBY",), Wishes(deliver_by=(NOW + 90, "R")), " BY=90;R"),
        (("DELIVERBY 90",), Wishes(deliver_by=(NOW + 90, "R"), trace_by=True), " BY=90;RT"),
        (("DELIVERBY",), Wishes(deliver_by=(NOW - 5, "N")), " BY=-5;N"),
        (("DELIVERBY 91",), Wishes(deliver_by=(NOW + 90, "N")), " BY=90;N"),
        ((), Wishes(deliver_by=(NOW + 90, "N")), ""),
        (("DELIVERBY",), Wishes(deliver_by=(NOW + 10**12, "N")), " BY=999999999;N"),
    ],
)
def test_the_time_that_is_left_is_passed_on(offers: tuple[str, ...], wishes: Wishes, said: str) -> None:
    outcome, told = send(meet(*offers), wishes=wishes)
    assert told == said
    assert outcome.deliver_by == bool(said)


def test_nobody_takes_over_a_time_that_there_is_not() -> None:
    assert not send(meet("DELIVERBY"))[0].deliver_by


@pytest.mark.parametrize(
    ("offers", "left", "status"), [(("DELIVERBY",), 0, "5.4.7"), (("DELIVERBY 91",), 90, "5.4.7"), ((), 90, "5.4.7")]
)
def test_what_must_be_in_time_or_not_at_all_does_not_go_where_it_will_not_be(
    offers: tuple[str, ...], left: int, status: str
) -> None:
    refused(meet(*offers), status, wishes=Wishes(deliver_by=(NOW + left, "R")))


# --- LIMITS (RFC 9422) -----------------------------------------------------------------------------------


def test_a_transaction_has_no_more_recipients_than_the_server_takes() -> None:
    meeting = meet("LIMITS RCPTMAX=2", "PIPELINING")
    assert meeting.dialogue.recipients == 2
    outcome, _ = send(meeting, "a@b.test", "b@b.test", "c@b.test")
    assert [(fate.fate, fate.again) for fate in outcome.fates] == [
        (Fate.DELIVERED, False),
        (Fate.DELIVERED, False),
        (Fate.DEFERRED, True),
    ]


def test_a_session_has_no_more_transactions_than_the_server_takes() -> None:
    meeting = meet("LIMITS MAILMAX=2")
    assert meeting.dialogue.usable
    send(meeting)
    assert meeting.dialogue.usable
    send(meeting)
    assert not meeting.dialogue.usable
    assert send(meeting)[0].fates[0].fate is Fate.DEFERRED
    assert len([command for command in meeting.commands if command.startswith("MAIL")]) == 2


def test_a_session_has_no_more_domains_than_the_server_takes() -> None:
    meeting = meet("LIMITS RCPTDOMAINMAX=1")
    outcome, _ = send(meeting, "a@b.test", "b@c.test", "c@B.TEST")
    assert [fate.again for fate in outcome.fates] == [False, True, False]
    assert send(meeting, "d@c.test")[0].fates[0].again
    assert send(meeting, "d@b.test")[0].fates[0].fate is Fate.DELIVERED
