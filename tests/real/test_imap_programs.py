"""curl, mutt, mbsync, offlineimap and fetchmail over TLS: other people's programs, as a user sets them up."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import smtplib
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.real.conftest import ANN, BOB, PASSWORDS, Site

Run = Callable[..., bytes]


def text(subject: str, body: str = "text") -> bytes:
    """A message from Bob to Ann with these."""
    fields = (f"From: {BOB}", f"To: {ANN}", f"Subject: {subject}", f"Message-ID: <{subject}@example.test>")
    return "\r\n".join((*fields, "Date: Sun, 22 Nov 2026 01:00:00 +0000", "", body, "")).encode()


@pytest.fixture
def three(mail: Site) -> Site:
    """Ann has three messages: first, second, third."""
    with smtplib.SMTP_SSL("localhost", mail.server.port(465), context=mail.tls, timeout=60) as smtp:
        smtp.login(BOB, PASSWORDS[BOB])
        for subject in ("first", "second", "third"):
            smtp.sendmail(BOB, [ANN], text(subject, f"the {subject} body"))
    return mail


def mailbox(site: Site, name: str) -> dict[str, set[str]]:
    """The messages of Ann's folder: the flags of each by its subject."""
    found = {}
    with site.imaps(ANN) as connection:
        status, [count] = connection.select(name, readonly=True)
        assert status == "OK", count
        for number in range(1, int(count) + 1):
            _, answer = connection.fetch(str(number), "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
            told = b"".join(piece if isinstance(piece, bytes) else b" ".join(piece) for piece in answer)
            (flags,) = re.findall(rb"FLAGS \(([^()]*)\)", told)
            (subject,) = re.findall(rb"Subject: (\S*)", told)
            found[subject.decode()] = set(flags.decode().split()) - {r"\Recent"}
    return found


# --- curl -----------------------------------------------------------------------------------------


@pytest.fixture
def curl(three: Site, run: Run) -> Run:
    """Runs curl for Ann: the path, then what else."""

    def call(path: str, *options: str) -> bytes:
        login = ("--cacert", three.certificate, "--user", f"{ANN}:{PASSWORDS[ANN]}")
        return run("curl", "-sS", *login, f"imaps://localhost:{three.server.port(993)}/{path}", *options)

    return call


def test_curl_lists_reads_and_searches(curl: Run) -> None:
    listed = {line.rpartition(b" ")[2] for line in curl("").splitlines()}
    assert listed == {b"INBOX", b"Sent", b"Drafts", b"Trash", b"Junk"}
    whole = curl("INBOX;MAILINDEX=2")
    assert whole.endswith(text("second", "the second body"))
    (uid,) = re.findall(rb"UID (\d+)", curl("INBOX", "-X", "FETCH 2 (UID)"))
    assert curl(f"INBOX;UID={uid.decode()}") == whole
    assert curl(f"INBOX;UID={uid.decode()};SECTION=TEXT") == b"the second body\r\n"
    assert curl("INBOX;MAILINDEX=2;SECTION=HEADER.FIELDS%20(Subject)") == b"Subject: second\r\n\r\n"
    assert curl("INBOX?SUBJECT%20THIRD") == b"* SEARCH 3\r\n"
    assert curl("INBOX?TEXT%20first@example") == curl("INBOX?BODY%20%22first%20body%22") == b"* SEARCH 1\r\n"


def test_curl_stores_flags_moves_and_expunges(three: Site, curl: Run, tmp_path: Path) -> None:
    (tmp_path / "message").write_bytes(text("stored"))
    curl("Drafts", "--upload-file", str(tmp_path / "message"))
    assert curl("Drafts;MAILINDEX=1") == text("stored")
    assert b"\\Flagged" in curl("INBOX", "-X", r"STORE 1 +FLAGS (\Flagged)")
    curl("", "-X", "CREATE Projects")
    curl("INBOX", "-X", "MOVE 1 Projects")
    curl("INBOX", "-X", r"STORE 1 +FLAGS.SILENT (\Deleted)")
    assert curl("INBOX", "-X", "EXPUNGE") == b"* 1 EXPUNGE\r\n"
    assert mailbox(three, "INBOX") == {"third": set()}
    assert mailbox(three, "Projects") == {"first": {r"\Flagged"}}


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_curl_signs_in_after_STARTTLS_with_each_mechanism_that_it_knows(three: Site, run: Run, mechanism: str) -> None:
    login = ("--ssl-reqd", "--cacert", three.certificate, "--user", f"{ANN}:{PASSWORDS[ANN]}")
    url = f"imap://localhost:{three.server.port(143)}/INBOX;MAILINDEX=1;SECTION=TEXT"
    assert run("curl", "-sS", *login, "--login-options", f"AUTH={mechanism}", url) == b"the first body\r\n"


# --- mutt -----------------------------------------------------------------------------------------

# In SMTP this mutt gives up after SCRAM-SHA-256-PLUS, for which it cannot bind to TLS 1.3.
MUTT = """\
set folder="imaps://localhost:{imaps}" imap_user="{user}" imap_pass="{password}"
set certificate_file="{certificate}" ssl_force_tls=yes
set spoolfile="+INBOX" record="+Sent" postponed="+Drafts" trash="+Trash"
set smtp_url="smtps://{user}@localhost:{submissions}" smtp_pass="{password}" from="{user}" realname="Ann"
set smtp_authenticators="plain" sleep_time=0
set header_cache="{home}/headers" message_cachedir="{home}/messages"
set imap_condstore=yes imap_qresync=yes imap_idle=yes
set confirmappend=no confirmcreate=no delete=yes quit=yes move=no wait_key=no
"""


def muttrc(site: Site, home: Path) -> Path:
    """Ann's settings of mutt."""
    ports = {"imaps": site.server.port(993), "submissions": site.server.port(465)}
    account = {"user": ANN, "password": PASSWORDS[ANN], "certificate": site.certificate}
    (home / "muttrc").write_text(MUTT.format(home=home, **ports, **account))
    return home / "muttrc"


def mutt(site: Site, home: Path, keys: str) -> None:
    """Mutt in a terminal of its own, with these keys pressed; the last ones end it."""
    if shutil.which("mutt") is None:
        if os.environ.get("CI"):
            pytest.fail("mutt is not installed")
        pytest.skip("mutt is not installed")
    rc = muttrc(site, home)
    process, terminal = pty.fork()
    if not process:
        os.environ.update(TERM="vt100", HOME=str(home), LINES="40", COLUMNS="100")
        os.execvp("mutt", ("mutt", "-n", "-F", str(rc), "-e", f'push "{keys}"'))
    seen, until = b"", time.monotonic() + 30
    try:
        while time.monotonic() < until:
            if select.select([terminal], [], [], 1)[0]:
                seen += os.read(terminal, 65536)
        os.kill(process, signal.SIGKILL)
        pytest.fail(f"mutt waits for something: {seen[-3000:]!r}")
    except OSError:  # it has left its terminal
        pass
    finally:
        os.close(terminal)
        status = os.waitpid(process, 0)[1]
    assert status == 0, seen[-3000:]


def test_mutt_reads_flags_files_searches_and_deletes(three: Site, tmp_path: Path) -> None:
    pipe = f"<pipe-message>cat >{tmp_path}/piped<enter>"
    mutt(
        three,
        tmp_path,
        f"<search>~b 'second body'<enter><display-message><exit>{pipe}<flag-message><sync-mailbox><exit>",
    )
    assert (tmp_path / "piped").read_bytes().endswith(text("second", "the second body").replace(b"\r\n", b"\n"))
    assert mailbox(three, "INBOX") == {"first": set(), "second": {r"\Flagged", r"\Seen"}, "third": set()}
    mutt(three, tmp_path, "<search>~s first<enter><save-message>=Projects<enter><sync-mailbox><exit>")
    mutt(three, tmp_path, "<search>~s third<enter><delete-message><sync-mailbox><exit>")
    assert set(mailbox(three, "INBOX")) == {"second"}
    assert set(mailbox(three, "Projects")) == {"first"}
    assert set(mailbox(three, "Trash")) == {"third"}


def test_mutt_sends_a_message_and_keeps_it_in_Sent(mail: Site, run: Run, tmp_path: Path) -> None:
    rc = muttrc(mail, tmp_path)
    run("mutt", "-n", "-F", str(rc), "-s", "written", BOB, stdin=b"from mutt\n")
    (message,) = mail.messages(BOB)
    assert b"\r\nSubject: written\r\n" in message and message.endswith(b"\r\nfrom mutt\r\n")
    assert mailbox(mail, "Sent") == {"written": {r"\Seen"}}


# --- mbsync ---------------------------------------------------------------------------------------

MBSYNC = """\
IMAPAccount site
Host localhost
Port {imaps}
User {user}
Pass "{password}"
SSLType IMAPS
CertificateFile {certificate}

IMAPStore remote
Account site

MaildirStore local
Path {home}/mail/
Inbox {home}/mail/INBOX
SubFolders Verbatim

Channel all
Far :remote:
Near :local:
Patterns *
Create Both
Expunge Both
Remove Both
SyncState *
"""


@pytest.fixture
def mbsync(three: Site, run: Run, tmp_path: Path) -> Callable[[], Path]:
    """Synchronises all folders with a directory of maildirs, and gives that directory."""
    account = {"user": ANN, "password": PASSWORDS[ANN], "certificate": three.certificate}
    (tmp_path / "mbsyncrc").write_text(MBSYNC.format(imaps=three.server.port(993), home=tmp_path, **account))
    (tmp_path / "mail").mkdir()

    def call() -> Path:
        run("mbsync", "-q", "-c", str(tmp_path / "mbsyncrc"), "-a")
        return tmp_path / "mail"

    return call


def kept(maildir: Path) -> dict[str, Path]:
    """The files of a maildir by the subjects in them."""
    files = [file for part in ("cur", "new") for file in (maildir / part).iterdir()]
    return {re.search(rb"^Subject: (\S*)", file.read_bytes(), re.MULTILINE)[1].decode(): file for file in files}


def test_mbsync_carries_messages_flags_folders_and_removals_both_ways(three: Site, mbsync: Callable[[], Path]) -> None:
    local = mbsync()
    assert set(kept(local / "INBOX")) == {"first", "second", "third"}
    octets = re.sub(rb"X-TUID: .*\n", b"", kept(local / "INBOX")["second"].read_bytes())  # mbsync's own
    assert octets.endswith(text("second", "the second body").replace(b"\r\n", b"\n"))

    file = kept(local / "INBOX")["first"]  # flagged and seen here, and one that is new, in a folder that is new
    file.rename(local / "INBOX" / "cur" / f"{file.name.partition(':')[0]}:2,FS")
    for part in ("cur", "new", "tmp"):
        (local / "Ideen" / part).mkdir(parents=True)
    (local / "Ideen" / "cur" / "1.made.here:2,S").write_bytes(text("mine").replace(b"\r\n", b"\n"))
    kept(local / "INBOX")["second"].unlink()
    with three.imaps(ANN) as there:  # removed and answered there
        there.select()
        there.store("3", "+FLAGS", r"(\Answered)")
        there.create("There")
        there.append("There", None, None, text("theirs"))
    mbsync()

    assert mailbox(three, "INBOX") == {"first": {r"\Flagged", r"\Seen"}, "third": {r"\Answered"}}
    assert mailbox(three, "Ideen") == {"mine": {r"\Seen"}}
    assert set(kept(local / "There")) == {"theirs"}
    assert kept(local / "INBOX")["third"].name.endswith(":2,R")
    before = {path: path.stat().st_mtime_ns for path in local.rglob("*/cur/*")}
    mbsync()
    assert {path: path.stat().st_mtime_ns for path in local.rglob("*/cur/*")} == before


# --- offlineimap, fetchmail -----------------------------------------------------------------------

OFFLINEIMAP = """\
[general]
accounts = site
metadata = {home}/metadata
ui = quiet
[Account site]
localrepository = local
remoterepository = remote
[Repository local]
type = Maildir
localfolders = {home}/mail
[Repository remote]
type = IMAP
remotehost = localhost
remoteport = {imaps}
remoteuser = {user}
remotepass = {password}
ssl = yes
sslcacertfile = {certificate}
usecompression = yes
"""


def test_offlineimap_synchronises_both_ways_compressed(three: Site, run: Run, tmp_path: Path) -> None:
    account = {"user": ANN, "password": PASSWORDS[ANN], "certificate": three.certificate}
    (tmp_path / "rc").write_text(OFFLINEIMAP.format(imaps=three.server.port(993), home=tmp_path, **account))
    run("offlineimap", "-c", str(tmp_path / "rc"), "-o")
    assert set(kept(tmp_path / "mail" / "INBOX")) == {"first", "second", "third"}
    (tmp_path / "mail" / "Drafts" / "new" / "1.made.here").write_bytes(text("mine").replace(b"\r\n", b"\n"))
    kept(tmp_path / "mail" / "INBOX")["second"].unlink()
    run("offlineimap", "-c", str(tmp_path / "rc"), "-o")
    assert set(mailbox(three, "INBOX")) == {"first", "third"}
    assert set(mailbox(three, "Drafts")) == {"mine"}


def test_fetchmail_takes_the_mail_away(three: Site, run: Run, tmp_path: Path) -> None:
    place = f"poll localhost service {three.server.port(993)} proto imap"
    login = f'username "{ANN}" password "{PASSWORDS[ANN]}" ssl sslcertfile {three.certificate} sslcertck'
    rc = tmp_path / "fetchmailrc"
    rc.write_text(f'{place} {login} no keep mda "cat >>{tmp_path}/fetched"\n')
    rc.chmod(0o600)
    environment = {**os.environ, "HOME": str(tmp_path), "FETCHMAILHOME": str(tmp_path)}
    if shutil.which("fetchmail") is None:
        run("fetchmail")
    done = subprocess.run(
        ("fetchmail", "-f", str(rc), "--all"), capture_output=True, env=environment, timeout=60, check=False
    )
    assert done.returncode == 0, done
    fetched = (tmp_path / "fetched").read_bytes()
    assert [fetched.count(b"\nthe %b body\n" % subject) for subject in (b"first", b"second", b"third")] == [1, 1, 1]
    assert mailbox(three, "INBOX") == {}
