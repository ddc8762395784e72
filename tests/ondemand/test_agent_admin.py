"""Agents: what can be set, what is refused, what is kept and how."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from tests.queue.route_case import KEY, SECRET, RouteCase
from worldmail.auth.server_key import ServerKey
from worldmail.config.keys import PASSWORD
from worldmail.database.entries import Entries, Entry
from worldmail.errors import AlreadyThere, BadValue, ConfigurationError, NoSuchThing
from worldmail.interfaces.ondemand import Agent, AgentKind
from worldmail.interfaces.outbound import Security
from worldmail.ondemand.agent_admin import AGENTS, STATUSES, AgentAdmin, agent_entry, read_agent
from worldmail.ondemand.agent_keys import AGENT_KEYS
from worldmail.testing.world import ManualClock

RELAY = {"kind": "odmr", "host": "Relay.Example", "user": "shop@relay.example", PASSWORD: SECRET}
ETRN = {"kind": "etrn", "host": "192.0.2.1", "names": "Shop.test, @sea.test,#Ship"}


class AgentTests(RouteCase):
    def setUp(self) -> None:
        super().setUp()
        self.agents = AgentAdmin(self.database, ManualClock(), KEY.seal, KEY.unseal)

    def run_async(self, test: Any) -> Any:
        return Deferred.fromCoroutine(test())

    async def read(self, name: str, key: ServerKey = KEY) -> Agent:
        return await self.database.read(lambda cursor: read_agent(AGENTS.required(cursor, name), key.unseal))

    def test_what_was_given_counts_and_the_rest_follows(self) -> Any:
        async def test() -> None:
            made = await self.agents.add_agent("Relay", {**RELAY, "when": "EVERY 15m", "domains": "Bücher.test"})
            assert (made.name, made.kind, made.when) == ("relay", AgentKind.ODMR, "every 15m")
            values = made.values
            assert (values["host"], values["port"], values["security"]) == ("relay.example", 366, Security.VERIFIED)
            assert values["domains"] == ("xn--bcher-kva.test",)
            asks = await self.agents.add_agent("isp", ETRN)
            assert asks.values["names"] == ("shop.test", "@sea.test", "#ship")
            assert (asks.values["port"], asks.values["security"], asks.when) == (25, Security.OPPORTUNISTIC, "never")
            assert [each.name for each in await self.agents.agents()] == ["isp", "relay"]

        return self.run_async(test)

    def test_a_password_is_sealed_and_read_for_the_same_host_alone(self) -> Any:
        async def test() -> None:
            made = await self.agents.add_agent("relay", RELAY)
            assert made.values["login"].password == ""
            assert (await self.read("relay")).values["login"].password == SECRET
            entry = await self.database.read(lambda cursor: AGENTS.required(cursor, "relay"))
            assert SECRET.encode() not in (entry.sealed or b"") and SECRET not in str(entry)
            moved = Entry("relay", {**entry.texts, "host": "evil.example"}, entry.sealed)
            await self.database.write(lambda cursor: AGENTS.replace(cursor, moved))
            await self.refused(ConfigurationError, self.read("relay"))
            await self.database.write(lambda cursor: AGENTS.replace(cursor, entry))
            await self.refused(ConfigurationError, self.read("relay", ServerKey(b"o" * 32)))
            said = await self.refused(BadValue, self.agents.set_agent("relay", {"host": "other.example"}))
            assert "needs a password for other.example" in said
            assert (await self.agents.set_agent("relay", {"when": "every 1h"})).when == "every 1h"
            assert (await self.read("relay")).values["login"].password == SECRET

        return self.run_async(test)

    def test_what_asks_by_word_has_a_secret_and_no_user(self) -> Any:
        async def test() -> None:
            asks = {"kind": "finger", "host": "finger.example", PASSWORD: SECRET}
            assert (await self.agents.add_agent("f", asks)).values["secret"] == ""
            assert (await self.read("f")).values["secret"] == SECRET
            wake = {"kind": "wake", "address": "wake@relay.test", "sender": "postmaster@shop.test"}
            assert (await self.agents.add_agent("w", wake)).values["secret"] == ""
            await self.agents.set_agent("w", {PASSWORD: SECRET})
            assert (await self.read("w")).values["secret"] == SECRET
            await self.refused(BadValue, self.agents.set_agent("w", {"address": "other@relay.test"}))
            await self.refused(BadValue, self.agents.add_agent("g", {"kind": "finger", "host": "finger.example"}))

        return self.run_async(test)

    def test_its_kind_stays_and_what_is_known_of_it_goes_with_it(self) -> Any:
        async def test() -> None:
            await self.agents.add_agent("isp", ETRN)
            await self.refused(AlreadyThere, self.agents.add_agent("ISP", ETRN))
            assert "kind" in await self.refused(BadValue, self.agents.set_agent("isp", {"kind": "odmr"}))

            def known(cursor: Any) -> None:
                STATUSES.change(cursor, "isp", {"ok": "yes"})
                cursor.run("INSERT INTO fetched (agent, message, at) VALUES (?, ?, ?)", ("isp", "x", 1))

            await self.database.write(known)
            assert (await self.agents.statuses())["isp"] == {"ok": "yes"}
            await self.agents.remove_agent("isp")
            assert await self.agents.statuses() == {}
            assert await self.database.read(lambda cursor: cursor.all("SELECT * FROM fetched")) == []
            await self.refused(NoSuchThing, self.agents.remove_agent("isp"))
            await self.refused(NoSuchThing, self.agents.set_agent("isp", {"when": "never"}))

        return self.run_async(test)

    def test_what_was_fetched_from_one_mailbox_says_nothing_of_another(self) -> Any:
        async def test() -> None:
            box = {
                "kind": "imap",
                "host": "imap.example",
                "user": "ann",
                "recipient": "ann@shop.test",
                PASSWORD: SECRET,
            }
            await self.agents.add_agent("box", box)
            changes: tuple[dict[str, str], ...] = (
                {"host": "other.example", PASSWORD: SECRET},
                {"user": "bob", PASSWORD: SECRET},
                {"mailbox": "Lists"},
            )
            remember = "INSERT INTO fetched (agent, message, at) VALUES ('box', '1.1', 1)"
            for change in changes:
                await self.database.write(lambda cursor: cursor.run(remember))
                await self.agents.set_agent("box", {"when": "every 1h", PASSWORD: SECRET})
                assert len(await self.database.read(lambda cursor: cursor.all("SELECT * FROM fetched"))) == 1
                await self.agents.set_agent("box", change)
                assert await self.database.read(lambda cursor: cursor.all("SELECT * FROM fetched")) == []

        return self.run_async(test)

    def test_a_link_that_is_named_is_there(self) -> Any:
        async def test() -> None:
            await self.refused(BadValue, self.agents.add_agent("isp", {**ETRN, "link": "sat"}))
            await self.database.write(lambda cursor: Entries("link").add(cursor, Entry("sat", {})))
            assert (await self.agents.add_agent("isp", {**ETRN, "link": "SAT"})).link == "sat"

        return self.run_async(test)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "needs a kind"),
        ({"kind": "pigeon"}, "kind takes"),
        ({"kind": "odmr"}, "needs a server"),
        ({"kind": "odmr", "host": "a.test"}, "has to sign in"),
        ({"kind": "etrn", "host": "a.test"}, "asks for nothing"),
        ({**ETRN, "names": "a b"}, "names takes"),
        ({**ETRN, "names": "@"}, "names takes"),
        ({**ETRN, "names": "#-"}, "names takes"),
        ({**ETRN, "names": "*"}, "names takes"),
        ({**ETRN, "names": "[192.0.2.1]"}, "names takes"),
        ({**ETRN, "when": "sometimes"}, "when takes"),
        ({**ETRN, "domains": "a.test"}, "domains says nothing with kind=etrn"),
        ({**ETRN, PASSWORD: "x"}, "needs a user"),
        ({**RELAY, "security": "encrypted"}, "none but a verified server"),
        ({**RELAY, "security": "never", "implicit-tls": "on"}, "none but a verified server"),
        ({**RELAY, "stay": "5s"}, "stay takes"),
        ({**RELAY, "unheard": "x"}, "no key 'unheard'"),
        ({"kind": "wake"}, "address and a sender"),
    ],
)
def test_what_makes_no_agent_is_refused_in_words(changes: dict[str, str], said: str) -> None:
    with pytest.raises(BadValue) as refused:
        agent_entry(Entry("a", {}), changes, KEY.seal)
    assert said in str(refused.value)


def test_without_TLS_a_relay_is_signed_in_to_only_by_what_shows_no_password() -> None:
    entry = agent_entry(Entry("a", {}), {**RELAY, "security": "never"}, KEY.seal)
    login = read_agent(entry, KEY.unseal).values["login"]
    assert not login.plaintext


def test_every_key_has_a_meaning_and_says_what_it_takes() -> None:
    assert all(row.meaning.endswith(".") and row.takes for row in AGENT_KEYS.values())
