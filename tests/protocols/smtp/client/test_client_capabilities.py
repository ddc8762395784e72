"""What servers offer."""

from __future__ import annotations

import pytest

from worldmail.protocols.smtp.client.capabilities import MAXIMUM_MECHANISMS, Capabilities, read_capabilities


def test_all_of_it_is_read() -> None:
    lines = (
        b"PIPELINING",
        b"SIZE 1000",
        b"8bitmime",
        b"BINARYMIME",
        b"CHUNKING",
        b"SMTPUTF8",
        b"DSN",
        b"STARTTLS",
        b"REQUIRETLS",
        b"MT-PRIORITY MIXER",
        b"DELIVERBY 240",
        b"AUTH PLAIN login",
        b"LIMITS RCPTMAX=20 MAILMAX=5 RCPTDOMAINMAX=2 OTHER=x",
        b"X-WHATEVER 1 2 3",
    )
    assert read_capabilities(lines) == Capabilities(
        pipelining=True,
        chunking=True,
        eight_bit=True,
        binary=True,
        smtputf8=True,
        dsn=True,
        starttls=True,
        require_tls=True,
        priority=True,
        size=1000,
        mechanisms=frozenset(("PLAIN", "LOGIN")),
        deliver_by=240,
        mail_max=5,
        rcpt_max=20,
        domain_max=2,
        keywords=tuple(line.split()[0].decode().upper() for line in lines),
    )


def test_nothing_is_offered_by_nothing() -> None:
    assert read_capabilities(()) == read_capabilities((b"", b"   ", b"\xff\xfe")) == Capabilities()


def test_binary_needs_chunking() -> None:
    assert not read_capabilities((b"BINARYMIME",)).binary


@pytest.mark.parametrize(
    ("line", "size"),
    [(b"SIZE", 0), (b"SIZE 0", 0), (b"SIZE x", 0), (b"SIZE 123456789012345678901", 0), (b"SIZE 7 8", 7)],
)
def test_a_size_that_is_none_is_no_limit(line: bytes, size: int) -> None:
    assert read_capabilities((line,)).size == size


def test_the_old_form_of_auth_is_read_too() -> None:
    assert read_capabilities((b"AUTH=LOGIN PLAIN", b"AUTH CRAM-MD5")).mechanisms == {"LOGIN", "PLAIN", "CRAM-MD5"}


@pytest.mark.parametrize(
    "limits", [b"RCPTMAX", b"RCPTMAX=", b"RCPTMAX=0", b"RCPTMAX=-1", b"RCPTMAX=1234567", b"RCPTMAX=1x"]
)
def test_a_malformed_limit_is_none(limits: bytes) -> None:
    assert read_capabilities((b"LIMITS " + limits,)).rcpt_max == 0


def test_what_is_kept_is_bounded() -> None:
    line = b"AUTH " + b" ".join(b"M%d" % number for number in range(1000))
    assert len(read_capabilities((line,)).mechanisms) == MAXIMUM_MECHANISMS
