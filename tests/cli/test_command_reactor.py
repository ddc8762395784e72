"""A command brings along what it needs, and no more."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

from worldmail.cli.reactor import CommandReactor
from worldmail.testing.process import ROOT, ServerProcess

LISTS_USERS = """
import sys
from worldmail.cli.main import worldmail
worldmail.main(["--config", sys.argv[1], "user", "list"], standalone_mode=False)
print(*sorted(sys.modules), sep="\\n")
"""

SERVER_ALONE = (
    "OpenSSL",
    "service_identity",
    "twisted.cred.portal",
    "twisted.internet.tcp",
    "worldmail.app.assembly",
    "worldmail.policy",
    "worldmail.transport.tls",
)


def test_a_command_imports_nothing_that_only_a_server_needs(site: ServerProcess) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LISTS_USERS, str(site.config)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    imported = done.stdout.splitlines()
    assert "worldmail.store.mailboxes" in imported
    assert not {*SERVER_ALONE} & {*imported}


def test_timers_run_in_their_order_and_threads_wake_it_up() -> None:
    reactor, told = CommandReactor(), list[str]()

    def tell(word: str) -> None:
        told.append(word)

    def from_a_thread() -> None:
        reactor.callFromThread(tell, "thread")
        reactor.callFromThread(reactor.stop)

    def second() -> None:
        tell("second")
        threading.Thread(target=from_a_thread).start()  # and no timer is left to wait for

    reactor.callLater(0.3, second)
    reactor.callLater(0.01, tell, "first")
    reactor.run(installSignalHandlers=False)
    assert told == ["first", "second", "thread"]


def test_however_often_it_is_woken_up_nobody_waits() -> None:
    reactor = CommandReactor()
    for _ in range(200_000):  # more than a pipe holds
        reactor.wakeUp()
    reactor.callWhenRunning(reactor.stop)
    reactor.run(installSignalHandlers=False)
    assert not reactor.running


def test_an_interrupt_ends_it() -> None:
    reactor, told = CommandReactor(), list[str]()
    reactor.addSystemEventTrigger("before", "shutdown", told.append, "shutdown")
    reactor.callWhenRunning(lambda: signal.raise_signal(signal.SIGINT))
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background begins with it ignored
    try:
        reactor.run()
    finally:
        for number, handler in before.items():  # Twisted leaves its own behind
            signal.signal(number, handler)
    assert told == ["shutdown"]
