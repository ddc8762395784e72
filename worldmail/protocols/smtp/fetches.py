"""Asking for our mail: as a client, and where the connection is turned then as a server (`IFetches`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from attrs import define
from zope.interface import implementer

from worldmail.errors import ConfigurationError
from worldmail.interfaces.ondemand import Result, Wrong
from worldmail.interfaces.outbound import Hop, IConnector, Security
from worldmail.interfaces.pairs import Joined, Known
from worldmail.interfaces.turned import Fetch, IFetches
from worldmail.interfaces.world import World
from worldmail.mail.envelope import Turned
from worldmail.protocols.smtp.client.asking import ask_server
from worldmail.protocols.smtp.client.channel import Channel
from worldmail.protocols.smtp.client.fetching import ask_to_turn
from worldmail.protocols.smtp.client.joining import ask_again, push_recipients
from worldmail.protocols.smtp.client.means import Means
from worldmail.protocols.smtp.client.releasing import release
from worldmail.protocols.smtp.entrance import Entrance
from worldmail.protocols.smtp.paired import write_lists
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.settings import SmtpListener, SmtpSettings
from worldmail.protocols.smtp.turned import GOODBYE, Turn
from worldmail.protocols.smtp.verbs import ROWS

_INNER = SmtpListener(name="turned", role="mx", listen=())
"""By which mail is taken where no listener is: a site need not be open to anybody to fetch its own."""

LATE = 45.0
"""Seconds by which what a relay is to say after so much silence may be late: it is gone then, or the link is."""


@implementer(IFetches)
@define(kw_only=True, eq=False)
class Fetches:
    """See `IFetches`.

    Args:
        world: with the settings as they are now; replaced when these change.
        met: called with the name of a pair when its relay has shown that it is there.
        stands: called with the name of an agent when its relay has, and the connection stays open.
    """

    connector: IConnector
    means: Means
    world: World
    met: Callable[[str], None] = lambda name: None
    stands: Callable[[str], None] = lambda agent: None

    async def fetch(self, hop: Hop, fetch: Fetch) -> Result:
        """See `IFetches.fetch`."""
        pair = self._pair(hop, fetch)
        turn = Turn(
            turned=Turned(relay=hop.host, agent=fetch.agent),
            promise=self.means.promise,
            pair=pair,
            met=(lambda: None) if pair is None else partial(self.met, pair),
        )
        session = Session(self._entrance(fetch.listener), turn)
        course = partial(ask_to_turn, domains=fetch.domains, stay=fetch.stay, session=session)
        answered = await ask_server(self.connector, self.means, hop, course)
        if not answered.turned:
            return Result(ok=answered.ok, words=answered.words, messages=0 if answered.ok else None)
        if answered.stays:
            turn.silence, turn.stands = fetch.stay + LATE, partial(self.stands, fetch.agent)
        return _came_to(turn, answered.server, await _end_of(turn))

    async def ask(self, hop: Hop, nodes: Sequence[str]) -> Result:
        """See `IFetches.ask`."""
        return await ask_server(self.connector, self.means, hop, partial(release, nodes=nodes))

    async def facts(self, hop: Hop) -> Joined:
        """See `IFetches.facts`."""
        return await ask_server(self.connector, self.means, hop, ask_again)

    async def push(self, hop: Hop, lists: Sequence[Known]) -> str:
        """See `IFetches.push`."""
        octets = await self.world.aside(lambda: write_lists(lists))
        return await ask_server(self.connector, self.means, hop, partial(push_recipients, lists=octets))

    async def look(self, hop: Hop, word: str) -> list[str]:
        """See `IFetches.look`."""
        return await ask_server(self.connector, self.means, hop, partial(_look, word=word))

    def _pair(self, hop: Hop, fetch: Fetch) -> str | None:
        """The pair whose relay this is, by its key: nobody else can be it, whatever the agent was set to since."""
        pair = None if self.world.pairs is None else self.world.pairs.relay(fetch.agent)
        if pair is None or hop.security is not Security.PINNED or not hop.pins or not hop.pins <= pair.pins:
            return None
        if hop.renews and not (pair.renews and hop.host == pair.host):
            return None
        return pair.name

    def _entrance(self, name: str) -> Entrance:
        settings: SmtpSettings = self.world.settings.protocols["smtp"]
        there = [each for each in settings.listeners if each.role == "mx"]
        if name:
            there = [each for each in there if each.name == name]
            if not there:
                raise ConfigurationError(f"there is no listener {name} of role mx")
        return Entrance.make(self.world, settings, (there or [_INNER])[0], ROWS).turned()


async def _end_of(turn: Turn) -> str:
    """Why it is over. Cancelled, it ends behind the message that is under way; a second time, at once."""
    try:
        return await turn.over()
    except Exception:
        turn.leave()
        try:
            await turn.over()
        except Exception:
            turn.leave()
            raise
        raise


def _came_to(turn: Turn, server: str, reason: str) -> Result:
    """What the turn came to: only who says QUIT has nothing more for us (RFC 5321 §4.1.1.10)."""
    count = turn.messages
    messages = "no message" if not count else "1 message" if count == 1 else f"{count} messages"
    if reason == GOODBYE:
        return Result(ok=True, words=f"{messages} from {server}", messages=count, resume=turn.silence is not None)
    if not turn.greeted:
        return Result(ok=False, words=f"{server} turned the connection and then said nothing: {reason}", messages=0)
    return Result(ok=False, words=f"the turned connection with {server} broke off: {reason}", messages=count)


async def _look(channel: Channel, word: str) -> list[str]:
    """What an open conversation shows."""
    tls, offers = channel.peer.tls, channel.capabilities.keywords
    lines = [f"connected to {channel.server}"]
    if tls is None:
        lines.append("without TLS")
    else:
        pin = channel.peer.pin()
        pinned = pin in channel.hop.pins
        proof = "pinned" if pinned else "verified" if tls.verified else "not looked at"
        lines.append(f"{tls.version} with {tls.cipher}, certificate {proof}")
        if pin and (pinned or tls.verified):  # a key that nobody vouches for is that of whoever answers
            lines.append(f"its key {'is' if pinned else 'would be'} pins={pin}")
    login = channel.hop.login
    lines.append("signed in as nobody" if login is None else f"signed in as {login.user}")
    lines.append(f"it offers: {' '.join(offers) or 'nothing'}")
    lines.append(f"{word} is offered" if word in offers else Wrong(f"{word} is not among them"))
    return lines
