"""The sections of the configuration about what the server is and where things are."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from attrs import NOTHING, frozen

from worldmail.config.fields import Duration, Octets, Place, duration, octets, setting
from worldmail.config.names import check_host_name


def _file_name(value: str) -> None:
    if not value or "/" in value or "\0" in value or value in (".", ".."):
        raise ValueError("a file's name, without a directory")


def _delimiters(value: str) -> None:
    if not value.isascii() or any(character.isalnum() or character in ' @."\\' for character in value):
        raise ValueError('punctuation that may stand in an address, such as "+" or "+-"')


@frozen(kw_only=True)
class ServerSettings:
    """The server as a whole."""

    hostname: str = setting(
        "",
        """The server's own fully qualified name: in greetings, in Received fields and in Message-IDs. Left
        empty, the machine's own name is taken.""",
        check=check_host_name,
        example="mail.example.test",
    )
    data: Place = setting(
        Path("."),
        """The directory of everything the server keeps. A relative path counts from the directory of
        this file.""",
    )
    run_as: str = setting(
        "",
        """Started as root, the server becomes this user ("user", "user:group" or numbers) once every port is
        bound and before it opens any data. Left empty, it stays who it was started as.""",
        example="worldmail",
    )
    shutdown_timeout: Duration = setting(
        duration("10s"),
        """How long a stopping server waits for sessions to end and accepted work to be committed before it
        closes what is left.""",
        minimum=0,
        maximum=600,
    )


@frozen(kw_only=True)
class CertificateSettings:
    """One certificate with its key, in PEM."""

    certificate: Place = setting(NOTHING, "The certificate, followed by those of its issuers (PEM).")
    key: Place = setting(NOTHING, "Its private key (PEM, without a passphrase); readable by the server's user alone.")
    names: tuple[str, ...] = setting(
        (),
        """The server names (SNI) it is for, "*.example.test" for all below one. Left empty, the names that
        stand in the certificate.""",
    )


@frozen(kw_only=True)
class TlsSettings:
    """TLS, the same for every protocol. A changed certificate is taken up by SIGHUP, without a restart."""

    certificates: tuple[CertificateSettings, ...] = setting(
        (),
        """The certificates; the first is shown to clients that name no server. With none, TLS is not
        offered and ports that begin with TLS are not opened.""",
        example=(
            CertificateSettings(certificate=Path("tls/certificate.pem"), key=Path("tls/key.pem")),
            CertificateSettings(
                names=("mail.example.test",), certificate=Path("tls/other.pem"), key=Path("tls/other-key.pem")
            ),
        ),
    )
    minimum: Literal["1.2", "1.3"] = setting("1.2", "The oldest version of TLS that is spoken (RFC 8996, RFC 9325).")
    ciphers: str = setting(
        "",
        """Cipher suites for TLS 1.2 in OpenSSL's notation. Left empty, those with forward secrecy and
        authenticated encryption.""",
        example="ECDHE+AESGCM:ECDHE+CHACHA20",
    )


@frozen(kw_only=True)
class DatabaseSettings:
    """The database of accounts, mailboxes and small messages (docs/postgresql.md tells of the second engine)."""

    engine: Literal["sqlite", "postgres"] = setting(
        "sqlite",
        """Which engine keeps it: sqlite is embedded, needs no set-up and is the fastest on one machine; postgres is
        a PostgreSQL server that several WorldMail servers share.""",
    )
    file: str = setting(
        "worldmail.sqlite", "The database file, within the data directory (sqlite alone).", check=_file_name
    )
    url: str = setting(
        "",
        """Where the PostgreSQL database is: a connection string of libpq, as URL or as key=value pairs (postgres
        alone). What it leaves out comes from the PG* variables, a service file and ~/.pgpass.""",
        example="postgresql://worldmail@db.example.test/worldmail?sslmode=verify-full",
        secret=True,
    )
    password_file: Place | None = setting(
        None,
        "A file with the database user's password, so that it need not stand in url (postgres alone).",
        example=Path("database-password"),
    )
    connections: int = setting(
        8,
        """How many units of work run at once, each on a connection of its own; one more looks for changes
        (postgres alone).""",
        minimum=2,
        maximum=64,
    )
    busy_timeout: Duration = setting(
        duration("5s"),
        """How long a write waits for another process (a command line, another server on the same data), or for a
        PostgreSQL server that cannot be reached, before it fails temporarily.""",
        maximum=60,
    )
    group_limit: int = setting(
        256,
        """The most units of work that share one commit. More raises the rate under load, and the wait of each
        (sqlite alone).""",
        minimum=1,
        maximum=10_000,
    )
    cache: Octets = setting(octets("64MiB"), "Memory for pages of the database (sqlite alone).", minimum=1 << 20)


@frozen(kw_only=True)
class StoreSettings:
    """How mail is kept."""

    content: str = setting("files", "Where large messages live: the name of an installed content store.")
    inline_limit: Octets = setting(
        octets("64KiB"),
        "Messages up to this size live in the database, larger ones in the content store.",
        minimum=0,
        maximum=16 << 20,
    )
    orphan_grace: Duration = setting(
        duration("1d"),
        """How long content that no mailbox refers to is kept before it is removed. Longer than any single
        delivery or command can take.""",
        minimum=60,
    )
    collect_interval: Duration = setting(duration("1h"), "How often unreferenced content is looked for.", minimum=1)
    minimum_free: Octets = setting(
        octets("64MiB"),
        """New mail is refused for the time being while less than this is free on the disk; reading and
        deleting go on.""",
    )
    reserve: Octets = setting(
        octets("8MiB"),
        """Space set aside in a file and given up when the disk is full to the last octet, so that mail can
        still be deleted. 0 sets none aside.""",
    )
    summary_cache: Octets = setting(
        octets("32MiB"),
        """Memory for envelopes and structures of messages, as IMAP clients ask for them. What is not there is read
        from derived.sqlite, or made of the message.""",
        minimum=0,
        maximum=16 << 30,
    )
    trace_kept: Duration = setting(
        duration("90d"), "How long the record of what happened to a message is kept (`worldmail trace`).", minimum=0
    )


@frozen(kw_only=True)
class DirectorySettings:
    """Who and what there is: domains, accounts, aliases."""

    sources: tuple[str, ...] = setting(
        ("database",),
        "Where addresses are looked up, in this order: names of installed directory sources.",
    )
    recipient_delimiter: str = setting(
        "+",
        """What begins the detail of an address: with "+", mail to user+anything goes to user. Each of several
        characters counts; empty turns it off.""",
        check=_delimiters,
    )
    cache_entries: int = setting(
        50_000, "How many addresses are remembered between look-ups; 0 for none.", minimum=0, maximum=10_000_000
    )


@frozen(kw_only=True)
class LogSettings:
    """The log: one JSON object a line."""

    file: Place | None = setting(
        None,
        """The file to write to; rotate it with any tool and send SIGHUP. Left empty, standard error, or
        worldmail.log in the data directory if twistd runs as a daemon.""",
        example=Path("worldmail.log"),
    )
    level: Literal["debug", "info", "warn", "error"] = setting("info", "The least important records that are written.")
    console: Literal["auto", "text", "json"] = setting(
        "auto",
        """The form on standard error: text for people, json for machines, auto for text on a terminal and
        json elsewhere.""",
    )
