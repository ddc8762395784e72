"""What the driver itself costs: server CPU time for a reply, and for a connection with a greeting and a QUIT.

    python benchmarks/driver.py

Runs each case several times in turn, with the sockets and the reactor of `worldmail.transport` ("eager") and
with Twisted's own ("twisted"), and with Twisted's coroutine runner in place of ours ("fromCoroutine"), and prints
medians of microseconds of server CPU. The client is another process. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import resource
import selectors
import socket
import statistics
import subprocess
import sys
import time
from typing import Any

CASES = (("pingpong", 20), ("pingpong", 200), ("connect", 10))
VARIANTS = ("eager", "twisted", "fromCoroutine")


def client(kind: str, port: int, connections: int, seconds: float) -> int:
    """Drive the server for a while; how many replies (or connections) there were."""
    selector = selectors.DefaultSelector()

    def connect() -> None:
        made = socket.create_connection(("127.0.0.1", port))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(made, selectors.EVENT_READ)

    for _ in range(connections):
        connect()
    done, end = 0, time.monotonic() + seconds
    request = b"NOOP\r\n" if kind == "pingpong" else b"QUIT\r\n"
    while time.monotonic() < end:
        for key, _ in selector.select():
            made: Any = key.fileobj
            data = made.recv(4096)
            if data:
                done += kind == "pingpong"
                if data.startswith((b"hello", b"ok")):
                    made.send(request)
            else:
                done += 1
                selector.unregister(made)
                made.close()
                connect()
    return done


def vary(variant: str) -> None:
    """Put Twisted's own parts in the place of ours."""
    from twisted.internet import tcp
    from twisted.internet.defer import Deferred

    from worldmail.transport import listen, turns

    class Steps:
        def __init__(self, coroutine: Any, waits: Any, over: Any) -> None:
            self._all = (coroutine, waits, over)

        def go(self) -> None:
            coroutine, waits, over = self._all
            running = Deferred.fromCoroutine(coroutine)
            if not running.called:
                waits()
            running.addCallbacks(lambda _: over(None), lambda failure: over(failure.value))

    if variant == "twisted":
        vars(listen)["EagerPort"] = tcp.Port
    if variant == "fromCoroutine":
        vars(turns)["Steps"] = Steps


def serve(variant: str) -> None:
    """Serve until standard input ends; prints the port, then CPU seconds at each line read."""
    from worldmail.transport.reactor import install_reactor

    if variant != "twisted":
        install_reactor()
    from twisted.internet import reactor
    from twisted.internet.stdio import StandardIO
    from twisted.protocols.basic import LineReceiver

    from worldmail.testing.meeting import Meeting
    from worldmail.testing.world import MemoryJournal

    installed: Any = reactor
    vary(variant)
    meeting = Meeting(reactor=installed, journal=MemoryJournal(keep=False))
    meeting.factory.make_dialogue = meeting.make
    _, port = meeting.start()

    class Control(LineReceiver):
        delimiter = b"\n"

        def connectionMade(self) -> None:
            self.sendLine(b"%d" % port)

        def lineReceived(self, line: bytes) -> None:
            usage = resource.getrusage(resource.RUSAGE_SELF)
            self.sendLine(b"%f" % (usage.ru_utime + usage.ru_stime))

        def connectionLost(self, reason: Any = None) -> None:
            installed.stop()

    StandardIO(Control())
    if "--profile" not in sys.argv:
        installed.run()
        return
    profile = cProfile.Profile()
    profile.runcall(installed.run)
    pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(40)


def measure(variant: str, kind: str, connections: int, seconds: float) -> float:
    """Microseconds of server CPU for each reply or connection."""
    extra = ["--profile"] if "--profile" in sys.argv else []
    server = subprocess.Popen(
        [sys.executable, __file__, "--serve", variant, *extra], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdin is not None
    assert server.stdout is not None
    port = int(server.stdout.readline())

    def cpu() -> float:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write("\n")
        server.stdin.flush()
        return float(server.stdout.readline())

    before = cpu()
    done = client(kind, port, connections, seconds)
    spent = cpu() - before
    server.stdin.close()
    server.wait()
    return spent / done * 1e6


def main() -> None:
    """Measure every case, interleaved."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    variants = options.variants.split(",")
    for kind, connections in CASES:
        found: dict[str, list[float]] = {variant: [] for variant in variants}
        for _ in range(options.rounds):
            for variant in variants:
                found[variant].append(measure(variant, kind, connections, options.seconds))
        figures = "  ".join(f"{variant} {statistics.median(values):7.1f} us" for variant, values in found.items())
        print(f"{kind:9} {connections:4} connections: {figures}", flush=True)


if __name__ == "__main__":
    main()
