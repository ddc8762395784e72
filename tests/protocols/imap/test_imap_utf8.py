"""UTF8=ACCEPT at the wire, section by section (RFC 6855; RFC 9755, which replaces it)."""

from __future__ import annotations

import base64

import pytest

from tests.protocols.imap.conftest import ImapSite
from worldmail.mail.mime.scan import scan
from worldmail.mail.mime.structure import render_structure
from worldmail.testing.imap import ImapClient, ImapServer, talk_in_all_ways
from worldmail.testing.real_store import RealStoreWorld

NAME = "Entwürfe"
UTF7, UTF8 = b"Entw&APw-rfe", NAME.encode()
ENABLING = [b"UTF8=ACCEPT", b"IMAP4rev2"]
RAW = "Subject: grüße\r\nFrom: Jü <jü@example.test>\r\n\r\ntext\r\n".encode()
INTERNATIONAL = (
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n"
    b"--b\r\nContent-Type: message/global\r\nContent-Disposition: attachment\r\n\r\n" + RAW + b"\r\n--b--\r\n"
)
ALONE = b"Content-Type: message/global; x=y\r\nContent-ID: <i>\r\n\r\nContent-Type: message/global\r\n\r\n" + RAW


def enabled(site: ImapSite, name: bytes) -> ImapClient:
    """Bob, who enabled this."""
    client = site.client()
    assert client.say(b"ENABLE " + name).status == b"OK"
    return client


# --- §3: the capability, strings and names ---


def test_UTF8_ACCEPT_is_announced_and_UTF8_ONLY_is_not(bob: ImapClient) -> None:
    # RFC 6855 §6
    (line,) = bob.say(b"CAPABILITY").untagged
    assert b"UTF8=ACCEPT" in line.split() and b"UTF8=ONLY" not in line
    assert bob.say(b"ENABLE UTF8=ONLY UTF8=ALL UTF8=APPEND").untagged == [b"* ENABLED"]
    assert not bob.session.utf8


def test_ENABLE_needs_a_login_and_is_over_with_it(site: ImapSite) -> None:
    client = site.server.connect()
    assert client.say(b"ENABLE UTF8=ACCEPT").status == b"BAD"
    client.login(b"bob@example.test")
    assert client.say(b"ENABLE UTF8=ACCEPT").untagged == [b"* ENABLED UTF8=ACCEPT"]
    assert client.say(b"ENABLE utf8=accept").untagged == [b"* ENABLED"]
    assert client.say(b'CREATE "' + UTF8 + b'"').status == b"OK"
    assert b'"' + UTF8 + b'"' in client.say(b'LIST "" *').raw
    assert client.say(b"UNAUTHENTICATE").status == b"OK"
    client.login(b"bob@example.test")
    told = client.say(b'LIST "" *').raw
    assert told.isascii() and UTF7 in told


TELLING = (
    b'LIST "" "Entw*"',
    b'LIST "" "Entw*" RETURN (STATUS (MESSAGES) MYRIGHTS)',
    b'LSUB "" "*"',
    b"STATUS {} (MESSAGES UIDNEXT)",
    b"MYRIGHTS {}",
    b"GETACL {}",
    b"LISTRIGHTS {} bob@example.test",
    b"GETQUOTAROOT {}",
    b"GETMETADATA {} /private/comment",
    b'ESEARCH IN (mailboxes "{}") RETURN (COUNT) ALL',
    b"NOTIFY SET STATUS (PERSONAL (MessageNew MessageExpunge))",
    b"SELECT {}",
)


@pytest.mark.parametrize("enabling", ENABLING)
def test_names_are_in_UTF_8_wherever_they_are_told_once_it_is_enabled(site: ImapSite, enabling: bytes) -> None:
    before, after = site.client(), enabled(site, enabling)
    for command in (b"CREATE ", b"SUBSCRIBE "):
        assert before.say(command + UTF7).status == b"OK"
    before.say(b"APPEND " + UTF7 + b" {}", b"A: b\r\n\r\n")
    before.say(b"SETMETADATA " + UTF7 + b' (/private/comment "c")')
    for command in TELLING:
        told = before.say(command.replace(b"{}", UTF7))
        assert told.status == b"OK" and told.raw.isascii(), command
        assert UTF7 in told.raw or command.startswith(b"SELECT"), command
        name = UTF8 if b'"{}"' in command else b'"' + UTF8 + b'"'
        told = after.say(command.replace(b"{}", name))
        assert told.status == b"OK", command
        assert UTF7 not in told.raw
        assert b'"' + UTF8 + b'"' in told.raw or (command.startswith(b"SELECT") and enabling == b"UTF8=ACCEPT"), command


def test_names_of_others_and_their_prefixes_are_too(site: ImapSite) -> None:
    site.add("jü")
    other = site.server.connect().login("jü@example.test".encode())
    assert other.say(b"SETACL INBOX bob@example.test lra").status == b"OK"
    before, after = site.client(), enabled(site, b"UTF8=ACCEPT")
    listed = before.say(b'LIST "" "Other Users/*"').raw
    assert listed.isascii() and b"Other Users/j&APw-@example.test" in listed
    name = '"Other Users/jü@example.test/INBOX"'.encode()
    assert name in after.say(b'LIST "" "Other Users/*"').raw
    assert ' "jü@example.test" '.encode() in after.say(b"GETACL " + name).raw
    acl = before.say(b'GETACL "Other Users/j&APw-@example.test/INBOX"').raw
    assert " {16}\r\njü@example.test ".encode() in acl  # an identifier: in a literal, not in quotes
    for one in (before, after):
        assert one.say(b"NAMESPACE").raw.isascii()


def test_modified_UTF_7_is_what_it_is_written_as_once_UTF_8_is_enabled(site: ImapSite) -> None:
    client = enabled(site, b"UTF8=ACCEPT")
    assert client.say(b"CREATE " + UTF7).status == b"OK"
    assert UTF7 in client.say(b'LIST "" "Entw*"').raw
    assert site.client().say(b'LIST "" "Entw*"').of(b"LIST")[0].endswith(b"Entw&-APw-rfe")


@pytest.mark.parametrize("enabling", [b"CONDSTORE", *ENABLING])
@pytest.mark.parametrize(
    "octets", [b"\xff", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"gr\xfc\xdfe"]
)
def test_what_is_quoted_and_not_UTF_8_is_refused_with_BAD(site: ImapSite, enabling: bytes, octets: bytes) -> None:
    client = enabled(site, enabling)
    client.say(b"SELECT INBOX")
    for command in (
        *(b'CREATE "%b"', b'STATUS "%b" (MESSAGES)', b'LIST "" "%b*"', b'ID ("name" "%b")', b'SEARCH SUBJECT "%b"'),
        *(b'SETACL INBOX "%b" lr', b'FETCH 1 BODY[HEADER.FIELDS ("%b")]', b'SETMETADATA INBOX (/private/c "%b")'),
    ):
        assert client.say(command % octets).status == b"BAD", command


@pytest.mark.parametrize("enabling", ENABLING)
@pytest.mark.parametrize("character", ["\x01", "\x1f", "\x7f", "\x80", "\x9f", "\u2028", "\u2029"])
def test_names_hold_no_controls_and_separators(site: ImapSite, enabling: bytes, character: str) -> None:
    # RFC 6855 §3, RFC 5198 §2
    done = enabled(site, enabling).say(f'CREATE "a{character}b"'.encode())
    assert done.status in (b"NO", b"BAD")


def test_names_are_composed(site: ImapSite) -> None:
    # RFC 5198 §2
    client = enabled(site, b"UTF8=ACCEPT")
    assert client.say('CREATE "Entwu\u0308rfe"'.encode()).status == b"OK"
    assert b'"' + UTF8 + b'"' in client.say(b'LIST "" "Entw*"').raw


def test_a_charset_is_named_in_no_SEARCH_after_UTF8_ACCEPT(site: ImapSite) -> None:
    client, rev2 = enabled(site, b"UTF8=ACCEPT"), enabled(site, b"IMAP4rev2")
    for one in (client, rev2):
        one.say(b"SELECT INBOX")
    for command in (b"SEARCH", b"UID SEARCH", b"SEARCH RETURN (COUNT)", b"ESEARCH IN (selected)"):
        for charset in (b"UTF-8", b"US-ASCII", b"X-NONE"):
            assert client.say(b"%b CHARSET %b ALL" % (command, charset)).status == b"BAD"
        assert rev2.say(b"%b CHARSET UTF-8 ALL" % command).status == b"OK"  # RFC 9051 §6.4.4
        assert client.say(command + ' SUBJECT "grüße"'.encode()).status == b"OK"
    assert client.say(b"SORT (SUBJECT) UTF-8 ALL").status == b"OK"  # whose grammar has one always


def test_such_a_dialogue_is_the_same_however_it_is_cut() -> None:
    said = talk_in_all_ways(
        ImapServer.make,
        [
            b"1 LOGIN bob@example.test secret\r\n2 ENABLE UTF8=ACCEPT\r\n",
            '3 ID ("name" "grü'.encode()[:-1],
            "ü".encode()[1:] + b'\xc3\x9fe")\r\n4 ID ("name" "\xff")\r\n5 ID NIL\r\n',
        ],
    )
    lines = [line for line in said.split(b"\r\n") if not line.startswith(b"*")]
    assert [line.split()[1] for line in lines if line] == [b"OK", b"OK", b"OK", b"BAD", b"OK"]


# --- §4: APPEND ---


@pytest.mark.parametrize("command", [b"APPEND INBOX UTF8 (~{})", b"APPEND INBOX UTF8 (~{+})", b"APPEND INBOX {}"])
def test_UTF_8_headers_are_stored_once_it_is_enabled(command: bytes) -> None:
    site = ImapSite.make(append_8bit_headers=False)
    assert site.client().say(command, RAW).status in (b"NO", b"BAD")
    client = enabled(site, b"UTF8=ACCEPT")
    assert client.say(command, RAW).status == b"OK"
    client.say(b"SELECT INBOX")
    assert RAW in client.say(b"FETCH 1 BODY.PEEK[]").raw


@pytest.mark.parametrize(
    "command", [b"APPEND INBOX {}", b"APPEND INBOX ~{}", b"APPEND INBOX CATENATE (TEXT {})", b"UID REPLACE 1 INBOX {}"]
)
def test_without_it_they_are_refused_with_NO_where_the_site_says_so(command: bytes) -> None:
    site = ImapSite.make(append_8bit_headers=False)
    client = site.client()
    assert client.say(b"APPEND INBOX {}", b"A: b\r\n\r\n").status == b"OK"
    client.say(b"SELECT INBOX")
    done = client.say(command, RAW)
    assert (done.status, done.code) == (b"NO", b"CANNOT")
    assert client.say(b"STATUS INBOX (MESSAGES)").of(b"STATUS") == [b"* STATUS INBOX (MESSAGES 1)"]


# --- §5: names and passwords ---


def test_names_and_passwords_in_UTF_8_are_taken_by_AUTHENTICATE() -> None:
    store = RealStoreWorld.make()
    store.add_account("jü@example.test", "pässwörd")
    server = ImapServer.over(store.world)
    plain = base64.b64encode("\0jü@example.test\0pässwörd".encode())
    assert server.connect().say(b"AUTHENTICATE PLAIN " + plain).status == b"OK"
    for octets in (b"\0j\xfc@example.test\0x", "\0jü@example.test\0password".encode()):
        assert server.connect().say(b"AUTHENTICATE PLAIN " + base64.b64encode(octets)).status in (b"NO", b"BAD")


def test_LOGIN_understands_them_too_but_no_other_octets() -> None:
    store = RealStoreWorld.make()
    store.add_account("jü@example.test", "pässwörd")
    server = ImapServer.over(store.world)
    name, password = "jü@example.test".encode(), "pässwörd".encode()
    assert server.connect().say(b'LOGIN "%b" "%b"' % (name, password)).status == b"OK"
    assert server.connect().say(b"LOGIN {} {}", name, password).status == b"OK"
    assert server.connect().say(b"LOGIN {} {}", b"j\xfc@example.test", password).status == b"BAD"


# --- RFC 9755 §6: message/global ---


@pytest.mark.parametrize("message", [INTERNATIONAL, ALONE])
@pytest.mark.parametrize("enabling", ENABLING)
def test_message_global_has_envelope_and_structure_once_UTF_8_is_enabled(message: bytes, enabling: bytes) -> None:
    site = ImapSite.make()
    site.store.add(site.accounts["bob"], message)
    client = enabled(site, enabling)
    client.say(b"SELECT INBOX")
    structure = render_structure(scan(message))
    assert b'"message" "global"' in structure and "grüße".encode() in structure
    assert client.say(b"FETCH 1 BODYSTRUCTURE").raw.startswith(b"* 1 FETCH (BODYSTRUCTURE %b)\r\n" % structure)


def test_to_others_message_global_is_a_part_like_others(bob: ImapClient, site: ImapSite) -> None:
    site.store.add(site.accounts["bob"], INTERNATIONAL, ALONE)
    bob.say(b"SELECT INBOX")
    text = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 4 0'
    part = b'("message" "global" NIL NIL NIL "7bit" %d' % len(RAW)
    whole = b'%b NIL NIL NIL NIL)%b NIL ("attachment" NIL) NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL' % (
        text,
        part,
    )
    assert bob.say(b"FETCH 1 BODYSTRUCTURE").of(b"FETCH") == [b"* 1 FETCH (BODYSTRUCTURE (%b))" % whole]
    assert bob.say(b"FETCH 1 BODY").of(b"FETCH") == [b'* 1 FETCH (BODY (%b)%b) "mixed"))' % (text, part)]
    alone = b'("message" "global" ("x" "y") "<i>" NIL "7bit" %d' % (len(ALONE) - ALONE.index(b"\r\n\r\n") - 4)
    assert bob.say(b"FETCH 2 BODYSTRUCTURE").of(b"FETCH") == [b"* 2 FETCH (BODYSTRUCTURE %b NIL NIL NIL NIL))" % alone]
    assert bob.say(b"FETCH 2 BODY").of(b"FETCH") == [b"* 2 FETCH (BODY %b))" % alone]
    assert RAW in bob.say(b"FETCH 1 BODY.PEEK[2]").raw


def test_message_rfc822_stays_what_it_is_around_it(bob: ImapClient, site: ImapSite) -> None:
    message = b"Content-Type: message/rfc822\r\n\r\nSubject: outer\r\n" + INTERNATIONAL
    site.store.add(site.accounts["bob"], message)
    bob.say(b"SELECT INBOX")
    for item in (b"BODYSTRUCTURE", b"BODY"):
        told = bob.say(b"FETCH 1 " + item).raw
        assert told.count(b"outer") == 1 and "grüße".encode() not in told
        assert b'"message" "rfc822"' in told and b'"message" "global" NIL NIL NIL "7bit" %d' % len(RAW) in told


def test_what_a_URL_leads_to_is_described_in_the_same_way(bob: ImapClient, site: ImapSite) -> None:
    # RFC 5524 §3
    site.store.add(site.accounts["bob"], INTERNATIONAL)
    rump = b"imap://bob%40example.test@mail.example.test/INBOX/;UID=1/;SECTION=2;URLAUTH=authuser"
    (signed,) = bob.say(b'GENURLAUTH "%b" INTERNAL' % rump).of(b"GENURLAUTH")
    command = b"URLFETCH (%b BODYPARTSTRUCTURE)" % signed.partition(b"GENURLAUTH ")[2]
    told = bob.say(command).raw
    assert b'"7bit" %d NIL ("attachment" NIL)' % len(RAW) in told and told.isascii()
    bob.say(b"ENABLE UTF8=ACCEPT")
    assert "grüße".encode() in bob.say(command).raw
