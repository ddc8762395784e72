"""What an administrator wants of a running link, from the moment that a server takes it up until it can answer."""

from __future__ import annotations

from attrs import define, field

from worldmail.ondemand.link_life import Life
from worldmail.ondemand.link_states import Phase
from worldmail.ondemand.wishes import Answer, Wish

UP, DOWN, RUN = "up", "down", "run"
"""What can be wanted. Run: up, send, let the agents fetch, down."""


@define(kw_only=True, eq=False)
class Pending:
    """One wish under way. `life`: the link as it was when it was asked; None if there is none, or it is disabled."""

    wish: Wish
    life: Life | None
    _tried: int = field(default=0, init=False)
    _runs: int = field(default=0, init=False)

    def begin(self) -> None:
        """Let the link do it."""
        if self.life is None:
            return
        self._tried, self._runs = self.life.tried, self.life.runs
        if self.wish.what == DOWN:
            self.life.hold()
        elif self.wish.what in (UP, RUN):
            self.life.call(hasty=self.wish.what == RUN)

    def answer(self, now: Life | None) -> Answer | None:
        """What came of it, if that is known; `now`: the link as it is looked after."""
        life = self.life
        if life is None or life is not now:
            return Answer(ok=False, words="the server does not look after it: it is disabled, or was removed")
        if self.wish.what == DOWN:
            return Answer(ok=True, words=_with("it is down", life.words)) if life.phase is Phase.DOWN else None
        if self.wish.what not in (UP, RUN):
            return Answer(ok=False, words=f"nobody knows how to {self.wish.what} a link")
        if life.tried > self._tried:
            return Answer(ok=False, words=_with("it could not be brought up", life.words))
        if life.held:
            return Answer(ok=False, words="it was taken down meanwhile")
        if self.wish.what == UP:
            return Answer(ok=True, words=_with("it is up", life.words)) if life.phase is Phase.UP else None
        if life.runs > self._runs:
            return Answer(ok=True, words="all was done that there was to do")
        if not life.called:
            return Answer(ok=False, words=_with("it went down before all was done", life.words))
        return None


def _with(words: str, said: str) -> str:
    return f"{words} ({said})" if said else words
