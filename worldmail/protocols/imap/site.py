"""What all IMAP sessions of a listener share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from attrs import define, field

from worldmail.interfaces.auth import LoginContext
from worldmail.interfaces.protocol import Peer
from worldmail.interfaces.world import World
from worldmail.protocols.imap.rows import Command, Extension, State, command_table
from worldmail.protocols.imap.settings import ImapSettings
from worldmail.protocols.imap.view.recents import Recents
from worldmail.wire.networks import NetworkSet

if TYPE_CHECKING:
    from worldmail.protocols.imap.session import Session

_RENDERED = 100
"""Lists of capabilities that are kept."""

Announcer = Callable[["Session"], Iterable[str]]


@define(kw_only=True, eq=False)
class Site:
    """What all sessions share.

    Args:
        rows: every command, extensions: every other capability; both in the order of their capabilities.
        plaintext: networks whose peers may send a password in the clear.
        offers_tls: STARTTLS may be given at this listener.
        recents: which session is told of what arrives as \\Recent, for all listeners.

    Attributes:
        commands: the rows by their word.
        enabling: what ENABLE takes, by its name in capitals: the name as it is announced, and what is done then.
    """

    world: World
    settings: ImapSettings
    rows: Sequence[Command]
    extensions: Sequence[Extension]
    plaintext: NetworkSet = NetworkSet()
    offers_tls: bool = True
    recents: Recents = field(factory=Recents)
    commands: Mapping[bytes, Command] = field(init=False)
    enabling: Mapping[str, tuple[str, Callable[[Session], None]]] = field(init=False)
    _fixed: dict[bool, str] = field(init=False)
    _asked: dict[bool, tuple[Announcer, ...]] = field(init=False)
    _rendered: dict[tuple[str, ...], bytes] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self.commands = command_table(self.rows)
        self.enabling = {
            row.capability.upper(): (row.capability, row.enable)
            for row in self.extensions
            if row.enable is not None and isinstance(row.capability, str)
        }
        announced = [(row.capability, row.before_login) for row in self.extensions]
        announced += [
            (row.capability, row.before_login or State.NOT_AUTHENTICATED in row.states)
            for row in self.rows
            if row.capability
        ]
        self._fixed, self._asked = {}, {}
        for signed_in in (False, True):
            now = [capability for capability, before in announced if capability and (before or signed_in)]
            self._fixed[signed_in] = " ".join(name for name in now if isinstance(name, str))
            self._asked[signed_in] = tuple(ask for ask in now if not isinstance(ask, str))

    def capabilities(self, session: Session) -> bytes:
        """What the server can do for this session now, as the wire has it (RFC 9051 §7.2.2)."""
        signed_in = session.state is not State.NOT_AUTHENTICATED
        names = self._fixed[signed_in], *chain.from_iterable(ask(session) for ask in self._asked[signed_in])
        found = self._rendered.get(names)
        if found is None:
            if len(self._rendered) >= _RENDERED:  # of so many different limits of accounts
                self._rendered.clear()
            found = self._rendered[names] = " ".join(names).encode("ascii")
        return found

    def login_context(self, peer: Peer) -> LoginContext:
        """Where a login by this peer comes from."""
        return LoginContext.of("imap", peer, plaintext=self.takes_plaintext(peer))

    def takes_plaintext(self, peer: Peer) -> bool:
        """May this peer send a password without TLS?"""
        return peer.host in self.plaintext
