"""Joining a relay, once, by its code. For commands; no server need run.

Theory of operation. The relay takes a code once, and the password that we send with it. So the password is kept first,
sealed, under a digest of the secret; then it is sent; then one unit makes the pair, the agent that fetches, the route
by which our mail leaves, and the domains. Whatever breaks off before that unit, the same command with the same code
goes on: it sends the same password, and if the relay does not know the code any more, it signs in with that.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import TypeVar

from attrs import evolve, frozen

from worldmail.app.ground import StoreParts, host_name
from worldmail.app.outgoing import make_exchangers, make_means
from worldmail.config.keys import thing_name
from worldmail.config.settings import Settings
from worldmail.database.entries import Entry
from worldmail.database.worker import Threads
from worldmail.directory.domains import add_domain
from worldmail.directory.rows import domain_by_name
from worldmail.errors import AlreadyThere, BadValue, ConfigurationError, NoSuchThing
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.ondemand import Agent
from worldmail.interfaces.outbound import NOT_PINNED, Fate, Hop, HopFailed, Login, Security, Shown
from worldmail.interfaces.pairs import End, Joined, Pair
from worldmail.interfaces.queue import Route, Via
from worldmail.ondemand.agent_admin import AGENTS, RUN, STATUSES, WISHES, agent_entry, read_agent
from worldmail.ondemand.join_code import JoinCode, secret_name
from worldmail.ondemand.pair_entries import JOINING, PAIRS, pair_entry, read_pair
from worldmail.ondemand.wishes import Wish, is_taken
from worldmail.protocols.smtp.client.asking import ask_server
from worldmail.protocols.smtp.client.channel import Channel
from worldmail.protocols.smtp.client.joining import ask_again, join
from worldmail.protocols.smtp.client.means import Patience
from worldmail.queue.route_rows import RouteRow, all_rows, remove_row
from worldmail.transport.client_tls import ClientTls
from worldmail.transport.connecting import Connector
from worldmail.transport.dns.resolver import Resolver

T = TypeVar("T")

WHEN, STAY = "every 5m", "1m"
"""What the agent does: a connection that stays open, and if that is not to be had, a try every five minutes."""

PATIENT = Patience(greeting=60.0, hello=60.0, login=60.0, goodbye=5.0)
"""Somebody waits at a terminal."""


@frozen(kw_only=True)
class Done:
    """What was made.

    Args:
        pair: we and the relay.
        added: domains that were added here.
        elsewhere: those that are none of our mailboxes', with what they are.
        route: the name of the route that our mail takes from now on; "" if that is as it was.
        before: the name of the route that takes all mail and was there; "" if there is none.
        again: they were joined before; of agent and route all that is not the relay's to say is as it was.
        off: which of the two ("agent", "route") are switched off, as they were.
        wish: that a running server fetches now.
        served: one does; `Joining.join` finds out.
    """

    pair: Pair
    added: tuple[str, ...]
    elsewhere: tuple[str, ...]
    route: str
    before: str
    again: bool
    off: tuple[str, ...]
    wish: Wish
    served: bool = False


@frozen
class _Begun:
    """What was kept before the code is used."""

    pair: Pair
    mark: str
    password: str
    again: bool


class Joining:
    """See the module.

    Args:
        store: what keeps all of it.
    """

    def __init__(self, store: StoreParts) -> None:
        self._store = store
        self._settings: Settings = store.foundations.settings
        self._database = store.database
        self._vouched = False  # the relay's certificate verified for its name, beside the pin

    async def join(self, code: JoinCode, name: str, routed: bool) -> Done:
        """Raises: `AlreadyThere`, `BadValue`, `HopFailed` (nothing was changed that the same code does not find again).

        Args:
            name: what the relay is called here; "" for its host's.
            routed: our mail is to leave by the relay, unless there is a route that takes all of it.
        """
        begun = await self._begin(code, name)
        joined = await self._ask(code, begun)
        done = await self._database.write(lambda cursor: self._end(cursor, begun, joined, routed))
        return evolve(done, served=await is_taken(WISHES, done.wish, self._database, self._store.foundations.clock))

    async def leave(self, name: str) -> Pair:
        """The relay is none of ours any more: its agent and the route by it go. Raises `NoSuchThing`."""

        def unit(cursor: Cursor) -> Pair:
            pair = read_pair(PAIRS.required(cursor, name.lower()))
            if pair.end is not End.SITE:
                raise NoSuchThing(f"{name} is no relay of ours, it is our site: worldmail relay remove {name}")
            PAIRS.remove(cursor, pair.name)
            if AGENTS.find(cursor, pair.name) is not None:
                AGENTS.remove(cursor, pair.name)
            STATUSES.forget(cursor, pair.name)
            if any(row.name == pair.name for row in all_rows(cursor)):
                remove_row(cursor, pair.name)
            return pair

        return await self._database.write(unit)

    def relays(self) -> Awaitable[list[Pair]]:
        """Those that we joined, by name."""
        return self._database.scan(
            lambda cursor: [pair for pair in map(read_pair, PAIRS.all(cursor)) if pair.end is End.SITE and pair.joined]
        )

    def refused(self) -> Awaitable[frozenset[str]]:
        """The names of those whose key was another than the pinned one when they were last spoken to."""

        def unit(cursor: Cursor) -> frozenset[str]:
            known = STATUSES.all(cursor)
            over = {name: texts for name, texts in known.items() if "ended" in texts}
            return frozenset(name for name, texts in over.items() if NOT_PINNED in texts.get("words", ""))

        return self._database.scan(unit)

    # --- before -------------------------------------------------------------------------

    async def _begin(self, code: JoinCode, name: str) -> _Begun:
        fresh, mark = secrets.token_urlsafe(32), secret_name(code.secret)
        called = thing_name("a relay", name or ("relay" if ":" in code.host else code.host[:64]))
        pair = Pair(name=called, end=End.SITE, account=code.account, domains=(), host=code.host, pins=code.pins)
        pair = evolve(pair, port=code.port, starttls=frozenset({code.port}) if code.starttls else frozenset())

        def unit(cursor: Cursor) -> _Begun:
            _check_unused(cursor, mark)
            begun = JOINING.find(cursor, mark)
            if begun is None:
                _check_free(cursor, pair)
                JOINING.add(cursor, Entry(mark, {"name": called}, self._store.key.seal(mark, fresh.encode())))
                return _Begun(pair, mark, fresh, False)
            if name and called != begun.texts["name"]:
                raise AlreadyThere(f"with this code {begun.texts['name']} was begun to be joined: leave --name away")
            again = evolve(pair, name=begun.texts["name"])
            _check_free(cursor, again)
            JOINING.replace(cursor, Entry(mark, {**begun.texts, "again": "yes"}, begun.sealed))
            return _Begun(again, mark, self._password(begun), True)

        return await self._database.write(unit)

    def _password(self, begun: Entry) -> str:
        try:
            return self._store.key.unseal(begun.name, begun.sealed or b"").decode()
        except ValueError:
            raise ConfigurationError("what was begun with this code cannot be read: ask for another") from None

    async def _ask(self, code: JoinCode, begun: _Begun) -> Joined:
        pair = begun.pair
        try:
            return await self._say(pair, None, partial(join, secret=code.secret, password=begun.password))
        except HopFailed as failed:
            definite = failed.trouble.fate is Fate.FAILED
            alone = not begun.again and (not definite or await self._database.write(partial(_forget, mark=begun.mark)))
            if not alone or (failed.trouble.reply is None and not definite):
                try:  # the relay may have taken it, and its answer was lost
                    return await self._say(pair, Login(user=pair.account, password=begun.password), ask_again)
                except HopFailed as unknown:  # it has not, only if it says that it does not know the password
                    said = unknown.trouble.reply
                    definite = definite and said is not None and said.code >= 500
                if definite:
                    await self._database.write(partial(_forget, mark=begun.mark, whoever=True))
            raise

    async def _say(self, pair: Pair, login: Login | None, course: Callable[[Channel], Awaitable[T]]) -> T:
        """On a connection of its own."""
        foundations, settings = self._store.foundations, self._settings
        reactor = foundations.reactor
        tls = ClientTls(trust=settings.queue.trust)
        connector = Connector(reactor=reactor, journal=foundations.journal, tls=tls, connect_timeout=15.0)
        connector.shown = self._looked
        aside = Threads(reactor, "worldmail-aside", 1).run
        try:
            hop = evolve(await self._hop(pair), login=login)
            return await ask_server(connector, evolve(make_means(self._store, aside), patience=PATIENT), hop, course)
        finally:
            await connector.shutdown(1.0)

    def _looked(self, hop: Hop, shown: Shown) -> None:
        self._vouched = shown.pinned and shown.distrust is None

    async def _hop(self, pair: Pair) -> Hop:
        """Looked up as the queue does it. Raises `HopFailed`."""
        settings = self._settings
        resolver = Resolver(
            reactor=self._store.foundations.reactor, servers=settings.dns.servers, limit=float(settings.dns.timeout)
        )
        route = Route(
            name=pair.name,
            via=Via.HOST,
            host=pair.host,
            port=pair.port,
            security=Security.PINNED,
            implicit_tls=pair.port not in pair.starttls,
            pins=pair.pins,
        )
        async for hop in make_exchangers(settings, resolver, host_name(settings)).hops(route, pair.host):
            return hop
        raise BadValue(f"{pair.host} has no address that can be used")

    # --- the unit -----------------------------------------------------------------------

    def _end(self, cursor: Cursor, begun: _Begun, joined: Joined, routed: bool) -> Done:
        starttls = set(begun.pair.starttls) | ({joined.submission} if joined.starttls else set())
        pair = evolve(
            begun.pair,
            account=joined.account,
            domains=joined.domains,
            joined=int(self._store.foundations.clock.now()),
            submission=joined.submission,
            starttls=frozenset(starttls),
            renews=self._vouched,
            called=joined.host,
        )
        _check_unused(cursor, begun.mark)  # the same command may run twice at once
        _forget(cursor, begun.mark, whoever=True)
        found = PAIRS.find(cursor, pair.name)
        put = PAIRS.add if found is None else PAIRS.replace
        put(cursor, pair_entry(pair, begun.mark))
        renewed = found is not None and read_pair(found).renews
        agent = self._put_agent(cursor, pair, begun.password, renewed)
        wish = Wish(name=pair.name, id=secrets.token_hex(8), what=RUN, at=pair.joined)
        WISHES.ask(cursor, wish)  # it runs now, not in minutes
        added, elsewhere = _add_domains(cursor, pair.domains)
        route, before = self._put_route(cursor, pair, begun.password, routed, renewed)
        return Done(
            pair=pair,
            added=added,
            elsewhere=elsewhere,
            route="" if route is None else route.name,
            before=before,
            again=found is not None,
            off=tuple(
                what for what, one in (("agent", agent), ("route", route)) if one is not None and not one.enabled
            ),
            wish=wish,
        )

    def _put_agent(self, cursor: Cursor, pair: Pair, password: str, renewed: bool) -> Agent:
        """One that was there keeps what an administrator set beside the server."""
        words, before = self._server(pair, pair.port, password), AGENTS.find(cursor, pair.name)
        if before is None:
            words |= {"kind": "odmr", "when": WHEN, "stay": STAY}
            entry = agent_entry(Entry(pair.name, {}), words, self._store.key.seal)
            AGENTS.add(cursor, entry)
        else:
            if renewed and before.texts.get("renews") == "off":  # by an administrator
                words["renews"] = "off"
            entry = agent_entry(before, words, self._store.key.seal)
            AGENTS.replace(cursor, entry)
        return read_agent(entry, self._store.key.unseal)

    def _put_route(
        self, cursor: Cursor, pair: Pair, password: str, routed: bool, renewed: bool
    ) -> tuple[Route | None, str]:
        """The route by the relay, and the name of another that takes all mail, "" for none; alike."""
        rows, routes = all_rows(cursor), self._store.route_admin
        ours = next((row for row in rows if row.name == pair.name), None)
        whole = [row.name for row in rows if row.name != pair.name and _takes_all(row)]
        if not pair.submission or not (ours or (routed and not whole)):
            return None, whole[0] if whole else ""
        words = self._server(pair, pair.submission, password) | {"via": "host"}
        if ours is None:
            return routes.adding(pair.name, words)(cursor), ""
        if renewed and not ours.given.renews:
            words["renews"] = "off"
        return routes.setting(pair.name, words)(cursor), ""

    def _server(self, pair: Pair, port: int, password: str) -> dict[str, str]:
        """The keys of a server that an agent and a route have alike."""
        return {
            "host": pair.host,
            "port": str(port),
            "security": "",
            "implicit-tls": "off" if port in pair.starttls else "on",
            "pins": ",".join(sorted(pair.pins)),
            "renews": "on" if pair.renews else "off",
            "user": pair.account,
            "password": password,
        }


def dns_lines(done: Done) -> Iterator[str]:
    """What is to be published for each domain (RFC 5321 §5.1, RFC 7208 §5), as in a zone file."""
    host = done.pair.host
    is_name = not host.replace(".", "").isdigit() and ":" not in host
    sends = "mx" if is_name else f"{'ip6' if ':' in host else 'ip4'}:{host}"
    if not done.route:  # RFC 7208 §2.6.4: what others send would fail
        sends = f"(what the route {done.before} sends from)" if done.before else "(what this server sends from)"
    for domain in done.pair.domains:
        yield f"{domain}. MX 10 {host}." if is_name else f"{domain}. MX 10 (a name that leads to {host})"
        yield f'{domain}. TXT "v=spf1 {sends} -all"'


def _add_domains(cursor: Cursor, domains: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Those that were added, and those that are here as something else than mailboxes."""
    added, elsewhere = [], []
    for name in domains:
        found = domain_by_name(cursor, name)
        if found is None:
            added.append(add_domain(cursor, name, "local", None).name)
        elif found.kind != "local":
            elsewhere.append(f"{name} is a {found.kind} domain here")
    return tuple(added), tuple(elsewhere)


def _check_free(cursor: Cursor, pair: Pair) -> None:
    """Nobody has the name but the same relay, which may be joined anew: with another certificate, or password."""
    found = PAIRS.find(cursor, pair.name)
    if found is not None:
        other = read_pair(found)
        if (other.end, other.host, other.account) != (pair.end, pair.host, pair.account):
            raise AlreadyThere(f"there is a relay {pair.name} already; call this one otherwise: --name NAME")
    elif AGENTS.find(cursor, pair.name) is not None:
        raise AlreadyThere(f"there is an agent {pair.name} already; call the relay otherwise: --name NAME")


def _check_unused(cursor: Cursor, mark: str) -> None:
    for entry in PAIRS.all(cursor):
        if entry.texts.get("code") == mark:
            raise AlreadyThere(f"this code was used here already: {entry.name} is our relay")


def _forget(cursor: Cursor, mark: str, *, whoever: bool = False) -> bool:
    """Keep nothing more for this code; False if it is kept, since it was tried here again meanwhile."""
    begun = JOINING.find(cursor, mark)
    if begun is not None and "again" in begun.texts and not whoever:
        return False
    if begun is not None:
        JOINING.remove(cursor, mark)
    return True


def _takes_all(row: RouteRow) -> bool:
    route = row.route(None)
    return route.enabled and route.domain == route.sender == "*"
