"""What all sessions of one listener share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from worldmail.interfaces.world import World
from worldmail.protocols.smtp.replies import reply
from worldmail.protocols.smtp.settings import SmtpListener, SmtpSettings
from worldmail.wire.commands import Command, command_table
from worldmail.wire.networks import NetworkSet

if TYPE_CHECKING:
    from worldmail.protocols.smtp.session import Session


@frozen(kw_only=True)
class Entrance:
    """One listener, made once; a session holds nothing that could stand here.

    Args:
        host: our own name.
        rows: every command, in the order in which capabilities are announced.
        commands: the same by word.
        greeting: what is sent first (RFC 5321 §3.1).
        plaintext: networks whose clients may send a password in the clear.
        delimiters: the characters that part a user from a detail.
        trusted: networks that we relay for.
    """

    world: World
    settings: SmtpSettings
    listener: SmtpListener
    host: str
    rows: tuple[Command[Session], ...]
    commands: dict[bytes, Command[Session]]
    greeting: bytes
    plaintext: NetworkSet
    delimiters: str
    trusted: NetworkSet

    @classmethod
    def make(
        cls, world: World, settings: SmtpSettings, listener: SmtpListener, rows: Sequence[Command[Session]]
    ) -> Entrance:
        """The entrance of this listener, at which these commands are known."""
        host = settings.hostname or world.hostname
        return cls(
            world=world,
            settings=settings,
            listener=listener,
            host=host,
            rows=tuple(rows),
            commands=command_table(rows),
            greeting=reply(220, "", f"{host} ESMTP WorldMail"),
            plaintext=NetworkSet(world.settings.auth.plaintext_without_tls),
            delimiters=world.settings.directory.recipient_delimiter,
            trusted=NetworkSet(world.settings.policy.relay_networks),
        )

    @property
    def submission(self) -> bool:
        """True if our own users hand in mail here."""
        return self.listener.role == "submission"

    @property
    def line_limit(self) -> int:
        """The longest line that may come outside of a message."""
        settings = self.settings
        return max(settings.command_line, settings.auth_line) if self.listener.offers_auth else settings.command_line

    def plaintext_allowed(self, host: str) -> bool:
        """True if the site lets this client send a password in the clear."""
        return host in self.plaintext
