"""`worldmail agent`: agents come and go, and no password is shown."""

from __future__ import annotations

from tests.cli.conftest import Commands

SECRET = "marker secret 3"
ETRN = ("kind=etrn", "host=mx.isp.test", "names=shop.test,#shop")
ODMR = ("kind=odmr", "host=Relay.test", "user=shop@relay.test", "--password-stdin")


def test_agents_come_and_go(worldmail: Commands) -> None:
    assert worldmail.ok("agent", "list", "--json").json == []
    assert worldmail.ok("agent", "add", "ISP", *ETRN, "when=every 15m").out == "added isp\n"
    made = worldmail.ok("agent", "add", "relay", *ODMR, "--json", stdin=f"{SECRET}\n")
    assert SECRET not in made.out
    assert (made.json["port"], made.json["security"], made.json["user"]) == (366, "verified", "shop@relay.test")
    assert made.json["names"] is None
    assert [line.split()[:4] for line in worldmail.ok("agent", "list").out.splitlines()] == [
        ["NAME", "KIND", "HOST", "WHEN"],
        ["isp", "etrn", "mx.isp.test", "every"],
        ["relay", "odmr", "relay.test", "never"],
    ]
    assert worldmail.ok("agent", "set", "relay", "stay=1m").out == "set stay=1m for relay\n"
    shown = worldmail.ok("agent", "show", "RELAY").out
    assert "relay.test" in shown and SECRET not in shown and "leave" not in shown
    assert worldmail.ok("agent", "remove", "isp").out == "removed isp\n"
    for words in (("remove", "isp"), ("show", "isp"), ("run", "isp"), ("test", "isp"), ("set", "isp", "when=never")):
        assert "no agent isp" in worldmail.refused("agent", *words)


def test_what_makes_no_sense_is_refused_in_one_line(worldmail: Commands) -> None:
    assert "needs a kind" in worldmail.refused("agent", "add", "x", "host=a.test")
    assert "names says nothing with kind=odmr" in worldmail.refused(
        "agent", "add", "x", *ODMR, "names=a.test", stdin=f"{SECRET}\n"
    )
    assert "there is no link sat" in worldmail.refused("agent", "add", "x", *ETRN, "link=sat")
    assert "no server is running" in _run_without_a_server(worldmail)


def _run_without_a_server(worldmail: Commands) -> str:
    worldmail.ok("agent", "add", "isp", *ETRN)
    return worldmail.refused("agent", "run", "isp")


def test_the_keys_are_listed_with_their_kinds(worldmail: Commands) -> None:
    rows = {row["key"]: row for row in worldmail.ok("agent", "set", "--json").json}
    assert rows["names"]["of"] == ["etrn"]
    assert rows["when"]["of"] == ["all"]
    assert rows["domains"]["of"] == ["imap", "odmr", "pop3"]
    assert all(row["takes"] and row["meaning"] for row in rows.values())


def test_a_password_never_stands_on_the_command_line(worldmail: Commands) -> None:
    answer = worldmail("agent", "add", "x", *ODMR[:3], f"password={SECRET}")
    assert answer.status == 2
    assert SECRET not in answer.out + answer.err


def test_what_a_wake_up_message_would_be_is_told_without_a_server(worldmail: Commands) -> None:
    words = ("kind=wake", "address=wake@relay.test", "sender=postmaster@example.test")
    worldmail.ok("agent", "add", "bell", *words, "--password-stdin", stdin=f"{SECRET}\n")
    tried = worldmail.ok("agent", "test", "bell").out
    assert "a message from postmaster@example.test to wake@relay.test would be sent" in tried and SECRET not in tried


def test_what_is_shown_is_as_it_is_given(worldmail: Commands) -> None:
    rules = "rules=news.shop.test=ann@example.test bob@example.test"
    words = ("kind=pop3", "host=pop.isp.test", "user=shop", "domains=example.test", rules, "leave=7")
    worldmail.ok("agent", "add", "box", *words, "--password-stdin", stdin=f"{SECRET}\n")
    shown = dict(line.split(None, 1) for line in worldmail.ok("agent", "show", "box").out.splitlines())
    assert shown["rules"] == "news.shop.test=ann@example.test bob@example.test" and shown["leave"] == "1w"
    worldmail.ok("hold", "add", "ship", "domains=ship.test", "keep=3d", "every=90m", "release=mx")
    shown = dict(line.split(None, 1) for line in worldmail.ok("hold", "show", "ship").out.splitlines())
    assert shown["keep"] == "3d" and shown["every"] == "90m"
