"""imaplib and smtplib: an attachment is forwarded without being downloaded (RFC 4467, RFC 4468, RFC 4469)."""

from __future__ import annotations

import base64
import email
import imaplib
import os
import smtplib

from tests.real.conftest import ANN, BOB, PASSWORDS, Site

LARGE = base64.encodebytes(os.urandom(2_000_000)).replace(b"\n", b"\r\n")
WITH_LARGE = (
    b"Subject: photos\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nlook\r\n"
    b"--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n" + LARGE + b"\r\n--b--\r\n"
)
HEAD = (
    f"From: {ANN}\r\nTo: {BOB}\r\nSubject: Fwd: photos\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Type: text/plain\r\n\r\nsee below\r\n--c\r\n"
).encode()


def said(connection: imaplib.IMAP4_SSL, line: bytes, *literals: bytes) -> tuple[bytes, list[bytes]]:
    """A command that imaplib does not know; the tagged reply, and the lines before it."""
    tag = connection._new_tag()
    pieces = line.split(b"{}")
    data = tag + b" " + pieces[0]
    for literal, piece in zip(literals, pieces[1:], strict=True):
        data += b"{%d+}\r\n%b%b" % (len(literal), literal, piece)
    connection.send(data + b"\r\n")
    lines: list[bytes] = []
    while not lines or not lines[-1].startswith(tag):
        lines.append(connection.readline())
    return lines[-1][len(tag) + 1 :], lines[:-1]


def appended(connection: imaplib.IMAP4_SSL) -> str:
    """The UID of the message, which is in INBOX now."""
    status, (answer,) = connection.append("INBOX", "", "", WITH_LARGE)
    assert status == "OK"
    return uid_of(answer)


def uid_of(answer: bytes) -> str:
    """Out of `[APPENDUID validity uid]`."""
    return answer.partition(b"[APPENDUID ")[2].partition(b"]")[0].split()[1].decode()


def test_an_attachment_is_forwarded_without_a_download(mail: Site) -> None:
    ann = mail.imaps(ANN)
    assert {"URLAUTH", "CATENATE", "URL-PARTIAL"} <= set(ann.capability()[1][0].decode().split())
    part = f"/INBOX/;UID={appended(ann)}/;SECTION=2"
    command = f'APPEND Drafts CATENATE (TEXT {{}} URL "{part}.MIME" URL "{part}" TEXT {{}})'
    reply, _ = said(ann, command.encode(), HEAD, b"\r\n--c--\r\n")
    assert reply.startswith(b"OK [APPENDUID "), reply
    user = ANN.replace("@", "%40")
    rump = f"imap://{user}@localhost/Drafts/;UID={uid_of(reply)};URLAUTH=submit+{user}"
    reply, lines = said(ann, f'GENURLAUTH "{rump}" INTERNAL'.encode())
    assert reply.startswith(b"OK"), reply
    url = lines[0].split(b'"')[1].decode()
    with smtplib.SMTP("localhost", mail.server.port(587), timeout=60) as smtp:
        smtp.starttls(context=mail.tls)
        smtp.ehlo()
        assert smtp.esmtp_features["burl"] == "imap"
        smtp.login(ANN, PASSWORDS[ANN])
        assert smtp.mail(ANN)[0] == 250
        assert smtp.rcpt(BOB)[0] == 250
        assert smtp.docmd("BURL", f"{url} LAST")[0] == 250
        assert smtp.mail(ANN)[0] == 250
        assert smtp.rcpt(BOB)[0] == 250
        assert smtp.docmd("BURL", f"{url.replace('Drafts', 'Sent')} LAST")[0] == 554
    (came,) = mail.messages(BOB)
    parts = email.message_from_bytes(came).get_payload()
    assert isinstance(parts, list)
    assert [part.get_payload(decode=True) for part in parts] == [b"see below", base64.decodebytes(LARGE)]
    ann.logout()


def test_a_part_is_shown_to_another_by_its_url(mail: Site) -> None:
    ann, bob = mail.imaps(ANN), mail.imaps(BOB)
    reader = BOB.partition("@")[0]
    rump = f"imap://{ANN.replace('@', '%40')}@localhost/INBOX/;UID={appended(ann)}/;SECTION=1;URLAUTH=user+{reader}"
    _, lines = said(ann, f'GENURLAUTH "{rump}" INTERNAL'.encode())
    url = lines[0].split(b'"')[1]
    assert said(bob, b'URLFETCH "%b"' % url)[1] == [b'* URLFETCH "%b" {4}\r\n' % url, b"look\r\n"]
    assert said(ann, b'URLFETCH "%b"' % url)[1] == [b'* URLFETCH "%b" NIL\r\n' % url]
    assert said(ann, b"RESETKEY INBOX")[0].startswith(b"OK [URLMECH INTERNAL]")
    assert said(bob, b'URLFETCH "%b"' % url)[1] == [b'* URLFETCH "%b" NIL\r\n' % url]
    ann.logout()
    bob.logout()
