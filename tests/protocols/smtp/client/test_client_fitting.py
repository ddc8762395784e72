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
    ("sender", "text", "status"),
    [("ñ@a.test", b"x\r\n", "5.6.7"), ("ñ@bücher.test", UTF8_TEXT, "5.6.7"), ("a@bücher.test", UTF8_TEXT, "5.6.9")],
)
def test_a_message_that_needs_SMTPUTF8_does_not_go_without(sender: str, text: bytes, status: str) -> None:
    refused(meet("8BITMIME"), status, sender=sender, text=text, smtputf8=True)


@pytest.mark.parametrize("declared", [False, True])
def test_domains_of_other_letters_go_in_A_labels_to_a_server_without_SMTPUTF8(declared: bool) -> None:
    meeting = meet("8BITMIME")
    recipients = "Plain@Bücher.test", "ñ@bücher.test", '"a b"@bücher.test', "c@B.test"
    outcome = meeting.send(make_shipment(*recipients, sender="a@bücher.test", smtputf8=declared))
    assert [fate.status for fate in outcome.fates] == ["2.0.0", "5.6.7", "2.0.0", "2.0.0"]
    assert [line.partition(":")[2] for line in meeting.commands[:4]] == [
        "<a@xn--bcher-kva.test>",
        "<Plain@xn--bcher-kva.test>",
        '<"a b"@xn--bcher-kva.test>',
        "<c@B.test>",
    ]


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


NESTED = "Content-Type: {}\r\n\r\nSubject: {}\r\n\r\ngrüße\r\n"
SIGNED = (
    "Content-Type: multipart/signed; boundary=x\r\n\r\n--x\r\nContent-Type: message/rfc822\r\n\r\nA: ü\r\n\r\n--x--\r\n"
)


@pytest.mark.parametrize(
    "text",
    [
        UTF8_TEXT,
        b"Subject: x\r\nX: \xc3\xbc",
        b"\xc3",
        b"X: y\r\n\xff\r\n\r\n",
        NESTED.format("message/rfc822", "ü").encode(),
        NESTED.format("message/global", "ü").encode(),
        NESTED.format("multipart/mixed", "no boundary").encode(),
        SIGNED.format("message/rfc822").encode(),
        SIGNED.format("text/plain; name=ü").encode(),
    ],
)
@pytest.mark.parametrize("piece", [1, 3, 1000])
def test_a_header_with_more_than_ascii_is_found_however_it_is_cut(text: bytes, piece: int) -> None:
    """At every level of the message (RFC 6531 §3.2)."""
    refused(meet("8BITMIME"), "5.6.9", text=MemoryContent(text, apart=True, piece=piece), smtputf8=True)


@pytest.mark.parametrize(
    "kind", ["message/rfc822", "message/global", "multipart/mixed; boundary=Subject", "text/plain"]
)
@pytest.mark.parametrize("piece", [1, 3, 1000])
def test_a_message_whose_headers_are_all_ascii_goes(kind: str, piece: int) -> None:
    content = MemoryContent(NESTED.format(kind, "u").encode(), apart=True, piece=piece)
    assert send(meet("8BITMIME"), text=content, smtputf8=True)[0].fates[0].fate is Fate.DELIVERED


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


@pytest.mark.parametrize("address", ["jürgen@bücher.test", "a+b=c\\d é@x.test"])
def test_who_takes_utf8_is_told_an_original_recipient_in_utf8(address: str) -> None:
    """RFC 6533 §3; what an xtext escapes is escaped in both forms."""
    meeting = meet("DSN", "SMTPUTF8")
    original = OriginalRecipient(address_type="utf-8", address=address)
    send(meeting, Recipient(address=Address.parse("ñ@b.test"), original=original))
    said = meeting.commands[1].partition(" ORCPT=utf-8;")[2]
    assert any(letter in said for letter in "üé") and not any(letter in said for letter in "+= ")
    assert parse_rcpt(meeting.commands[1][5:].encode()).original == original


def test_an_original_recipient_that_cannot_be_written_is_left_out() -> None:
    meeting = meet("DSN")
    original = OriginalRecipient(address_type="rfc822", address="ü@x.test")
    send(meeting, Recipient(address=Address.parse("bob@b.test"), original=original))
    assert meeting.commands[1] == "RCPT TO:<bob@b.test>"


# --- REQUIRETLS (RFC 8689), MT-PRIORITY (RFC 6710), DELIVERBY (RFC 2852) --------------------------------


def test_a_message_that_requires_TLS_goes_in_verified_TLS_and_says_so() -> None:
    assert send(meet("REQUIRETLS", tls=TLS), wishes=Wishes(require_tls=True))[1] == " REQUIRETLS"


UNPROVEN = TlsFacts(version="TLSv1.3", cipher="x", bits=256)


@pytest.mark.parametrize(
    ("offers", "tls", "status"),
    [((), TLS, "5.7.30"), (("REQUIRETLS",), None, "5.7.10"), (("REQUIRETLS",), UNPROVEN, "5.7.10")],
)
def test_a_message_that_requires_TLS_goes_in_no_other_way(
    offers: tuple[str, ...], tls: TlsFacts | None, status: str
) -> None:
    """RFC 8689 §4.2.1: 5.7.30 if the server does not promise it, 5.7.10 if there is no such TLS."""
    refused(meet(*offers, tls=tls), status, wishes=Wishes(require_tls=True))


def test_a_message_that_requires_TLS_goes_to_who_signed_in_on_a_connection_that_was_turned() -> None:
    hop, server = evolve(HOP, signed_in=True), ScriptedServer(offers=("REQUIRETLS",))
    meeting = ClientMeeting(server=server, tls=UNPROVEN, hop=hop, means=make_means(clock=ManualClock(time=NOW)))
    assert send(meeting, wishes=Wishes(require_tls=True))[1] == " REQUIRETLS"


def test_a_message_that_requires_TLS_goes_to_no_host_that_the_DNS_named() -> None:
    means = make_means(clock=ManualClock(time=NOW))
    hop = evolve(HOP, by_dns=True)
    meeting = ClientMeeting(server=ScriptedServer(offers=("REQUIRETLS",)), tls=TLS, hop=hop, means=means)
    refused(meeting, "5.7.30", wishes=Wishes(require_tls=True))


@pytest.mark.parametrize(
    ("offers", "tls"), [((), TLS), (("REQUIRETLS",), None), (("REQUIRETLS",), UNPROVEN), ((), None)]
)
def test_a_bounce_rather_goes_without_REQUIRETLS_than_not_at_all(offers: tuple[str, ...], tls: TlsFacts | None) -> None:
    """RFC 8689 §5."""
    meeting = meet(*offers, tls=tls)
    outcome = meeting.send(evolve(make_shipment(sender=None, wishes=Wishes(require_tls=True)), bounce=True))
    assert outcome.fates[0].fate is Fate.DELIVERED
    assert meeting.commands[0] == "MAIL FROM:<>"


def test_a_bounce_says_REQUIRETLS_where_it_can() -> None:
    meeting = meet("REQUIRETLS", tls=TLS)
    meeting.send(evolve(make_shipment(sender=None, wishes=Wishes(require_tls=True)), bounce=True))
    assert meeting.commands[0] == "MAIL FROM:<> REQUIRETLS"


def test_a_message_that_only_travels_without_its_sender_is_no_bounce() -> None:
    meeting = meet()
    outcome = meeting.send(make_shipment(sender=None, wishes=Wishes(require_tls=True)))
    assert outcome.fates[0].status == "5.7.10"
    assert meeting.commands == []


def test_mail_that_says_TLS_Required_No_goes_in_the_clear_as_all_mail_does() -> None:
    text = b"TLS-Required: No\r\n\r\nx\r\n"
    assert send(meet(), text=text)[0].fates[0].fate is Fate.DELIVERED


def test_REQUIRETLS_counts_and_TLS_Required_No_beside_it_does_not() -> None:
    """RFC 8689 §4.1."""
    refused(meet(), "5.7.10", text=b"TLS-Required: No\r\n\r\nx\r\n", wishes=Wishes(require_tls=True))


@pytest.mark.parametrize(
    ("priority", "said"), [(-3, " MT-PRIORITY=-3"), (9, " MT-PRIORITY=9"), (None, " MT-PRIORITY=0")]
)
def test_each_message_has_a_priority_to_pass_on(priority: int | None, said: str) -> None:
    """RFC 6710 §4.2, RFC 6758 §3.2: the usual one too."""
    meeting = meet("MT-PRIORITY MIXER")
    assert send(meeting, wishes=Wishes(priority=priority))[1] == said
    assert b"MT-Priority" not in b"".join(meeting.writes)


@pytest.mark.parametrize(
    ("offers", "wishes", "said"),
    [
        (("DELIVERBY",), Wishes(deliver_by=(NOW + 90, "R")), " BY=90;R"),
        (("DELIVERBY 90",), Wishes(deliver_by=(NOW + 90, "R"), trace_by=True), " BY=90;RT"),
        (("DELIVERBY",), Wishes(deliver_by=(NOW - 5, "N")), " BY=-5;N"),
        (("DELIVERBY 91",), Wishes(deliver_by=(NOW + 90, "N")), " BY=90;N"),
        (("DELIVERBY 60,FUTURE=1",), Wishes(deliver_by=(NOW + 90, "R")), " BY=90;R"),
        (("DELIVERBY ,X",), Wishes(deliver_by=(NOW + 1, "R")), " BY=1;R"),
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
    ("offers", "left", "status"),
    [
        (("DELIVERBY",), 0, "5.4.7"),
        (("DELIVERBY 91",), 90, "5.4.7"),
        (("DELIVERBY 91,X",), 90, "5.4.7"),
        ((), 90, "5.4.7"),
    ],
)
def test_what_must_be_in_time_or_not_at_all_does_not_go_where_it_will_not_be(
    offers: tuple[str, ...], left: int, status: str
) -> None:
    refused(meet(*offers), status, wishes=Wishes(deliver_by=(NOW + left, "R")))


FAILURE, DELAY, SUCCESS, NEVER = Notify.FAILURE, Notify.DELAY, Notify.SUCCESS, Notify.NEVER


@pytest.mark.parametrize(
    ("notify", "said"),
    [
        (None, " NOTIFY=DELAY,FAILURE"),
        ({SUCCESS}, " NOTIFY=DELAY,SUCCESS"),
        ({DELAY}, " NOTIFY=DELAY"),
        ({NEVER}, " NOTIFY=NEVER"),
    ],
)
def test_who_does_not_know_the_time_is_to_tell_of_delays(notify: set[Notify] | None, said: str) -> None:
    """RFC 2852 §4.1.4.2."""
    recipient = Recipient(address=Address.parse("bob@b.test"), notify=None if notify is None else frozenset(notify))
    meeting = meet("DSN")
    send(meeting, recipient, wishes=Wishes(deliver_by=(NOW + 90, "N")))
    assert meeting.commands[1] == "RCPT TO:<bob@b.test>" + said


@pytest.mark.parametrize(
    ("offers", "by"),
    [
        (("DSN", "DELIVERBY"), (NOW + 90, "N")),
        (("DSN",), (NOW, "N")),  # the time has passed: there was a report
        (("DSN",), None),
        ((), (NOW + 90, "N")),
    ],
)
def test_nobody_else_is_to_tell_of_delays(offers: tuple[str, ...], by: tuple[int, str] | None) -> None:
    meeting = meet(*offers)
    send(meeting, wishes=Wishes(deliver_by=by))
    assert meeting.commands[1] == "RCPT TO:<bob@b.test>"


@pytest.mark.parametrize("mode", ["N", "R"])
def test_LMTP_delivers_now_so_a_time_holds_there_without_being_known(mode: str) -> None:
    """RFC 2852 §1: to hand a message to its mailbox is to deliver it."""
    hop = evolve(HOP, lmtp=True)
    means = make_means(clock=ManualClock(time=NOW))
    meeting = ClientMeeting(server=ScriptedServer(offers=("DSN",)), hop=hop, means=means)
    outcome = meeting.send(make_shipment(wishes=Wishes(deliver_by=(NOW + 1, mode))))
    assert outcome.fates[0].fate is Fate.DELIVERED and outcome.deliver_by
    assert meeting.commands[:2] == ["MAIL FROM:<alice@a.test>", "RCPT TO:<bob@b.test>"]
    late = meeting.send(make_shipment(wishes=Wishes(deliver_by=(NOW, "R"))))
    assert late.fates[0].status == "5.4.7"


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
