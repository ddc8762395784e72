"""imaplib and IMAPClient over TLS: mail is sent, read, filed, flagged, searched and deleted, by two at once."""

from __future__ import annotations

import email
import email.policy
import imaplib
import re
import smtplib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import pytest
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError, LoginError

from tests.real.conftest import ANN, BOB, PASSWORDS, Site

DELETED, SEEN, FLAGGED = rb"\Deleted", rb"\Seen", rb"\Flagged"


def text(subject: str, body: str = "text", *, sender: str = BOB, to: str = ANN) -> bytes:
    """A message with these."""
    fields = (f"From: {sender}", f"To: {to}", f"Subject: {subject}", "Date: Sun, 22 Nov 2026 01:00:00 +0000")
    return "\r\n".join((*fields, "", body, "")).encode()


def send(site: Site, subject: str, body: str = "text") -> None:
    """From Bob to Ann, signed in, by submission."""
    with smtplib.SMTP_SSL("localhost", site.server.port(465), context=site.tls, timeout=60) as smtp:
        smtp.login(BOB, PASSWORDS[BOB])
        smtp.sendmail(BOB, [ANN], text(subject, body))


@pytest.fixture
def client(mail: Site) -> Iterator[IMAPClient]:
    """Ann's IMAPClient."""
    with IMAPClient("localhost", port=mail.server.port(993), ssl_context=mail.tls, timeout=60) as connection:
        connection.login(ANN, PASSWORDS[ANN])
        yield connection


@pytest.fixture
def other(mail: Site) -> Iterator[imaplib.IMAP4_SSL]:
    """Ann's imaplib."""
    with mail.imaps(ANN) as connection:
        yield connection


# --- one client -----------------------------------------------------------------------------------


def test_imaplib_reads_what_was_submitted(mail: Site, other: imaplib.IMAP4_SSL) -> None:
    send(mail, "hello", "read me")
    assert other.select() == ("OK", [b"1"])
    status, [(_, octets), _] = other.fetch("1", "(RFC822)")
    assert status == "OK" and octets.endswith(b"\r\n\r\nread me\r\n")
    assert without_recent(imaplib.ParseFlags(other.fetch("1", "(FLAGS)")[1][0])) == {SEEN}


def test_imaplib_stores_a_message_with_flags_and_date(mail: Site, other: imaplib.IMAP4_SSL) -> None:
    when = datetime(2025, 2, 3, 4, 5, 6, tzinfo=UTC)
    status, [told] = other.append("Sent", r"(\Seen $Forwarded)", when, text("kept"))
    assert status == "OK" and re.match(rb"\[APPENDUID \d+ \d+\]", told)
    other.select("Sent", readonly=True)
    _, [answer] = other.fetch("1", "(FLAGS INTERNALDATE RFC822.SIZE)")
    assert without_recent(imaplib.ParseFlags(answer)) == {SEEN, b"$Forwarded"}
    assert b'INTERNALDATE "03-Feb-2025 04:05:06 +0000"' in answer
    assert answer.endswith(b"RFC822.SIZE %d)" % len(text("kept")))


def test_imaplib_enables_what_was_announced_before_it_signed_in(mail: Site, other: imaplib.IMAP4_SSL) -> None:
    assert "IDLE" in other.capabilities
    assert other.enable("UTF8=ACCEPT") == ("OK", [b"ENABLE completed"])
    assert other.utf8_enabled


def test_imaplib_signs_in_with_PLAIN_and_after_STARTTLS(mail: Site) -> None:
    with imaplib.IMAP4("localhost", mail.server.port(143), timeout=60) as connection:
        with pytest.raises(imaplib.IMAP4.error, match="PRIVACYREQUIRED"):
            connection.login(ANN, PASSWORDS[ANN])
        connection.starttls(mail.tls)
        connection.authenticate("PLAIN", lambda _: f"\0{ANN}\0{PASSWORDS[ANN]}".encode())
        assert connection.state == "AUTH"


def test_IMAPClient_sees_the_folders_that_every_account_has(client: IMAPClient) -> None:
    folders = {name: set(attributes) for attributes, _, name in client.list_folders()}
    assert set(folders) == {"INBOX", "Sent", "Drafts", "Trash", "Junk"}
    assert [client.find_special_folder(use) for use in (rb"\Sent", rb"\Trash", rb"\Junk")] == ["Sent", "Trash", "Junk"]
    assert {name for _, _, name in client.list_sub_folders()} == set(folders)
    assert client.namespace().personal == (("", "/"),)


def test_IMAPClient_makes_renames_and_removes_folders_with_names_of_any_script(client: IMAPClient) -> None:
    client.create_folder("Über/日本語 & mehr")
    assert client.folder_exists("Über") and client.folder_exists("Über/日本語 & mehr")
    client.rename_folder("Über", "Ordner")
    assert client.folder_exists("Ordner/日本語 & mehr") and not client.folder_exists("Über")
    client.subscribe_folder("Ordner/日本語 & mehr")
    assert "Ordner/日本語 & mehr" in [name for _, _, name in client.list_sub_folders()]
    client.delete_folder("Ordner/日本語 & mehr")
    client.delete_folder("Ordner")
    assert not client.folder_exists("Ordner")
    with pytest.raises(IMAPClientError, match="NONEXISTENT"):
        client.select_folder("Ordner")


def test_IMAPClient_reads_envelope_structure_and_parts(client: IMAPClient) -> None:
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    message["From"], message["To"], message["Subject"] = f"Zoë <{BOB}>", ANN, "Grüße"
    message["Date"] = "Sun, 22 Nov 2026 01:00:00 +0000"
    message.set_content("Hallo, schöne Welt\r\n")
    message.add_attachment(bytes(range(256)), maintype="application", subtype="octet-stream", filename="all.bin")
    client.append("INBOX", message.as_bytes())
    client.select_folder("INBOX")
    items = ["ENVELOPE", "BODYSTRUCTURE", "BODY.PEEK[2]", "BODY.PEEK[]", "RFC822.SIZE"]
    (found,) = client.fetch(client.search(), items).values()
    envelope = found[b"ENVELOPE"]
    assert envelope.date.astimezone(UTC) == datetime(2026, 11, 22, 1, tzinfo=UTC)
    assert email.header.make_header(email.header.decode_header(envelope.subject.decode())) == "Grüße"
    assert str(envelope.to[0]) == ANN and envelope.from_[0].mailbox == b"bob"
    structure = found[b"BODYSTRUCTURE"]
    assert structure.is_multipart and [part[1] for part in structure[0]] == [b"plain", b"octet-stream"]
    assert found[b"BODY[]"] == message.as_bytes() and found[b"RFC822.SIZE"] == len(message.as_bytes())
    assert found[b"BODY[2]"].replace(b"\r\n", b"") in message.as_bytes().replace(b"\r\n", b"")
    assert not {SEEN} & set(client.get_flags(client.search()))


def test_IMAPClient_searches_sorts_and_threads(client: IMAPClient) -> None:
    uids = []
    for number, subject in enumerate(("charlie", "Re: alpha", "alpha")):
        when = datetime(2026, 1, 1 + number, tzinfo=UTC)
        answer = client.append("INBOX", text(subject, f"body {number} größer"), msg_time=when)
        uids.append(appended(answer))
    client.select_folder("INBOX")
    assert client.search(["SUBJECT", "ALPHA"]) == uids[1:]
    assert client.search(["TEXT", "dy 2 grö"], "UTF-8") == uids[2:]
    assert client.search(["NOT", ["SUBJECT", "alpha"], "UNSEEN"]) == uids[:1]
    assert client.search(["SINCE", date(2026, 1, 1), "LARGER", 10]) == uids
    assert client.sort("SUBJECT") == [uids[1], uids[2], uids[0]]
    assert client.sort(["REVERSE ARRIVAL"]) == uids[::-1]
    assert sorted(map(sorted, client.thread("REFERENCES"))) == [[uids[0]], uids[1:]]


def appended(answer: bytes) -> int:
    """The UID that APPEND told."""
    return int(re.search(rb"APPENDUID \d+ (\d+)", answer)[1])


def test_IMAPClient_is_told_rights_quota_and_identity(mail: Site, client: IMAPClient) -> None:
    client.setacl("Sent", BOB, "lr")
    assert (BOB.encode(), b"lr") in [(who, rights) for who, rights in client.getacl("Sent")]
    mail.server.command("user", "set", ANN, "quota=50MB")
    try:
        root, (quota, mailboxes) = client.get_quota_root("INBOX")
        assert (root.quota_roots, quota.resource, mailboxes.resource) == ([ANN], "STORAGE", "MAILBOX")
        assert quota.limit == 50_000_000 // 1024 and quota.usage == 0
    finally:
        mail.server.command("user", "set", ANN, "quota=none")
    assert client.id_({"name": "IMAPClient"})[0][:2] == (b"name", b"WorldMail")


def test_IMAPClient_is_told_why_a_wrong_password_is_refused(mail: Site) -> None:
    with (
        IMAPClient("localhost", port=mail.server.port(993), ssl_context=mail.tls, timeout=60) as connection,
        pytest.raises(LoginError, match="AUTHENTICATIONFAILED"),
    ):
        connection.login(ANN, "wrong")


# --- two at once ----------------------------------------------------------------------------------


@contextmanager
def told_while_idling(client: IMAPClient, expected: Callable[[tuple[Any, ...]], bool]) -> Iterator[None]:
    """What is done inside of the block is told to a client in IDLE."""
    client.idle()
    yield
    everything: list[object] = []
    while not any(map(expected, told := client.idle_check(timeout=20))):
        assert told, f"told was only {everything}"
        everything += told
    client.idle_done()


def without_recent(flags: Iterable[bytes]) -> set[bytes]:
    """All others."""
    return set(flags) - {rb"\Recent"}


def test_what_one_client_does_the_other_is_told_and_both_end_with_the_same(
    mail: Site, client: IMAPClient, other: imaplib.IMAP4_SSL
) -> None:
    other.create("Projects")
    client.select_folder("INBOX")
    other.select("INBOX")
    with told_while_idling(client, lambda told: told == (3, b"EXISTS")):
        for subject in ("first", "second", "third"):
            send(mail, subject)
    uids = client.search("ALL")
    other.noop()
    assert other.untagged_responses["EXISTS"][-1] == b"3"

    flagged = {FLAGGED, b"work"}
    with told_while_idling(client, lambda told: told[:2] == (2, b"FETCH") and without_recent(told[2][3]) == flagged):
        other.store("2", "+FLAGS", r"(\Flagged work)")
    with told_while_idling(client, lambda told: told == (1, b"EXPUNGE")):
        other.uid("MOVE", str(uids[0]), "Projects")
    client.set_flags(uids[2], [DELETED])
    assert client.expunge([uids[2]]) is not None

    assert client.search("ALL") == [uids[1]]
    assert other.uid("SEARCH", "ALL") == ("OK", [b"%d" % uids[1]])
    assert without_recent(client.get_flags([uids[1]])[uids[1]]) == {FLAGGED, b"work"}
    assert other.select("Projects") == ("OK", [b"1"])
    assert b"Subject: first" in other.fetch("1", "(BODY.PEEK[HEADER])")[1][0][1]
    client.select_folder("Projects")
    assert list(client.search("ALL")) == [1]


def test_IMAPClient_sees_what_came_before_its_IDLE(mail: Site, client: IMAPClient) -> None:
    client.capabilities()  # it asks for them before its first IDLE
    client.select_folder("INBOX")
    send(mail, "first")
    with told_while_idling(client, lambda told: told == (1, b"EXISTS")):
        pass


def test_IMAPClient_copies_and_moves(client: IMAPClient) -> None:
    uids = [appended(client.append("INBOX", text(str(number)))) for number in range(3)]
    client.create_folder("Kept")
    client.select_folder("INBOX")
    client.copy(uids, "Kept")
    client.move(uids[:2], "Kept")
    assert client.search("ALL") == uids[2:]
    client.select_folder("Kept")
    assert client.search("ALL") == [1, 2, 3, 4, 5]
    subjects = [b"0", b"1", b"2", b"0", b"1"]
    assert [one[b"ENVELOPE"].subject for one in client.fetch(client.search(), "ENVELOPE").values()] == subjects


def test_a_shared_folder_is_read_by_another_with_a_Seen_of_its_own(mail: Site, client: IMAPClient) -> None:
    client.create_folder("Plans")
    client.append("Plans", text("for both"), flags=[SEEN])
    client.setacl("Plans", BOB, "lrs")
    with mail.imaps(BOB) as bobs:
        assert any(b"Other Users/" + ANN.encode() + b"/Plans" in line for line in bobs.list()[1])
        assert bobs.select(f'"Other Users/{ANN}/Plans"') == ("OK", [b"1"])
        assert bobs.search(None, "UNSEEN") == ("OK", [b"1"])
        assert bobs.store("1", "+FLAGS", r"(\Flagged)")[0] == "NO"
        assert bobs.fetch("1", "(RFC822)")[0] == "OK"
        assert bobs.search(None, "SEEN") == ("OK", [b"1"])
    client.select_folder("Plans")
    assert client.get_flags([1]) == {1: (SEEN,)}
