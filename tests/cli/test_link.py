"""`worldmail link`, without a server."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Commands

FOUND = {"state", "since", "next", "said", "spent"}
KEYS = {
    "name",
    "agents",
    "kind",
    "when",
    "routes",
    "up",
    "down",
    "probe",
    "interval",
    "patience",
    "idle",
    "most",
    "enabled",
}


def test_links_come_and_go(worldmail: Commands) -> None:
    assert worldmail.ok("link", "list", "--json").json == []
    words = ("routes=isp,-", 'up=/etc/dial "my isp"', "probe=TCP [2001:DB8::1]:25", "when=MON-FRI 08:00-18:00")
    assert worldmail.ok("link", "add", "Isp", *words).out == "added isp\n"
    made = worldmail.ok("link", "add", "sat", "kind=metered", "most=5MiB", "routes=*", "--json").json
    assert set(made) == KEYS
    assert (made["most"], made["idle"], made["when"], made["up"]) == ("5MiB", "1m", "always", None)
    assert [line.split() for line in worldmail.ok("link", "list").out.splitlines()] == [
        ["NAME", "KIND", "ROUTES", "ENABLED", "STATE", "SINCE", "NEXT", "SAID"],
        ["isp", "on-demand", "isp,", "-", "yes", "-", "-", "-", "-"],
        ["sat", "metered", "*", "yes", "-", "-", "-", "-"],
    ]
    shown = worldmail.ok("link", "show", "ISP", "--json").json
    assert set(shown) == KEYS | FOUND
    assert (shown["up"], shown["probe"]) == ("/etc/dial 'my isp'", "tcp [2001:db8::1]:25")
    assert (shown["when"], shown["routes"]) == ("mon-fri 08:00-18:00", ["isp", "-"])
    assert worldmail.ok("link", "set", "isp", "kind=always", "when=").out == "set kind=always when= for isp\n"
    assert "idle" not in worldmail.ok("link", "show", "isp").out
    assert worldmail.ok("link", "remove", "isp").out == "removed isp\n"
    for word in ("remove", "show", "up", "down", "run"):
        assert "no link isp" in worldmail.refused("link", word, "isp")


def test_the_keys_are_listed_with_what_they_mean(worldmail: Commands) -> None:
    listed = worldmail.ok("link", "set", "--json").json
    assert {row["key"] for row in listed} == KEYS - {"name"}
    assert worldmail.ok("link", "set").out.count("\n") == len(KEYS)


def test_what_is_wrong_is_told_in_one_line(worldmail: Commands) -> None:
    worldmail.ok("link", "add", "isp")
    for words, said in (
        (("add", "isp"), "there already"),
        (("add", "b", "kind=windows"), "kind=windows needs a timetable"),
        (("add", "b", "up=dial"), "up takes the full path of a program"),
        (("add", "b", "most=5MiB"), "most says nothing with kind=on-demand"),
        (("add", "b c"), "cannot name a link"),
        (("set", "isp", "colour=red"), "no key 'colour'"),
        (("set", "none", "idle=5s"), "no link none"),
    ):
        assert said in worldmail.refused("link", *words)


def test_check_tells_of_routes_and_programs_that_are_not_there(worldmail: Commands, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no program")
    worldmail.ok("link", "add", "isp", "routes=isp,*", f"up={plain}", "down=/bin/true", "probe=/no/such -x")
    worldmail.ok("link", "add", "off", "routes=none", "enabled=off")
    said = worldmail("check").out + worldmail("check").err
    assert "the link isp is for the route isp, which does not exist" in said
    assert f"up of the link isp: {plain} is no program" in said
    assert "probe of the link isp: /no/such is no program" in said
    assert "down of the link" not in said and "link off" not in said
    worldmail.ok("route", "add", "isp", "via=host", "host=192.0.2.1")
    assert "the route isp" not in worldmail("check").out
