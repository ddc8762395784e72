"""XRECIPIENTS: a site tells whom it has, so that we refuse the others while it sleeps (`paired`).

The octets come after 354, counted, so none of them is ever a command; whoever is refused before has sent none.
"""

from __future__ import annotations

from attrs import define, field

from worldmail.errors import BadValue, Refusal
from worldmail.interfaces.pairs import Known, Pair
from worldmail.protocols.smtp.grammar import Chunk
from worldmail.protocols.smtp.paired import MAXIMUM_LISTS, parse_size, read_lists
from worldmail.protocols.smtp.parser import Text
from worldmail.protocols.smtp.replies import reply
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.states import State
from worldmail.protocols.smtp.transfer import Transfer
from worldmail.protocols.smtp.verbs.xjoin import offered_to_sites, relay_end, required_site, site_of
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects


@define(eq=False)
class Lists(Transfer):
    """The octets of lists, while they come; `end` has them known."""

    session: Session = field(kw_only=True)
    site: Pair = field(kw_only=True)
    _pieces: list[bytes] = field(factory=list, init=False)

    async def take(self, text: Text) -> None:
        """The next piece."""
        self._pieces.append(text.octets)

    async def end(self) -> bytes:
        """All of it is here. Raises the refusal; then nothing was changed."""
        world = self.session.entrance.world
        octets, self._pieces = b"".join(self._pieces), []
        try:
            lists: list[Known] = await world.aside(lambda: read_lists(octets))
            count = await relay_end(self.session).replace_recipients(self.site, lists)
        except BadValue as error:
            raise Refusal("The lists are not taken: " + _ascii(error), code=554, enhanced="5.6.0") from None
        peer = self.session.peer
        world.journal.record("pair.recipients", session=peer.session, hold=self.site.name, recipients=count)
        return reply(250, "2.0.0", f"{count} recipients")


async def run(session: Session, size: int) -> Effects:
    """Take them from a site that has joined."""
    site = required_site(session)
    session.receive_text(Lists(None, chunk=Chunk(size, True), session=session, site=site))
    return (reply(354, "", f"Send {size} octets"),)


def _ascii(error: BadValue) -> str:
    return str(error).encode("ascii", "replace").decode()


XRECIPIENTS = Command(
    word=b"XRECIPIENTS",
    states=frozenset((State.READY,)),
    parse=parse_size,
    run=run,
    capability=lambda session: (f"XRECIPIENTS {MAXIMUM_LISTS}",) if _known(session) else (),
    offered=offered_to_sites,
    rfc="RFC 5321 §4.1.5",
)


def _known(session: Session) -> bool:
    return offered_to_sites(session) and site_of(session) is not None
