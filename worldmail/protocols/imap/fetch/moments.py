"""INTERNALDATE and SAVEDATE for many messages (RFC 9051 §9: date-time)."""

from __future__ import annotations

import time
from functools import lru_cache

from worldmail.protocols.imap.grammar.dates import MONTHS


@lru_cache(maxsize=16384)
def date_time(moment: int) -> bytes:
    """A moment (epoch seconds) in UTC, without quotes."""
    hour, second = divmod(moment, 3600)
    return b"%b%02d:%02d +0000" % (_hour(hour), *divmod(second, 60))


@lru_cache(maxsize=1024)
def _hour(hour: int) -> bytes:
    """Day and hour, for hours since the epoch."""
    at = time.gmtime(hour * 3600)
    return b"%02d-%s-%04d %02d:" % (at.tm_mday, MONTHS[at.tm_mon - 1].encode(), at.tm_year, at.tm_hour)
