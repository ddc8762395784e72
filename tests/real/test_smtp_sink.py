"""Our SMTP client and Postfix's smtp-sink, which refuses and breaks off as it is told."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from typing import Any

import pytest

from worldmail.interfaces.outbound import Fate, HopFailed, Outcome, Phase
from worldmail.protocols.smtp.client.outbound import Outbound
from worldmail.testing.calling import Calls
from worldmail.testing.smtp_client import MemoryContent, make_means, make_shipment

SINK = shutil.which("smtp-sink", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
LARGE = b"Subject: large\r\n\r\n" + b".a line\r\n" * 100_000
PHASES = {"MAIL": Phase.MAIL, "RCPT": Phase.RCPT, "DATA": Phase.DATA, ".": Phase.CONTENT}


@pytest.mark.skipif(SINK is None, reason="smtp-sink is not here")
class SinkTests(Calls):
    """One sink for each conversation."""

    def sink(self, *options: str) -> None:
        """Have one listen."""
        assert SINK is not None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.place = free.getsockname()[:2]
        user = ("-u", "nobody") if os.getuid() == 0 else ()
        command = (SINK, *user, *options, f"127.0.0.1:{self.place[1]}", "10")
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for _ in range(3000):
            try:
                socket.create_connection(self.place, timeout=1).close()
            except ConnectionRefusedError:
                time.sleep(0.02)
            else:
                return
        self.fail("smtp-sink does not listen")

    async def conversation(self, *options: str, **changes: Any) -> Any:
        """With a sink of these options."""
        self.sink(*options)
        self.connecting()
        return await Outbound(self.connector, make_means()).connect(self.hop(**changes))

    async def sent(self, *options: str, **changes: Any) -> Outcome:
        """A message for two."""
        conversation = await self.conversation(*options, **changes)
        outcome: Outcome = await conversation.send(make_shipment("a@b.test", "b@b.test"))
        await conversation.close()
        return outcome

    def test_messages_are_taken_with_and_without_extensions(self) -> Any:
        async def test() -> None:
            for options in ((), ("-p",), ("-e",), ("-8",), ("-E",)):
                conversation = await self.conversation(*options)
                for text in (MemoryContent(b"Subject: x\r\n\r\n.\r\n"), MemoryContent(LARGE, apart=True)):
                    outcome = await conversation.send(make_shipment("a@b.test", "b@b.test", text=text))
                    assert [fate.fate for fate in outcome.fates] == [Fate.DELIVERED] * 2, options
                await conversation.close()

        return self.run_async(test())

    def test_lmtp_answers_for_each_recipient(self) -> Any:
        async def test() -> None:
            outcome = await self.sent("-L", lmtp=True)
            assert [fate.fate for fate in outcome.fates] == [Fate.DELIVERED] * 2

        return self.run_async(test())

    def test_a_refusal_in_each_phase_is_that(self) -> Any:
        async def test() -> None:
            for option, fate in (("-f", Fate.FAILED), ("-r", Fate.DEFERRED)):
                for command, phase in PHASES.items():
                    outcome = await self.sent(option, command)
                    assert {(one.fate, one.phase) for one in outcome.fates} == {(fate, phase)}, (option, command)

        return self.run_async(test())

    def test_a_connection_that_breaks_in_each_phase_is_known_for_what_it_is(self) -> Any:
        async def test() -> None:
            for option, unknown in (("-q", Fate.UNKNOWN), ("-Q", Fate.DEFERRED)):
                for command in PHASES:
                    outcome = await self.sent(option, command)
                    fate = unknown if command == "." else Fate.DEFERRED
                    assert {one.fate for one in outcome.fates} == {fate}, (option, command)
                    assert (outcome.fates[0].reply is not None) is (option == "-Q")

        return self.run_async(test())

    def test_a_server_that_does_not_begin_is_told_apart(self) -> Any:
        async def test() -> None:
            for option, command, fate, phase in (
                ("-f", "CONNECT", Fate.FAILED, Phase.GREETING),
                ("-r", "CONNECT", Fate.DEFERRED, Phase.GREETING),
                ("-q", "CONNECT", Fate.DEFERRED, Phase.GREETING),
                ("-r", "EHLO", Fate.DEFERRED, Phase.HELLO),
                ("-f", "EHLO,HELO", Fate.FAILED, Phase.HELLO),
                ("-q", "EHLO", Fate.DEFERRED, Phase.HELLO),
            ):
                with self.assertRaises(HopFailed) as caught:
                    await self.conversation(option, command)
                trouble = caught.exception.trouble
                assert (trouble.fate, trouble.phase) == (fate, phase), (option, command)
            outcome = await self.sent("-f", "EHLO")
            assert outcome.fates[0].fate is Fate.DELIVERED

        return self.run_async(test())
