"""The word by which a wake-up message proves that its sender knows the secret of a hold.

    word  = token / secret
    token = "t1-" seconds "-" 64HEXDIG

The seconds (of the epoch) are those at which it was made, the digits the HMAC-SHA-256, under the secret, of the address
that it is for and these seconds. So what passes by on the way is of no use for another time or another hold. The secret
itself will do for those who cannot compute that; then who reads it once may use it for ever.
"""

from __future__ import annotations

import hmac
import re

_TOKEN = re.compile(r"t1-([0-9]{1,12})-([0-9a-f]{64})")

OLDEST = 86400
"""Seconds for which a token holds: mail may be long under way."""

AHEAD = 300
"""Seconds by which the clock of its maker may be ahead of ours."""


def make_token(secret: str, address: str, now: float) -> str:
    """The word for this moment; `address` is the key of the one that the message goes to."""
    seconds = int(now)
    return f"t1-{seconds}-{_digest(secret, address, seconds)}"


def judge(word: str, secret: str, address: str, now: float) -> int | None:
    """Is it right? None if not, else the seconds of a token, 0 for the secret itself. Takes as long for each."""
    token = _TOKEN.fullmatch(word)
    seconds = 0 if token is None else int(token[1])
    expected = secret if token is None else _digest(secret, address, seconds)
    given = word if token is None else token[2]
    if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace")):
        return None
    if token is not None and not now - OLDEST <= seconds <= now + AHEAD:
        return None
    return seconds


def _digest(secret: str, address: str, seconds: int) -> str:
    return hmac.digest(secret.encode(), f"wake\0{address}\0{seconds}".encode(), "sha256").hex()
