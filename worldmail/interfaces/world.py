"""The one place where rooms meet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import frozen
from zope.interface import Interface

from worldmail.interfaces.auth import IAuthentication
from worldmail.interfaces.database import IChanges, IDatabase
from worldmail.interfaces.derived import ISearchIndex, ISummaries
from worldmail.interfaces.directory import IDirectory, IDirectoryAdmin
from worldmail.interfaces.expansion import IExpansion
from worldmail.interfaces.folders import IFolders
from worldmail.interfaces.messages import IMessages
from worldmail.interfaces.pairs import IPairs, IRelayEnd
from worldmail.interfaces.policy import IPolicy
from worldmail.interfaces.releases import IReleases
from worldmail.interfaces.store import IAcceptance, IMailboxStore, ITrace
from worldmail.interfaces.triggers import ITriggers
from worldmail.interfaces.urls import IUrls


class IClock(Interface):
    """Time. Tests bring their own."""

    def seconds() -> float:
        """Seconds that only grow, for measuring."""

    def now() -> float:
        """Wall-clock time, epoch seconds."""

    def sleep(seconds: float) -> Awaitable[None]:
        """Done after that many seconds."""


class IJournal(Interface):
    """The log of what happened: one JSON object per event. Never passwords, never content."""

    def record(event: str, **fields: Any) -> None:
        """Write one record; `session` and `acceptance` are the fields that tie records together.

        None fields are left out. Cheap, never blocks, never raises.
        """

    def failure(event: str, error: BaseException, **fields: Any) -> None:
        """A fault of ours, with its traceback."""


class ITls(Interface):
    """Our certificates, the same for every protocol."""

    def available() -> bool:
        """True if there is a certificate to offer."""

    def context_factory() -> Any:
        """What `startTLS` and TLS listeners take: picks the certificate by SNI name, follows reloads."""


Aside = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs what takes more than some milliseconds where it keeps nobody waiting (in a thread); gives its result."""


@frozen(kw_only=True)
class World:
    """Every service that a protocol may use, by interface. Filled by `app/assembly.py`, or by tests.

    Args:
        hostname: our own name in greetings, Received and Message-IDs.
        settings: the whole configuration (`worldmail.config.settings.Settings`).
        reactor: the reactor, for transports only.
        aside: for sorting and the like, of values that nobody changes meanwhile.
        releases, triggers: None where nothing waits for anybody.
        pairs, relay_end: None where nobody is paired with us.
    """

    hostname: str
    settings: Any
    reactor: Any
    clock: IClock
    journal: IJournal
    tls: ITls
    limits: Any
    database: IDatabase
    changes: IChanges
    directory: IDirectory
    directory_admin: IDirectoryAdmin
    authentication: IAuthentication
    policy: IPolicy
    mailboxes: IMailboxStore
    messages: IMessages
    summaries: ISummaries
    search: ISearchIndex
    folders: IFolders
    urls: IUrls
    acceptance: IAcceptance
    expansion: IExpansion
    trace: ITrace
    aside: Aside
    releases: IReleases | None = None
    triggers: ITriggers | None = None
    pairs: IPairs | None = None
    relay_end: IRelayEnd | None = None
