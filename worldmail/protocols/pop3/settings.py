"""The settings of the POP3 server: the section `[pop3]`."""

from __future__ import annotations

from typing import Literal

from attrs import NOTHING, frozen

from worldmail.config.fields import Duration, Listen, Octets, duration, listen, octets, setting


@frozen(kw_only=True)
class Pop3Listener:
    """One place where POP3 is spoken."""

    name: str = setting(NOTHING, "Its name in the log.")
    listen: tuple[Listen, ...] = setting(NOTHING, "The addresses and ports.")
    tls: Literal["starttls", "implicit", "off"] = setting(
        "starttls",
        """starttls offers an upgrade by STLS (RFC 2595), implicit begins with TLS (RFC 8314), off has none. Without
        a certificate starttls is not offered and an implicit port is not opened.""",
    )


_LISTENERS = (
    Pop3Listener(name="pop3", listen=(listen("*:110"),)),
    Pop3Listener(name="pop3s", listen=(listen("*:995"),), tls="implicit"),
)


def _days(value: int | None) -> None:
    if value is not None and value < 0:
        raise ValueError("a number of days")


@frozen(kw_only=True)
class Pop3Settings:
    """The POP3 server: clients fetch their mail from here (RFC 1939)."""

    listeners: tuple[Pop3Listener, ...] = setting(_LISTENERS, "Where POP3 is spoken; an empty list turns it off.")
    login_timeout: Duration = setting(
        duration("60s"),
        "How long a client may take until it is signed in. The connection is closed then.",
        minimum=1,
    )
    idle_timeout: Duration = setting(
        duration("10m"),
        """How long a signed-in client may be silent. The connection is closed then and nothing is deleted.
        RFC 1939 asks for 10 minutes at least.""",
        minimum=600,
    )
    command_line: Octets = setting(
        octets("8KiB"),
        """The longest command line, its line end included. RFC 2449 asks for 255 octets at least; 8 KiB leave room
        for the longest password (1,024 characters, in UTF-8).""",
        minimum=255,
        maximum=65536,
    )
    sasl_line: Octets = setting(
        octets("12288"),
        "The longest line of a client within an AUTH exchange, its line end included.",
        minimum=1024,
        maximum=65536,
    )
    errors_before_login: int = setting(
        3,
        """After so many failed logins and lines that are no command a client that is not signed in is disconnected;
        0: never. A mechanism or a command that is not offered does not count here, but under `errors`.""",
        minimum=0,
    )
    errors: int = setting(
        20,
        "After so many refused commands of any kind, before login or after it, a client is disconnected. 0: never.",
        minimum=0,
    )
    login_delay: Duration = setting(
        duration("0s"),
        """How long an account must wait between two logins. It is announced (LOGIN-DELAY of RFC 2449), and a login
        before its time is refused. 0: no wait.""",
        minimum=0,
    )
    expire: int | None = setting(
        None,
        """After how many days messages may be removed from the server by a policy of the site. It is announced to
        clients (EXPIRE of RFC 2449) and does nothing else: WorldMail removes no message for its age, whatever stands
        here. Set it where something of the site's own does. Empty: NEVER.""",
        check=_days,
        example=90,
    )
    surrogates: bool = setting(
        True,
        """What a client gets that did not ask for UTF-8 (RFC 6856), for a message with UTF-8 in its header: true: a
        surrogate whose headers are encoded in ASCII (RFC 6857); false: a refusal with the code [UTF8].""",
    )
