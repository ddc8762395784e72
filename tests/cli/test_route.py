"""`worldmail route`, for people and for machines."""

from __future__ import annotations

import re

from tests.cli.conftest import Commands
from worldmail.testing.names import NameServer
from worldmail.testing.process import ServerProcess

SECRET = "marker secret 1"
KEYS = {
    "name",
    "domain",
    "sender",
    "via",
    "host",
    "port",
    "security",
    "implicit_tls",
    "user",
    "pins",
    "renews",
    "queue",
    "text",
    "connections",
    "rate",
    "enabled",
}


def add_isp(worldmail: Commands) -> None:
    """The route that the guide begins with."""
    words = ("via=host", "host=smtp.isp.example", "port=587", "user=me", "--password-stdin")
    assert worldmail.ok("route", "add", "isp", *words, stdin=SECRET + "\n").out == "added isp\n"


def test_routes_come_and_go(worldmail: Commands) -> None:
    assert worldmail.ok("route", "list", "--json").json == []
    add_isp(worldmail)
    worldmail.ok("route", "add", "inner", "domain=Bücher.example", "via=host", "host=2001:db8::25")
    made = worldmail.ok("route", "add", "Shop", "domain=.shop.example", "via=hold", "--json").json
    assert set(made) == KEYS and (made["name"], made["queue"], made["host"]) == ("shop", "shop", None)
    assert [line.split() for line in worldmail.ok("route", "list").out.splitlines()] == [
        ["NAME", "DOMAIN", "SENDER", "VIA", "TO", "ENABLED"],
        ["inner", "xn--bcher-kva.example", "*", "host", "[2001:db8::25]:25", "yes"],
        ["shop", ".shop.example", "*", "hold", "shop", "yes"],
        ["isp", "*", "*", "host", "smtp.isp.example:587", "yes"],
    ]
    assert worldmail.ok("route", "remove", "shop").out == "removed shop\n"
    assert [row["name"] for row in worldmail.ok("route", "list", "--json").json] == ["inner", "isp"]
    assert "no route shop" in worldmail.refused("route", "remove", "shop")


def test_a_route_is_shown_with_what_follows_and_without_its_password(site: ServerProcess, worldmail: Commands) -> None:
    add_isp(worldmail)
    shown = worldmail.ok("route", "show", "ISP", "--json").json
    assert set(shown) == KEYS
    assert (shown["user"], shown["security"], shown["implicit_tls"], shown["rate"]) == ("me", "verified", False, 0)
    text = worldmail.ok("route", "show", "isp").out
    assert "verified" in text and "queue" not in text
    assert SECRET not in text + str(shown) + worldmail.ok("route", "list", "--json").out
    assert not [path for path in site.directory.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert "no route no" in worldmail.refused("route", "show", "no")
    assert re.search(r"(?m)^connections +0 \(as the settings say\)$", text) is not None
    assert re.search(r"(?m)^rate +0 \(any\)$", text) is not None


def test_keys_of_a_route_are_listed_set_and_checked(worldmail: Commands) -> None:
    keys = {row["key"] for row in worldmail.ok("route", "set", "--json").json}
    assert keys == {key.replace("_", "-") for key in KEYS - {"name"}} | {"password"}
    add_isp(worldmail)
    assert worldmail.ok("route", "set", "isp", "port=465", "implicit-tls=on").out == (
        "set port=465 implicit-tls=on for isp\n"
    )
    changed = worldmail.ok("route", "set", "isp", "port=", "--json").json
    assert (changed["port"], changed["implicit_tls"], changed["user"]) == (465, True, "me")
    done = worldmail.ok("route", "set", "isp", "--password-stdin", stdin="other\n").out
    assert done == "set its password for isp\n"
    for word, why in (
        ("port=0", "port takes a number from 1 to 65535"),
        ("relay=x", "no key 'relay'"),
        ("port", "key=value"),
        ("security=never", "verified server"),
        ("queue=x", "queue says nothing with via=host"),
    ):
        assert why in worldmail.refused("route", "set", "isp", word)
    assert "no route no" in worldmail.refused("route", "set", "no", "port=1")
    assert "isp is for" in worldmail.refused("route", "add", "two", "via=hold")


def test_a_password_is_not_taken_from_the_command_line(worldmail: Commands) -> None:
    words = ("route", "add", "isp", "via=host", "host=smtp.isp.example", "user=me")
    for more in (f"password={SECRET}", "rate=1"):
        answer = worldmail(*words, more)
        assert (answer.status, answer.out) == (2, "") and answer.err.count("\n") == 1
        assert "--password-stdin" in answer.err and SECRET not in answer.err
    assert "no password on standard input" in worldmail.refused(*words, "--password-stdin")
    assert worldmail.ok("route", "list", "--json").json == []


def test_a_password_is_asked_for_on_a_terminal_and_not_shown(worldmail: Commands) -> None:
    words = ("route", "add", "isp", "via=host", "host=smtp.isp.example", "user=me")
    shown = worldmail.at_terminal(*words, typed=(SECRET, SECRET))
    assert b"added isp" in shown and SECRET.encode() not in shown
    assert worldmail.ok("route", "show", "isp", "--json").json["user"] == "me"


def test_it_says_which_way_mail_would_take(worldmail: Commands) -> None:
    add_isp(worldmail)
    worldmail.ok("route", "add", "direct", "sender=boss@example.test", "via=mx")
    worldmail.ok("route", "add", "shop", "domain=.shop.example", "via=hold", "queue=later")

    def way(*words: str) -> str:
        return worldmail.ok("route", "test", *words).out

    assert way("a@far.example") == "a@far.example goes by the route isp: via host, smtp.isp.example:587\n"
    assert "direct: via mx, the mail exchangers of far.example" in way("a@far.example", "--from", "boss@example.test")
    assert "the route shop: via hold, later" in way("a@x.shop.example", "--from", "boss@example.test")
    assert "example.test is a domain of this server" in way("a@example.test")
    assert worldmail.ok("route", "test", "a@far.example", "--json").json["route"]["name"] == "isp"
    assert worldmail.ok("route", "test", "a@example.test", "--json").json["local"] is True
    for name in ("isp", "direct"):
        worldmail.ok("route", "set", name, "enabled=off")
    assert "no route of yours: via mx, the mail exchangers of far.example" in way("a@far.example")
    assert "not an address" in worldmail.refused("route", "test", "a b")


def test_it_lists_the_servers_that_would_be_tried(site: ServerProcess, worldmail: Commands) -> None:
    zone = {
        "far.example": {"MX": ["20 b.far.example", "10 a.far.example", "5 gone.far.example"]},
        "a.far.example": {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"]},
        "b.far.example": {"A": ["192.0.2.2"]},
        "none.example": {"MX": ["0 ."]},
    }
    with NameServer(zone) as names:
        site.configure({"dns": {"servers": [names.setting]}})
        shown = worldmail.ok("route", "test", "x@far.example", "--hosts").out
        assert shown.splitlines()[1:] == [
            "  a.far.example port 25: 2001:db8::1, 192.0.2.1",
            "  b.far.example port 25: 192.0.2.2",
        ]
        found = worldmail.ok("route", "test", "x@none.example", "--hosts", "--json").json
        assert [each["status"] for each in found["servers"]] == ["5.1.10"]
        worldmail.ok("route", "add", "isp", "via=host", "host=a.far.example")
        found = worldmail.ok("route", "test", "x@none.example", "--hosts", "--json").json["servers"]
        assert found == [{"host": "a.far.example", "port": 25, "addresses": ["2001:db8::1", "192.0.2.1"]}]
        worldmail.ok("route", "set", "isp", "via=hold")
        assert worldmail.ok("route", "test", "x@none.example", "--hosts", "--json").json["servers"] == []


def test_the_commands_of_the_help_work(worldmail: Commands) -> None:
    text = worldmail.ok("route", "add", "--help").out
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("worldmail route add ")]
    assert len(lines) == 3
    for line in lines:
        words = line.split()[1:]
        secret = [] if "user=me" not in words else ["--password-stdin"]
        worldmail.ok(*words, *secret, stdin=SECRET)


def test_a_route_may_be_pinned_to_keys(worldmail: Commands) -> None:
    pin = "AB" * 32
    words = ("via=host", "host=relay.example", "implicit-tls=on", "user=me", f"pins={pin},{'0' * 64}")
    made = worldmail.ok("route", "add", "out", *words, "--password-stdin", "--json", stdin=SECRET + "\n").json
    assert (made["security"], made["pins"]) == ("pinned", ["0" * 64, pin.lower()])
    assert worldmail.ok("route", "show", "out", "--json").json["pins"] == ["0" * 64, pin.lower()]
    assert "pins" in worldmail.refused("route", "set", "out", "security=verified")
    assert "security is verified" in worldmail.refused("route", "set", "out", "pins=", "security=encrypted")
    assert "hexadecimal" in worldmail.refused("route", "set", "out", "pins=abc")
    assert worldmail.ok("route", "set", "out", "pins=", "--json").json["security"] == "verified"
