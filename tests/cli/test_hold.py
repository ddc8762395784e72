"""`worldmail hold`, and domains whose mail waits in one."""

from __future__ import annotations

from tests.cli.conftest import Commands

SECRET = "marker secret 2"
KEYS = {
    "name",
    "domains",
    "release",
    "accounts",
    "networks",
    "host",
    "port",
    "security",
    "implicit_tls",
    "user",
    "pins",
    "renews",
    "keep",
    "tell",
    "most",
    "messages",
    "wake",
    "wake_secret",
    "finger",
    "every",
    "at_login",
    "enabled",
}


def test_holds_come_and_go(worldmail: Commands) -> None:
    assert worldmail.ok("hold", "list", "--json").json == []
    words = ("domains=Bücher.example,.shop.example", "accounts=Shop@example.test")
    assert worldmail.ok("hold", "add", "Shop", *words).out == "added shop\n"
    made = worldmail.ok(
        "hold",
        "add",
        "ship",
        "domains=ship.example",
        "release=host",
        "host=192.0.2.25",
        "networks=192.0.2.25",
        "--json",
    ).json
    assert set(made) == KEYS
    assert (made["release"], made["port"], made["security"], made["keep"]) == ("host", 25, "opportunistic", 2592000.0)
    assert [line.split() for line in worldmail.ok("hold", "list").out.splitlines()] == [
        ["NAME", "DOMAINS", "RELEASE", "ACCOUNTS", "NETWORKS", "ENABLED", "WAITING", "OCTETS", "SINCE"],
        ["ship", "ship.example", "host", "-", "192.0.2.25/32", "yes", "0", "0", "-"],
        ["shop", "xn--bcher-kva.example,", ".shop.example", "odmr", "shop@example.test", "-", "yes", "0", "0", "-"],
    ]
    assert worldmail.ok("hold", "set", "shop", "keep=7d", "tell=1d").out == "set keep=7d tell=1d for shop\n"
    shown = worldmail.ok("hold", "show", "SHOP").out
    assert "keep      1w" in shown and "tell      1d" in shown
    assert "host" not in shown
    assert worldmail.ok("hold", "remove", "shop").out == "removed shop\n"
    assert "no hold shop" in worldmail.refused("hold", "remove", "shop")
    assert "no hold shop" in worldmail.refused("hold", "show", "shop")


def test_the_keys_are_listed_with_what_they_mean(worldmail: Commands) -> None:
    listed = worldmail.ok("hold", "set", "--json").json
    assert {row["key"].replace("-", "_") for row in listed} == (KEYS - {"name"}) | {"password"}


def test_what_is_wrong_is_told_in_one_line(worldmail: Commands) -> None:
    worldmail.ok("hold", "add", "shop", "domains=shop.example")
    for words, said in (
        (("add", "shop", "domains=b.example"), "there already"),
        (("add", "b"), "needs domains"),
        (("add", "b", "domains=shop.example"), "waits in the hold shop already"),
        (("add", "b", "domains=b.example", "colour=red"), "no key 'colour'"),
        (("set", "shop", "keep=5s"), "keep takes a time"),
        (("set", "none", "keep=5d"), "no hold none"),
    ):
        assert said in worldmail.refused("hold", *words)


def test_a_password_is_read_from_standard_input_and_never_shown(worldmail: Commands) -> None:
    words = ("domains=in.example", "release=host", "host=in.example", "user=me", "--password-stdin")
    worldmail.ok("hold", "add", "in", *words, stdin=SECRET + "\n")
    assert SECRET not in worldmail.ok("hold", "show", "in", "--json").out + worldmail.ok("hold", "list", "--json").out


def test_a_domain_whose_mail_waits_is_made_with_its_hold(worldmail: Commands) -> None:
    made = worldmail.ok("domain", "add", "shop.example", "--kind", "hold", "--hold", "shop", "--json").json
    assert made["kind"] == "relay"
    worldmail.ok("domain", "add", "cafe.example", "--kind", "hold", "--hold", "shop")
    assert worldmail.ok("hold", "show", "shop", "--json").json["domains"] == ["shop.example", "cafe.example"]
    worldmail.ok("hold", "set", "shop", "domains=shop.example,cafe.example,held.example")
    assert "there already" in worldmail.refused("domain", "add", "example.test", "--kind", "hold", "--hold", "shop")
    assert "waits in the hold shop" in worldmail.refused(
        "domain", "add", "held.example", "--kind", "hold", "--hold", "b"
    )
    assert "held.example" not in worldmail.ok("domain", "list").out
    assert "held.example" in worldmail.ok("hold", "show", "shop", "--json").json["domains"]
    assert "example.test" not in worldmail.ok("hold", "show", "shop", "--json").json["domains"]
    for words in (("--kind", "hold"), ("--hold", "shop"), ("--kind", "relay", "--hold", "shop")):
        assert worldmail("domain", "add", "x.example", *words).status == 2


def test_a_domain_that_is_removed_leaves_its_hold_which_keeps_one_at_least(worldmail: Commands) -> None:
    for name in ("shop.example", "more.example"):
        worldmail.ok("domain", "add", name, "--kind", "hold", "--hold", "shop")
    worldmail.ok("hold", "set", "shop", "keep=7d")
    assert worldmail.ok("domain", "remove", "more.example").out == "removed more.example\n"
    shown = worldmail.ok("hold", "show", "shop", "--json").json
    assert (shown["domains"], shown["keep"]) == (["shop.example"], 604800.0)
    worldmail.ok("domain", "remove", "shop.example")
    assert worldmail.ok("hold", "show", "shop", "--json").json["domains"] == ["shop.example"]


def test_a_secret_that_is_made_is_told_once_and_one_that_was_given_never(worldmail: Commands) -> None:
    words = ("domains=ship.example", "release=mx", "finger=new")
    made = worldmail.ok("hold", "add", "ship", *words).out.splitlines()
    assert made[0] == "added ship"
    secret = made[1].removeprefix("its finger is ").partition(" ")[0]
    assert len(secret) == 20
    said = worldmail.ok("hold", "set", "ship", "wake=w@example.test", "wake-secret=given.secret", "keep=7d").out
    assert said == "set wake=w@example.test keep=7d its wake-secret for ship\n"
    shown = worldmail.ok("hold", "show", "ship", "--json")
    assert (shown.json["finger"], shown.json["wake_secret"]) == ("set", "set")
    assert secret not in shown.out
    assert "given" not in shown.out
    assert len(worldmail.ok("hold", "set", "ship", "wake-secret=new", "--json").json["wake_secret"]) == 20


def test_an_address_that_wakes_is_nobodys_and_in_a_local_domain(worldmail: Commands) -> None:
    worldmail.ok("domain", "add", "relayed.example", "--kind", "relay")
    worldmail.ok("alias", "add", "sales@example.test", "postmaster@example.test")
    words = ("domains=ship.example", "release=mx", "accounts=ship@example.test")
    for wake, said in (
        ("Postmaster@example.test", "is there already"),
        ("sales@example.test", "is there already"),
        ("wake@relayed.example", "relayed.example is none"),
        ("wake@far.example", "far.example is none"),
        ("wake", "no domain"),
    ):
        assert said in worldmail.refused("hold", "add", "ship", *words, f"wake={wake}")
    worldmail.ok("hold", "add", "ship", *words, "wake=wake@example.test")
    worldmail.ok("hold", "set", "ship", "wake=")
