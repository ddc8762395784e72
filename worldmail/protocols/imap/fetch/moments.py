"""INTERNALDATE and SAVEDATE for many messages (RFC 9051 §9: date-time)."""

from __future__ import annotations

import time
from functools import lru_cache

from worldmail.protocols.imap.grammar.dates import MONTHS

_WITHIN = tuple(b"%02d:%02d +0000" % divmod(second, 60) for second in range(3600))


@lru_cache(maxsize=4096)
def _hour(hour: int) -> bytes:
    """Day and hour, for hours since the epoch."""
    at = time.gmtime(hour * 3600)
    return b"%02d-%s-%04d %02d:" % (at.tm_mday, MONTHS[at.tm_mon - 1].encode(), at.tm_year, at.tm_hour)


def halves(moment: int) -> tuple[bytes, bytes]:
    """A moment (epoch seconds) in UTC, in two pieces, without quotes."""
    hour, second = divmod(moment, 3600)
    return _hour(hour), _WITHIN[second]
