"""Links as administrators write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from worldmail.errors import AlreadyThere, BadValue, NoSuchThing
from worldmail.interfaces.ondemand import LinkKind
from worldmail.ondemand.link_admin import LinkAdmin
from worldmail.ondemand.link_keys import LINK_KEYS, Command, Knock, Link, link_of
from worldmail.testing.faulty import TurnedClock
from worldmail.testing.real_store import RealStoreWorld, settle

HOSTILE = "\r\n\0 '\"\\$(id)\u2028"


def made(**texts: str) -> Link:
    return link_of("isp", LINK_KEYS.changed({}, {key.replace("_", "-"): text for key, text in texts.items()}))


def test_a_command_is_words_that_no_shell_reads() -> None:
    one = made(up="/usr/bin/nmcli c up 'my isp' $HOME; rm")
    assert one.up == Command(("/usr/bin/nmcli", "c", "up", "my isp", "$HOME;", "rm"))
    assert str(one.up) == "/usr/bin/nmcli c up 'my isp' '$HOME;' rm"


@pytest.mark.parametrize("text", ["nmcli up", "'/open", "/" + " x" * 200, "/bin/x \0", "~/dial", "/bin/x \\"])
def test_a_command_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadValue, match="up takes the full path of a program"):
        made(up=text)


def test_a_probe_is_a_connection_or_a_command() -> None:
    assert made(probe="tcp 192.0.2.1:25").probe == Knock("192.0.2.1", 25)
    assert made(probe="TCP [2001:DB8::1]:587").probe == Knock("2001:db8::1", 587)
    assert str(made(probe="tcp [2001:db8::1]:587").probe) == "tcp [2001:db8::1]:587"
    assert made(probe="/bin/test -e /run/up").probe == Command(("/bin/test", "-e", "/run/up"))
    for text in ("tcp", "tcp host.test:25", "tcp 192.0.2.1", "tcp 192.0.2.1:0", "tcp 192.0.2.1:99999", "ping 1.1.1.1"):
        with pytest.raises(BadValue, match="probe takes tcp ADDRESS:PORT"):
            made(probe=text)


def test_what_follows_where_nothing_was_set() -> None:
    one = made()
    assert (one.kind, str(one.when), one.routes, one.enabled) == (LinkKind.ON_DEMAND, "always", (), True)
    assert (one.interval, one.patience, one.idle, one.most) == (60.0, 120.0, 60.0, 0)
    assert made(routes="isp, -, *").routes == ("isp", "", "*")


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"kind": "windows"}, "needs a timetable"),
        ({"kind": "sometimes"}, "kind takes one of: always, windows, on-demand, metered"),
        ({"kind": "always", "when": "daily"}, "when says nothing with kind=always"),
        ({"most": "5MiB"}, "most says nothing with kind=on-demand"),
        ({"kind": "metered", "most": "0"}, "most takes a size"),
        ({"when": "noon"}, "when takes a timetable"),
        ({"interval": "0s"}, "interval takes a time"),
        ({"patience": "2d"}, "patience takes a time"),
        ({"routes": "a b"}, "routes takes names of routes"),
        ({"enabled": "perhaps"}, "enabled takes on or off"),
        ({"dial": "x"}, "no key 'dial'"),
    ],
)
def test_what_is_no_link_is_refused_with_what_was_expected(texts: Mapping[str, str], said: str) -> None:
    with pytest.raises(BadValue, match=said):
        made(**texts)


@pytest.mark.parametrize("key", [key for key in LINK_KEYS if key not in ("up", "down")])
def test_hostile_values_are_refused(key: str) -> None:
    for text in (HOSTILE, "x" * 100_000, "(" * 5000, "9" * 5000, "\ud800"):
        with pytest.raises(BadValue):
            LINK_KEYS.changed({"kind": "metered"}, {key: text})


def test_links_are_added_changed_and_removed() -> None:
    admin: Any = LinkAdmin(RealStoreWorld.make().database, TurnedClock())
    settle(admin.add_link("Isp", {"routes": "isp"}))
    with pytest.raises(AlreadyThere):
        settle(admin.add_link("isp", {}))
    assert settle(admin.set_link("isp", {"kind": "metered", "most": "5MiB"})).most == 5 << 20
    with pytest.raises(BadValue):
        settle(admin.set_link("isp", {"kind": "windows", "most": "", "when": ""}))
    [(link, known)] = settle(admin.links())
    assert (link.name, link.kind, known) == ("isp", LinkKind.METERED, {})
    for change in (admin.set_link("none", {"idle": "1m"}), admin.remove_link("none")):
        with pytest.raises(NoSuchThing):
            settle(change)
    settle(admin.remove_link("ISP"))
    assert settle(admin.links()) == []
