"""GENURLAUTH, URLFETCH, RESETKEY over the real store (RFC 4467)."""

from __future__ import annotations

import hmac
import re

import pytest
from attrs import evolve

from tests.protocols.imap.conftest import ImapSite
from worldmail.mail.imap_url import ImapUrl
from worldmail.testing.imap import ImapClient
from worldmail.testing.real_store import settle

MIXED = (
    b"Subject: two\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\none\r\n--b\r\nContent-Type: text/plain\r\n\r\n"
    + b"two " * 50
    + b"\r\n--b--\r\n"
)
BOB = b"imap://bob%40example.test@mail.example.test"


@pytest.fixture
def client(site: ImapSite) -> ImapClient:
    site.store.add(site.accounts["bob"], b"Subject: x\r\n\r\ntext\r\n", MIXED)
    return site.server.connect().login()


def as_ann(site: ImapSite) -> ImapClient:
    return site.server.connect().login(b"ann@example.test")


def sign(client: ImapClient, rump: bytes) -> bytes:
    done = client.say(b'GENURLAUTH "%b" INTERNAL' % rump)
    assert done.status == b"OK", done.raw
    found = re.fullmatch(rb'\* GENURLAUTH "(.*)"', done.untagged[0])
    assert found is not None
    return found[1]


def fetch(client: ImapClient, url: bytes) -> bytes | None:
    """What it leads to; None for NIL."""
    done = client.say(b'URLFETCH "%b"' % url)
    assert done.status == b"OK", done.raw
    (answer,) = done.untagged
    head = b'* URLFETCH "%b" ' % url
    assert answer.startswith(head)
    rest = answer[len(head) :]
    if rest == b"NIL":
        return None
    size, _, octets = rest[1:].partition(b"}\r\n")
    assert len(octets) == int(size)
    return octets


def test_it_is_announced_once_signed_in(site: ImapSite, client: ImapClient) -> None:
    assert b" URLAUTH " not in site.server.connect().greeting
    assert b"URLAUTH" in client.say(b"CAPABILITY").untagged[0].split()


def test_a_signed_url_opens_to_whom_it_is_for(site: ImapSite, client: ImapClient) -> None:
    url = sign(client, BOB + b"/INBOX/;UID=1;URLAUTH=user+ann%40example.test")
    assert re.fullmatch(re.escape(BOB) + rb"/INBOX/;UID=1;URLAUTH=user\+ann%40example.test:internal:[0-9a-f]{64}", url)
    assert fetch(as_ann(site), url) == b"Subject: x\r\n\r\ntext\r\n"
    assert fetch(client, url) is None


@pytest.mark.parametrize("access", [b"authuser", b"anonymous", b"user+ann", b"user+ANN%40example.test"])
def test_access_for_many_and_names_as_at_login(site: ImapSite, client: ImapClient, access: bytes) -> None:
    url = sign(client, BOB + b"/INBOX/;UID=1;URLAUTH=" + access)
    expected = None if access == b"user+ann" else b"Subject: x\r\n\r\ntext\r\n"  # no default domain in this directory
    assert fetch(as_ann(site), url) == expected


def test_what_is_for_submission_is_not_given_to_imap(site: ImapSite, client: ImapClient) -> None:
    url = sign(client, BOB + b"/INBOX/;UID=1;URLAUTH=submit+bob%40example.test")
    assert fetch(client, url) is None
    assert fetch(as_ann(site), url) is None


@pytest.mark.parametrize(
    ("part", "octets"),
    [
        (b"/;SECTION=1", b"one"),
        (b"/;SECTION=2", b"two " * 50),
        (b"/;SECTION=2/;PARTIAL=4.6", b"two tw"),
        (b"/;SECTION=2/;PARTIAL=196", b"two "),
        (b"/;PARTIAL=0.9", b"Subject: "),
        (b"/;SECTION=2.MIME", b"Content-Type: text/plain\r\n\r\n"),
        (b"/;SECTION=HEADER.FIELDS%20(subject)", b"Subject: two\r\n\r\n"),
        (b"/;SECTION=3", None),
    ],
)
@pytest.mark.parametrize("inline", [64 << 10, 16])
def test_sections_and_partials(site: ImapSite, part: bytes, octets: bytes | None, inline: int) -> None:
    site.store.store.acceptance._inline_limit = inline
    site.store.add(site.accounts["bob"], MIXED)
    client = site.server.connect().login()
    url = sign(client, BOB + b"/INBOX/;UID=1" + part + b";URLAUTH=authuser")
    assert fetch(as_ann(site), url) == octets
    assert fetch(as_ann(site), url) == octets  # where the parts are is remembered


def test_a_changed_octet_makes_a_url_void(site: ImapSite, client: ImapClient) -> None:
    site.store.add(site.accounts["bob"], b"Subject: secret\r\n\r\n")
    url = sign(client, BOB + b"/INBOX/;UID=1;EXPIRE=2031-01-01T00:00:00Z;URLAUTH=user+ann%40example.test")
    ann = as_ann(site)
    assert fetch(ann, url) is not None
    for before, after in (
        (b"UID=1", b"UID=3"),
        (b"UID=1;", b"UID=1/;PARTIAL=0;"),
        (b"INBOX", b"Sent"),
        (b"INBOX", b"inbox"),
        (b"bob", b"ann"),
        (b"2031", b"2032"),
        (b"ann%40", b"bob%40"),
        (b"user+ann%40example.test", b"anonymous"),
        (b"internal", b"xsample"),
        (b"mail.", b"evil."),
        (url[-64:], b"0" * 64),
        (url[-64:], url[-64:-32]),
        (b":internal:" + url[-64:], b""),
    ):
        assert before in url
        assert fetch(ann, url.replace(before, after)) is None, after
    assert fetch(ann, url.replace(url[-64:], url[-64:].upper())) is not None


def test_a_url_expires(site: ImapSite, client: ImapClient) -> None:
    url = sign(client, BOB + b"/INBOX/;UID=1;EXPIRE=2030-03-17T18:46:40%b;URLAUTH=anonymous" % b"Z")
    assert fetch(as_ann(site), url) is not None
    site.store.memory.clock.advance(3599)
    assert fetch(as_ann(site), url) is not None
    site.store.memory.clock.advance(1)
    assert fetch(as_ann(site), url) is None


def test_keys_are_of_one_mailbox_and_can_be_reset(site: ImapSite, client: ImapClient) -> None:
    site.store.add(site.accounts["bob"], b"Subject: s\r\n\r\n", mailbox="Sent")
    inbox = sign(client, BOB + b"/INBOX/;UID=1;URLAUTH=authuser")
    sent = sign(client, BOB + b"/Sent/;UID=1;URLAUTH=authuser")
    ann = as_ann(site)
    done = client.say(b"RESETKEY INBOX INTERNAL")
    assert (done.status, done.code) == (b"OK", b"URLMECH INTERNAL")
    assert fetch(ann, inbox) is None
    assert fetch(ann, sent) is not None
    again = sign(client, BOB + b"/INBOX/;UID=1;URLAUTH=authuser")
    assert again != inbox
    assert client.say(b"RESETKEY").status == b"OK"
    assert [fetch(ann, url) for url in (inbox, sent, again)] == [None, None, None]


def test_a_key_of_anothers_is_not_touched(site: ImapSite, client: ImapClient) -> None:
    url = sign(client, BOB + b"/INBOX/;UID=1;URLAUTH=authuser")
    ann = as_ann(site)
    assert ann.say(b"RESETKEY").status == b"OK"
    assert ann.say(b'RESETKEY "Other Users/bob@example.test/INBOX"').code == b"NONEXISTENT"
    assert ann.say(b"RESETKEY INBOX XSAMPLE").status == b"NO"
    assert fetch(ann, url) is not None


def test_uidvalidity_must_be_the_mailboxs(site: ImapSite, client: ImapClient) -> None:
    validity = site.store.status(site.accounts["bob"]).uidvalidity
    for number, there in ((validity, True), (validity + 1, False)):
        rump = BOB + b"/INBOX;UIDVALIDITY=%d/;UID=1;URLAUTH=authuser" % number
        if there:
            assert fetch(as_ann(site), sign(client, rump)) is not None
        else:
            assert client.say(b"GENURLAUTH " + rump + b" INTERNAL").status == b"BAD"


def test_only_ones_own_urls_of_mailboxes_that_one_may_read_are_signed(site: ImapSite, client: ImapClient) -> None:
    for rump in (
        BOB + b"/Nowhere/;UID=1;URLAUTH=anonymous",
        BOB + b"/INBOX/;UID=1",
        BOB + b"/INBOX/;UID=1;URLAUTH=anonymous:internal:" + b"0" * 32,
        BOB + b"/INBOX;URLAUTH=anonymous",
        BOB + b"/INBOX/;UID=1;URLAUTH=everybody",
        BOB + b"/INBOX/;UID=1;URLAUTH=submit+",
        BOB + b"/INBOX/;UID=1/;SECTION=NOTHING;URLAUTH=anonymous",
        BOB + b"?ALL;URLAUTH=anonymous",
        b"imap://mail.example.test/INBOX/;UID=1;URLAUTH=anonymous",
        b"imap://ann%40example.test@mail.example.test/INBOX/;UID=1;URLAUTH=anonymous",
        b"imap://nobody@mail.example.test/INBOX/;UID=1;URLAUTH=anonymous",
        BOB + b"/Other%20Users/ann%40example.test/INBOX/;UID=1;URLAUTH=anonymous",
        b"http://mail.example.test/INBOX/;UID=1;URLAUTH=anonymous",
    ):
        assert client.say(b'GENURLAUTH "%b" INTERNAL' % rump).status == b"BAD", rump
        assert client.say(b"NOOP").status == b"OK"
    assert client.say(b'GENURLAUTH "%b" XSAMPLE' % (BOB + b"/INBOX/;UID=1;URLAUTH=anonymous")).status == b"BAD"


def test_a_url_conveys_no_more_than_its_user_may_read_now(site: ImapSite, client: ImapClient) -> None:
    ann = as_ann(site)
    assert client.say(b"SETACL INBOX ann@example.test lr").status == b"OK"
    rump = b"imap://ann%40example.test@mail.example.test/Other%20Users/bob%40example.test/INBOX/;UID=1;URLAUTH=user+bob%40example.test"
    url = sign(ann, rump)
    assert fetch(client, url) is not None
    assert client.say(b"SETACL INBOX ann@example.test l").status == b"OK"
    assert fetch(client, url) is None


def test_the_url_of_an_account_that_is_switched_off_leads_nowhere(site: ImapSite, client: ImapClient) -> None:
    url = sign(client, BOB + b"/INBOX/;UID=1;URLAUTH=authuser")
    accounts = site.store.memory.directory.accounts
    accounts["bob@example.test"] = evolve(accounts["bob@example.test"], enabled=False)
    assert fetch(as_ann(site), url) is None


def test_nothing_tells_what_is_there_to_who_is_not_allowed(site: ImapSite, client: ImapClient) -> None:
    sign(client, BOB + b"/INBOX/;UID=1;URLAUTH=user+bob%40example.test")
    tail = b";URLAUTH=anonymous:internal:" + b"0" * 64
    ann = as_ann(site)
    for url in (
        BOB + b"/INBOX/;UID=1" + tail,
        BOB + b"/Sent/;UID=1" + tail,  # there is no key
        BOB + b"/Nowhere/;UID=1" + tail,
        b"imap://nobody@mail.example.test/INBOX/;UID=1" + tail,
        b"imap://mail.example.test/INBOX/;UID=1" + tail,
        BOB + b"/a//b/;UID=1" + tail,
        BOB + b"/INBOX/;UID=1",
        b"nonsense",
        b"imap://" + b"x" * 9000,
        b"\xc3\xa9",
    ):
        answer = ann.say(b"URLFETCH {+}", url)
        assert answer.status == b"OK"
        assert [line[-4:] for line in answer.untagged] == [b" NIL"], url


def test_a_proof_without_a_key_is_none(site: ImapSite, client: ImapClient) -> None:
    rump = BOB + b"/Sent/;UID=1;URLAUTH=anonymous"
    site.store.add(site.accounts["bob"], b"Subject: s\r\n\r\n", mailbox="Sent")
    for key in (b"", bytes(32)):
        assert fetch(client, rump + b":internal:" + hmac.digest(key, rump, "sha256").hex().encode()) is None


def test_a_gone_message_is_nil_and_the_mailbox_of_the_same_name_another(site: ImapSite, client: ImapClient) -> None:
    assert client.say(b"CREATE Box").status == b"OK"
    site.store.add(site.accounts["bob"], b"Subject: one\r\n\r\n", mailbox="Box")
    url = sign(client, BOB + b"/Box/;UID=1;URLAUTH=authuser")
    assert fetch(client, url) is not None
    assert client.say(b"DELETE Box").status == b"OK"
    assert client.say(b"CREATE Box").status == b"OK"
    site.store.add(site.accounts["bob"], b"Subject: another\r\n\r\n", mailbox="Box")
    assert fetch(client, url) is None
    assert fetch(client, sign(client, BOB + b"/Box/;UID=2;URLAUTH=authuser")) is None


def test_many_urls_in_one_command_and_names_beyond_ascii(site: ImapSite, client: ImapClient) -> None:
    name = "Entwürfe & mehr/a b"
    settle(site.store.world.folders.create(site.accounts["bob"], name))
    site.store.add(site.accounts["bob"], b"Subject: u\r\n\r\n", mailbox=name)
    url = str(ImapUrl.parse((BOB + b"/x/;UID=1;URLAUTH=authuser").decode()))
    rump = url.replace("/x/", "/Entw%C3%BCrfe%20&%20mehr/a%20b/").encode()
    done = client.say(b'GENURLAUTH "%b" INTERNAL {} internal' % rump, BOB + b"/INBOX/;UID=1;URLAUTH=authuser")
    assert done.status == b"OK"
    first, second = re.findall(rb'"([^"]*)"', done.untagged[0])
    answer = client.say(b'URLFETCH "%b" "%b" x' % (first, second))
    assert answer.untagged == [
        b'* URLFETCH "%b" {14}\r\nSubject: u\r\n\r\n' % first,
        b'* URLFETCH "%b" {20}\r\nSubject: x\r\n\r\ntext\r\n' % second,
        b'* URLFETCH "x" NIL',
    ]


def test_octets_come_as_fetch_gives_them(site: ImapSite, client: ImapClient) -> None:
    binary = b"Content-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\1\2"
    (uid,) = site.store.add(site.accounts["bob"], binary)
    url = sign(client, BOB + b"/INBOX/;UID=%d/;SECTION=1;URLAUTH=authuser" % uid)
    assert client.say(b"SELECT INBOX").status == b"OK"
    fetched = client.say(b"UID FETCH %d BODY[1]" % uid).untagged[0]
    assert (fetch(client, url) or b"?") in fetched


def test_select_tells_the_mechanisms(client: ImapClient) -> None:
    for command in (b"SELECT INBOX", b"EXAMINE INBOX"):
        assert any(line.startswith(b"* OK [URLMECH INTERNAL]") for line in client.say(command).untagged)


def test_sessions_that_have_the_mailbox_selected_are_told_of_a_new_key(site: ImapSite, client: ImapClient) -> None:
    mechanisms = b"* OK [URLMECH INTERNAL]"
    sign(client, BOB + b"/INBOX/;UID=1;URLAUTH=authuser")
    here, elsewhere = site.client("bob"), site.client("bob")
    assert here.say(b"SELECT INBOX").status == elsewhere.say(b"EXAMINE Sent").status == b"OK"
    here.idle()
    assert client.say(b"RESETKEY INBOX").status == b"OK"
    assert here.told().startswith(mechanisms)
    assert here.done().status == b"OK"
    assert mechanisms not in elsewhere.say(b"NOOP").raw + here.say(b"NOOP").raw
    sign(client, BOB + b"/INBOX/;UID=1;URLAUTH=authuser")
    assert client.say(b"RESETKEY").status == b"OK"
    assert mechanisms in here.say(b"NOOP").raw
    assert mechanisms not in elsewhere.say(b"NOOP").raw


def test_too_many_urls_and_none_are_BAD(client: ImapClient) -> None:
    assert client.say(b"URLFETCH" + b" x" * 101).status == b"BAD"
    assert client.say(b"URLFETCH").status == b"BAD"
    assert client.say(b"GENURLAUTH").status == b"BAD"
    assert client.say(b"GENURLAUTH x").status == b"BAD"


# --- URLAUTH=BINARY (RFC 5524) ---

ENCODED = (
    b"Subject: parts\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=3Db=\r\nc\r\nd\r\n"
    b"--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC\r\n"
    b"--b\r\nContent-Type: image/gif\r\nContent-Transfer-Encoding: x-unknown\r\n\r\nxyz\r\n--b--\r\n"
)


@pytest.fixture(params=[64 << 10, 16])
def encoded(site: ImapSite, request: pytest.FixtureRequest) -> ImapClient:
    """Bob, with a message of encoded parts; once in the database, once in the content store."""
    site.store.store.acceptance._inline_limit = request.param
    site.store.add(site.accounts["bob"], ENCODED)
    return site.client("bob")


def ask(client: ImapClient, part: bytes, parameters: bytes) -> bytes:
    url = sign(client, BOB + b"/INBOX/;UID=1" + part + b";URLAUTH=authuser")
    done = client.say(b'URLFETCH ("%b"%b)' % (url, parameters))
    assert done.status == b"OK", done.raw
    (answer,) = done.untagged
    head = b'* URLFETCH "%b" ' % url
    assert answer.startswith(head)
    return answer[len(head) :]


@pytest.mark.parametrize(
    ("part", "parameters", "answer"),
    [
        (b"/;SECTION=1", b"", b"{12}\r\na=3Db=\r\nc\r\nd"),
        (b"/;SECTION=1", b" BODY", b"(BODY {12}\r\na=3Db=\r\nc\r\nd)"),
        (b"/;SECTION=1", b" binary", b"(BINARY {7}\r\na=bc\r\nd)"),
        (b"/;SECTION=2", b" BINARY", b"(BINARY ~{3}\r\n\0\1\2)"),
        (b"/;SECTION=2/;PARTIAL=1.1", b" BINARY", b"(BINARY ~{1}\r\n\1)"),
        (b"/;SECTION=2/;PARTIAL=9", b" BINARY", b"(BINARY ~{0}\r\n)"),
        (b"/;SECTION=2/;PARTIAL=1.2", b" BODY", b"(BODY {2}\r\nAE)"),
        (b"/;SECTION=3", b" BINARY", b"(BINARY NIL)"),
        (b"/;SECTION=9", b" BINARY BODYPARTSTRUCTURE", b"NIL"),
        (b"/;SECTION=HEADER", b" BODYPARTSTRUCTURE", b"NIL"),
        (b"/;SECTION=1.MIME/;PARTIAL=0.7", b" BINARY", b"(BINARY {7}\r\nContent)"),
        (
            b"/;SECTION=2",
            b" BODYPARTSTRUCTURE",
            b'(BODYPARTSTRUCTURE ("image" "png" NIL NIL NIL "base64" 4 NIL NIL NIL NIL))',
        ),
        (
            b"/;SECTION=2",
            b" BINARY BODYPARTSTRUCTURE",
            b'(BODYPARTSTRUCTURE ("image" "png" NIL NIL NIL "binary" 3 NIL NIL NIL NIL)) (BINARY ~{3}\r\n\0\1\2)',
        ),
        (
            b"/;SECTION=3",
            b" BODYPARTSTRUCTURE BINARY",
            b'(BODYPARTSTRUCTURE ("image" "gif" NIL NIL NIL "x-unknown" 3 NIL NIL NIL NIL)) (BINARY NIL)',
        ),
    ],
)
def test_parts_without_their_encoding_and_what_they_are(
    encoded: ImapClient, part: bytes, parameters: bytes, answer: bytes
) -> None:
    assert ask(encoded, part, parameters) == answer


def test_the_message_itself_has_no_encoding(encoded: ImapClient) -> None:
    assert ask(encoded, b"", b" BINARY") == b"(BINARY {%d}\r\n%b)" % (len(ENCODED), ENCODED)
    assert ask(encoded, b"", b" BODYPARTSTRUCTURE BODY").startswith(b'(BODYPARTSTRUCTURE (("text" "plain" ')


@pytest.mark.parametrize("parameters", [b" BODY BINARY", b" BINARY BINARY", b" NOTHING", b" BODY ", b" (BODY)"])
def test_parameters_that_are_none_are_BAD(client: ImapClient, parameters: bytes) -> None:
    assert client.say(b"URLFETCH (x%b)" % parameters).status == b"BAD"


def test_URLAUTH_BINARY_is_announced(client: ImapClient) -> None:
    assert b"URLAUTH=BINARY" in client.say(b"CAPABILITY").untagged[0].split()
