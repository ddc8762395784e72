"""What all POP3 sessions of a server share."""

from __future__ import annotations

import binascii
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from worldmail.interfaces.protocol import Peer
from worldmail.interfaces.world import World
from worldmail.protocols.pop3.delays import LoginDelays
from worldmail.protocols.pop3.settings import Pop3Settings
from worldmail.wire.commands import Command
from worldmail.wire.networks import NetworkSet

if TYPE_CHECKING:
    from worldmail.protocols.pop3.session import Session


@frozen(kw_only=True)
class Site:
    """What all sessions share.

    Args:
        offers_tls: STLS may be given at this listener.
        rows: every command, in the order of their capabilities.
        commands: the same by their word.
        plaintext: networks whose peers may send a password in the clear.
        random: so many unguessable octets.
    """

    world: World
    settings: Pop3Settings
    rows: Sequence[Command[Session]]
    commands: Mapping[bytes, Command[Session]]
    delays: LoginDelays
    plaintext: NetworkSet = NetworkSet()
    offers_tls: bool = True
    random: Callable[[int], bytes] = os.urandom

    def new_stamp(self) -> bytes:
        """A msg-id that no greeting had before (RFC 1939 §7)."""
        unique = b"%s.%d" % (binascii.hexlify(self.random(12)), int(self.world.clock.now()))
        return b"<" + unique + b"@" + self.world.hostname.encode("ascii", "ignore") + b">"

    def takes_plaintext(self, peer: Peer) -> bool:
        """May this peer send a password without TLS?"""
        return peer.host in self.plaintext
