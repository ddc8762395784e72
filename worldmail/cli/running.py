"""Running one piece of work on the store: our own connection to the same data, server or no server."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import frozen
from zope.interface import implementer

from worldmail.errors import NoSuchThing
from worldmail.interfaces.directory import Account, IDirectoryAdmin
from worldmail.interfaces.holds import IHoldAdmin
from worldmail.interfaces.queue import IQueueAdmin, IRecipientAdmin, IRouteAdmin
from worldmail.interfaces.store import IMailboxStore, ITrace
from worldmail.interfaces.world import IJournal
from worldmail.mail.address import Address

if TYPE_CHECKING:
    from worldmail.app.ground import StoreParts
    from worldmail.app.inviting import Inviting
    from worldmail.app.joining import Joining
    from worldmail.config.settings import Settings
    from worldmail.interfaces.ondemand import AgentKind, IErrand
    from worldmail.ondemand.agent_admin import AgentAdmin
    from worldmail.ondemand.link_admin import LinkAdmin
    from worldmail.ondemand.unclaimed import UnclaimedAdmin
    from worldmail.store.derived import Derived
    from worldmail.store.folders import FolderAdmin

T = TypeVar("T")


@frozen(kw_only=True)
class Parts:
    """What a command works with."""

    settings: Settings
    admin: IDirectoryAdmin
    recipients: IRecipientAdmin
    routes: IRouteAdmin
    holds: IHoldAdmin
    links: LinkAdmin
    agents: AgentAdmin
    mailboxes: IMailboxStore
    folders: FolderAdmin
    trace: ITrace
    make_derived: Callable[[], Derived]
    make_inviting: Callable[[], Inviting]
    make_joining: Callable[[], Joining]
    steering: Callable[[], AbstractAsyncContextManager[IQueueAdmin]]
    errands: Callable[[], AbstractAsyncContextManager[Mapping[AgentKind, IErrand]]]
    unclaimed: Callable[[], AbstractAsyncContextManager[UnclaimedAdmin]]

    @property
    def derived(self) -> Derived:
        """What is derived of contents; who uses it stops it."""
        return self.make_derived()

    @property
    def inviting(self) -> Inviting:
        """What a relay does with its sites."""
        return self.make_inviting()

    @property
    def joining(self) -> Joining:
        """What a site does with its relays; it takes a whole reactor."""
        return self.make_joining()

    async def account(self, address: Address) -> Account:
        """The account with this address. Raises `NoSuchThing`."""
        for account in await self.admin.accounts(address.domain):
            if account.address.key == address.key:
                return account
        raise NoSuchThing(f"there is no account {address}")


@implementer(IJournal)
class QuietJournal:
    """Commands say what they did themselves; faults go to standard error."""

    def record(self, event: str, **fields: Any) -> None:
        """Nothing."""

    def failure(self, event: str, error: BaseException, **fields: Any) -> None:
        """One line."""
        print(f"worldmail: {event}: {error}", file=sys.stderr)


def run(config: Path, job: Callable[[Parts], Awaitable[T]]) -> T:
    """The result of `job` on the store of this configuration. Raises what it raises."""
    from worldmail.app.ground import read_configuration

    return run_with(read_configuration(config), job)


def run_with(settings: Settings, job: Callable[[Parts], Awaitable[T]]) -> T:
    """As `run`, for settings that were read already."""
    from worldmail.app.ground import build_store
    from worldmail.cli.reactor import command_reactor

    reactor = command_reactor()
    act_as_owner(settings.data)
    store = build_store(settings, reactor, QuietJournal())
    parts = Parts(
        settings=settings,
        admin=store.admin,
        recipients=store.recipient_admin,
        routes=store.route_admin,
        holds=store.hold_admin,
        links=store.link_admin,
        agents=store.agent_admin,
        mailboxes=store.mailboxes,
        folders=store.folder_admin,
        trace=store.store.trace,
        make_derived=store.store.make_derived,
        make_inviting=partial(_inviting, store),
        make_joining=partial(_joining, store),
        steering=partial(_steering, store),
        errands=partial(_trying, store),
        unclaimed=partial(_unclaimed, store),
    )

    async def work() -> T:
        store.database.start()
        try:
            await store.check_key()
            return await job(parts)
        finally:
            await store.database.stop()

    return _run_reactor(reactor, work)


def _steering(store: StoreParts) -> AbstractAsyncContextManager[IQueueAdmin]:
    """The queue, of which a command loads nothing unless it is about it."""
    from worldmail.app.steering import steering

    return steering(store)


def _trying(store: StoreParts) -> AbstractAsyncContextManager[Mapping[AgentKind, IErrand]]:
    """What agents do, in the same way; it takes a whole reactor."""
    from worldmail.app.trying import trying

    return trying(store)


def _unclaimed(store: StoreParts) -> AbstractAsyncContextManager[UnclaimedAdmin]:
    """Unclaimed mail, in the same way."""
    from worldmail.app.unclaimed import unclaimed_admin

    return unclaimed_admin(store)


def _inviting(store: StoreParts) -> Inviting:
    """A relay's part, in the same way."""
    from worldmail.app.inviting import Inviting

    return Inviting(store)


def _joining(store: StoreParts) -> Joining:
    """A site's part, in the same way."""
    from worldmail.app.joining import Joining

    return Joining(store)


def act_as_owner(data: Path) -> None:
    """As root, become the owner of the data directory: what we make there must be theirs."""
    about = data.stat()
    if os.geteuid() != 0 or about.st_uid == 0:
        return
    try:
        name = pwd.getpwuid(about.st_uid).pw_name
    except KeyError:
        name = None
    from worldmail.app.preload import preload
    from worldmail.app.privileges import Identity, become

    preload()
    become(Identity(uid=about.st_uid, gid=about.st_gid, name=name))


def _run_reactor(reactor: Any, work: Callable[[], Awaitable[T]]) -> T:
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    ended: list[Any] = []

    def finish(result: Any) -> None:
        ended.append(result)
        reactor.stop()

    def begin() -> None:
        Deferred.fromCoroutine(work()).addBoth(finish)  # type: ignore[arg-type]  # a coroutine

    reactor.callWhenRunning(begin)
    reactor.run()
    if not ended:
        raise KeyboardInterrupt
    (result,) = ended
    if isinstance(result, Failure):
        result.raiseException()
    value: T = result
    return value
