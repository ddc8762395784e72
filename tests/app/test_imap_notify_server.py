"""NOTIFY in the whole server: mail and folders of other processes are told to a client that asks for nothing."""

from __future__ import annotations

import imaplib
import smtplib
import ssl

from worldmail.testing.process import ServerProcess

ADDRESS = "ann@example.test"


def test_what_happens_elsewhere_is_told_at_any_time(server: ServerProcess) -> None:
    server.start()
    server.add_user(ADDRESS, "correct horse")
    context = ssl._create_unverified_context()
    client = imaplib.IMAP4_SSL("127.0.0.1", server.port(993), timeout=60, ssl_context=context)
    client.login(ADDRESS, "correct horse")
    assert b"NOTIFY" in client.capability()[1][0].split()
    client.select("Sent")
    client.send(
        b"n NOTIFY SET (SELECTED (MessageNew MessageExpunge)) (PERSONAL (MessageNew MessageExpunge MailboxName))"
        b' (SUBTREE "Shared Folders" (MailboxName))\r\n'
    )
    assert client.readline().startswith(b"n OK ")
    with smtplib.SMTP("127.0.0.1", server.port(25), timeout=60) as smtp:
        smtp.sendmail("eve@elsewhere.test", [ADDRESS], "Subject: x\r\n\r\ntext\r\n")
    assert client.readline() == b"* STATUS INBOX (UIDNEXT 2 MESSAGES 1)\r\n"
    server.command("folder", "add", ADDRESS, "Work")
    assert client.readline() == b'* LIST (\\HasNoChildren) "/" Work\r\n'
    server.command("folder", "add", "example.test", "News")
    told = {client.readline(), client.readline()}
    assert b'* LIST (\\HasNoChildren) "/" "Shared Folders/News"\r\n' in told
    assert client.noop()[0] == "OK"
    client.logout()
