"""The sections of the configuration about what is not let in."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from worldmail.config.fields import Duration, Network, Octets, duration, network, octets, setting


@frozen(kw_only=True)
class AuthSettings:
    """Signing in, over all protocols."""

    plaintext_without_tls: tuple[Network, ...] = setting(
        (),
        """Networks whose clients may send a password without TLS. Meant for the loopback, behind a web mail
        on the same machine; empty for nobody.""",
        example=(network("127.0.0.0/8"), network("::1")),
    )
    legacy: Literal["off", "outside-tls", "everywhere"] = setting(
        "outside-tls",
        """Where CRAM-MD5 is announced, to sign in with the separate secret that an administrator gave an account
        (`worldmail user set ADDRESS legacy-auth=on`); APOP is there with it. As long as no account has a secret,
        neither is offered. Many clients take them wherever they see them and then try nothing else, which fails
        for all accounts without a secret; everywhere announces them in TLS too, where passwords are safe anyway.""",
    )
    scram_plus: bool = setting(
        True,
        """Offer the -PLUS forms of SCRAM in TLS, which bind the login to the connection, in every protocol. Turn it
        off where clients choose them and cannot bind: mutt and neomutt of Debian 12 sign in to no submission
        server that offers them in TLS 1.3, unless they are told to take another way.""",
    )
    cache_time: Duration = setting(
        duration("10m"),
        """How long a verified password is remembered (as a keyed hash, in memory), so that frequent mail checks
        do not pay for argon2 each time; 0 turns it off. A changed password ends it at once.""",
        maximum=86400,
    )
    failures_per_minute: int = setting(10, "Failed logins a minute from one address (IPv6: one /64).", minimum=1)
    failures_per_day: int = setting(50, "Failed logins a day from one address (IPv6: one /64).", minimum=1)
    account_failures_per_day: int = setting(
        100,
        """Failed logins a day for one account from addresses that it never signed in from; its owner's known
        addresses stay open.""",
        minimum=1,
    )
    failure_delay: Duration = setting(
        duration("1s"),
        """The answer to a failed login waits this long; twice as long each further time. So does the answer to a login
        over one of the limits above.""",
        maximum=60,
    )
    failure_delay_maximum: Duration = setting(duration("15s"), "The longest such wait.", maximum=300)
    argon2_time: int = setting(2, "Argon2id: passes over the memory.", minimum=1, maximum=100)
    argon2_memory: Octets = setting(
        octets("19MiB"), "Argon2id: memory for one verification.", minimum=8192, maximum=4 << 30
    )
    argon2_lanes: int = setting(1, "Argon2id: lanes.", minimum=1, maximum=64)
    scram_iterations: int = setting(
        10_000,
        """Rounds of the keys for SCRAM, made when a password is set. After a change of this setting each account's
        keys are made anew when its password is next seen (a login without SCRAM).""",
        minimum=4096,
        maximum=1_000_000,
    )
    hashing_threads: int = setting(
        2, "Threads that verify passwords; no more than there are processors.", minimum=1, maximum=64
    )
    hashing_queue: int = setting(
        100, "Logins that may wait for a thread; further ones are told to try later.", minimum=1, maximum=100_000
    )


@frozen(kw_only=True)
class LimitsSettings:
    """Bounds on connections and rates, over all protocols."""

    exempt: tuple[Network, ...] = setting(
        (),
        "Networks that rates, caps and bans leave alone, such as a gateway or a monitor.",
        example=(network("192.0.2.0/24"),),
    )
    connections: int = setting(10_000, "Connections in all; further ones are told to try later.", minimum=1)
    connections_per_address: int = setting(50, "Connections from one address (IPv6: one /64).", minimum=1)
    connections_per_account: int = setting(
        50, "Sessions that one account may have at once, over all protocols and from all addresses.", minimum=1
    )
    tls_per_minute: int = setting(
        600,
        """TLS handshakes a minute from one address (IPv6: one /64); one from which an account signed in within the
        last hour is not counted.""",
        minimum=1,
    )
    commands_per_minute: int = setting(
        100_000,
        """Commands a minute from one address (IPv6: one /64); beyond it the session is ended. A relay with a backlog
        sends some thousands.""",
        minimum=60,
    )


@frozen(kw_only=True)
class PolicySettings:
    """The rules that senders, recipients and messages are asked about."""

    order: tuple[str, ...] = setting(
        (), "Names of checks to ask first, in this order; the rest follow by their own rank."
    )
    disabled: tuple[str, ...] = setting((), "Names of checks not to ask.")
    relay_networks: tuple[Network, ...] = setting(
        (),
        """Networks from which anybody may send to everybody without signing in, such as that of a printer. Whoever can
        connect from there can send in your name.""",
        example=(network("192.0.2.0/28"),),
    )
    hop_limit: int = setting(
        50, "A message with more Received fields than this loops and is refused (RFC 5321 §6.3).", minimum=10
    )
    over_quota: Literal["temporary", "permanent"] = setting(
        "temporary", "How mail for a full mailbox is refused: temporary is 452 4.2.2, permanent 552 5.2.2."
    )
    messages_per_hour: int = setting(1000, "Messages an hour that one account may submit; 0 for no limit.", minimum=0)
    recipients_per_hour: int = setting(
        5000, "Recipients an hour that one account may send to; 0 for no limit.", minimum=0
    )
