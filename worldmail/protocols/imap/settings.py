"""The settings of the IMAP server: the section `[imap]`."""

from __future__ import annotations

from typing import Literal

from attrs import NOTHING, frozen

from worldmail.config.fields import Duration, Listen, Octets, duration, listen, octets, setting


@frozen(kw_only=True)
class ImapListener:
    """One place where IMAP is spoken."""

    name: str = setting(NOTHING, "Its name in the log.")
    listen: tuple[Listen, ...] = setting(NOTHING, "The addresses and ports.")
    tls: Literal["starttls", "implicit", "off"] = setting(
        "starttls",
        """starttls offers an upgrade by STARTTLS (RFC 9051 §6.2.1), implicit begins with TLS (RFC 8314), off has none.
        Without a certificate starttls is not offered and an implicit port is not opened.""",
    )


_LISTENERS = (
    ImapListener(name="imap", listen=(listen("*:143"),)),
    ImapListener(name="imaps", listen=(listen("*:993"),), tls="implicit"),
)


@frozen(kw_only=True)
class ImapSettings:
    """The IMAP server: clients work with their mail here (RFC 9051, RFC 3501)."""

    listeners: tuple[ImapListener, ...] = setting(_LISTENERS, "Where IMAP is spoken; an empty list turns it off.")
    message_size: Octets = setting(
        octets("25MB"),
        """The largest message that a client may store, announced by APPENDLIMIT (RFC 7889). An account may have a
        smaller limit of its own.""",
        minimum=64 * 1024,
    )
    append_8bit_headers: bool = setting(
        True,
        """Let clients that did not enable UTF8=ACCEPT or IMAP4rev2 store messages whose header has 8-bit octets. RFC
        6855 §4 wants them refused, but old mail has such headers, and programs that move it here (mbsync, OfflineIMAP)
        could not.""",
    )
    utf8_surrogates: bool = setting(
        False,
        """Give clients that enabled neither UTF8=ACCEPT nor IMAP4rev2 messages whose headers have 8-bit octets with
        headers in ASCII (RFC 6855 §8, RFC 6857). Such a surrogate is not what was sent: its signatures do not verify,
        programs that copy mail elsewhere take it for the message, and clients keep it when they enable UTF-8 later.
        false: they get the octets that are there.""",
    )
    login_timeout: Duration = setting(
        duration("60s"),
        "How long a client may take until it is signed in. The connection is closed then.",
        minimum=1,
    )
    idle_timeout: Duration = setting(
        duration("30m"),
        """How long a signed-in client may be silent, IDLE included. The connection is closed then. RFC 9051 asks for
        30 minutes at least.""",
        minimum=1800,
    )
    line_before_login: Octets = setting(
        octets("8KiB"),
        """The longest line of a client that is not signed in, its line end included. Such a client's literals may be
        as long in all, within one command.""",
        minimum=1024,
        maximum=65536,
    )
    line: Octets = setting(
        octets("64KiB"),
        """The longest line of a signed-in client, its line end included. Some clients name thousands of messages in
        one command.""",
        minimum=8192,
        maximum=1048576,
    )
    sasl_line: Octets = setting(
        octets("12288"),
        "The longest line of a client within an AUTHENTICATE exchange, its line end included.",
        minimum=1024,
        maximum=65536,
    )
    command: Octets = setting(
        octets("256KiB"),
        """The most that a command of a signed-in client may take in memory, its literals included. Messages that a
        client stores do not count: they are written away while they come.""",
        minimum=65536,
        maximum=67108864,
    )
    search_time: Duration = setting(
        duration("60s"),
        "How long a search of one mailbox may take before it is given up.",
        minimum=1,
    )
    save_limit: int = setting(
        100_000,
        """The most messages that one COPY or one APPEND may put into a mailbox, announced by SAVELIMIT (RFC 9738).""",
        minimum=1000,
    )
    message_limit: int = setting(
        100_000,
        """How many messages a client should work on in one command, announced by MESSAGELIMIT (RFC 9738). Clients that
        do not know of it may work on more, but MOVE moves no more at once. RFC 9738 asks for 1000 at least. 0: nothing
        is announced, any number.""",
        minimum=0,
    )
    message_limit_enforced: int = setting(
        1_000_000,
        """If a command of any client is about more messages, it works on the last so many alone (FETCH, STORE, SEARCH,
        UID EXPUNGE), or is refused (SORT, THREAD). Clients that do not know MESSAGELIMIT take what they see for all
        there is. Never less than message_limit; with message_limit = 0 there is no limit.""",
        minimum=1,
    )
    unauthenticate: bool = setting(
        True,
        """Offer UNAUTHENTICATE (RFC 8437): a client may sign in as somebody else on the same connection. Turn it off
        behind a proxy that looks at a login and then lets everything through.""",
    )
    errors_before_login: int = setting(
        5,
        """After so many failed logins and commands that cannot be understood a client that is not signed in is
        disconnected. 0: never.""",
        minimum=0,
    )
    errors: int = setting(
        20,
        """After so many commands in a row that cannot be understood a signed-in client is disconnected. 0: never.""",
        minimum=0,
    )
