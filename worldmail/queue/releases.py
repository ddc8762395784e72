"""Both ways in which mail leaves a hold, for protocols."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from attrs import frozen
from zope.interface import implementer

from worldmail.interfaces.directory import Account
from worldmail.interfaces.protocol import IDialogue
from worldmail.interfaces.releases import IReleases, ReleaseRequest, Started
from worldmail.queue.releasing import Releasing
from worldmail.queue.turning import Turns


@implementer(IReleases)
@frozen(kw_only=True)
class Releases:
    """Provides `IReleases`."""

    releasing: Releasing
    turns: Turns

    def release(self, request: ReleaseRequest) -> Awaitable[Started]:
        """See `IReleases.release`."""
        return self.releasing.release(request)

    def may_ask(self, client: str) -> bool:
        """See `IReleases.may_ask`."""
        return self.releasing.may_ask(client)

    def turn(
        self, account: Account, domains: Sequence[str] | None, session: str, stay: int = 0
    ) -> Awaitable[IDialogue]:
        """See `IReleases.turn`."""
        return self.turns.begin(account, domains, session, stay)
