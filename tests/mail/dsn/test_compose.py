"""Reports as Python's email package reads them, and one of each kind as it is kept in `golden`.

To write the kept ones anew: WORLDMAIL_GOLDEN=write.
"""

from __future__ import annotations

import email
import email.policy
import os
import re
from email.message import EmailMessage
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mail.dsn.samples import AT, CONTENT, HEADER, SAMPLES, UTF8_HEADER, failed, notice, recipient
from worldmail.mail.address import Address
from worldmail.mail.dsn.compose import MOST_HAPPENINGS, compose
from worldmail.mail.dsn.originals import HEADER_LIMIT
from worldmail.mail.dsn.values import Action, Notice, Report
from worldmail.mail.dsn.words import MOST_SHOWN
from worldmail.mail.envelope import Body, Notify, Origin, OriginalRecipient, Return

GOLDEN = Path(__file__).parent / "golden"


def octets(made: Notice, content: bytes = CONTENT) -> bytes:
    return joined(compose(made), content)


def joined(report: Report, content: bytes = CONTENT) -> bytes:
    return report.head + (content if report.original is Return.FULL else b"") + report.tail


def parsed(made: Notice, content: bytes = CONTENT) -> EmailMessage:
    message = email.message_from_bytes(octets(made, content), policy=email.policy.SMTPUTF8)
    assert isinstance(message, EmailMessage)
    assert not [defect for part in message.walk() for defect in part.defects]
    return message


def parts(made: Notice, content: bytes = CONTENT) -> list[EmailMessage]:
    return list(parsed(made, content).iter_parts())


def words(made: Notice) -> str:
    return str(parts(made)[0].get_content()).replace("\r\n", "\n")


def fields(made: Notice) -> list[dict[str, str]]:
    """The groups of fields of the part for programs."""
    raw = octets(made).decode()
    kind = r"Content-Type: message/(?:global-)?delivery-status\r\n(?:Content-Transfer-Encoding: 8bit\r\n)?\r\n"
    content = re.split(kind, raw)[1]
    content = content.partition("\r\n--=_report")[0].replace("\r\n ", " ")
    groups = content.rstrip("\r\n").split("\r\n\r\n")
    return [dict(line.split(": ", 1) for line in group.strip().split("\r\n")) for group in groups]


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a_report_of_each_kind_is_as_it_is_kept(name: str) -> None:
    path = GOLDEN / f"{name}.eml"
    content = CONTENT if name != "utf8" else UTF8_HEADER + b"\r\nfor all\r\n"
    made = octets(SAMPLES[name], content)
    if os.environ.get("WORLDMAIL_GOLDEN") == "write":
        path.write_bytes(made)
    assert made == path.read_bytes()


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a_report_is_a_multipart_of_three(name: str) -> None:
    message = parsed(SAMPLES[name])
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    kinds = [part.get_content_type() for part in message.iter_parts()]
    assert kinds[0] == "text/plain"
    assert kinds[1] in ("message/delivery-status", "message/global-delivery-status")
    assert kinds[2] in ("message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers")
    assert message["Auto-Submitted"] == "auto-replied"
    assert "MAILER-DAEMON@mail.example.test" in message["From"] and "Mail Delivery System" in message["From"]


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_lines_are_short_and_end_in_CRLF(name: str) -> None:
    made = octets(SAMPLES[name], UTF8_HEADER if name == "utf8" else CONTENT)
    assert b"\n" not in made.replace(b"\r\n", b"") and b"\r" not in made.replace(b"\r\n", b"")
    assert max(map(len, made.decode().split("\r\n"))) <= 78


def test_it_goes_from_nobody_to_the_sender_and_is_never_reported_on() -> None:
    envelope = compose(SAMPLES["failed"]).envelope
    assert envelope.sender is None and envelope.returns is None and envelope.body is Body.SEVEN_BIT
    assert [str(one.address) for one in envelope.recipients] == ["ann@example.test"]
    assert envelope.recipients[0].notify == {Notify.NEVER}


def test_it_belongs_to_the_thread_of_the_message() -> None:
    message = parsed(SAMPLES["failed"])
    assert message["References"] == message["In-Reply-To"] == "<1234@example.test>"
    assert message["Message-ID"] == "<report-1@mail.example.test>"
    assert message["Date"] == "Sun, 17 Mar 2030 17:46:40 +0000"


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("failed", "Not delivered: Lunch on Friday"),
        ("failed-several", "Not delivered: Lunch on Friday"),
        ("delayed", "Delayed: Lunch on Friday"),
        ("delivered", "Delivered: Lunch on Friday"),
        ("relayed", "Passed on: Lunch on Friday"),
        ("expanded", "Sent on to several addresses: Lunch on Friday"),
        ("utf8", "Not delivered: Mittagessen für alle"),
    ],
)
def test_the_subject_tells_what_happened(name: str, subject: str) -> None:
    assert parsed(SAMPLES[name])["Subject"] == subject


def test_the_fields_of_a_failure_are_complete() -> None:
    made = evolve(
        SAMPLES["failed-headers"],
        happenings=(failed(recipient=recipient("bob@peer.test", original=_orcpt("rfc822", "Bob Smith@peer.test"))),),
    )
    about, of_bob = fields(made)
    assert list(about.items()) == list(
        {
            "Original-Envelope-Id": "order 66+7",
            "Reporting-MTA": "dns; mail.example.test",
            "Received-From-MTA": "dns; laptop.example.test ([192.0.2.7])",
            "Arrival-Date": "Sun, 17 Mar 2030 16:46:40 +0000",
        }.items()
    )
    assert list(of_bob.items()) == list(
        {
            "Original-Recipient": "rfc822; Bob Smith@peer.test",
            "Final-Recipient": "rfc822; bob@peer.test",
            "Action": "failed",
            "Status": "5.1.1",
            "Remote-MTA": "dns; mx.peer.test",
            "Diagnostic-Code": "smtp; 550 5.1.1 <bob@peer.test>: Recipient address rejected: "
            "User unknown in virtual mailbox table",
            "Last-Attempt-Date": "Sun, 17 Mar 2030 17:46:10 +0000",
            "Final-Log-ID": "3f2a.1",
        }.items()
    )


def _orcpt(kind: str, address: str) -> OriginalRecipient:
    return OriginalRecipient(address_type=kind, address=address)


def test_what_was_not_given_is_not_told() -> None:
    made = notice(failed(server=None, reply=None, last_attempt=None, log_id=None))
    about, of_bob = fields(evolve(made, original=evolve(made.original, origin=None)))
    assert list(about) == ["Reporting-MTA", "Arrival-Date"]
    assert list(of_bob) == ["Final-Recipient", "Action", "Status"]


def test_what_was_asked_of_the_message_is_told_of_it() -> None:
    made = notice(failed())
    original = evolve(made.original, origin=None, release="until;2030-03-17T16:50:00Z", deliver_by=1_900_000_000)
    about, _ = fields(evolve(made, original=original))
    assert list(about.items())[2:] == [
        ("Deliver-By-Date", "Sun, 17 Mar 2030 17:46:40 +0000"),
        ("Future-Release-Request", "until;2030-03-17T16:50:00Z"),
    ]


def test_our_own_finding_is_told_where_no_server_spoke() -> None:
    made = notice(failed(server=None, reply=None, reason="The domain does not exist.", status="5.1.2"))
    assert fields(made)[1]["Diagnostic-Code"] == "x-worldmail; The domain does not exist."
    assert "The domain does not exist." in words(made)


@pytest.mark.parametrize(
    ("action", "given_status", "status"),
    [
        (Action.FAILED, "5.7.1", "5.7.1"),
        (Action.FAILED, "4.4.7", "4.4.7"),
        (Action.FAILED, "2.0.0", "5.0.0"),
        (Action.DELAYED, "5.1.1", "4.0.0"),
        (Action.DELIVERED, "nonsense\r\nX: y", "2.0.0"),
        (Action.RELAYED, "2.1.5", "2.1.5"),
    ],
)
def test_the_status_fits_the_action(action: Action, given_status: str, status: str) -> None:
    assert fields(notice(failed(action=action, status=given_status)))[1]["Status"] == status


def test_only_a_delay_says_how_long_it_is_tried() -> None:
    assert fields(SAMPLES["delayed"])[1]["Will-Retry-Until"] == "Thu, 21 Mar 2030 17:46:40 +0000"
    assert "Will-Retry-Until" not in fields(notice(failed(retry_until=5)))[1]


def test_recipients_with_the_same_fate_are_told_of_together() -> None:
    text = words(SAMPLES["failed-several"])
    assert "  <zoe@gone.test>\n  <kim@gone.test>\n" in text
    assert text.index("NOT DELIVERED") < text.index("DELAYED")
    assert text.count("What you can do:") == 1


@pytest.mark.parametrize(
    ("action", "words_of_it"),
    [
        (Action.DELAYED, "It could not be delivered so far."),
        (Action.FAILED, "It could not be delivered in all the time that we tried."),
    ],
)
def test_nothing_final_is_said_of_what_goes_on_being_tried(action: Action, words_of_it: str) -> None:
    late = failed(action=action, status="4.4.7", reply="450 4.3.0 Busy", server=None, retry_until=AT + 86400)
    assert f"      {words_of_it}\n" in words(notice(late))


def test_a_report_on_what_expired_says_so_beside_what_was_in_the_way() -> None:
    text = words(notice(failed(status="4.4.7", reason="connection refused", reply=None, server=None)))
    assert "that we tried.\n      At the last attempt: connection refused\n" in text
    assert "At the last" not in words(notice(failed(status="5.1.2", reason="the domain does not exist", reply=None)))


def test_the_whole_message_is_put_between_head_and_tail() -> None:
    report = compose(SAMPLES["failed"])
    assert report.original is Return.FULL
    assert CONTENT not in report.head
    assert parts(SAMPLES["failed"])[2].get_content().as_bytes(policy=email.policy.SMTP) == CONTENT


def test_a_large_message_comes_back_by_its_header_alone() -> None:
    made = evolve(SAMPLES["failed"], full_limit=len(CONTENT) - 1)
    report = compose(made)
    assert report.original is Return.HEADERS
    assert parts(made)[2].get_payload(decode=True) == HEADER


@pytest.mark.parametrize(("body", "label"), [(Body.SEVEN_BIT, None), (Body.EIGHT_BIT, "8bit"), (Body.BINARY, "binary")])
def test_a_report_that_holds_a_message_needs_what_the_message_needs(body: Body, label: str | None) -> None:
    made = notice(failed(), body=body)
    assert compose(made).body is body
    message = parsed(made)
    assert message["Content-Transfer-Encoding"] == label
    assert list(message.iter_parts())[2]["Content-Transfer-Encoding"] == label
    without = evolve(made, full_limit=0)
    assert compose(without).body is Body.SEVEN_BIT and parsed(without)["Content-Transfer-Encoding"] is None


def test_international_forms_are_used_where_they_are_known() -> None:
    made = SAMPLES["utf8"]
    report = compose(made)
    assert report.smtputf8 and report.body is Body.EIGHT_BIT
    assert [part.get_content_type() for part in parts(made)] == [
        "text/plain",
        "message/global-delivery-status",
        "message/global",
    ]
    assert fields(made)[1]["Original-Recipient"] == "utf-8; bøb=x@example.test"
    assert fields(made)[1]["Final-Recipient"] == "utf-8; bøb+lunch@peer.test"
    without = evolve(made, full_limit=0)
    assert parts(without)[2].get_content_type() == "message/global-headers"


def test_without_SMTPUTF8_addresses_are_written_in_ASCII() -> None:
    made = notice(failed(recipient=recipient("bob@peer.test", original=_orcpt("utf-8", "bøb+x@peer.test"))))
    assert parts(made)[1].get_content_type() == "message/delivery-status"
    assert fields(made)[1]["Original-Recipient"] == r"utf-8; b\x{F8}b\x{2B}x@peer.test"
    assert compose(made).body is Body.SEVEN_BIT and not compose(made).smtputf8


def test_a_header_in_no_known_charset_is_given_back_encoded() -> None:
    made = notice(failed(), returns=Return.HEADERS)
    made = evolve(made, original=evolve(made.original, header=b"Subject: f\xfc\xdfe\r\n"))
    part = parts(made)[2]
    assert part.get_content_type() == "text/rfc822-headers"
    assert part.get_payload(decode=True) == b"Subject: f\xfc\xdfe\r\n"
    assert compose(made).body is Body.SEVEN_BIT


def test_a_monstrous_header_is_given_back_as_far_as_it_is_bearable() -> None:
    header = b"X-Long: " + b"x" * 5000 + b"\r\n" + b"X-Y: z\r\n" * 20000
    made = notice(failed(), returns=Return.HEADERS)
    made = evolve(made, original=evolve(made.original, header=header))
    given_back = parts(made)[2].get_payload(decode=True)
    assert isinstance(given_back, bytes)
    assert len(given_back) <= HEADER_LIMIT and header.startswith(given_back) and given_back.endswith(b"X-Y: z\r\n")


def test_a_message_without_a_header_has_a_report_of_two_parts() -> None:
    made = notice(failed(), returns=Return.HEADERS)
    made = evolve(made, original=evolve(made.original, header=b""))
    assert compose(made).original is None
    assert len(parts(made)) == 2 and parsed(made)["References"] is None
    assert parsed(made)["Subject"] == "Not delivered: (no subject)"


def test_many_recipients_are_all_in_the_fields_and_not_all_in_the_text() -> None:
    happenings = tuple(failed(f"user{number}@peer.test") for number in range(MOST_HAPPENINGS))
    made = notice(*happenings)
    assert len(fields(made)) == 1 + MOST_HAPPENINGS
    assert words(made).count("  <user") == MOST_SHOWN
    assert f"And {MOST_HAPPENINGS - MOST_SHOWN} more" in words(made)
    for wrong in ((), (*happenings, failed())):
        with pytest.raises(ValueError, match="1 to 1000"):
            compose(notice(*wrong))


@pytest.mark.parametrize(
    "changes",
    [{"host": "a.test\r\nX: y"}, {"message_id": "a@b>\r\nX: y"}, {"message_id": "a b@c"}, {"host": ""}],
)
def test_malformed_names_of_our_own_make_no_report(changes: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="of our own"):
        compose(evolve(SAMPLES["failed"], **changes))


INJECTIONS = (
    "x\r\nX-Injected: y",
    "x\nX-Injected: y",
    "x\r\n\r\n--=_report\r\nX-Injected: y",
    "x\rX-Injected: y",
    "x\u2028X-Injected: y",
    "x\x85X-Injected: y",
    "\x00\x1b[2J",
    "=?utf-8?q?x=0D=0AX-Injected:_y?=",
    "=?utf-8?b?DQpYLUluamVjdGVkOiB5?=",
    "x" * 3000,
    "ü" * 3000,
    "\ud800",
    "\u202etxt.exe",
    "",
)


def hostile(text: str) -> Notice:
    """This text wherever text of others goes."""
    made = notice(
        failed(
            recipient=recipient("bob@peer.test", original=_orcpt(text, text)),
            reason=text,
            server=text,
            reply=text,
            log_id=text,
            status=text,
        ),
        envelope_id=text,
        smtputf8=len(text) % 2 == 0,
    )
    origin = Origin(session=text, protocol=text, client="192.0.2.7", helo=text)
    raw = text.encode("utf-8", "replace").replace(b"\r", b"").replace(b"\n", b"")
    header = b"Subject: %b\r\nMessage-ID: <%b@x.test>\r\n" % (raw, raw)
    return evolve(made, original=evolve(made.original, origin=origin, header=header))


def assert_holds_nothing_of_its_own(made: Notice) -> None:
    raw = octets(made, b"Subject: x\r\n\r\n")
    assert not re.search(rb"^X-Injected", raw, re.MULTILINE | re.IGNORECASE)
    assert b"\0" not in raw and b"\n" not in raw.replace(b"\r\n", b"") and b"\r" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    message = email.message_from_bytes(raw)
    assert [name for name, _ in message.items()][:3] == ["From", "To", "Subject"]
    assert len(message.get_payload()) == 3
    assert len(fields(made)) == 2


@pytest.mark.parametrize("text", INJECTIONS, ids=range(len(INJECTIONS)))
@pytest.mark.parametrize("limit", [0, 1 << 20])
def test_nothing_of_others_becomes_a_line_of_the_report(text: str, limit: int) -> None:
    assert_holds_nothing_of_its_own(evolve(hostile(text), full_limit=limit))


@given(text=st.text(max_size=60) | st.text('\r\n -=?:;<>\\"\0ü\u202e', max_size=40))
@settings(max_examples=200, deadline=None)
def test_whatever_others_say_the_report_keeps_its_form(text: str) -> None:
    assert_holds_nothing_of_its_own(hostile(text))


def test_the_words_of_a_peer_are_quoted_line_by_line() -> None:
    said = "550 " + "go away " * 300
    quoted = [line for line in words(notice(failed(reply=said))).splitlines() if line.startswith("        > ")]
    assert 5 < len(quoted) < 20 and quoted[-1].endswith("...")


def test_a_report_to_the_postmaster_says_why() -> None:
    text = words(SAMPLES["postmaster"])
    assert "You get this as the postmaster" in text and "in your name" not in text
    assert compose(SAMPLES["postmaster"]).to == Address.parse("postmaster@example.test")


@pytest.mark.parametrize(("host", "said"), [("mail.test", "dns; mail.test"), ("box", "x-local-hostname; box")])
def test_a_name_without_a_domain_is_not_said_to_be_one_of_the_DNS(host: str, said: str) -> None:
    """RFC 3461 §6.3 (b)."""
    assert fields(evolve(SAMPLES["delayed"], host=host))[0]["Reporting-MTA"] == said
