"""Agents that ask by a message or by a finger question: what they send, what they say of it, what they refuse to do."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest
from attrs import define, evolve, field
from zope.interface import implementer
from zope.interface.verify import verifyObject

from worldmail.config.keys import Key, KeyTable
from worldmail.errors import BadValue, StorageFull
from worldmail.interfaces.ondemand import Agent, AgentKind, IErrand, Result, Wrong
from worldmail.interfaces.outbound import Hop
from worldmail.interfaces.store import Acceptance
from worldmail.interfaces.triggers import IFinger
from worldmail.mail.address import Address
from worldmail.ondemand.fingering import FingerErrand
from worldmail.ondemand.wake_keys import WAKE_KEYS
from worldmail.ondemand.waking import WakeErrand
from worldmail.queue.waking import wake_word
from worldmail.testing.outbound import no_connection
from worldmail.testing.queue import QueueSite
from worldmail.testing.real_store import settle
from worldmail.wire.ready import Ready
from worldmail.wire.wake_words import judge

SECRET, WAKE = "open.sesame-1234", "wake@relay.test"
KIND = Key(key="kind", meaning="", takes="", parse=AgentKind, default=AgentKind.WAKE)


@pytest.fixture
def site() -> QueueSite:
    made = QueueSite.make()
    made.start()
    return made


def wake_agent(**values: Any) -> Agent:
    given = {
        "address": Address.parse(WAKE),
        "sender": Address.parse("alice@example.test"),
        "plain": False,
        "secret": SECRET,
    }
    return Agent(name="call", kind=AgentKind.WAKE, values=given | values)


def errand(site: QueueSite) -> WakeErrand:
    return WakeErrand(
        acceptance=site.node.acceptance,
        directory=site.base.memory.directory,
        expansion=site.expansion,
        clock=site.clock,
        host="mail.example.test",
    )


def contents(site: QueueSite) -> bytes:
    [(inline,)] = site.rows("SELECT inline FROM content")
    return bytes(inline)


def test_the_message_has_a_token_for_now_and_for_its_address_alone(site: QueueSite) -> None:
    made = errand(site)
    assert verifyObject(IErrand, made)
    site.elsewhere.down["mx.relay.test"] = no_connection()
    result = settle(made.run(wake_agent()))
    assert result.ok
    assert "to wake@relay.test is on its way" in result.words
    content = contents(site)
    assert SECRET.encode() not in content
    word = wake_word(content)
    assert judge(word, SECRET, WAKE, site.clock.now()) == int(site.clock.now())
    assert judge(word, SECRET, "other@relay.test", site.clock.now()) is None
    for line in (
        b"From: <alice@example.test>\r\n",
        b"To: <wake@relay.test>\r\n",
        b"Auto-Submitted: auto-generated\r\n",
    ):
        assert line in content


def test_it_goes_by_the_queue_like_other_mail_and_the_trace_knows_it(site: QueueSite) -> None:
    id_ = settle(errand(site).run(wake_agent())).words.split()[2]
    site.advance(2)
    assert [address for _, address in site.elsewhere.taken] == [WAKE]
    assert site.events(id_) == ["accepted", "delivered"]


def test_the_secret_itself_goes_only_where_that_is_said(site: QueueSite) -> None:
    site.elsewhere.down["mx.relay.test"] = no_connection()
    settle(errand(site).run(wake_agent(plain=True)))
    assert wake_word(contents(site)) == SECRET


def test_a_sender_that_is_nobody_here_sends_nothing(site: QueueSite) -> None:
    agent = wake_agent(sender=Address.parse("eve@far.test"))
    result = settle(errand(site).run(agent))
    assert not result.ok
    assert "eve@far.test is no address of this server" in result.words
    assert settle(errand(site).test(agent)) == [result.words]
    assert site.rows("SELECT count(*) FROM content") == [(0,)]


def test_a_test_says_what_would_be_sent_and_sends_nothing(site: QueueSite) -> None:
    [line] = settle(errand(site).test(wake_agent()))
    assert line == "a message from alice@example.test to wake@relay.test would be sent, with a token"
    assert "the secret itself" in settle(errand(site).test(wake_agent(plain=True)))[0]
    assert site.rows("SELECT count(*) FROM content") == [(0,)]


def test_what_the_store_refuses_is_the_result(site: QueueSite) -> None:
    class Full:
        """A store without room."""

        def __getattr__(self, name: str) -> Any:
            return getattr(site.node.acceptance, name)

        async def accept(self, acceptance: Acceptance) -> None:
            raise StorageFull(reason="no room at all")

    result = settle(evolve(errand(site), acceptance=Full()).run(wake_agent()))
    assert result == Result(ok=False, words="no room at all")


def test_the_keys_take_addresses() -> None:
    table = KeyTable((KIND, *WAKE_KEYS), chooser="kind")
    values = table.read({"kind": "wake", "address": WAKE, "sender": "Alice@Example.test", "plain": "on"})
    assert (str(values["address"]), values["sender"].key, values["plain"]) == (WAKE, "alice@example.test", True)
    for wrong in ({"address": "nobody"}, {"sender": "@"}, {"plain": "maybe"}):
        with pytest.raises(BadValue):
            table.changed({"kind": "wake"}, wrong)
    with pytest.raises(BadValue, match="says nothing with kind=finger"):
        table.changed({"kind": "finger"}, {"address": WAKE})


@implementer(IFinger)
@define
class Said:
    """A finger server that always says the same."""

    line: str = "Ok, shop: 3 pending messages started"
    asked: list[tuple[Hop, str]] = field(factory=list)
    looked: list[Hop] = field(factory=list)
    shut: bool = False

    async def look(self, hop: Hop) -> None:
        if self.shut:
            raise no_connection()
        self.looked.append(hop)

    def ask(self, hop: Hop, question: str) -> Awaitable[str]:
        self.asked.append((hop, question))
        return Ready(self.line)


HOP = Hop(host="relay.test", addresses=("192.0.2.1", "2001:db8::1"), port=79, helo="mail.example.test")
FINGER = Agent(name="ask", kind=AgentKind.FINGER, values={"secret": SECRET})


async def _hop(agent: Agent) -> Hop:
    return HOP


async def _no_hop(agent: Agent) -> Hop:
    raise no_connection()


@pytest.mark.parametrize(
    ("line", "ok"),
    [
        ("Ok, shop: 3 pending messages started", True),
        ("Query refused", False),
        ("Unable to queue messages, please try again later", False),
        ("Finger forwarding service denied", False),
        ("", False),
    ],
)
def test_the_first_line_of_the_answer_is_the_result(line: str, ok: bool) -> None:
    said = Said(line)
    made = FingerErrand(finger=said, hop=_hop)
    assert verifyObject(IErrand, made)
    words = f"the server said: {line}" if line else "the server said nothing"
    assert settle(made.run(FINGER)) == Result(ok=ok, words=words)
    assert said.asked == [(HOP, SECRET)]


def test_an_echo_of_the_secret_is_not_shown() -> None:
    assert SECRET not in settle(FingerErrand(finger=Said(f"no user {SECRET}"), hop=_hop).run(FINGER)).words


def test_a_test_asks_nothing_and_trouble_is_told() -> None:
    said = Said()
    assert settle(FingerErrand(finger=said, hop=_hop).test(FINGER)) == [
        "relay.test has the addresses 192.0.2.1, 2001:db8::1",
        "it answers at port 79, where it would be asked",
    ]
    assert said.looked == [HOP]
    [line, wrong] = settle(FingerErrand(finger=Said(shut=True), hop=_hop).test(FINGER))
    assert (line, isinstance(wrong, Wrong)) == ("relay.test has the addresses 192.0.2.1, 2001:db8::1", True)
    broken = FingerErrand(finger=said, hop=_no_hop)
    assert not settle(broken.run(FINGER)).ok
    assert len(settle(broken.test(evolve(FINGER, name="b")))) == 1
    assert said.asked == []
