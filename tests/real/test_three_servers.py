"""Two servers of ours and a Postfix: mail between all three, reports of each kind, a smart host, a backup MX."""

from __future__ import annotations

import contextlib
import email
import email.policy
import imaplib
import os
import shutil
import smtplib
import time
from collections.abc import Callable, Iterator, Sequence
from email.message import EmailMessage, Message

import pytest
from attrs import define, field

from tests.faults.scripted_peers import ScriptedPeer
from worldmail.testing.authority import Authority
from worldmail.testing.names import NameServer
from worldmail.testing.postfix import PostfixProcess, missing_postfix
from worldmail.testing.process import ServerProcess, free_port_base

ANN, BOB, EVE = "ann@a.test", "bob@b.test", "eve@c.test"
PASSWORD = "correct horse battery staple"
NOBODY = 65534


@define
class Three:
    """The servers, of which Ann's, Bob's and Eve's mail is; all that the DNS names have one port."""

    ours: ServerProcess
    theirs: ServerProcess
    postfix: PostfixProcess
    names: NameServer
    port: int
    _sent: int = field(default=0, init=False)

    def send(
        self, *recipients: str, by: tuple[str, int] | None = None, sender: str = ANN, options: Sequence[str] = ()
    ) -> str:
        """A message to Ann's server, or another; its subject. `options` are those of RCPT."""
        self._sent += 1
        subject = f"letter {self._sent}"
        text = f"From: <{sender}>\r\nTo: <{recipients[0]}>\r\nSubject: {subject}\r\n\r\nHello\r\n"
        with smtplib.SMTP(*(by or ("127.0.0.1", self.ours.port(25))), timeout=60) as client:
            client.ehlo()
            assert client.mail(sender, ["ENVID=QQ314159", "RET=HDRS"] if options else [])[0] == 250
            for recipient in recipients:
                original = [f"ORCPT=rfc822;{recipient}"] if options else []
                assert client.rcpt(recipient, [*options, *original])[0] == 250
            assert client.data(text)[0] == 250
        return subject

    def add_route(self, name: str, *words: str) -> None:
        """One with a password; Ann's server knows at its start what a command changed, and else some moments later."""
        self.ours.stop()
        self.ours.command("route", "add", name, *words, "--password-stdin", stdin=f"{PASSWORD}\n")
        self.ours.start()

    def mails(self, server: ServerProcess, account: str) -> list[EmailMessage]:
        """All that is in an INBOX, by IMAP."""
        client = imaplib.IMAP4("127.0.0.1", server.port(143), timeout=30)
        client.login(account, PASSWORD)
        client.select("INBOX")
        numbers = client.search(None, "ALL")[1][0].split()
        found = [_parsed(client.fetch(number.decode(), "(BODY.PEEK[])")[1][0][1]) for number in numbers]
        client.logout()
        return found

    def came(self, server: ServerProcess, account: str, subject: str) -> list[EmailMessage]:
        """Those with this subject, once there is one."""
        found: list[EmailMessage] = []

        def look() -> bool:
            found[:] = [mail for mail in self.mails(server, account) if mail["Subject"] == subject]
            return bool(found)

        assert eventually(look), self.logs()
        return found

    def to_eve(self) -> list[EmailMessage]:
        """What Postfix delivered."""
        place = self.postfix.directory / "mail" / "eve" / "new"
        return [_parsed(path.read_bytes()) for path in sorted(place.glob("*"))]

    def report(self, subject: str, action: str, within: float = 90.0) -> Reported:
        """The report of this action on that letter, which Ann has once it came."""
        found: list[Reported] = []

        def look() -> bool:
            reports = [read for mail in self.mails(self.ours, ANN) if (read := read_report(mail)) is not None]
            found[:] = [one for one in reports if one.subject == subject and one.action == action]
            return bool(found)

        assert eventually(look, within), self.logs()
        assert len(found) == 1
        return found[0]

    def logs(self) -> str:
        """What they say."""
        return "\n".join([self.ours.tail(3000), self.theirs.tail(2000), self.postfix.tail(2000)])


@define(kw_only=True)
class Reported:
    """One report, as Python's email package reads it."""

    subject: str
    action: str
    mail: EmailMessage
    message: Message
    recipient: Message


def read_report(mail: EmailMessage) -> Reported | None:
    """A report with one recipient (RFC 3464 §2, RFC 6522); None for other mail."""
    if mail.get_content_type() != "multipart/report":
        return None
    assert mail["From"] is not None
    assert mail.get_param("report-type") == "delivery-status"
    human, status, original = mail.iter_parts()
    assert human.get_content_type() == "text/plain"
    assert status.get_content_type() == "message/delivery-status"
    assert original.get_content_type() in ("text/rfc822-headers", "message/rfc822")
    first, recipient = status.get_payload()
    text = original.get_payload()[0] if original.is_multipart() else email.message_from_string(original.get_content())
    return Reported(
        subject=str(text["Subject"]),
        action=str(recipient["Action"]).lower(),
        mail=mail,
        message=first,
        recipient=recipient,
    )


def _parsed(octets: bytes) -> EmailMessage:
    found = email.message_from_bytes(octets, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def eventually(done: Callable[[], bool], within: float = 90.0) -> bool:
    """Ask until it is so; False if it never was."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if done():
            return True
        time.sleep(0.2)
    return False


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    """All three serve, and a name server."""
    reason = missing_postfix()
    if reason is not None:
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    place = tmp_path_factory.mktemp("three")
    authority = Authority(place / "authority")
    ours = ServerProcess(directory=place / "a", domain="a.test", init_options=("--hostname", "mx.a.test"), forked=True)
    theirs = ServerProcess(
        directory=place / "b", domain="b.test", init_options=("--hostname", "mx.b.test"), forked=True
    )
    while abs(ours.port_base - theirs.port_base) < 1000:
        theirs.port_base = free_port_base()
    port = ours.port(25)
    postfix = make_postfix(authority, ours, theirs, port)
    with NameServer({}) as names:
        for number, (name, server) in enumerate((("a.test", ours), ("b.test", theirs), ("c.test", postfix)), 1):
            names.set(name, MX=[f"10 mx.{name}."])
            names.set(f"mx.{name}", A=[f"127.0.0.{number}"])
            if isinstance(server, ServerProcess):
                prepare(server, names, port, authority, f"mx.{name}")
        also = theirs.config.read_text()
        own = f'"127.0.0.1:{theirs.port(25)}"'
        assert own in also
        theirs.config.write_text(also.replace(own, f'{own}, "127.0.0.2:{port}"'))
        names.set("c.test", MX=["10 mx.c.test.", "20 mx.b.test."])
        theirs.command("domain", "add", "c.test", "--kind", "relay")
        ours.add_user(ANN, PASSWORD)
        theirs.add_user(BOB, PASSWORD)
        try:
            for server in (ours, theirs, postfix):
                server.start()
            yield Three(ours, theirs, postfix, names, port)
        finally:
            print(ours.tail(3000), theirs.tail(2000), postfix.tail(3000))
            ours.kill()
            theirs.kill()
            postfix.remove()


def prepare(server: ServerProcess, names: NameServer, port: int, authority: Authority, name: str) -> None:
    server.initialise()
    settings = authority.issue(name, f"smart.{server.domain}")
    shutil.copy(settings.certificate, server.directory / "tls" / "certificate.pem")
    shutil.copy(settings.key, server.directory / "tls" / "key.pem")
    server.configure(
        {
            "limits": {"exempt": ["127.0.0.0/8"]},
            "auth": {"plaintext_without_tls": ["127.0.0.0/8"]},
            "policy": {"relay_networks": ["127.0.0.0/8"]},
            "queue": {
                "first_retry": "1s",
                "longest_retry": "1s",
                "warn_after": "2s",
                "port": port,
                "trust": str(authority.file),
            },
            "dns": {"servers": [names.setting]},
        }
    )


def make_postfix(authority: Authority, ours: ServerProcess, theirs: ServerProcess, port: int) -> PostfixProcess:
    certificate = authority.issue("mx.c.test")
    postfix = PostfixProcess(
        hostname="mx.c.test",
        address="127.0.0.3",
        port=port,
        ways={"a.test": ("127.0.0.1", ours.port(25)), "b.test": ("127.0.0.1", theirs.port(25))},
    )
    mail = postfix.directory / "mail"
    postfix.settings = {
        "virtual_mailbox_domains": "c.test",
        "virtual_mailbox_base": str(mail),
        "virtual_mailbox_maps": f"inline:{{ {{{EVE} = eve/}} }}",
        "virtual_uid_maps": f"static:{NOBODY}",
        "virtual_gid_maps": f"static:{NOBODY}",
        "virtual_minimum_uid": "1",
        "smtpd_tls_cert_file": str(certificate.certificate),
        "smtpd_tls_key_file": str(certificate.key),
        "smtpd_tls_security_level": "may",
        "smtpd_tls_loglevel": "1",
        "smtp_tls_security_level": "may",
        "smtp_tls_loglevel": "1",
    }
    mail.mkdir()
    os.chown(mail, NOBODY, NOBODY)
    postfix.initialise()
    return postfix


def test_Postfix_gets_mail_in_TLS_in_chunks_and_all_in_one_flight(three: Three) -> None:
    subject = three.send(EVE)
    assert eventually(lambda: subject in [mail["Subject"] for mail in three.to_eve()]), three.logs()
    (mail,) = [mail for mail in three.to_eve() if mail["Subject"] == subject]
    assert "with ESMTPS" in mail["Received"]
    log = three.postfix.log.read_text()
    assert "TLS connection established from" in log
    assert eventually(lambda: "starttls=1 mail=1 rcpt=1 bdat=1" in three.postfix.log.read_text()), three.logs()
    assert "improper command pipelining" not in log


def test_Postfix_sends_to_us_in_TLS(three: Three) -> None:
    subject = three.send(BOB, by=("127.0.0.3", three.port))
    (mail,) = three.came(three.theirs, BOB, subject)
    received = mail.get_all("Received", [])
    assert "with ESMTPS" in received[0] and "by mx.b.test" in received[0]
    assert "by mx.c.test (Postfix)" in received[1]


def test_mail_goes_in_every_direction(three: Three) -> None:
    there = three.send(BOB)
    back = three.send(ANN, by=("127.0.0.2", three.port), sender=BOB)
    onward = three.send(EVE, by=("127.0.0.2", three.port), sender=BOB)
    home = three.send(ANN, by=("127.0.0.3", three.port), sender=EVE)
    three.came(three.theirs, BOB, there)
    three.came(three.ours, ANN, back)
    three.came(three.ours, ANN, home)
    assert eventually(lambda: onward in [mail["Subject"] for mail in three.to_eve()]), three.logs()


def test_a_report_of_failure_says_what_the_other_server_said(three: Three) -> None:
    report = three.report(three.send("nobody@b.test"), "failed")
    assert report.message["Reporting-MTA"] == "dns; mx.a.test"
    assert report.recipient["Final-Recipient"] == "rfc822; nobody@b.test"
    assert report.recipient["Status"].startswith("5.1.")
    assert report.recipient["Remote-MTA"] == "dns; mx.b.test"
    assert report.recipient["Diagnostic-Code"].startswith("smtp; 550 5.1.")
    assert "nobody@b.test" in report.mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]  # it has one


def test_Postfix_reports_success_with_what_we_passed_on(three: Three) -> None:
    report = three.report(three.send(EVE, options=["NOTIFY=SUCCESS,FAILURE"]), "delivered")
    assert report.message["Reporting-MTA"].endswith("mx.c.test")
    assert report.message["Original-Envelope-Id"] == "QQ314159"
    assert report.recipient["Original-Recipient"].replace(" ", "") == f"rfc822;{EVE}"


def test_we_report_success_with_what_Postfix_passed_on(three: Three) -> None:
    subject = three.send(BOB, by=("127.0.0.3", three.port), options=["NOTIFY=SUCCESS"])
    report = three.report(subject, "delivered")
    assert report.message["Reporting-MTA"] == "dns; mx.b.test"
    assert report.message["Original-Envelope-Id"] == "QQ314159"
    assert report.recipient["Original-Recipient"].replace(" ", "") == f"rfc822;{BOB}"
    assert report.recipient["Final-Recipient"] == f"rfc822; {BOB}"


def test_nobody_is_told_who_wants_to_hear_nothing(three: Three) -> None:
    silent = three.send("nobody@b.test", options=["NOTIFY=NEVER"])
    loud = three.send("nobody@b.test")
    three.report(loud, "failed")
    assert all(read is None or read.subject != silent for read in map(read_report, three.mails(three.ours, ANN)))


def elsewhere(three: Three, stack: contextlib.ExitStack, domain: str, address: str, **changes: object) -> ScriptedPeer:
    three.names.set(domain, MX=[f"10 mx.{domain}."])
    three.names.set(f"mx.{domain}", A=[address])
    return stack.enter_context(ScriptedPeer(address=address, port=three.port, **changes))  # type: ignore[arg-type]  # as given


def test_a_server_that_knows_no_reports_is_told_of_as_relayed(three: Three) -> None:
    with contextlib.ExitStack() as stack:
        elsewhere(three, stack, "plain.test", "127.0.0.10")
        report = three.report(three.send("to@plain.test", options=["NOTIFY=SUCCESS"]), "relayed")
    assert report.recipient["Status"].startswith("2.")
    assert report.recipient["Remote-MTA"] == "dns; mx.plain.test"


@pytest.mark.skipif(not os.environ.get("WORLDMAIL_LONG"), reason="half a minute: in the long form")
def test_a_delay_is_told_of_once_and_then_the_mail_goes(three: Three) -> None:
    with contextlib.ExitStack() as stack:
        peer = elsewhere(three, stack, "busy.test", "127.0.0.11", answers={"RCPT": ["451 4.2.1 Busy"]})
        subject = three.send("to@busy.test")
        report = three.report(subject, "delayed")
        assert report.recipient["Will-Retry-Until"] is not None
        assert report.recipient["Status"].startswith("4.")
        peer.heal()
        assert eventually(lambda: peer.taken == [subject])
    three.report(subject, "delayed")


def test_an_alias_that_leads_to_several_is_told_of_as_expanded(three: Three) -> None:
    three.ours.command("alias", "add", "team@a.test", BOB, EVE)
    assert eventually(lambda: _is_there(three, "team@a.test"))
    subject = three.send("team@a.test", options=["NOTIFY=SUCCESS"])
    report = three.report(subject, "expanded")
    assert report.recipient["Final-Recipient"] == "rfc822; team@a.test"
    three.came(three.theirs, BOB, subject)
    assert eventually(lambda: subject in [mail["Subject"] for mail in three.to_eve()]), three.logs()


def _is_there(three: Three, address: str) -> bool:
    with smtplib.SMTP("127.0.0.1", three.ours.port(25), timeout=60) as client:
        client.ehlo()
        client.mail(ANN)
        return client.rcpt(address)[0] == 250


def test_a_smart_host_takes_mail_of_who_signs_in_over_verified_TLS(three: Three) -> None:
    way = ("via=host", "host=smart.b.test", f"port={three.theirs.port(587)}", f"user={BOB}")
    three.names.set("smart.b.test", A=["127.0.0.1"])
    three.add_route("smart", "domain=smart.test", *way)
    with contextlib.ExitStack() as stack:
        peer = elsewhere(three, stack, "smart.test", "127.0.0.12")
        assert "smart" in three.ours.command("route", "test", "to@smart.test")
        subject = three.send("to@smart.test", sender=BOB)
        assert eventually(lambda: peer.taken == [subject]), three.logs()
    signed_in = '"mechanism":"SCRAM-SHA-256-PLUS"'
    assert eventually(lambda: signed_in in three.theirs.log.read_text()), three.logs()
    traced = three.ours.command("trace", "to@smart.test")
    assert "smart.b.test" in traced


def test_a_smart_host_without_a_certificate_for_its_name_gets_no_password(three: Three) -> None:
    way = ("via=host", "host=false.test", f"port={three.theirs.port(587)}", f"user={BOB}")
    three.names.set("false.test", A=["127.0.0.1"])
    three.add_route("false", "domain=false.test", *way)
    three.send("to@false.test")
    assert eventually(lambda: "certificate" in three.ours.command("queue", "list", "--json")), three.logs()
    three.ours.command("route", "remove", "false")
    three.ours.command("queue", "remove", "--recipient", "to@false.test")


def test_a_backup_MX_keeps_mail_until_the_main_one_is_back(three: Three) -> None:
    three.postfix.kill()
    try:
        subject = three.send(EVE)
        assert eventually(lambda: EVE in three.theirs.command("queue", "list", "--json")), three.logs()
        assert subject not in [mail["Subject"] for mail in three.to_eve()]
    finally:
        three.postfix.start()
    assert eventually(lambda: subject in [mail["Subject"] for mail in three.to_eve()]), three.logs()
    (mail,) = [mail for mail in three.to_eve() if mail["Subject"] == subject]
    received = mail.get_all("Received", [])
    assert "from mx.b.test" in received[0] and "by mx.b.test" in received[1] and "by mx.a.test" in received[2]
