"""What an administrator may say of a route, and what follows from it."""

from __future__ import annotations

import pytest

from worldmail.errors import BadValue
from worldmail.interfaces.outbound import Login, Security
from worldmail.interfaces.queue import Route, Via
from worldmail.queue.route_keys import ROUTE_KEYS, Given, changed, new_password, route_name, route_of

LONG = "x" * 300

TAKEN = [
    ("domain", "Bücher.Example.", "xn--bcher-kva.example"),
    ("domain", ".Example.ORG", ".example.org"),
    ("domain", ".org", ".org"),
    ("domain", "*", "*"),
    ("domain", "[IPv6:2001:DB8::1]", "[ipv6:2001:db8::1]"),
    ("sender", "Bob@Bücher.example", "bob@xn--bcher-kva.example"),
    ("sender", '"A B"@x.test', "a b@x.test"),
    ("sender", ".x.test", ".x.test"),
    ("via", "LMTP", Via.LMTP),
    ("via", "hold", Via.HOLD),
    ("host", "Mail.Example.", "mail.example"),
    ("host", "192.0.2.1", "192.0.2.1"),
    ("host", "[192.0.2.1]", "192.0.2.1"),
    ("host", "2001:DB8:0::1", "2001:db8::1"),
    ("host", "[2001:db8::1]", "2001:db8::1"),
    ("host", "[IPv6:2001:db8::1]", "2001:db8::1"),
    ("host", "localhost", "localhost"),
    ("port", "65535", 65535),
    ("security", "Verified", Security.VERIFIED),
    ("implicit-tls", "on", True),
    ("user", "Me@isp.example", "Me@isp.example"),
    ("password", " with spaces ", " with spaces "),
    ("queue", "Shop-1", "shop-1"),
    ("text", "No mail for you", "No mail for you"),
    ("connections", "0", 0),
    ("rate", "60", 60),
    ("enabled", "OFF", False),
]

REFUSED = [
    ("domain", ["a b", ".", "..", "a..b", "*.example.org", "bob@x.test", ".[192.0.2.1]", "x" * 64, "a\nb"]),
    ("sender", ["@x.test", "bob@", "*@x.test", "a b@x.test", "<a@x.test>", "a@b@c"]),
    ("via", ["smtp", "local", "none"]),
    ("host", ["a b", "mail.example:25", "256.1.1.1", "1", "[a.example]", "fe80::1%eth0", "[192.0.2.1", "a/b", "*"]),
    ("port", ["0", "65536", "-1", "smtp", "²", "1" * 5000]),
    ("security", ["tls", "none"]),
    ("implicit-tls", ["yes", "1"]),
    ("user", [LONG, "a\x00b", "a\udcff"]),
    ("password", [LONG, "a\x00b", "ü" * 128]),
    ("queue", ["a b", "-a", "#a", "x" * 65]),
    ("text", ["ü", "a\r\nb", LONG]),
    ("connections", ["1001", "-1", "many"]),
    ("rate", ["1000001", "1/s"]),
    ("enabled", ["yes"]),
]  # fmt: skip


def made(**given: object) -> Route:
    """The route that these make."""
    return route_of("it", Given(**given), "secret")  # type: ignore[arg-type]


@pytest.mark.parametrize(("key", "text", "value"), TAKEN)
def test_a_value_is_kept_in_its_normal_form(key: str, text: str, value: object) -> None:
    assert ROUTE_KEYS[key].parse(text) == value


@pytest.mark.parametrize(("key", "text"), [(key, text) for key, texts in REFUSED for text in texts])
def test_what_is_no_value_is_refused_with_what_the_key_takes(key: str, text: str) -> None:
    with pytest.raises(BadValue) as caught:
        changed("it", Given(via=Via.HOST, host="a"), {key: text})
    assert str(caught.value) == f"{key} takes {ROUTE_KEYS[key].takes}"
    assert key != "password" or text not in str(caught.value)


def test_an_unknown_key_is_answered_with_those_there_are() -> None:
    with pytest.raises(BadValue, match="no key 'relay'; there are: domain, sender, via"):
        changed("it", Given(), {"relay": "x"})


def test_every_key_has_its_meaning_and_a_field() -> None:
    for key, row in ROUTE_KEYS.items():
        assert row.key == key and row.meaning.endswith(".") and row.takes
        assert key == "password" or hasattr(Given(), row.field)


@pytest.mark.parametrize("name", ["", "-x", "a b", "x" * 65, "ü", "a\nb", "a/b"])
def test_what_cannot_name_a_route_is_refused(name: str) -> None:
    with pytest.raises(BadValue, match="cannot name a route"):
        route_name(name)


def test_a_name_is_kept_in_lower_case() -> None:
    assert route_name("ISP-1.a_b") == "isp-1.a_b"


@pytest.mark.parametrize(
    ("given", "port", "security"),
    [
        ({"via": Via.HOST}, 25, Security.OPPORTUNISTIC),
        ({"via": Via.HOST, "user": "me"}, 587, Security.VERIFIED),
        ({"via": Via.HOST, "implicit_tls": True}, 465, Security.VERIFIED),
        ({"via": Via.HOST, "implicit_tls": True, "user": "me"}, 465, Security.VERIFIED),
        ({"via": Via.HOST, "implicit_tls": True, "security": Security.ENCRYPTED}, 465, Security.ENCRYPTED),
        ({"via": Via.LMTP}, 24, Security.OPPORTUNISTIC),
        ({"via": Via.LMTP, "user": "me"}, 24, Security.VERIFIED),
        ({"via": Via.HOST, "port": 2525, "user": "me"}, 2525, Security.VERIFIED),
        ({"via": Via.HOST, "security": Security.NEVER}, 25, Security.NEVER),
    ],
)
def test_port_and_security_follow_from_the_rest(given: dict[str, object], port: int, security: Security) -> None:
    found = made(host="a.example", **given)
    assert (found.port, found.security) == (port, security)
    assert found.login == (Login(user="me", password="secret") if "user" in given else None)


def test_a_route_says_only_what_means_something_with_its_way() -> None:
    given = {"host": "a.example", "port": 26, "user": "me", "implicit_tls": True, "queue": "q", "text": "t", "rate": 9}
    assert made(via=Via.MX, **given) == Route(name="it", rate=9)
    assert made(via=Via.HOLD, **given) == Route(name="it", via=Via.HOLD, queue="q")
    assert made(via=Via.REFUSE, **given) == Route(name="it", via=Via.REFUSE, text="t")


def test_a_hold_waits_under_the_name_of_its_route_and_a_refusal_has_a_sentence() -> None:
    assert made(via=Via.HOLD).queue == "it"
    assert made(via=Via.REFUSE).text.isascii() and made(via=Via.REFUSE).text


def test_an_empty_value_takes_back_what_was_set() -> None:
    given = Given(via=Via.HOST, host="a.example", port=26, security=Security.NEVER, enabled=False, domain="b.example")
    changes = {"port": "", "security": " ", "enabled": "", "domain": ""}
    assert changed("it", given, changes) == Given(via=Via.HOST, host="a.example")


def test_a_route_that_was_held_for_a_while_is_what_it_was() -> None:
    before = changed("it", Given(), {"via": "host", "host": "a.example", "port": "26", "rate": "5"})
    held = changed("it", before, {"via": "hold"})
    assert route_of("it", held, "").host == "" and route_of("it", held, "").rate == 0
    assert changed("it", held, {"via": "host"}) == before


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"via": "host"}, "needs a host"),
        ({"via": "lmtp", "host": ""}, "needs a host"),
        ({"via": "lmtp", "host": "a.example", "port": "25"}, "port 25"),
        ({"via": "host", "host": "a.example", "user": "me", "security": "encrypted"}, "verified server"),
        ({"via": "host", "host": "a.example", "user": "me", "security": "never"}, "verified server"),
        ({"via": "host", "host": "a.example", "implicit-tls": "on", "security": "opportunistic"}, "implicit-tls"),
        ({"host": "a.example"}, "host says nothing with via=mx"),
        ({"via": "hold", "rate": "5"}, "rate says nothing with via=hold"),
        ({"via": "refuse", "queue": "x"}, "queue says nothing with via=refuse"),
        ({"via": "mx", "user": "me"}, "user says nothing with via=mx"),
        ({"password": "x"}, "password says nothing with via=mx"),
    ],
)
def test_what_cannot_be_together_is_refused(changes: dict[str, str], why: str) -> None:
    with pytest.raises(BadValue, match=why):
        changed("it", Given(), changes)


def test_of_no_password_there_is_none() -> None:
    assert new_password({}) is None
    assert new_password({"password": ""}) is None
    assert new_password({"password": "x"}) == "x"


def test_what_follows_where_nothing_was_given_is_the_same_for_the_table_and_for_what_is_kept() -> None:
    for key, row in ROUTE_KEYS.items():
        assert key == "password" or getattr(Given(), row.field) == row.default
