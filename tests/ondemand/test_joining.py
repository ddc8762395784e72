"""Joining a relay: what was begun with a code is given up only when the relay knows nothing of it."""

from __future__ import annotations

from types import SimpleNamespace

from twisted.internet import reactor
from twisted.trial import unittest

from worldmail.app.joining import Joining
from worldmail.interfaces.outbound import Fate, HopFailed, Phase, Reply, Trouble
from worldmail.ondemand.join_code import JoinCode, secret_name
from worldmail.ondemand.pair_entries import JOINING
from worldmail.testing.accounts import AccountSite

CODE = JoinCode(
    host="relay.test", port=366, starttls=False, pins=frozenset({"ab" * 32}), secret=b"s" * 16, account="a@relay.test"
)


def failed(code=None, fate=Fate.DEFERRED):
    reply = None if code is None else Reply(code=code, enhanced="5.7.1", lines=("no",))
    return HopFailed(
        Trouble(fate=fate, status="5.7.1", phase=Phase.LOGIN, server="relay.test", reply=reply, reason="no")
    )


class Scripted(Joining):
    """Its conversations come to this, one after the other."""

    answers: list

    async def _say(self, pair, login, course):
        answer = self.answers.pop(0)
        raise answer if isinstance(answer, Exception) else await answer()


class GivingUpTests(unittest.TestCase):
    async def setUp(self):
        site = AccountSite.make(reactor)
        self.addCleanup(site.passwords.stop)
        self.database = site.database
        store = SimpleNamespace(foundations=SimpleNamespace(settings=None), database=site.database, key=site.key)
        self.joining = Scripted(store)

    async def kept(self, *answers):
        """Is the password kept behind these answers?"""
        self.joining.answers = list(answers)
        with self.assertRaises(HopFailed):
            await self.joining.join(CODE, "", True)
        assert not self.joining.answers
        return await self.database.read(lambda cursor: JOINING.find(cursor, secret_name(CODE.secret))) is not None

    async def test_a_code_that_is_refused_the_first_time_leaves_nothing(self):
        assert not await self.kept(failed(550, Fate.FAILED))

    async def test_a_code_that_another_command_here_redeems_meanwhile_is_not_given_up(self):
        """Both have the same password; the one that comes second is refused, and finds that the relay knows it."""

        async def refused_behind_another():
            await self.joining._begin(CODE, "")
            return failed(550, Fate.FAILED)

        assert await self.kept(refused_behind_another, failed(454))

    async def test_a_lost_reply_is_asked_for_until_the_relay_does_not_know_the_password(self):
        refused = failed(550, Fate.FAILED)
        assert await self.kept(failed(), failed())
        assert await self.kept(refused, failed())  # used, perhaps by us, and the line is down again
        assert await self.kept(refused, failed(454))
        assert not await self.kept(refused, failed(535))
