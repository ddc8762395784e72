"""swaks, curl, smtplib, poplib and openssl against a running server: what goes in comes out, octet by octet."""

from __future__ import annotations

import email
import email.policy
import hashlib
import poplib
import smtplib
import ssl
from email.message import EmailMessage
from pathlib import Path

import pytest

ANN, BOB, ANN_PASSWORD = "ann@example.test", "bob@example.test", "correct horse"
ELSEWHERE = "eve@elsewhere.test"

ATTACHMENT = bytes(range(256)) * 40
# What the server writes in front of a message that it delivers.
TRACE_FIELDS = {"return-path", "delivered-to", "received"}


def composed() -> bytes:
    """A message with an attachment, dots at line starts, 8-bit text and everything a submission needs."""
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"] = f"Ann <{ANN}>"
    message["To"] = f"Bob <{BOB}>"
    message["Subject"] = "Grüße, octet by octet"
    message["Date"] = "Sun, 22 Nov 2026 01:00:00 +0000"
    message["Message-ID"] = "<octets@example.test>"
    message.set_content(".\r\n..\r\nFrom the start\r\n.dot\r\nGrüße\r\n", cte="8bit")
    message.add_attachment(ATTACHMENT, maintype="application", subtype="octet-stream", filename="all octets.bin")
    message.set_boundary("=-=octets=-=")
    return message.as_bytes()


def split_trace(message: bytes) -> tuple[list[str], bytes]:
    """The names of the fields that the server wrote, and what stands behind them."""
    names = []
    rest = message
    while (name := rest.partition(b":")[0].decode("latin-1").lower()) in TRACE_FIELDS:
        names.append(name)
        end = rest.index(b"\r\n") + 2
        while rest[end : end + 1] in (b" ", b"\t"):
            end = rest.index(b"\r\n", end) + 2
        rest = rest[end:]
    return names, rest


def only(site, account: str) -> bytes:
    """The account's only message."""
    (message,) = site.messages(account)
    return message


def assert_delivered(site, sent: bytes, sender: str, *, account: str = BOB) -> bytes:
    """It is there once, octet by octet, behind the trace; the whole message."""
    message = only(site, account)
    names, rest = split_trace(message)
    assert rest == sent
    assert names == ["return-path", "delivered-to", "received"]
    assert message.startswith(b"Return-Path: <%s>\r\nDelivered-To: %s\r\n" % (sender.encode(), account.encode()))
    return message


# --- in -----------------------------------------------------------------------------------


def test_swaks_hands_a_message_in_octet_by_octet(site, run, tmp_path: Path) -> None:
    (tmp_path / "message").write_bytes(composed())
    server = ("--server", "127.0.0.1", "--port", str(site.server.port(25)))
    run("swaks", *server, "--from", ELSEWHERE, "--to", BOB, "--data", f"@{tmp_path / 'message'}")
    sent = composed()
    names, rest = split_trace(only(site, BOB))
    assert rest.rstrip(b"\r\n") == sent.rstrip(b"\r\n"), "swaks may add a line end of its own, and nothing else"
    assert names == ["return-path", "delivered-to", "received"]


def test_an_attachment_sent_with_swaks_in_TLS_and_signed_in_arrives_whole(site, run, tmp_path: Path) -> None:
    (tmp_path / "all.bin").write_bytes(ATTACHMENT)
    server = ("--server", "127.0.0.1", "--port", str(site.server.port(587)), "--tls")
    login = ("--auth", "PLAIN", "--auth-user", ANN, "--auth-password", ANN_PASSWORD)
    run("swaks", *server, *login, "--from", ANN, "--to", BOB, "--body", "hello", "--attach", f"@{tmp_path / 'all.bin'}")
    message = email.message_from_bytes(only(site, BOB), policy=email.policy.default)
    (attachment,) = message.iter_attachments()
    assert attachment.get_content() == ATTACHMENT
    assert " with ESMTPSA " in message["received"]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_swaks_signs_in_with_each_mechanism_that_it_knows(site, run, mechanism: str) -> None:
    server = ["--server", "127.0.0.1"]
    if mechanism == "CRAM-MD5":  # announced in the clear
        password = site.secret
        server += ["--port", str(site.server.port(587))]
    else:
        password = ANN_PASSWORD
        server += ["--port", str(site.server.port(465)), "--tls-on-connect"]
    login = ("--auth", mechanism, "--auth-user", ANN, "--auth-password", password)
    run("swaks", *server, *login, "--from", ANN, "--to", BOB)
    assert len(site.messages(BOB)) == 1


def test_smtplib_submits_by_STARTTLS_and_AUTH(site) -> None:
    with smtplib.SMTP("localhost", site.server.port(587), timeout=60) as smtp:
        smtp.starttls(context=site.tls)
        smtp.login(ANN, ANN_PASSWORD)
        smtp.sendmail(ANN, [BOB], composed(), mail_options=["BODY=8BITMIME"])
    message = assert_delivered(site, composed(), ANN)
    assert b" with ESMTPSA " in message


def test_smtplib_submits_in_implicit_TLS(site) -> None:
    with smtplib.SMTP_SSL("localhost", site.server.port(465), context=site.tls, timeout=60) as smtp:
        smtp.login(ANN, ANN_PASSWORD)
        smtp.sendmail(ANN, [ANN, BOB], composed(), mail_options=["BODY=8BITMIME"])
    assert_delivered(site, composed(), ANN)
    assert_delivered(site, composed(), ANN, account=ANN)


def test_curl_hands_a_message_in_octet_by_octet(site, run, tmp_path: Path) -> None:
    (tmp_path / "message").write_bytes(composed())
    url = f"smtp://127.0.0.1:{site.server.port(25)}/elsewhere.test"
    upload = ("--upload-file", str(tmp_path / "message"))
    run("curl", "-sS", url, "--mail-from", ELSEWHERE, "--mail-rcpt", BOB, *upload)
    assert_delivered(site, composed(), ELSEWHERE)


def test_without_signing_in_no_mail_leaves_and_none_is_submitted(site) -> None:
    with smtplib.SMTP("localhost", site.server.port(25), timeout=60) as smtp:
        smtp.ehlo("client.test")
        smtp.mail(ELSEWHERE)
        assert smtp.rcpt("someone@elsewhere.test")[0] == 550
    with smtplib.SMTP("localhost", site.server.port(587), timeout=60) as smtp:
        smtp.ehlo("client.test")
        assert smtp.mail(ANN)[0] == 530


# --- out ----------------------------------------------------------------------------------


@pytest.fixture
def delivered(site) -> bytes:
    """Bob's only message, as poplib gives it in TLS."""
    with smtplib.SMTP("localhost", site.server.port(25), timeout=60) as smtp:
        smtp.sendmail(ELSEWHERE, [BOB, ANN], composed(), mail_options=["BODY=8BITMIME"])
    return assert_delivered(site, composed(), ELSEWHERE)


def test_poplib_reads_after_STLS(site, delivered: bytes) -> None:
    connection = poplib.POP3("localhost", site.server.port(110), timeout=60)
    with pytest.raises(poplib.error_proto):
        connection.user(BOB)
    connection.stls(context=site.tls)
    connection.user(BOB)
    connection.pass_("battery staple")
    assert b"\r\n".join(connection.retr(1)[1]) + b"\r\n" == delivered
    connection.quit()


def test_poplib_reads_after_APOP(site, delivered: bytes) -> None:
    connection = poplib.POP3("localhost", site.server.port(110), timeout=60)
    connection.apop(ANN, site.secret)
    message = b"\r\n".join(connection.retr(1)[1]) + b"\r\n"
    connection.quit()
    assert split_trace(message)[1] == split_trace(delivered)[1]


def test_in_TLS_poplib_is_greeted_without_a_stamp_though_an_account_has_a_secret(site) -> None:
    connections = (
        poplib.POP3_SSL("localhost", site.server.port(995), context=site.tls, timeout=60),
        poplib.POP3("localhost", site.server.port(110), timeout=60),
    )
    assert [b"<" in connection.getwelcome() for connection in connections] == [False, True]
    for connection in connections:
        connection.quit()


def test_poplib_reads_the_top_and_the_unique_ids(site, delivered: bytes) -> None:
    connection = site.pop3s(BOB)
    header, _, body = delivered.partition(b"\r\n\r\n")
    top = b"\r\n".join([*header.split(b"\r\n"), b"", *body.split(b"\r\n")[:3]])
    assert b"\r\n".join(connection.top(1, 3)[1]) == top
    (one,) = connection.uidl()[1]
    assert connection.uidl(1).endswith(one)
    connection.quit()


def curl_login(site, *options: str) -> tuple[str, ...]:
    """Bob, who has no secret for CRAM-MD5; another account has one."""
    return ("--cacert", site.certificate, "--user", f"{BOB}:battery staple", *options)


@pytest.mark.parametrize("mechanism", [(), ("--login-options", "AUTH=PLAIN"), ("--login-options", "AUTH=LOGIN")])
def test_curl_reads_over_POP3S_octet_by_octet(site, delivered: bytes, run, mechanism: tuple[str, ...]) -> None:
    url = f"pop3s://localhost:{site.server.port(995)}/1"
    assert run("curl", "-sS", *curl_login(site, *mechanism), url) == delivered


def test_curl_reads_after_STLS_and_lists(site, delivered: bytes, run) -> None:
    url = f"pop3://localhost:{site.server.port(110)}/"
    login = ("--ssl-reqd", *curl_login(site))
    assert run("curl", "-sS", *login, url + "1") == delivered
    assert run("curl", "-sS", *login, url).split() == [b"1", b"%d" % len(delivered)]


def test_curl_reads_after_APOP(site, delivered: bytes, run) -> None:
    url = f"pop3://localhost:{site.server.port(110)}/1"
    login = ("--user", f"{ANN}:{site.secret}", "--login-options", "AUTH=+APOP")
    assert split_trace(run("curl", "-sS", *login, url))[1] == split_trace(delivered)[1]


def test_openssl_is_greeted_in_both_kinds_of_TLS(site, delivered: bytes, run) -> None:
    login = f"USER {BOB}\r\nPASS battery staple\r\nSTAT\r\nQUIT\r\n".encode()
    common = ("openssl", "s_client", "-quiet", "-verify_return_error", "-CAfile", site.certificate, "-crlf")
    stat = b"+OK 1 %d" % len(delivered)
    said = login.replace(b"\r\n", b"\n")
    implicit = run(*common, "-connect", f"localhost:{site.server.port(995)}", stdin=said)
    upgraded = run(*common, "-starttls", "pop3", "-connect", f"localhost:{site.server.port(110)}", stdin=said)
    assert stat in implicit and stat in upgraded


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_of_TLS_are_refused(site, version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context(cafile=site.certificate)
    context.minimum_version = context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match=r"(?i)alert.protocol.version"):
        poplib.POP3_SSL("localhost", site.server.port(995), context=context, timeout=60)


# --- and again ----------------------------------------------------------------------------


def test_all_is_there_again_after_SIGKILL_and_a_restart(site, delivered: bytes, run) -> None:
    connection = site.pop3s(BOB)
    unique = connection.uidl()[1]
    connection.dele(1)  # no QUIT follows
    site.server.kill()
    site.server.start()
    assert only(site, BOB) == delivered
    url = f"pop3s://localhost:{site.server.port(995)}/1"
    fetched = run("curl", "-sS", *curl_login(site), url)
    assert hashlib.sha256(fetched).digest() == hashlib.sha256(delivered).digest()
    after = site.pop3s(BOB)
    assert after.uidl()[1] == unique
    after.quit()


def test_what_was_deleted_with_QUIT_answered_stays_deleted_after_SIGKILL(site, delivered: bytes) -> None:
    site.empty(BOB)
    site.server.kill()
    site.server.start()
    assert site.messages(BOB) == []
    assert len(site.messages(ANN)) == 1
