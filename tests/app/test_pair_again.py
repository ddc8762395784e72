"""What joining tells, of servers that do not run and of ways that are taken, and what it leaves when it is repeated."""

from __future__ import annotations

from tests.app.conftest import until
from tests.app.test_pairs import invite, joined, relay, site
from tests.cli.conftest import Commands
from worldmail.testing.process import ServerProcess

__all__ = ["relay", "site"]


def test_what_was_set_beside_the_relay_stays_when_a_site_joins_again(relay: ServerProcess, site: ServerProcess) -> None:
    joined(relay, site)
    command = Commands(site.config)
    command.ok("link", "add", "line")
    command.ok("agent", "set", "relay", "when=every 1h", "link=line", "enabled=off", "stay=off")
    command.ok("route", "set", "relay", "connections=2", "rate=30", "domain=far.test", "enabled=off")
    before = {kind: command.ok(kind, "show", "relay", "--json").json for kind in ("agent", "route")}
    said = command.ok("join", invite(relay), "--name", "relay").out
    after = {kind: command.ok(kind, "show", "relay", "--json").json for kind in ("agent", "route")}
    kept = ("when", "link", "enabled", "stay", "connections", "rate", "domain", "pins", "user", "host")
    for kind, fields in before.items():
        assert {key: fields.get(key) for key in kept} == {key: after[kind].get(key) for key in kept}
    assert "worldmail agent set relay enabled=on" in said and "worldmail route set relay enabled=on" in said
    command.ok("route", "set", "relay", "enabled=on", "domain=")
    assert "signed in as" in command.ok("agent", "test", "relay").out, "the password is the new one"


def test_a_server_that_does_not_run_is_to_be_started(relay: ServerProcess, site: ServerProcess) -> None:
    code, command = invite(relay), Commands(site.config)
    site.stop()
    told = command.ok("join", code, "--name", "relay").out.splitlines()[-1]
    assert "No server runs here: start it" in told and str(site.config) in told
    site.start()
    until(lambda: command.ok("agent", "show", "relay", "--json").json["state"] == "running")
    said = command.ok("join", invite(relay), "--name", "relay", "--json").json
    assert said["running"] is True


def test_what_leaves_by_another_way_is_not_said_to_come_from_the_relay(
    relay: ServerProcess, site: ServerProcess
) -> None:
    """RFC 7208 §2.6.4: a record that names the relay alone would have all of it refused."""
    command = Commands(site.config)
    command.ok("route", "add", "isp", "via=host", "host=192.0.2.1")
    said = command.ok("join", invite(relay), "--name", "relay").out
    assert 'shop.test. TXT "v=spf1 (what the route isp sends from) -all"' in said
    assert "by the route isp as before" in said
    command.ok("route", "remove", "isp")
    said = command.ok("join", invite(relay), "--name", "relay").out
    assert 'TXT "v=spf1 ip4:127.0.0.1 -all"' in said and "by the route relay" in said


def test_an_invitation_tells_of_what_it_takes_the_place(relay: ServerProcess, site: ServerProcess) -> None:
    command = Commands(relay.config)
    words = ("relay", "invite", "shop.test", "--host", "127.0.0.1")
    first = invite(relay)
    assert "the code that was made before for shop is good for nothing" in command.ok(*words).out
    assert "ask there for another" in Commands(site.config).refused("join", first)
    joined(relay, site)
    account = command.ok("user", "show", "shop.test@example.test", "--json").json
    assert "the site shop has joined already" in command.ok(*words).out
    assert command.ok("user", "show", "shop.test@example.test", "--json").json == account
    until(lambda: Commands(site.config).ok("agent", "show", "relay", "--json").json["state"] == "running")


def test_an_invitation_that_cannot_be_made_leaves_nothing(relay: ServerProcess) -> None:
    command = Commands(relay.config)
    command.ok("domain", "add", "held.test", "--kind", "hold", "--hold", "held")
    before = command.ok("domain", "list").out
    for words, why in (
        (("new.test", "--account", "a@elsewhere.test"), "no local domain elsewhere.test"),
        (("new.test", "example.test"), "a domain of this server itself"),
        (("new.test", "--hold", "held"), "the hold held is there already, for other domains"),
        (("held.test", "--hold", "other"), "leave --hold away"),
        (("held.test", "new.test"), "worldmail domain add new.test --kind hold --hold held"),
        (("new.test", "--host", "fe80::1%lo"), "no name that a site could look up"),
    ):
        assert why in command.refused(
            "relay", "invite", *words[:1], *words[1:], *(() if "--host" in words else ("--host", "127.0.0.1"))
        )
    assert command.ok("domain", "list").out == before


def test_check_says_of_domains_of_sites_who_is_to_tell_their_recipients(
    relay: ServerProcess, site: ServerProcess
) -> None:
    command = Commands(relay.config)

    def told(domain: str) -> list[str]:
        found = [one["text"] for one in command("check", "--json").json]
        return [text for text in found if text.startswith(f"{domain} has no list")]

    code = invite(relay)
    assert ["worldmail relay invites" in text for text in told("shop.test")] == [True]
    Commands(site.config).ok("join", code, "--name", "relay")
    until(lambda: not told("shop.test"))
    said = command.ok("domain", "add", "more.test", "--kind", "hold", "--hold", "shop").out
    assert "until its site has the domain too" in said and "recipient load" not in said
    assert ["its site has told nobody yet" in text for text in told("more.test")] == [True]
    command.ok("domain", "add", "other.test", "--kind", "hold", "--hold", "other")
    assert ["worldmail recipient load" in text for text in told("other.test")] == [True]
