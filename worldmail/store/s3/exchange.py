"""Signed requests, tried again where that helps. Blocks; for threads.

All that is asked here may be asked twice: places have names of their own, so the same request makes the same thing.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import BinaryIO

from attrs import define, field, frozen

from worldmail.errors import ConfigurationError, TemporaryFailure
from worldmail.store.s3.connection import Answer, Connections, Unanswered
from worldmail.store.s3.credentials import CredentialSource
from worldmail.store.s3.replies import error_code
from worldmail.store.s3.signing import EMPTY, Query, Request, canonical_path, canonical_query, sign

TRIES = 5
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0

MOST_OF_AN_ERROR = 64 * 1024

_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_CODES_AGAIN = frozenset(
    {
        "BadDigest",
        "IncompleteBody",
        "InternalError",
        "OperationAborted",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "XAmzContentSHA256Mismatch",
    }
)
"""Codes that may be gone at the next try: faults of the service, and bodies that did not arrive as they were sent."""


@frozen(kw_only=True)
class Ask:
    """What is asked of the bucket.

    Args:
        key: the object; "" for the bucket itself.
        body: octets, or a file that is read from its start.
        length: of the body.
        digest: the SHA-256 of the body, in hex.
        most: the longest reply that is taken.
        begun: True if the service begins its reply before it is done, so that 200 may still be an error.
    """

    method: str
    key: str = ""
    query: Query = ()
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes | BinaryIO = field(default=b"", repr=False)
    length: int = 0
    digest: str = EMPTY
    most: int = MOST_OF_AN_ERROR
    begun: bool = False

    def asks_again(self, answer: Answer) -> bool:
        """True if the same request may get another answer in a moment."""
        if answer.status in _AGAIN:
            return True
        return (answer.status >= 400 or self.begun) and error_code(answer.body) in _CODES_AGAIN


@define(kw_only=True)
class Exchange:
    """Asks one bucket.

    Args:
        host: the value of the Host header.
        root: what stands in the path before a key: "/" or "/BUCKET/".
        where: how the bucket is called in reasons.
        now: wall-clock time, epoch seconds; called in threads.
    """

    connections: Connections
    credentials: CredentialSource
    host: str
    root: str
    where: str
    region: str
    now: Callable[[], float]
    _stopped: threading.Event = field(factory=threading.Event, init=False)
    _random: random.Random = field(factory=random.SystemRandom, init=False)

    def ask(self, ask: Ask, end: float) -> Answer:
        """The reply to `ask`, whatever it says but "try again".

        Args:
            end: when the time for it is up (monotonic).

        Raises: `TemporaryFailure` if there was none in that time, and after a few tries.
        """
        pause = FIRST_PAUSE
        for tried in range(1, TRIES + 1):
            try:
                answer = self._ask_once(ask, end)
                if not ask.asks_again(answer):
                    return answer
                reason = told(answer)
            except Unanswered as error:
                reason = str(error)
            waited = pause * self._random.uniform(0.5, 1.5)
            if tried == TRIES or time.monotonic() + waited >= end or self._stopped.wait(waited):
                break
            pause = min(2 * pause, LONGEST_PAUSE)
        raise self.failure(ask, f"{reason} (tried {tried} times)")

    def failure(self, ask: Ask, reason: str) -> TemporaryFailure:
        """What `ask` came to, for the log."""
        return TemporaryFailure(reason=f"S3 {self.where}: {ask.method} {ask.key or 'the bucket'}: {reason}")

    def stop(self) -> None:
        """Fail what is under way, and whatever is asked from now on."""
        self._stopped.set()
        self.connections.stop()

    def _ask_once(self, ask: Ask, end: float) -> Answer:
        path = canonical_path(self.root + ask.key) if ask.key else self.root.rstrip("/") or "/"
        headers = {**ask.headers, "host": self.host, "content-length": str(ask.length)}
        request = Request(method=ask.method, path=path, query=ask.query, headers=headers, digest=ask.digest)
        if not isinstance(ask.body, bytes):
            ask.body.seek(0)
        query = canonical_query(ask.query)
        target = f"{path}?{query}" if query else path
        try:
            headers = sign(request, self.credentials.get(), self.region, self.now())
            return self.connections.ask(ask.method, target, headers, ask.body, most=ask.most, end=end)
        except ConfigurationError as error:
            raise TemporaryFailure(reason=str(error)) from None


def told(answer: Answer) -> str:
    """An answer in a few words: its status and, of an error, the code."""
    return f"{answer.status} {error_code(answer.body)}".rstrip()
