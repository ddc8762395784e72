"""The small parts of the way in: the server key, networks, turns, the memory of logins."""

from __future__ import annotations

import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred

from worldmail.auth.failures import LoginFailures
from worldmail.auth.logins import RecentLogins
from worldmail.auth.networks import Networks
from worldmail.auth.passwords import check_password, opaque
from worldmail.auth.server_key import ServerKey, check_server_key, create_server_key, read_server_key
from worldmail.auth.turns import Turns
from worldmail.config.fields import network
from worldmail.database.immediate import ImmediateDatabase
from worldmail.errors import BadValue, ConfigurationError
from worldmail.interfaces.database import Notice
from worldmail.interfaces.directory import Account
from worldmail.mail.address import Address


def account(number, generation=1):
    return Account(
        id=number,
        address=Address(f"u{number}", "example.test"),
        name="",
        enabled=True,
        generation=generation,
        quota=None,
        max_message=None,
        legacy_auth=False,
    )


# --- the server key ---


def test_a_key_is_made_once_for_its_owner_alone_and_read_back(tmp_path):
    path = tmp_path / "server.key"
    key = create_server_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_server_key(path) == key
    with pytest.raises(FileExistsError):
        create_server_key(path)


@pytest.mark.parametrize("content", [b"", b"worldmail-server-key-1 12\n", b"\xff", b"x" * 1000])
def test_what_is_no_key_is_refused_with_the_files_name(tmp_path, content):
    path = tmp_path / "server.key"
    with pytest.raises(ConfigurationError, match="server.key"):
        read_server_key(path)
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="server.key"):
        read_server_key(path)


@given(data=st.binary(max_size=100), purpose=st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_what_is_sealed_opens_with_the_same_key_for_the_same_purpose_alone(data, purpose):
    key = ServerKey(b"k" * 32)
    sealed = key.seal(purpose, data)
    assert key.unseal(purpose, sealed) == data
    assert sealed != key.seal(purpose, data)
    for other, why, octets in (
        (ServerKey(b"x" * 32), purpose, sealed),
        (key, purpose + "x", sealed),
        (key, purpose, sealed[:-1]),
        (key, purpose, sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (key, purpose, b""),
    ):
        with pytest.raises(ValueError):
            other.unseal(why, octets)


def test_a_database_belongs_to_one_key():
    database = ImmediateDatabase()
    database.start()

    def check(key):
        return database.write(lambda cursor: check_server_key(cursor, key)).__await__()

    def run(key):
        try:
            next(check(key))
        except StopIteration:
            return

    run(ServerKey(b"k" * 32))
    run(ServerKey(b"k" * 32))
    with pytest.raises(ConfigurationError):
        run(ServerKey(b"x" * 32))


def test_the_key_shows_nothing_of_itself():
    assert "kkkk" not in repr(ServerKey(b"k" * 32)) and ServerKey(b"k" * 32).mac("a", b"x") != b"k" * 32


# --- passwords ---


@pytest.mark.parametrize(
    ("password", "octets"),
    [
        ("Correct Horse", b"Correct Horse"),
        ("a\u0308", "\u00e4".encode()),  # NFC
        ("\u00a0\u3000", b"  "),  # other spaces (RFC 8265 §4.2.2)
        ("\uff21", "\uff21".encode()),  # the width stays
    ],
)
def test_a_password_is_hashed_in_its_normal_form(password, octets):
    assert opaque(password) == octets


@given(st.text(max_size=30))
def test_any_text_is_a_password_or_refused_with_a_reason(text):
    try:
        check_password(text)
    except BadValue as error:
        assert "password" in str(error)
    else:
        assert opaque(text)


# --- networks ---


@pytest.mark.parametrize(
    ("client", "narrow", "wide", "home"),
    [
        ("192.0.2.9", "192.0.2.9/32", "192.0.2.0/24", "192.0.2.0/24"),
        ("::ffff:192.0.2.9", "192.0.2.9/32", "192.0.2.0/24", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64", "2001:db8:1::/48", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64", "fe80::/48", "fe80::/64"),
        ("somewhere", "somewhere", "somewhere", "somewhere"),
    ],
)
def test_the_networks_of_an_address(client, narrow, wide, home):
    found = Networks(()).of(client)
    assert (found.narrow, found.wide, found.home, found.exempt) == (narrow, wide, home, False)


def test_exempt_networks_are_known_in_either_family():
    networks = Networks((network("192.0.2.0/24"), network("2001:db8::/32")))
    clients = ("192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "192.0.3.1", "2001:db9::1", "unix")
    assert [networks.of(client).exempt for client in clients] == [True, True, True, False, False, False]


def test_the_memory_of_networks_is_bounded():
    networks = Networks(())
    for number in range(10_050):
        networks.of(f"10.{number // 65536}.{number // 256 % 256}.{number % 256}")
    assert len(networks._known) <= 10_000


# --- counters ---


def test_what_waits_to_be_written_is_bounded():
    failures = LoginFailures()
    for number in range(20_100):
        failures.record([("client", str(number))], 1)
    assert len(failures.take()) == 20_000
    failures.not_written()
    assert len(failures.take()) == 20_000


# --- turns ---


def waiting(turns, key, log):
    async def wait():
        await turns.wait(key)
        log.append(key)

    return Deferred.fromCoroutine(wait())


def test_turns_come_in_order_by_key():
    turns, log = Turns(10), []
    for key in ("a1", "b1"):
        waiting(turns, key[0], log)
    waiting(turns, "a", log)
    turns.wake("a")
    assert log == ["a"]
    turns.wake("b")
    turns.wake("a")
    turns.wake("a")
    assert log == ["a", "b", "a"] and not turns._waiting


def test_one_who_gives_up_waiting_takes_no_turn():
    turns, log = Turns(2), []
    first = waiting(turns, "a", log)
    waiting(turns, "a", log)
    assert turns.full
    first.cancel()
    first.addErrback(lambda failure: failure.trap(CancelledError))
    assert not turns.full
    turns.wake("a")
    assert log == ["a"] and not turns._waiting


def test_a_thousand_who_pass_their_turn_on_do_not_nest():
    turns, passed = Turns(5000), []

    async def pass_on():
        await turns.wait("a")
        passed.append(1)
        turns.wake("a")

    for _ in range(5000):
        Deferred.fromCoroutine(pass_on())
    turns.wake("a")
    assert len(passed) == 5000


# --- the memory of logins ---


def test_the_memory_of_logins_is_bounded_and_whole(monkeypatch):
    monkeypatch.setattr("worldmail.auth.logins._MAXIMUM_VERIFIED", 10)
    monkeypatch.setattr("worldmail.auth.logins._MAXIMUM_WRONG", 10)
    recent = RecentLogins(60)
    prints = [recent.fingerprint("pop3", f"u{number}", "x") for number in range(25)]
    for number, fingerprint in enumerate(prints):
        recent.keep(fingerprint, account(1 + number % 5), "c", 0.0)
        recent.note_wrong(fingerprint, None)
    assert [recent.verified(each, 1.0) is not None for each in prints] == [False] * 15 + [True] * 10
    assert [recent.was_wrong(each, None) for each in prints] == [False] * 15 + [True] * 10
    assert sum(map(len, recent._of_account.values())) == 10
    recent.account_changed(Notice(1, "account", 1))
    assert sum(recent.verified(each, 1.0) is not None for each in prints) == 8
    recent.account_changed(Notice(2, "account", 0))
    assert not recent._verified and not recent._of_account


def test_a_wrong_guess_is_known_as_long_as_the_account_is_the_same():
    recent = RecentLogins(60)
    fingerprint = recent.fingerprint("pop3", "u1", "x")
    recent.note_wrong(fingerprint, account(1))
    assert recent.was_wrong(fingerprint, account(1))
    assert not recent.was_wrong(fingerprint, account(1, generation=2))
    assert not recent.was_wrong(fingerprint, None)


TEXTS = st.text(st.characters(exclude_characters="\0"), max_size=8)


@given(one=st.tuples(TEXTS, TEXTS, TEXTS), other=st.tuples(TEXTS, TEXTS, TEXTS))
def test_no_two_guesses_have_one_fingerprint(one, other):
    recent = RecentLogins(60)
    assert (recent.fingerprint(*one) == recent.fingerprint(*other)) is (one == other)


def test_fingerprints_of_two_processes_differ():
    assert RecentLogins(1).fingerprint("a", "b", "c") != RecentLogins(1).fingerprint("a", "b", "c")
