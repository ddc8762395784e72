"""Runs the benchmarks and prints their table."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks import (
    backlog,
    delivered,
    idle,
    imap,
    imap_growth,
    imap_idle,
    large,
    picking,
    pop3check,
    relay,
    turn,
    waiting,
)
from benchmarks.figures import Figure, table
from benchmarks.peers import Peers, missing
from benchmarks.worldmail_side import WorldMail

MAILBOXES = 5000
Tell = Callable[[str], None]
Measurement = Callable[[Path, int, Tell], Iterator[Figure]]


def run_delivered(place: Path, rounds: int, tell: Tell) -> Iterator[Figure]:
    """1 KB messages into mailboxes."""
    ours, theirs = (
        WorldMail(directory=place / "w", mailboxes=MAILBOXES),
        Peers(directory=place / "p", mailboxes=MAILBOXES),
    )
    with ours.running(), theirs.running():
        yield from delivered.measure(ours, theirs, rounds, tell)


def run_large(place: Path, rounds: int, tell: Tell) -> Iterator[Figure]:
    """10 MB messages, and memory."""
    boxes = large.MESSAGES
    ours, theirs = WorldMail(directory=place / "w", mailboxes=boxes), Peers(directory=place / "p", mailboxes=boxes)
    with ours.running():
        yield from large.growth(ours, ours.server.pid, rounds, tell)
        with theirs.running():
            yield from large.measure(ours, theirs, rounds, tell)


def run_pop3check(place: Path, rounds: int, tell: Tell) -> Iterator[Figure]:
    """Mail checks, against both process models of Dovecot."""
    ours = WorldMail(directory=place / "w", mailboxes=pop3check.ACCOUNTS)
    with ours.running():
        for tuned, goal, totals in ((True, 3.0, (20_000, 7000)), (False, 20.0, (10_000, 400))):
            theirs = Peers(directory=place / f"p{tuned:d}", mailboxes=pop3check.ACCOUNTS, tuned=tuned)
            with theirs.running():
                yield from pop3check.measure(ours, theirs, goal, totals, rounds, tell)


def run_imap(place: Path, rounds: int, tell: Tell) -> Iterator[Figure]:
    """IMAP, against Dovecot with processes reused."""
    ours = WorldMail(directory=place / "w", mailboxes=imap.ACCOUNTS)
    theirs = Peers(directory=place / "p", mailboxes=imap.ACCOUNTS)
    with ours.running(), theirs.running():
        yield from imap.measure(ours, theirs, rounds, tell)


def run_idle(place: Path, rounds: int, tell: Tell) -> Iterator[Figure]:
    """Memory of idle connections."""
    ours = WorldMail(directory=place / "w", mailboxes=1)
    ours.prepare()
    yield from idle.measure(ours.server, tell)


def run_relay(place: Path, rounds: int, tell: Tell) -> Iterator[Figure]:
    """1 KB messages through a relay, against Postfix."""
    sinks = [relay.Sink(directory=place / name) for name in ("to-w", "to-p")]
    for sink in sinks:
        sink.directory.mkdir()
    ours = WorldMail(directory=place / "w", mailboxes=1, next_hop=sinks[0].port)
    theirs = Peers(directory=place / "p", mailboxes=1, next_hop=sinks[1].port)
    with sinks[0].running(), sinks[1].running(), ours.running(), theirs.running():
        sides = relay.Relay(side=ours, sink=sinks[0]), relay.Relay(side=theirs, sink=sinks[1])
        yield from relay.measure(*sides, rounds, tell)


def run_backlog(place: Path, rounds: int, tell: Tell) -> Iterator[Figure]:
    """A full queue, with destinations that never answer."""
    yield from backlog.measure(place, tell)


def run_picking(place: Path, rounds: int, tell: Tell) -> Iterator[Figure]:
    """A million recipients in the queue."""
    yield from picking.measure(place, tell)


def run_imapidle(place: Path, rounds: int, tell: Tell) -> Iterator[Figure]:
    """10,000 connections in IDLE."""
    ours = WorldMail(directory=place / "w", mailboxes=imap_idle.ACCOUNTS)
    ours.prepare()
    yield from imap_idle.measure(ours.server, tell)


def run_imapgrowth(place: Path, rounds: int, tell: Tell) -> Iterator[Figure]:
    """A million messages."""
    ours = WorldMail(directory=place / "w", mailboxes=1)
    ours.prepare()
    yield from imap_growth.measure(ours.server, tell)


def run_turn(place: Path, rounds: int, tell: Tell, count: int = turn.MESSAGES) -> Iterator[Figure]:
    """A hold that leaves over a long link."""
    yield from turn.measure(place, count, tell)


def run_waiting(place: Path, rounds: int, tell: Tell, count: int = waiting.SITES) -> Iterator[Figure]:
    """Sites whose turns stay open."""
    yield from waiting.measure(place, count, tell)


MEASUREMENTS: dict[str, Measurement] = {
    "delivered": run_delivered,
    "large": run_large,
    "relay": run_relay,
    "backlog": run_backlog,
    "picking": run_picking,
    "pop3check": run_pop3check,
    "imap": run_imap,
    "imapidle": run_imapidle,
    "imapgrowth": run_imapgrowth,
    "idle": run_idle,
    "turn": run_turn,
    "waiting": run_waiting,
}
COUNTED: dict[str, Callable[..., Iterator[Figure]]] = {"turn": run_turn, "waiting": run_waiting}


def main() -> int:
    """Exit status 1 if a goal was missed, 2 if the machine lacks something."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASUREMENTS)}; default: all")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each comparison (default 5)")
    parser.add_argument(
        "--count", type=int, help=f"how many in place of what the goals of {', '.join(COUNTED)} are said for"
    )
    parser.add_argument("--directory", type=Path, help="where data lies while it runs (default: a temporary one)")
    options = parser.parse_args()
    if lacking := missing():
        print(f"this machine lacks: {', '.join(lacking)}", file=sys.stderr)
        return 2
    measurements = dict(MEASUREMENTS)
    if options.count:
        measurements.update({name: partial(counted, count=options.count) for name, counted in COUNTED.items()})
    figures: list[Figure] = []
    for name in options.names or MEASUREMENTS:
        with tempfile.TemporaryDirectory(prefix="benchmark-", dir=options.directory) as place:
            Path(place).chmod(0o755)
            for figure in measurements[name](Path(place), options.rounds, _tell):
                _tell("  " + "  ".join(figure.row()))
                figures.append(figure)
    print(table(figures))
    return 0 if all(figure.reached for figure in figures) else 1


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
