"""IMAP in the whole server: signed in over TLS, mail comes by SMTP and is told to who idles, compressed or not."""

from __future__ import annotations

import imaplib
import smtplib
import ssl
import zlib

from worldmail.testing.process import ServerProcess

SMTP, IMAP, IMAPS = 25, 143, 993
ADDRESS = "ann@example.test"


def unverified() -> ssl.SSLContext:
    """The certificate has signed itself."""
    return ssl._create_unverified_context()


def deliver(server: ServerProcess, subject: str) -> None:
    """A message for Ann."""
    with smtplib.SMTP("127.0.0.1", server.port(SMTP), timeout=60) as smtp:
        smtp.sendmail("eve@elsewhere.test", [ADDRESS], f"Subject: {subject}\r\n\r\ntext\r\n")


def test_mail_is_told_to_who_idles_and_read(server: ServerProcess) -> None:
    server.start()
    server.add_user(ADDRESS, "correct horse")
    client = imaplib.IMAP4_SSL("127.0.0.1", server.port(IMAPS), timeout=60, ssl_context=unverified())
    client.login(ADDRESS, "correct horse")
    assert client.select("INBOX") == ("OK", [b"0"])
    client.send(b"i IDLE\r\n")
    assert client.readline().startswith(b"+ ")
    deliver(server, "first")
    assert client.readline() == b"* 1 EXISTS\r\n"
    client.send(b"DONE\r\n")
    while not client.readline().startswith(b"i OK "):
        pass
    status, [(_, text), _] = client.fetch("1", "(BODY.PEEK[])")
    assert status == "OK" and text.endswith(b"Subject: first\r\n\r\ntext\r\n")
    client.logout()


def test_the_same_in_a_compressed_session_that_began_in_the_clear(server: ServerProcess) -> None:
    server.start()
    server.add_user(ADDRESS, "correct horse")
    client = imaplib.IMAP4("127.0.0.1", server.port(IMAP), timeout=60)
    assert "LOGINDISABLED" in client.capabilities
    client.starttls(unverified())
    client.login(ADDRESS, "correct horse")
    client.send(b"c COMPRESS DEFLATE\r\n")
    assert client.readline().startswith(b"c OK ")
    squeeze, expand = zlib.compressobj(6, zlib.DEFLATED, -15), zlib.decompressobj(-15)

    def said(line: bytes, end: bytes) -> bytes:
        client.send(squeeze.compress(line) + squeeze.flush(zlib.Z_SYNC_FLUSH))
        return heard(end)

    def heard(end: bytes) -> bytes:
        data = b""
        while end not in data:
            data += expand.decompress(client.sock.recv(65536))
        return data

    said(b"s SELECT INBOX\r\n", b"s OK ")
    said(b"i IDLE\r\n", b"+ ")
    deliver(server, "second")
    heard(b"* 1 EXISTS\r\n")
    said(b"DONE\r\n", b"i OK ")
    assert b"Subject: second\r\n" in said(b"f FETCH 1 BODY.PEEK[]\r\n", b"f OK ")
    said(b"u UNAUTHENTICATE\r\n", b"u OK UNAUTHENTICATE completed\r\n")
    client.send(b"n LOGIN " + ADDRESS.encode() + b' "correct horse"\r\n')
    assert client.readline().startswith(b"n OK ")
