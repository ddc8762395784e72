"""What all sessions of one listener share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from worldmail.errors import Refusal
from worldmail.interfaces.world import World
from worldmail.protocols.smtp.replies import reply
from worldmail.protocols.smtp.settings import SmtpListener, SmtpSettings
from worldmail.protocols.smtp.turned import NOT_HERE
from worldmail.wire.commands import Command, command_table
from worldmail.wire.networks import NetworkSet

if TYPE_CHECKING:
    from worldmail.protocols.smtp.session import Session


ODMR_WORDS = frozenset(
    (b"EHLO", b"HELO", b"STARTTLS", b"AUTH", b"ATRN", b"XJOIN", b"XRECIPIENTS", b"NOOP", b"RSET", b"HELP", b"QUIT")
)
"""What is known where mail is only fetched: others get 502 (RFC 2645 §4)."""


@frozen(kw_only=True)
class Entrance:
    """One listener, made once; a session holds nothing that could stand here.

    Args:
        host: our own name.
        rows: every command, in the order in which capabilities are announced.
        commands: the same by word.
        withheld: the words of commands that are not to be had here.
        greeting: what is sent first (RFC 5321 §3.1).
        plaintext: networks whose clients may send a password in the clear.
        delimiters: the characters that part a user from a detail.
        trusted: networks that we relay for.
        forwarders: networks whose clients may say where they had a message from.
    """

    world: World
    settings: SmtpSettings
    listener: SmtpListener
    host: str
    rows: tuple[Command[Session], ...]
    commands: dict[bytes, Command[Session]]
    withheld: frozenset[bytes]
    greeting: bytes
    plaintext: NetworkSet
    delimiters: str
    trusted: NetworkSet
    forwarders: NetworkSet

    @classmethod
    def make(
        cls, world: World, settings: SmtpSettings, listener: SmtpListener, rows: Sequence[Command[Session]]
    ) -> Entrance:
        """The entrance of this listener, with these commands; where mail is only fetched, with some of them."""
        here = [row for row in rows if listener.role != "odmr" or row.word in ODMR_WORDS]
        host = settings.hostname or world.hostname
        return cls(
            world=world,
            settings=settings,
            listener=listener,
            host=host,
            rows=tuple(here),
            commands=command_table(here),
            withheld=frozenset(row.word for row in rows) - {row.word for row in here},
            greeting=reply(220, "", f"{host} ESMTP WorldMail"),
            plaintext=NetworkSet(world.settings.auth.plaintext_without_tls),
            delimiters=world.settings.directory.recipient_delimiter,
            trusted=NetworkSet(world.settings.policy.relay_networks),
            forwarders=NetworkSet(settings.xforward_networks),
        )

    def turned(self) -> Entrance:
        """The same for sessions on connections that we opened (`turned`)."""
        here = [row for row in self.rows if row.word not in NOT_HERE]
        withheld = self.withheld | NOT_HERE
        return evolve(self, rows=tuple(here), commands=command_table(here), withheld=withheld)

    def find(self, word: bytes) -> Command[Session] | None:
        """The command of this word; None if nobody knows it. Raises Refusal 502 if it is not to be had here."""
        if word in self.withheld:
            raise Refusal("Command not implemented", code=502, enhanced="5.5.1")
        return self.commands.get(word)

    @property
    def submission(self) -> bool:
        """True if our own users hand in mail here."""
        return self.listener.role == "submission"

    @property
    def signs_in_first(self) -> bool:
        """True if nothing is done here before somebody has signed in."""
        return self.listener.role in ("submission", "odmr")

    @property
    def line_limit(self) -> int:
        """The longest line that may come outside of a message."""
        settings = self.settings
        return max(settings.command_line, settings.auth_line) if self.listener.offers_auth else settings.command_line

    def plaintext_allowed(self, host: str) -> bool:
        """True if the site lets this client send a password in the clear."""
        return host in self.plaintext
