"""A hold that leaves by one ODMR turn over a long, thin link, between two WorldMails and to other customers.

The link is `worldmail.testing.slow_link`: 600 ms there and back, 1 Mbit/s each way. A turn is timed by the link, from
the customer's first packet to the end of the connection: TCP's handshake, STARTTLS, AUTH, ATRN and QUIT are in it. What
the octets alone need is `sites.need` at the link's rate and one round trip; TCP/IP headers are on neither side.

Without CHUNKING the figure is what a message takes beyond its octets, in round trips: the time of a turn less that of
a turn with one message, so without what is said once.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import define

from benchmarks.figures import Figure
from benchmarks.sides import PASSWORD
from benchmarks.sites import ACCOUNT, ODMR, SITE, RelayAndSite, need
from worldmail.testing.odmr_customer import OdmrCustomer
from worldmail.testing.slow_link import Ended, SlowLink

MESSAGES = 1000
OCTETS = 10 * 1024
DELAY, RATE = 0.3, 125_000
_ROUND_TRIP = 2 * DELAY
_MOST_WITHOUT_CHUNKING = 100
_ON_A_FREE_LINK = 500
_WITHIN = 1800

Fetch = Callable[[int], None]
"""One turn through a port, to its end."""


def measure(place: Path, count: int, tell: Callable[[str], None]) -> Iterator[Figure]:
    """Turns of so many messages; without CHUNKING of at most 100."""
    both = RelayAndSite(directory=place)
    both.prepare()
    customers = Customers(both=both, place=place)
    with both.running(), SlowLink(target=both.relay.port(ODMR), delay=DELAY, rate=RATE) as link:
        timed = _Timed(both=both, link=link, tell=tell)
        least = need(count, OCTETS) / RATE + _ROUND_TRIP
        ours = timed.turn("WorldMail", customers.worldmail, count)
        what = f"{count} messages of 10 KB by one turn"
        yield Figure(what=f"{what}: time to that of the octets", unit="x", ours=[ours / least], goal=1.15)

        some = min(count, _MOST_WITHOUT_CHUNKING)
        one = timed.turn("without CHUNKING", customers.without_chunking, 1)
        all_of_them = timed.turn("without CHUNKING", customers.without_chunking, 1 + some)
        beyond = (all_of_them - one - need(some, OCTETS) / RATE) / some / _ROUND_TRIP
        yield Figure(what="a message without CHUNKING, beyond its octets", unit="round trips", ours=[beyond], goal=1.0)

        if shutil.which("fetchmail") is not None:
            theirs = timed.turn("fetchmail", customers.fetchmail, count)
            yield Figure(
                what=f"{what}, against fetchmail as the customer",
                unit="s",
                ours=[ours],
                theirs=[theirs],
                goal=0.9,
                smaller=True,
            )
    with both.running(), SlowLink(target=both.relay.port(ODMR)) as link:
        count = _ON_A_FREE_LINK
        seconds = _Timed(both=both, link=link, tell=tell).turn("on a free link", customers.worldmail, count)
        yield Figure(
            what="a message of 10 KB by a turn, on a free link", unit="ms", ours=[seconds / count * 1e3], goal=5
        )


@define(kw_only=True)
class Customers:
    """Who fetches: each is given the port of the link, and carries to the same site."""

    both: RelayAndSite
    place: Path

    def worldmail(self, port: int) -> None:
        """Between two WorldMails, which are a pair."""
        self.both.fetch(port, _WITHIN)

    def without_chunking(self, port: int) -> None:
        """The relay sees a server that knows no CHUNKING."""
        hidden = frozenset(("CHUNKING", "BINARYMIME"))
        customer = OdmrCustomer(account=ACCOUNT, password=PASSWORD, server=self.both.site.port(25), hidden=hidden)
        asyncio.run(asyncio.wait_for(customer.fetch(port), _WITHIN))

    def fetchmail(self, port: int) -> None:
        """It knows no TLS here, and CRAM-MD5 alone."""
        said = self.both.relay.command("user", "set", ACCOUNT, "legacy-auth=on")
        secret = said.strip().rpartition(" ")[2]
        rc = self.place / "fetchmailrc"
        rc.write_text(
            f'poll 127.0.0.1 proto ODMR service {port} timeout 120 user "{ACCOUNT}" pass "{secret}" fetchdomains {SITE}'
            f' smtphost 127.0.0.1/{self.both.site.port(25)} sslproto ""\n'
        )
        rc.chmod(0o600)
        environment = {**os.environ, "HOME": str(self.place), "FETCHMAILHOME": str(self.place)}
        subprocess.run(("fetchmail", "-f", str(rc)), env=environment, capture_output=True, timeout=_WITHIN, check=True)


@define(kw_only=True)
class _Timed:
    both: RelayAndSite
    link: SlowLink
    tell: Callable[[str], None]

    def turn(self, name: str, fetch: Fetch, count: int) -> float:
        """Seconds of one. Raises AssertionError if not all of it came."""
        self.both.fill(count, OCTETS)
        had = self.both.arrived()
        self.link.ended()
        fetch(self.link.port)
        ended = self._ended(count)
        self.both.wait_until_empty()
        came = self.both.arrived() - had
        assert came == count, f"{came} of {count} messages came"
        self.tell(f"  {name}: {count} messages in {ended.lasted:.1f} s, {ended.down} octets for {need(count, OCTETS)}")
        return ended.lasted

    def _ended(self, count: int) -> Ended:
        """The connection by which all of it came, once that is gone at the link's other end too.

        Others are no turns: a site tells its relay, too, whom it has.
        """
        while True:
            for ended in self.link.ended():
                if ended.down >= count * OCTETS:
                    return ended
            time.sleep(0.01)
