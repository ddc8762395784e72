"""Commands and probes of links: no shell, a bounded time, bounded words."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import TestCase

from worldmail.ondemand.link_commands import Done, environment, knock, perform, run
from worldmail.ondemand.link_keys import Command, Knock

LONG = 60.0


def shell(text: str) -> Command:
    return Command(("/bin/sh", "-c", text))


def of(command: Command, seconds: float = LONG) -> Deferred[Done]:
    return run(reactor, command, environment("isp"), seconds)


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


class TestCommands(TestCase):
    """Real programs."""

    def note(self) -> Path:
        """A file that is not there yet."""
        made = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, made)
        return Path(made, "note")

    async def until(self, look: Any) -> None:
        for _ in range(1200):
            if look():
                return
            await _sleep(0.05)
        self.fail("it did not happen")

    async def test_its_end_and_its_last_words_are_told(self) -> None:
        assert await of(shell("echo one; echo; echo two")) == Done(ok=True, words="two")
        assert await of(shell("echo no carrier >&2; exit 3")) == Done(
            ok=False, words="it ended with status 3; no carrier"
        )
        assert await of(shell("kill -9 $$")) == Done(ok=False, words="it was ended by signal 9")
        assert await of(Command(("/bin/true",))) == Done(ok=True)

    async def test_no_shell_reads_its_arguments_and_its_environment_is_its_own(self) -> None:
        done = await of(Command(("/bin/echo", "$HOME; `id` > x *")))
        assert done == Done(ok=True, words="$HOME; `id` > x *")
        done = await of(shell("env | sort | tr '\\n' ' '; pwd"))
        names = {word.partition("=")[0] for word in done.words.split() if "=" in word}
        assert names <= {"LANG", "PATH", "PWD", "WORLDMAIL_LINK", "OLDPWD", "SHLVL", "_"}
        assert "WORLDMAIL_LINK=isp" in done.words.split() and done.words.endswith(" /")

    async def test_one_that_is_not_there_is_a_failure_with_words(self) -> None:
        done = await of(Command(("/no/such/program",)))
        assert not done.ok and "/no/such/program" in done.words

    async def test_what_takes_too_long_is_ended_with_all_that_it_started(self) -> None:
        note, seconds, begun = self.note(), 1.0, time.monotonic()
        while not note.exists():  # it may not have come so far in that time
            done = await of(shell(f"trap '' TERM; (trap '' TERM; sleep 600) & echo $! > {note}; wait"), seconds)
            assert not done.ok and f"it took over {seconds:g} s" in done.words
            assert time.monotonic() - begun < LONG
            seconds *= 2
        pid = int(note.read_text())
        await self.until(lambda: not is_there(pid))

    async def test_one_that_is_cancelled_is_ended(self) -> None:
        note = self.note()
        running = of(shell(f"echo $$ > {note}.made; mv {note}.made {note}; sleep 600"))
        await self.until(note.exists)
        running.cancel()
        assert isinstance(await running.addErrback(lambda failure: failure.value), CancelledError)
        pid = int(note.read_text())
        await self.until(lambda: not is_there(pid))

    async def test_what_it_leaves_running_goes_on_and_is_not_waited_for(self) -> None:
        note = self.note()
        done = await of(shell(f"sleep 600 & echo $! > {note}; echo connected"))
        assert done == Done(ok=True, words="connected")
        pid = int(note.read_text())
        assert is_there(pid)
        os.kill(pid, 9)

    async def test_much_that_it_says_takes_no_room(self) -> None:
        done = await of(shell("yes 'a long line of words' | head -c 3000000; printf 'x\\033[2Jy%0300d' 0"))
        assert done.ok and len(done.words) == 200 and done.words.isprintable()


class TestProbes(TestCase):
    """Real sockets."""

    async def test_somebody_who_accepts_is_there(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            assert await knock(reactor, Knock("127.0.0.1", port), LONG) == Done(ok=True)
        done = await perform(reactor, Knock("127.0.0.1", port), "isp", LONG)
        assert done == Done(ok=False, words="connection refused")

    async def test_a_probe_may_be_a_command(self) -> None:
        assert not (await perform(reactor, shell("test $WORLDMAIL_LINK = other"), "isp", LONG)).ok
        assert (await perform(reactor, shell("test $WORLDMAIL_LINK = isp"), "isp", LONG)).ok


def _sleep(seconds: float) -> Deferred[None]:
    waiting: Deferred[None] = Deferred()
    later: Any = reactor
    later.callLater(seconds, waiting.callback, None)
    return waiting
