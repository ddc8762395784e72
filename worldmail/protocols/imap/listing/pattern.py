"""The patterns of LIST and LSUB (RFC 9051 §6.3.9): "*" stands for anything, "%" for anything within one level.

All patterns of a command are one automaton, whose states are the bits of an integer: a character of a name is one step
for all of them, so the time is that of the name's length, whatever stands in the patterns. A state is "so many
literal characters were seen"; a wildcard lets it stay where it is.

    list-char       = ATOM-CHAR / list-wildcards / resp-specials
    list-wildcards  = "%" / "*"
"""

from __future__ import annotations

from collections.abc import Iterable

SEPARATOR = "/"
MOST_STATES = 10_000
"""All patterns together have so many literal characters at most; those beyond are ignored (RFC 5258 §3)."""

_INBOX = "INBOX"
_STAYS_ANYWHERE, _STAYS_IN_LEVEL = "*", "%"


class Patterns:
    """What the patterns of one command match.

    Names are as the store has them; INBOX, the name or the first level, is matched in any case (RFC 9051 §5.1).
    An empty pattern matches nothing (RFC 5258 §3).

    Attributes:
        prefix: what every name that is matched begins with; "" if that could be anything.
    """

    __slots__ = ("_accept", "_anywhere", "_everything", "_exact", "_in_level", "_masks", "_start", "prefix")

    def __init__(self, patterns: Iterable[str]) -> None:
        wild: list[str] = []
        exact: list[str] = []
        for pattern in dict.fromkeys(patterns):
            if _STAYS_ANYWHERE in pattern or _STAYS_IN_LEVEL in pattern:
                wild.append(pattern)
            elif pattern:
                exact.append(inbox_in_capitals(pattern))
        self._exact = frozenset(exact)
        self._everything = _STAYS_ANYWHERE in wild
        self._start = self._accept = self._anywhere = self._in_level = 0
        self._masks: dict[str, int] = {}
        if not self._everything:
            self._build(wild)
        self.prefix = _common_prefix([*exact, *(_literal_beginning(pattern) for pattern in wild)])

    def _build(self, patterns: Iterable[str]) -> None:
        state = 0
        for pattern in patterns:
            if state + len(pattern) - pattern.count(_STAYS_ANYWHERE) - pattern.count(_STAYS_IN_LEVEL) > MOST_STATES:
                continue
            self._start |= 1 << state
            for character in pattern:
                bit = 1 << state
                if character == _STAYS_ANYWHERE:
                    self._anywhere |= bit
                elif character == _STAYS_IN_LEVEL:
                    self._in_level |= bit
                else:
                    self._masks[character] = self._masks.get(character, 0) | bit
                    state += 1
            self._accept |= 1 << state
            state += 1

    def match(self, name: str) -> bool:
        """Whether any pattern matches this name."""
        if self._everything or name in self._exact:
            return True
        if not self._accept:
            return False
        if name.startswith(_INBOX) and name[5:6] in ("", SEPARATOR):
            return self._run(name[5:], self._run_inbox())
        return self._run(name, self._start)

    def _run(self, name: str, states: int) -> bool:
        masks, anywhere, in_level = self._masks, self._anywhere, self._in_level
        for character in name:
            stay = anywhere if character == SEPARATOR else anywhere | in_level
            states = ((states & masks.get(character, 0)) << 1) | (states & stay)
            if not states:
                return False
        return bool(states & self._accept)

    def _run_inbox(self) -> int:
        """The states behind "INBOX" in any case."""
        states, stay = self._start, self._anywhere | self._in_level
        for character in _INBOX:
            mask = self._masks.get(character, 0) | self._masks.get(character.lower(), 0)
            states = ((states & mask) << 1) | (states & stay)
        return states


def inbox_in_capitals(name: str) -> str:
    """The name with its first level in capitals if that is INBOX in any case (RFC 9051 §5.1)."""
    if name[:5].upper() == _INBOX and name[5:6] in ("", SEPARATOR):
        return _INBOX + name[5:]
    return name


def _literal_beginning(pattern: str) -> str:
    """What stands before the first wildcard."""
    return pattern.partition(_STAYS_ANYWHERE)[0].partition(_STAYS_IN_LEVEL)[0]


def _common_prefix(beginnings: list[str]) -> str:
    """The longest beginning that all have; "" where it may be that of INBOX in other letters."""
    if not beginnings:
        return ""
    low, high = min(beginnings), max(beginnings)
    length = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    shortest = low[:length]
    folded = shortest[:5].upper()
    return "" if _INBOX.startswith(folded) and shortest[:5] != folded else shortest
