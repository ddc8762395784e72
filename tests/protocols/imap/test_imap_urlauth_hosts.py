"""GENURLAUTH: which servers a URL may name (RFC 4467 §7)."""

from __future__ import annotations

import pytest

from tests.protocols.imap.conftest import ImapSite
from tests.protocols.imap.test_imap_urlauth import as_ann, client, fetch, sign
from worldmail.testing.imap import ImapClient

__all__ = ["client"]  # the fixture


@pytest.mark.parametrize(
    "host", [b"mail.example.test", b"MAIL.Example.test:143", b"example.test", b"imap.example.test"]
)
def test_a_url_names_the_server_the_domain_of_the_account_or_a_name_of_our_certificates(
    site: ImapSite, client: ImapClient, host: bytes
) -> None:
    url = sign(client, b"imap://bob%40example.test@" + host + b"/INBOX/;UID=1;URLAUTH=anonymous")
    assert fetch(as_ann(site), url) is not None


@pytest.mark.parametrize(
    "host", [b"evil.test", b"mail.example.test.evil.test", b"other.test", b"127.0.0.1", b"[::1]", b"mail", b"*"]
)
def test_urls_of_other_servers_are_not_signed(client: ImapClient, host: bytes) -> None:
    rump = b"imap://bob%40example.test@" + host + b"/INBOX/;UID=1;URLAUTH=anonymous"
    done = client.say(b'GENURLAUTH "%b" INTERNAL' % rump)
    assert (done.status, done.untagged) == (b"BAD", [])
    assert client.say(b"NOOP").status == b"OK"
