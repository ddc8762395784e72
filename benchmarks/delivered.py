"""1 KB messages a second that lie in mailboxes, from 20 sessions of smtp-source.

Timed from the first connection to the moment when nothing is on its way any more: for
WorldMail the last reply, for the peer an empty queue. The mailboxes are counted after.
"""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.figures import Figure, interleaved
from benchmarks.sides import DOMAIN, Side, mailbox_address

SESSIONS = 20
OCTETS = 1024
_FEW, _MANY = 100, 5000
_GOALS = {False: (5.0, 10.0), True: (10.0, 20.0)}


def measure(ours: Side, theirs: Side, rounds: int, tell: Callable[[str], None]) -> Iterator[Figure]:
    """Over few and many mailboxes, with a new connection each and with connections reused.

    Every mailbox gets a message before: Dovecot makes them then, and not safely when two arrive at once.
    """
    for side in (ours, theirs):
        send_to_many(side.smtp_port, False, 4)
        side.wait_until_delivered()
    for mailboxes, send in ((_FEW, send_to_few), (_MANY, send_to_many)):
        for reuse in (False, True):
            what = f"1 KB delivered, {mailboxes} mailboxes, {'connections reused' if reuse else 'a connection each'}"
            tell(what)
            goal, aim = _GOALS[reuse]
            rates = partial(rate, ours, send, reuse), partial(rate, theirs, send, reuse)
            figures = interleaved(rounds, *rates, tell, catch_up=ours.catch_up)
            yield Figure(what=what, unit="/s", ours=figures[0], theirs=figures[1], goal=goal, aim=aim)


def rate(side: Side, send: Callable[[int, bool], int], reuse: bool) -> float:
    """Delivered messages a second, once."""
    before = side.messages()
    started = time.monotonic()
    sent = send(side.smtp_port, reuse)
    side.wait_until_delivered()
    seconds = time.monotonic() - started
    delivered = side.messages() - before
    if delivered != sent:
        raise AssertionError(f"{side.name}: {sent} messages sent, {delivered} in the mailboxes")
    return delivered / seconds


def send_to_many(port: int, reuse: bool, sessions: int = SESSIONS) -> int:
    """One message to each of the many mailboxes, so many at a time."""
    to_each = ("-N", "-s", str(sessions), "-m", str(_MANY), "-t", f"box@{DOMAIN}")
    subprocess.run(_command(port, reuse, *to_each), check=True)
    return _MANY


def send_to_few(port: int, reuse: bool, each: int = 50) -> int:
    """So many messages to each of the few: 20 chains of one session, each chain through mailboxes of its own."""
    chains = []
    for chain in range(SESSIONS):
        numbers = range(chain + 1, _FEW + 1, SESSIONS)
        links = (_command(port, reuse, "-s", "1", "-m", str(each), "-t", mailbox_address(n)) for n in numbers)
        chains.append(subprocess.Popen(("sh", "-ec", "; ".join(map(shlex.join, links)))))
    failures = [chain.wait() for chain in chains]
    if any(failures):
        raise AssertionError("smtp-source failed")
    return _FEW * each


def _command(port: int, reuse: bool, *options: str) -> tuple[str, ...]:
    keep = ("-d",) if reuse else ()
    fixed = ("-l", str(OCTETS), "-f", f"sender@{DOMAIN}", "-M", "client.test")
    return ("smtp-source", *keep, *fixed, *options, f"127.0.0.1:{port}")
