"""What can be set about ESMTP."""

from __future__ import annotations

import re
from typing import Literal

from attrs import NOTHING, frozen

from worldmail.config.fields import Duration, Listen, Octets, duration, listen, octets, setting
from worldmail.config.names import check_host_name
from worldmail.config.units import Network, network

# priority-profile = 1*20(ALPHA / DIGIT / "-" / "_" / ".")                        RFC 6710 §7
_POLICY = re.compile(r"[A-Za-z0-9_.-]{0,20}")


def _check_policy(value: str) -> None:
    if _POLICY.fullmatch(value) is None:
        raise ValueError("at most 20 letters, digits, dots, hyphens or underscores, such as MIXER")


@frozen(kw_only=True)
class SmtpListener:
    """One place where ESMTP is spoken, and what may be done there."""

    name: str = setting(NOTHING, "Its name in the log.")
    role: Literal["mx", "submission", "odmr"] = setting(
        NOTHING,
        """mx takes mail from other servers for our own domains and completes nothing in it. submission
        takes mail from our own users once they have signed in (RFC 6409) and completes what is missing. odmr takes
        none: sites fetch what is held for them, signed in, over the same connection (RFC 2645).""",
    )
    listen: tuple[Listen, ...] = setting(NOTHING, "The addresses and ports.")
    tls: Literal["starttls", "implicit", "off"] = setting(
        "starttls",
        """starttls offers an upgrade (RFC 3207), implicit begins with TLS (RFC 8314), off has none. Without a
        certificate starttls is not offered and an implicit port is not opened.""",
    )
    auth: bool = setting(
        False,
        """Offer AUTH (RFC 4954). On a submission listener it is always offered, and required before MAIL; on one for
        odmr it is always offered too.""",
    )
    atrn: bool = setting(
        False,
        "Let sites that have signed in fetch what is held for them here too (RFC 2645), beside an odmr listener.",
    )

    @property
    def offers_auth(self) -> bool:
        """True if one may sign in here."""
        return self.auth or self.role in ("submission", "odmr")

    @property
    def turns(self) -> bool:
        """True if what is held may be fetched here."""
        return self.role == "odmr" or (self.atrn and self.offers_auth)


_LISTENERS = (
    SmtpListener(name="smtp", role="mx", listen=(listen("*:25"),)),
    SmtpListener(name="submission", role="submission", listen=(listen("*:587"),), auth=True),
    SmtpListener(
        name="submissions", role="submission", listen=(listen("*:465"),), tls="implicit", auth=True, atrn=True
    ),
    SmtpListener(name="odmr", role="odmr", listen=(listen("*:366"),)),
)


@frozen(kw_only=True)
class SmtpSettings:
    """ESMTP: mail comes in from other servers (mx) and from our own users (submission)."""

    listeners: tuple[SmtpListener, ...] = setting(_LISTENERS, "Where ESMTP is spoken; an empty list turns it off.")
    hostname: str = setting(
        "",
        "The name in greetings and Received fields. Left empty, the server's own.",
        check=check_host_name,
        example="mx.example.test",
    )
    message_size: Octets = setting(
        octets("25MB"),
        "The largest message, announced by SIZE (RFC 1870). An account may have a smaller limit of its own.",
        minimum=64 * 1024,
    )
    header_size: Octets = setting(
        octets("256KiB"), "The largest header of a message; it is held in memory while it comes.", minimum=16 * 1024
    )
    recipients: int = setting(
        1000, "Recipients of one message, announced by LIMITS RCPTMAX (RFC 9422).", minimum=100, maximum=100_000
    )
    transactions: int = setting(
        10_000, "Messages of one session, announced by LIMITS MAILMAX (RFC 9422).", minimum=1, maximum=1_000_000
    )
    command_line: Octets = setting(
        octets("2048"),
        """The longest command line, its line end included (RFC 5321 §4.5.3.1.4). With all the parameters that there are
        a line can have 1280 (RFC 3461 §5.4).""",
        minimum=1280,
        maximum=65536,
    )
    auth_line: Octets = setting(
        octets("12288"),
        "The longest line of an AUTH exchange, its line end included (RFC 4954 §4).",
        minimum=12288,
        maximum=65536,
    )
    text_line: Octets = setting(
        0,
        """The longest line of a message, its line end included; a message with a longer one is refused. The
        standard's 1000 (RFC 5321 §4.5.3.1.6) would refuse mail that the world sends all the same; 0 looks at none.""",
    )
    errors: int = setting(20, "Commands answered with a permanent error before the session is ended.", minimum=1)
    refused_recipients: int = setting(
        100, "Refused recipients before the session is ended; they do not count as errors.", minimum=1
    )
    idle_commands: int = setting(
        200,
        """Commands that do no work (NOOP, RSET, VRFY, HELP, EHLO, ETRN) between two messages before the session is
        ended.""",
        minimum=10,
    )
    command_timeout: Duration = setting(
        duration("5m"),
        "How long a peer may take for a command (RFC 5321 §4.5.3.2.7).",
        minimum=1,
        maximum=3600,
    )
    data_timeout: Duration = setting(
        duration("5m"), "How long a peer may be silent within a message.", minimum=1, maximum=3600
    )
    login_timeout: Duration = setting(
        duration("60s"),
        "How long a peer may take, from its first octet on, to sign in on a submission listener.",
        minimum=10,
        maximum=3600,
    )
    data_rate: Octets = setting(
        500,
        """Octets a second that a message must come in with; 0 for any. Not held against who signed in:
        satellite links are slow.""",
    )
    future_release: Duration = setting(
        duration("30d"),
        """How far ahead our users may have a message sent: it waits here until then (RFC 4865). 0 offers it to
        nobody.""",
        minimum=0,
        maximum=10 * 365 * 86400,
    )
    deliver_by_minimum: Duration = setting(
        duration("0s"),
        """The shortest time in which a message may be asked to be delivered or else returned (RFC 2852), announced by
        DELIVERBY; 0 for any.""",
        minimum=0,
        maximum=7 * 86400,
    )
    priority_policy: str = setting(
        "",
        """The name of the policy by which priorities are given at your site, announced by MT-PRIORITY (RFC 6710 §9.2):
        MIXER, STANAG4406, NSEP or one of your own. All 19 priorities are told apart whatever it is. Left empty, none is
        announced, and clients take it for MIXER.""",
        check=_check_policy,
        example="MIXER",
    )
    lowest_priority: int = setting(
        -9,
        """The lowest priority (RFC 6710) of mail that is taken from our users: below it the answer is 450 4.7.15, and
        their programs try again later. For emergencies; what has no priority counts as 0.""",
        minimum=-9,
        maximum=9,
    )
    xforward_networks: tuple[Network, ...] = setting(
        (),
        """From where clients may tell how they had a message themselves (XFORWARD, as Postfix and content filters speak
        it). It is for the log and the trace alone. A relay that we are paired with needs no network here.""",
        example=(network("192.0.2.25/32"),),
    )
    etrn: bool = setting(
        True,
        """Let sites ask that what is held for them be sent (RFC 1985), those that their hold names. Without any hold it
        is answered with 459.""",
    )
    vrfy: Literal["off", "signed-in", "on"] = setting(
        "off",
        """Who learns from VRFY whether a mailbox exists (RFC 5321 §7.3). Others get 252, which tells nothing.""",
    )
    expn: Literal["off", "signed-in", "on"] = setting(
        "off", "Who may see by EXPN where an alias leads. Others are refused."
    )
    record_account: bool = setting(
        False, "Write into the Received field of a submission who had signed in. The log has it in any case."
    )
    label_8bit: bool = setting(
        True,
        """Add the MIME fields to 8-bit text that comes without any, its charset as far as it can be told. Signed
        mail is never touched.""",
    )
