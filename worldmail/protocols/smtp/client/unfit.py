"""What cannot go this way is said so at once, and not even tried."""

from __future__ import annotations

from worldmail.interfaces.outbound import Fate, Phase, RecipientFate


class Unfit(Exception):
    """The message cannot go this way."""

    def __init__(self, fate: RecipientFate) -> None:
        super().__init__(fate.reason)
        self.fate = fate


def unfit(status: str, reason: str, phase: Phase = Phase.MAIL) -> Unfit:
    """Not now and not later."""
    return Unfit(RecipientFate(fate=Fate.FAILED, status=status, phase=phase, reason=reason))
