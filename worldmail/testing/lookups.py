"""A test that looks names up at name servers of its own."""

from __future__ import annotations

import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from attrs import define
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from worldmail.testing.names import NameServer, Zone
from worldmail.transport.dns.resolver import Resolver

reactor: Any = installed

ZONE: Zone = {
    "a.test": {
        "MX": ["10 mx1.a.test", "20 mx2.a.test"],
        "TXT": ['"v=spf1 " "-all"', '"x"'],
        "SOA": ["ns.a.test hostmaster.a.test 1 3600 600 86400 60"],
    },
    "mx1.a.test": {"A": ["192.0.2.1", "192.0.2.2"], "AAAA": ["2001:db8::1"]},
    "mx2.a.test": {"A": ["192.0.2.3"]},
    "null.test": {"MX": ["0 ."]},
    "alias.test": {"CNAME": ["a.test"]},
    "host-alias.test": {"CNAME": ["second-alias.test"]},
    "second-alias.test": {"CNAME": ["mx1.a.test"]},
    "dangling.test": {"CNAME": ["nowhere.test"]},
    "loop1.test": {"CNAME": ["loop2.test"]},
    "loop2.test": {"CNAME": ["loop1.test"]},
}
"""A domain with exchanges, a null MX, and aliases of each kind."""


@define(kw_only=True)
class Time:
    """Monotonic seconds that a test may be ahead of."""

    ahead: float = 0.0

    def __call__(self) -> float:
        """Now."""
        return time.monotonic() + self.ahead


class LooksUp(TestCase):
    """A test with name servers and a resolver that asks them. Nothing of the machine's files is read."""

    timeout = 60

    def setUp(self) -> None:
        self.time = Time()

    def serve(self, zone: Zone = ZONE, **options: Any) -> NameServer:
        """A name server, until the test is over."""
        server = NameServer(zone, **options).start()
        self.addCleanup(server.stop)
        return server

    def resolver(self, *servers: NameServer | str, **options: Any) -> Resolver:
        """A resolver that asks these."""
        nothing = Path("/nowhere")
        settings = [server if isinstance(server, str) else server.setting for server in servers]
        return Resolver(
            **{
                "reactor": reactor,
                "servers": settings,
                "seconds": self.time,
                "hosts": nothing,
                "resolv_conf": nothing,
                **options,
            }
        )

    async def fails(self, kind: type[Exception], look_up: Coroutine[Any, Any, Any]) -> str:
        """The text of the error that a look-up ends in."""
        try:
            found = await look_up
        except kind as error:
            return str(error)
        raise AssertionError(f"found {found!r}")

    async def passing(self, seconds: float) -> None:
        """Wait."""
        await deferLater(reactor, seconds, lambda: None)

    def run_async(self, test: Coroutine[Any, Any, None]) -> Deferred[None]:
        """What a test method returns."""
        return Deferred.fromCoroutine(test)
