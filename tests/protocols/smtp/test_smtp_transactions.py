"""Mail transactions on an mx listener, command by command."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from zope.interface.verify import verifyObject

from worldmail.interfaces.protocol import IDialogue
from worldmail.mail.envelope import Body, Notify, Return
from worldmail.testing.smtp import SmtpScene, envelope, with_body
from worldmail.testing.world import MemoryWorld


def test_the_session_is_a_dialogue() -> None:
    scene = SmtpScene()
    session = scene.make_session()
    session.opened(scene.make_peer())
    assert verifyObject(IDialogue, session)


def test_a_message_is_accepted_and_its_id_is_in_the_reply_and_in_received() -> None:
    scene = SmtpScene()
    talk = scene.play(with_body(b"Hello.") + b"QUIT\r\n")
    assert talk.codes == ["220", "250", "250 2.1.0", "250 2.1.5", "354", "250 2.0.0", "221 2.0.0"]
    assert talk.replies[5] == ["250 2.0.0 Ok A000000000000001"]
    assert talk.closed == "quit"
    assert scene.contents() == [
        b"Received: from a.test ([127.0.0.1])\r\n"
        b"\tby mail.example.test with ESMTP id A000000000000001\r\n"
        b"\tfor <bob@example.test>; Sun, 17 Mar 2030 17:46:40 +0000\r\n"
        b"Subject: test\r\n"
        b"\r\n"
        b"Hello.\r\n"
    ]


def test_one_record_is_written_for_an_accepted_message() -> None:
    scene = SmtpScene()
    scene.play(with_body(b"Hello."))
    assert scene.world.journal.named("accepted") == [
        {
            "session": "s1",
            "acceptance": "A000000000000001",
            "client": "127.0.0.1",
            "sender": "a@a.test",
            "recipients": 1,
            "size": 25,
            "protocol": "ESMTP",
        }
    ]


def test_its_content_is_accepted_as_what_no_other_can_be() -> None:
    scene = SmtpScene()
    scene.play(with_body(b"Hello."))
    (accepted,) = scene.world.acceptance.accepted
    assert accepted.unrepeatable, "the id is in its Received field"
    assert accepted.id.encode() in scene.contents()[0]


def test_one_record_is_written_for_each_mailbox_of_a_message() -> None:
    scene = SmtpScene()
    scene.play(with_body(b"Hello."))
    assert scene.world.journal.named("delivered") == [
        {
            "session": "s1",
            "acceptance": "A000000000000001",
            "to": "bob@example.test",
            "account": "bob@example.test",
            "mailbox": "INBOX",
        }
    ]


def test_ehlo_lists_exactly_what_can_be_done_in_the_clear_on_mx() -> None:
    talk = SmtpScene().play(b"EHLO a.test\r\n")
    assert talk.replies[1] == [
        "250-mail.example.test",
        "250-PIPELINING",
        "250-ENHANCEDSTATUSCODES",
        "250-STARTTLS",
        "250-SIZE 25000000",
        "250-8BITMIME",
        "250-SMTPUTF8",
        "250-LIMITS RCPTMAX=1000 MAILMAX=10000",
        "250-DSN",
        "250-DELIVERBY",
        "250-MT-PRIORITY",
        "250-CHUNKING",
        "250-BINARYMIME",
        "250 HELP",
    ]


def test_ehlo_lists_no_starttls_without_a_certificate() -> None:
    scene = SmtpScene(prepare=lambda world: setattr(world.tls, "offered", False))
    assert "250-STARTTLS" not in scene.play(b"EHLO a.test\r\n").replies[1]


def test_ehlo_lists_vrfy_where_it_is_on() -> None:
    assert "250-VRFY" in SmtpScene(settings={"vrfy": "on"}).play(b"EHLO a.test\r\n").replies[1]


def test_helo_is_one_line_and_received_says_smtp() -> None:
    scene = SmtpScene()
    talk = scene.play(with_body(b"x").replace(b"EHLO", b"HELO"))
    assert talk.replies[1] == ["250 mail.example.test"]
    assert b" with SMTP id " in scene.contents()[0]


@pytest.mark.parametrize(
    "name", [b"a.test", b"localhost", b"MY_PC", b"[192.0.2.1]", b"[IPv6:2001:db8::1]", b"x", b"a.test.", b" a.test "]
)
def test_any_host_name_or_literal_will_do_for_ehlo(name: bytes) -> None:
    assert SmtpScene().play(b"EHLO " + name + b"\r\n").codes == ["220", "250"]


@pytest.mark.parametrize(
    "name", [b"", b" ", b"a b", b"<a.test>", b"a\x01", b"(a)", b"\xc3\xa4.test", b"a" * 256, b"[", b"a;b"]
)
def test_a_name_that_is_none_is_refused_without_an_enhanced_code(name: bytes) -> None:
    talk = SmtpScene().play(b"EHLO " + name + b"\r\nHELO " + name + b"\r\n")
    assert talk.codes == ["220", "501", "501"]


def test_mail_before_ehlo_is_refused_with_503() -> None:
    assert SmtpScene().play(b"MAIL FROM:<a@a.test>\r\n").codes == ["220", "503 5.5.1"]


def test_a_second_MAIL_in_one_transaction_is_refused_with_503() -> None:
    assert SmtpScene().play(envelope() + b"MAIL FROM:<b@a.test>\r\n").codes[-1] == "503 5.5.1"


def test_after_a_failed_MAIL_pipelined_commands_get_503_and_the_text_is_not_asked_for() -> None:
    talk = SmtpScene().play(b"EHLO a\r\nMAIL FROM:<a@@>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nQUIT\r\n")
    assert talk.codes == ["220", "250", "501 5.5.4", "503 5.5.1", "503 5.5.1", "221 2.0.0"]


def test_DATA_without_a_valid_recipient_is_refused_with_554() -> None:
    talk = SmtpScene().play(envelope(b"<a@a.test>", b"<nobody@example.test>", b"<x@else.test>") + b"DATA\r\nNOOP\r\n")
    assert talk.codes[3:] == ["550 5.1.1", "550 5.7.1", "554 5.5.1", "250 2.0.0"]


def test_one_good_recipient_among_bad_ones_gets_the_message() -> None:
    scene = SmtpScene()
    talk = scene.play(with_body(b"x").replace(b"DATA", b"RCPT TO:<nobody@example.test>\r\nDATA"))
    assert talk.codes[-3:] == ["550 5.1.1", "354", "250 2.0.0"]
    assert len(scene.texts()) == 1


def test_commands_and_keywords_are_read_in_any_case() -> None:
    talk = SmtpScene().play(
        b"ehlo a\r\nmAiL fRoM:<a@a.test> body=8bitmime\r\nrcpt to:<bob@example.test>\r\ndata\r\n.\r\n"
    )
    assert talk.codes[-1] == "250 2.0.0"


def test_an_unknown_command_is_500_and_counts() -> None:
    assert SmtpScene().play(b"XYZZY\r\n\r\n").codes == ["220", "500 5.5.1", "500 5.5.1"]


def test_rset_forgets_the_transaction() -> None:
    scene = SmtpScene()
    talk = scene.play(envelope() + b"RSET\r\nRCPT TO:<bob@example.test>\r\nMAIL FROM:<>\r\n")
    assert talk.codes[-3:] == ["250 2.0.0", "503 5.5.1", "250 2.1.0"]


def test_ehlo_in_a_transaction_forgets_it() -> None:
    assert SmtpScene().play(envelope() + b"EHLO b.test\r\nDATA\r\n").codes[-2:] == ["250", "503 5.5.1"]


def test_commands_without_an_argument_refuse_one_but_not_spaces() -> None:
    talk = SmtpScene().play(b"EHLO a\r\nRSET now\r\nRSET  \r\nQUIT please\r\nSTARTTLS x\r\n")
    assert talk.codes[2:] == ["501 5.5.4", "250 2.0.0", "501 5.5.4", "501 5.5.4"]


def test_the_null_sender_is_taken() -> None:
    scene = SmtpScene()
    scene.play(with_body(b"x").replace(b"<a@a.test>", b"<>"))
    assert scene.world.acceptance.accepted[0].envelope.sender is None
    assert scene.texts()[0].startswith(b"Return-Path: <>\r\n")


@pytest.mark.parametrize(
    "postmaster", [b"<postmaster>", b"<Postmaster>", b"<POSTMASTER@EXAMPLE.test>", b"<Postmaster@[127.0.0.1]>"]
)
def test_postmaster_is_taken_with_and_without_a_domain(postmaster: bytes) -> None:
    scene = SmtpScene()
    assert scene.play(envelope(b"<a@a.test>", postmaster) + b"DATA\r\n\r\n.\r\n").codes[-1] == "250 2.0.0"
    assert len(scene.texts(3)) == 1


def test_a_recipient_without_a_domain_is_refused_on_mx() -> None:
    assert SmtpScene().play(envelope(b"<a@a.test>", b"<bob>")).codes[-1] == "501 5.1.3"


def test_a_sender_without_a_domain_is_refused_on_mx() -> None:
    assert SmtpScene().play(b"EHLO a\r\nMAIL FROM:<bob>\r\n").codes[-1] == "501 5.1.7"


def test_a_source_route_is_taken_off() -> None:
    scene = SmtpScene()
    scene.play(envelope(b"<@x.test,@y.test:a@a.test>", b"<@relay.test:bob@example.test>") + b"DATA\r\n\r\n.\r\n")
    sent = scene.world.acceptance.accepted[0].envelope
    assert (str(sent.sender), str(sent.recipients[0].address)) == ("a@a.test", "bob@example.test")


def test_a_quoted_local_part_means_the_same_mailbox() -> None:
    scene = SmtpScene()
    assert (
        scene.play(envelope(b'<"a b>c"@a.test>', b'<"bob"@example.test>') + b"DATA\r\n\r\n.\r\n").codes[-1]
        == "250 2.0.0"
    )
    assert str(scene.world.acceptance.accepted[0].envelope.sender) == '"a b>c"@a.test'


def test_a_space_behind_the_colon_and_at_the_end_is_let_pass() -> None:
    talk = SmtpScene().play(b"EHLO a\r\nMAIL FROM: <a@a.test> \r\nRCPT TO: <bob@example.test>  \r\n")
    assert talk.codes[2:] == ["250 2.1.0", "250 2.1.5"]


def test_an_account_that_two_recipients_lead_to_gets_one_copy_for_the_first() -> None:
    scene = SmtpScene()
    scene.play(envelope(b"<a@a.test>", b"<bob+x@example.test>", b"<bob@example.test>") + b"DATA\r\n\r\n.\r\n")
    assert len(scene.texts()) == 1
    assert b"Delivered-To: bob+x@example.test\r\n" in scene.texts()[0]
    assert b"\tfor " not in scene.contents()[0]


def mailboxes_of(recipient: bytes, prepare: Callable[[MemoryWorld], object]) -> list[str]:
    """Where a message to this recipient goes."""
    scene = SmtpScene(prepare=prepare)
    scene.play(envelope(b"<a@a.test>", recipient) + b"DATA\r\n\r\n.\r\n")
    (acceptance,) = scene.world.acceptance.accepted
    return [delivery.mailbox for delivery in acceptance.deliveries]


@pytest.mark.parametrize(
    ("recipient", "mailbox"),
    [
        (b"<BOB+junk@example.test>", "Junk"),
        (b"<bob+none@example.test>", "INBOX"),
        (b"<alice+junk@example.test>", "INBOX"),
        (b"<bob@example.test>", "INBOX"),
    ],
)
def test_a_detail_leads_to_the_mailbox_where_anyone_may_post_and_else_to_INBOX(recipient: bytes, mailbox: str) -> None:
    def prepare(world: MemoryWorld) -> None:
        world.folders.posting[(1, "junk", None)] = "Junk"

    assert mailboxes_of(recipient, prepare) == [mailbox]


@pytest.mark.parametrize("recipient", [b"<team+lists@example.test>", b"<a+lists@example.test>"])
def test_a_detail_behind_an_alias_or_in_an_own_name_asks_for_no_mailbox(recipient: bytes) -> None:
    def prepare(world: MemoryWorld) -> None:
        world.add_alias("team@example.test", "bob@example.test")
        made = world.add_account("a+lists@example.test")
        for account in (1, made.id):
            world.folders.posting[(account, "lists", None)] = "lists"

    assert mailboxes_of(recipient, prepare) == ["INBOX"]


def test_an_alias_delivers_to_each_of_its_accounts() -> None:
    scene = SmtpScene(
        prepare=lambda world: world.add_alias("team@example.test", "bob@example.test", "alice@example.test")
    )
    scene.play(envelope(b"<a@a.test>", b"<team@example.test>") + b"DATA\r\n\r\n.\r\n")
    assert (len(scene.texts(1)), len(scene.texts(2))) == (1, 1)


def test_an_alias_that_leads_partly_elsewhere_is_delivered_here_and_goes_on() -> None:
    scene = SmtpScene(prepare=lambda world: world.add_alias("team@example.test", "bob@example.test", "x@else.test"))
    talk = scene.play(envelope(b"<a@a.test>", b"<team@example.test>") + b"DATA\r\n\r\n.\r\n")
    assert talk.codes[-1] == "250 2.0.0"
    (accepted,) = scene.world.acceptance.accepted
    assert [delivery.account_id for delivery in accepted.deliveries] == [1]
    assert [(str(one.recipient.address), one.here) for one in accepted.onward] == [("x@else.test", False)]


def test_mail_to_one_place_elsewhere_goes_on_once_whoever_led_there() -> None:
    def prepare(world: MemoryWorld) -> None:
        world.add_alias("away@example.test", "x@else.test")
        world.add_alias("gone@example.test", "away@example.test", "X@ELSE.test")

    scene = SmtpScene(prepare=prepare)
    scene.play(envelope(b"<a@a.test>", b"<away@example.test>", b"<gone@example.test>") + b"DATA\r\n\r\n.\r\n")
    (accepted,) = scene.world.acceptance.accepted
    assert accepted.deliveries == ()
    assert {one.recipient.address.domain for one in accepted.onward} == {"else.test"}
    assert sum(one.recipient.address.key == "x@else.test" for one in accepted.onward) == 1


def test_an_alias_of_which_one_target_is_gone_delivers_to_the_rest() -> None:
    scene = SmtpScene(
        prepare=lambda world: world.add_alias("team@example.test", "gone@example.test", "bob@example.test")
    )
    assert scene.play(envelope(b"<a@a.test>", b"<team@example.test>")).codes[-1] == "250 2.1.5"


def test_recipients_over_the_limit_get_452() -> None:
    scene = SmtpScene(settings={"recipients": 100})
    talk = scene.play(envelope(b"<a@a.test>", *[b"<bob+%d@example.test>" % number for number in range(101)]))
    assert talk.codes[-2:] == ["250 2.1.5", "452 4.5.3"]


def test_messages_over_the_limit_of_a_session_get_421() -> None:
    scene = SmtpScene(settings={"transactions": 1})
    talk = scene.play(with_body(b"x") + b"MAIL FROM:<>\r\n")
    assert talk.codes[-1] == "421 4.7.0"
    assert talk.closed is not None


def test_dsn_parameters_are_kept_with_the_envelope() -> None:
    scene = SmtpScene()
    talk = scene.play(
        b"EHLO a\r\nMAIL FROM:<a@a.test> RET=HDRS ENVID=QQ+2B314 BODY=8BITMIME SIZE=500\r\n"
        b"RCPT TO:<bob@example.test> NOTIFY=SUCCESS,delay ORCPT=rfc822;Bob+2BX@example.test\r\n"
        b"RCPT TO:<alice@example.test> NOTIFY=NEVER\r\nDATA\r\n\r\n.\r\n"
    )
    assert talk.codes[-1] == "250 2.0.0"
    sent = scene.world.acceptance.accepted[0].envelope
    assert (sent.returns, sent.envelope_id, sent.body, sent.size) == (Return.HEADERS, "QQ+314", Body.EIGHT_BIT, 500)
    bob, alice = sent.recipients
    assert bob.notify == {Notify.SUCCESS, Notify.DELAY}
    assert bob.original is not None
    assert (bob.original.address_type, bob.original.address) == ("rfc822", "Bob+X@example.test")
    assert alice.notify == {Notify.NEVER}


def test_smtputf8_is_needed_for_addresses_beyond_ascii() -> None:
    talk = SmtpScene().play("EHLO a\r\nMAIL FROM:<ä@a.test>\r\nMAIL FROM:<ä@a.test> SMTPUTF8\r\n".encode())
    assert talk.codes[2:] == ["550 5.6.7", "250 2.1.0"]  # RFC 6531 §3.5


def test_a_recipient_beyond_ascii_needs_a_transaction_with_smtputf8() -> None:
    scene = SmtpScene(prepare=lambda world: world.add_account("müller@example.test"))
    text = "EHLO a\r\nMAIL FROM:<a@a.test>{}\r\nRCPT TO:<müller@example.test>\r\n"
    assert scene.play(text.format("").encode()).codes[-1] == "553 5.6.7"
    assert scene.play(text.format(" SMTPUTF8").encode()).codes[-1] == "250 2.1.5"


def test_received_of_an_smtputf8_message_says_utf8smtp() -> None:
    scene = SmtpScene(prepare=lambda world: world.add_account("müller@example.test"))
    scene.play("EHLO a\r\nMAIL FROM:<> SMTPUTF8\r\nRCPT TO:<müller@example.test>\r\nDATA\r\n\r\n.\r\n".encode())
    (content,) = scene.contents()
    assert b" with UTF8SMTP id " in content and content.isascii()  # no need of SMTPUTF8 on its further way


def test_received_names_a_recipient_of_ASCII_by_the_A_labels_of_its_domain() -> None:
    scene = SmtpScene(prepare=lambda world: world.directory.relayed.append("xn--bcher-kva.test"))
    scene.play("EHLO a\r\nMAIL FROM:<> SMTPUTF8\r\nRCPT TO:<Otto@Bücher.test>\r\nDATA\r\n\r\n.\r\n".encode())
    (content,) = scene.contents()
    assert b"for <Otto@xn--bcher-kva.test>" in content and content.isascii()


def test_a_command_that_is_not_utf8_is_refused() -> None:
    assert SmtpScene().play(b"EHLO a\r\nMAIL FROM:<\xff@a.test> SMTPUTF8\r\n").codes[-1] == "501 5.5.2"


def test_last_words_at_timeout_shutdown_and_refusal() -> None:
    scene = SmtpScene()
    session = scene.make_session()
    assert [bytes(word)[:9] for word in session.refused("x")] == [b"421 4.7.0"]
    session.opened(scene.make_peer())
    assert [bytes(word)[:9] for word in session.timed_out()] == [b"421 4.4.2"]
    assert [bytes(word)[:9] for word in session.shutting_down()] == [b"421 4.3.2"]
    assert session.timeout == 300.0
