"""ESMTP on real sockets, talked to by Python's smtplib."""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from worldmail.config.units import Listen
from worldmail.interfaces.protocol import IProtocol
from worldmail.plugin import find
from worldmail.policy.relay import RelayCheck
from worldmail.protocols.smtp.service import smtp_service
from worldmail.protocols.smtp.settings import SmtpSettings
from worldmail.testing.world import MemoryWorld
from worldmail.transport.limits import Limits


class ServiceTests(TestCase):
    """One service with the three listeners of the default settings, on free ports."""

    def setUp(self) -> None:
        self.memory = MemoryWorld.make()
        self.memory.add_account("bob@example.test")
        self.memory.policy.checks.append(RelayCheck())
        world = self.memory.replace(reactor=reactor, limits=Limits())
        default = SmtpSettings()
        listeners = tuple(evolve(one, listen=(Listen("127.0.0.1", 0),)) for one in default.listeners)
        self.memory.tls.offered = False
        self.service = smtp_service(world, evolve(default, listeners=listeners))
        self.service.privilegedStartService()
        self.service.startService()
        self.addCleanup(self.service.stopService)

    def port(self, name: str) -> int:
        return int(self.service.getServiceNamed(name).addresses[0][1])

    def client(self, work: Callable[[smtplib.SMTP], Any], name: str = "smtp") -> Deferred[Any]:
        def run() -> Any:
            with smtplib.SMTP("127.0.0.1", self.port(name), timeout=60) as client:
                return work(client)

        return deferToThread(run)

    async def test_smtplib_delivers_a_message(self) -> None:
        text = b"Subject: hi\r\n\r\n" + b"line\r\n.dot\r\n" * 20_000
        refused = await self.client(
            lambda client: client.sendmail("a@a.test", ["bob@example.test", "x@else.test"], text)
        )
        self.assertEqual(refused, {"x@else.test": (550, b"5.7.1 Relaying denied")})
        (message,) = self.memory.mailboxes.texts(1)
        self.assertTrue(message.endswith(text))

    async def test_submission_wants_a_login(self) -> None:
        code, _ = await self.client(lambda client: (client.ehlo(), client.mail("bob@example.test"))[1], "submission")
        self.assertEqual(code, 530)

    def test_an_implicit_listener_without_a_certificate_is_left_out(self) -> None:
        self.assertEqual([service.name for service in self.service], ["smtp", "submission", "odmr"])
        (record,) = self.memory.journal.named("listener.left-out")
        self.assertEqual(record["listener"], "submissions")

    def test_it_comes_by_the_plugin_door(self) -> None:
        (plugin,) = (plugin for plugin in find(IProtocol) if plugin.name == "smtp")
        self.assertIs(plugin.settings(), SmtpSettings)
