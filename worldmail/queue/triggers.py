"""What releases holds beside ETRN: a word asked of the finger server, a login, the clock.

(A wake-up message is mail: `queue.waking`.) Each leaves a record of the log, and what it let go says so in its trace.
"""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from worldmail.errors import Refusal
from worldmail.interfaces.auth import LoginContext
from worldmail.interfaces.directory import Account
from worldmail.interfaces.holds import Hold
from worldmail.interfaces.queue import IRoutes
from worldmail.interfaces.releases import CannotRelease, NotAllowed
from worldmail.interfaces.triggers import ITriggers, Released
from worldmail.interfaces.world import IClock, IJournal
from worldmail.queue.releasing import Releasing

LOGIN_PAUSE = 60.0
"""Seconds in which further logins do not release a hold once more."""

LOOK = 10.0
"""Seconds between two looks for holds whose time has come."""


@implementer(ITriggers)
@define(kw_only=True, eq=False)
class Triggers:
    """Pulls them."""

    releasing: Releasing
    routes: IRoutes
    clock: IClock
    journal: IJournal
    _at_login: dict[str, float] = field(factory=dict, init=False)
    _turns: dict[str, int] = field(factory=dict, init=False)

    async def finger(self, word: str, client: str, session: str) -> list[Released]:
        """See `ITriggers.finger`."""
        holds = self.routes.triggers.fingered.get(word, ())
        if not holds:
            self._tell("finger", None, session=session, client=client, refused="not allowed")
            raise NotAllowed
        able = [hold for hold in holds if not self.releasing.too_often(hold)]
        if not able:
            self._tell("finger", holds[0], session=session, client=client, refused="too often")
            raise CannotRelease
        done = []
        for hold in able:
            messages = await self.releasing.let_go(hold, None, f"released by a finger query from {client}")
            self._tell("finger", hold, session=session, client=client, messages=messages)
            done.append(Released(hold=hold.name, messages=messages))
        return done

    def signed_in(self, account: Account, context: LoginContext) -> None:
        """Somebody signed in: what waits for that is released, soon. Costs a look into a table, most times."""
        try:
            holds = self.routes.triggers.at_login.get(account.address.key)
        except Refusal as refusal:  # whoever signs in has nothing to do with it
            self._tell("login", None, refused=refusal.reason or refusal.reply_text)
            return
        if holds is None:
            return
        now = self.clock.seconds()
        for hold in holds:
            last = self._at_login.get(hold.name)
            if last is None or now >= last + LOGIN_PAUSE:
                self._at_login[hold.name] = now
                Deferred.fromCoroutine(self._after_login(hold, account, context)).addErrback(self._failed)

    async def _after_login(self, hold: Hold, account: Account, context: LoginContext) -> None:
        said = f"released when {account.address} signed in from {context.client} ({context.service})"
        messages = await self.releasing.let_go(hold, None, said)
        if messages:
            self._tell(
                "login",
                hold,
                session=context.session,
                client=context.client,
                account=str(account.address),
                messages=messages,
            )

    def _failed(self, failure: Failure) -> None:
        error = failure.value
        if isinstance(error, Refusal):
            self._tell("login", None, refused=error.reason or error.reply_text)
        elif error is not None:
            self.journal.failure("release.failed", error, trigger="login")

    async def look(self) -> None:
        """Release the holds whose time has come: at each multiple of their interval, whichever servers run.

        One that was just heard of waits for its next turn.
        """
        now, timed = self.clock.now(), self.routes.triggers.timed
        before, self._turns = self._turns, {hold.name: int(now // hold.every) for hold in timed}
        for hold in timed:
            last = before.get(hold.name, self._turns[hold.name])
            if last < self._turns[hold.name]:
                try:
                    messages = await self.releasing.let_go(hold, None, "released by the clock")
                except Refusal as refusal:
                    self._turns[hold.name] = last  # at the next look
                    self._tell("clock", hold, refused=refusal.reason or refusal.reply_text)
                else:
                    if messages:
                        self._tell("clock", hold, messages=messages)

    def _tell(self, trigger: str, hold: Hold | None, **fields: Any) -> None:
        self.journal.record("release", trigger=trigger, hold=None if hold is None else hold.name, **fields)
