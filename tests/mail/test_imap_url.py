"""IMAP URLs: read, written, resolved."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.mail.imap_url import ACCESS, LARGEST, LONGEST, WITH_USER, Authorisation, ImapUrl, absolute

TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40)
HEX = st.text("0123456789abcdef", min_size=32, max_size=64)
HOSTS = st.one_of(
    st.text(string.ascii_letters + string.digits + ".-", min_size=1, max_size=30),
    st.sampled_from(("[::1]", "[2001:db8::7]")),
)


@st.composite
def authorisations(draw: st.DrawFn) -> Authorisation:
    access = draw(st.sampled_from(sorted(ACCESS)))
    proof = draw(st.one_of(st.none(), HEX))
    return Authorisation(
        access=access,
        user=draw(TEXT) if access in WITH_USER else "",
        expires=draw(st.one_of(st.none(), st.integers(0, 250_000_000_000).map(float))),
        mechanism=None if proof is None else draw(st.sampled_from(("internal", "xsample", "a-b.c"))),
        token=proof,
    )


URLS = st.builds(
    ImapUrl,
    user=st.one_of(st.just(""), TEXT),
    host=HOSTS,
    port=st.one_of(st.none(), st.integers(0, 65535)),
    mailbox=TEXT,
    uidvalidity=st.one_of(st.none(), st.integers(1, LARGEST)),
    uid=st.integers(1, LARGEST),
    section=st.one_of(st.just(""), TEXT),
    partial=st.one_of(st.none(), st.tuples(st.integers(0, 2**63 - 1), st.one_of(st.none(), st.integers(1, 2**63 - 1)))),
    authorisation=st.one_of(st.none(), authorisations()),
)


@given(URLS)
def test_what_is_written_is_read_as_it_was(url: ImapUrl) -> None:
    written = str(url)
    read = ImapUrl.parse(written)
    assert read == url
    assert str(read) == written
    assert written.isascii() and " " not in written


@given(URLS)
def test_the_rump_is_all_but_the_proof(url: ImapUrl) -> None:
    written = str(url)
    rump = ImapUrl.parse(written).rump
    proof = "" if url.authorisation is None or url.authorisation.token is None else written[len(rump) :]
    assert written == rump + proof
    if proof:
        assert url.authorisation is not None
        assert proof == f":{url.authorisation.mechanism}:{url.authorisation.token}"


@given(st.text(max_size=200))
def test_anything_is_read_or_refused(text: str) -> None:
    for candidate in (text, f"imap://{text}", f"imap://h/{text}", f"imap://h/x/;UID=1{text}"):
        try:
            url = ImapUrl.parse(candidate)
        except ValueError:
            continue
        assert ImapUrl.parse(str(url)) == url


@given(st.text(max_size=60), st.one_of(st.none(), TEXT))
def test_a_reference_is_one_to_this_server_unless_it_names_another(text: str, mailbox: str | None) -> None:
    made = absolute(text, user="bob@example.test", host="h.test", mailbox=mailbox)
    named = text.lower().startswith("imap://") or text.startswith("//")
    assert named or made.startswith("imap://bob%40example.test@h.test/")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred:internal:91354a473744909de610943775f92038",
            ImapUrl(
                user="joe",
                host="example.com",
                mailbox="INBOX",
                uid=20,
                section="1.2",
                authorisation=Authorisation(
                    access="submit+", user="fred", mechanism="internal", token="91354a473744909de610943775f92038"
                ),
            ),
        ),
        (
            "IMAP://h:143/a/b;uidvalidity=7/;UID=1/;PARTIAL=10.20",
            ImapUrl(host="h", port=143, mailbox="a/b", uidvalidity=7, uid=1, partial=(10, 20)),
        ),
        ("imap://;AUTH=*@h/%C3%BC/;uid=1/;partial=3", ImapUrl(host="h", mailbox="ü", uid=1, partial=(3, None))),
        (
            "imap://a@b.test@h/x/;uid=1;expire=2030-01-01T01:00:00.5+01:00;urlauth=user+c@d.test",
            ImapUrl(
                user="a@b.test",
                host="h",
                mailbox="x",
                uid=1,
                authorisation=Authorisation(access="user+", user="c@d.test", expires=1893456000.5),
            ),
        ),
        (
            "imap://h/x/;UID=1/;SECTION=HEADER.FIELDS%20(To)",
            ImapUrl(host="h", mailbox="x", uid=1, section="HEADER.FIELDS (To)"),
        ),
    ],
)
def test_forms_that_clients_write(text: str, expected: ImapUrl) -> None:
    assert ImapUrl.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "imap:",
        "imap:///INBOX/;UID=1",
        "imap://h",
        "imap://h/",
        "imap://h/INBOX",
        "imap://h/INBOX/;UID=0",
        "imap://h/INBOX/;UID=4294967296",
        "imap://h/INBOX/;UID=１",
        "imap://h/INBOX;UIDVALIDITY=0/;UID=1",
        "imap://h/;UID=1",
        "imap://h/INBOX/;UID=1/;SECTION=",
        "imap://h/INBOX/;UID=1/;PARTIAL=0.0",
        "imap://h/INBOX/;UID=1/;PARTIAL=9223372036854775808",
        "imap://h/INBOX/;UID=1/;PARTIAL=0/;SECTION=1",
        "imap://h/INBOX/;UID=1?ALL",
        "imap://h/INBOX/;UID=1#x",
        "imap://h/IN BOX/;UID=1",
        "imap://h/%zz/;UID=1",
        "imap://h/%ff/;UID=1",
        "imap://h/ü/;UID=1",
        "imap://a:b@h/x/;UID=1",
        "imap://h:999999/x/;UID=1",
        "imap://h/x/;UID=1;URLAUTH=",
        "imap://h/x/;UID=1;URLAUTH=stream+joe",
        "imap://h/x/;UID=1;URLAUTH=user+",
        "imap://h/x/;UID=1;URLAUTH=anonymous+joe",
        "imap://h/x/;UID=1;URLAUTH=anonymousjoe",
        "imap://h/x/;UID=1;URLAUTH=anonymous:internal",
        "imap://h/x/;UID=1;URLAUTH=anonymous:internal:abc",
        "imap://h/x/;UID=1;URLAUTH=anonymous:internal:" + "g" * 32,
        "imap://h/x/;UID=1;EXPIRE=2030-01-01T00:00:00Z",
        "imap://h/x/;UID=1;EXPIRE=2030-01-01;URLAUTH=anonymous",
        "imap://h/x/;UID=1;EXPIRE=2030-13-01T00:00:00Z;URLAUTH=anonymous",
        "imap://h/x/;UID=1;URLAUTH=anonymous;EXPIRE=2030-01-01T00:00:00Z",
        "imap://h/x/;UID=1;URLAUTH=anonymous\n",
        "imap://h/" + "x" * LONGEST + "/;UID=1",
        "pop://h/x/;UID=1",
    ],
)
def test_what_is_no_url_of_a_message_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        ImapUrl.parse(text)


@pytest.mark.parametrize(
    ("reference", "mailbox", "path"),
    [
        ("/A/;UID=1", None, "/A/;UID=1"),
        ("/A/;UID=1", "B", "/A/;UID=1"),
        (";UID=1", "B ü", "/B%20%C3%BC/;UID=1"),
        (";uid=1/;section=1", "B/C", "/B/C/;uid=1/;section=1"),
        (";UID=1", None, "/;UID=1"),
        ("D/;UID=1", "B/C", "/B/D/;UID=1"),
        ("D/;UID=1", None, "/D/;UID=1"),
        ("../../../D/./;UID=1", "B/C", "/D/;UID=1"),
        ("", None, "/"),
    ],
)
def test_references(reference: str, mailbox: str | None, path: str) -> None:
    made = absolute(reference, user="bob@x.test", host="h.test", mailbox=mailbox)
    assert made == "imap://bob%40x.test@h.test" + path
