"""By what else than ETRN holds are released: a wake-up message, a finger query, a login, the clock."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping, Sequence

from attrs import field, frozen
from zope.interface import Interface

from worldmail.interfaces.holds import Hold, Release
from worldmail.interfaces.outbound import Hop


@frozen(kw_only=True)
class TriggerTable:
    """The enabled holds that name a trigger, by what pulls it.

    Args:
        waking: by the key of the address that wakes them.
        fingered: by the word that is asked of the finger server.
        at_login: by the key of the account that signs in.
        timed: released by themselves.
    """

    waking: Mapping[str, tuple[Hold, ...]] = field(factory=dict)
    fingered: Mapping[str, tuple[Hold, ...]] = field(factory=dict, repr=False)
    at_login: Mapping[str, tuple[Hold, ...]] = field(factory=dict)
    timed: tuple[Hold, ...] = ()

    @classmethod
    def of(cls, holds: Iterable[Hold]) -> TriggerTable:
        """The table of these. What is fetched by ODMR alone nothing releases."""
        able = [hold for hold in holds if hold.enabled and hold.release is not Release.ODMR]
        return cls(
            waking=_by((hold.wake, hold) for hold in able),
            fingered=_by((hold.finger, hold) for hold in able),
            at_login=_by((account, hold) for hold in able if hold.at_login for account in hold.accounts),
            timed=tuple([hold for hold in able if hold.every]),
        )


def _by(pairs: Iterable[tuple[str, Hold]]) -> dict[str, tuple[Hold, ...]]:
    found: dict[str, tuple[Hold, ...]] = {}
    for key, hold in pairs:
        if key:
            found[key] = (*found.get(key, ()), hold)
    return found


@frozen(kw_only=True)
class Released:
    """A hold that was released: its name, and how many messages are tried now."""

    hold: str
    messages: int


class ITriggers(Interface):
    """Releases by word alone, for protocols."""

    def finger(word: str, client: str, session: str) -> Awaitable[Sequence[Released]]:
        """Release the holds that name this word.

        Raises: `NotAllowed` if none does, `CannotRelease` if they were asked for too often, `TemporaryFailure`.

        Args:
            client: the IP address that asks.
            session: the id of the session, for the log.
        """


class IFinger(Interface):
    """Asks finger servers (RFC 1288)."""

    def ask(hop: Hop, question: str) -> Awaitable[str]:
        """The first line of the answer, for people; "" if there was none. Raises `HopFailed`.

        Args:
            question: ASCII without control characters.
        """

    def look(hop: Hop) -> Awaitable[None]:
        """Does it answer? Connects, asks nothing and closes. Raises `HopFailed`."""
