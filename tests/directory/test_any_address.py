"""Whatever address somebody names, from RCPT on down: it is taken or refused, and nothing else happens."""

from __future__ import annotations

import unicodedata

import pytest
from attrs import evolve
from hypothesis import example, given
from hypothesis import strategies as st

from worldmail.directory import accounts, aliases
from worldmail.directory.directory import Directory
from worldmail.directory.source import DatabaseSource
from worldmail.errors import BadValue, Refusal
from worldmail.interfaces.directory import IDirectory, LocalAccount
from worldmail.mail.address import Address
from worldmail.protocols.smtp.grammar import parse_rcpt
from worldmail.testing.real_store import RealStoreWorld, settle
from worldmail.testing.smtp import SmtpScene

GROWS = "ŉ" * 32
"""64 octets, 96 once it is folded for case: U+0149 becomes two characters."""

SITE = RealStoreWorld.make()
BOB = SITE.add_account("bob@example.test")


def _furnish(cursor) -> None:
    cursor.run("INSERT INTO domain (name, kind) VALUES ('relay.test', 'relay')")
    cursor.run("INSERT INTO domain (name, kind, alias_of) SELECT 'alias.test', 'local', id FROM domain LIMIT 1")
    cursor.run("INSERT INTO relay_recipient (domain_id, local_part) SELECT id, 'a' FROM domain WHERE kind = 'relay'")


settle(SITE.database.write(_furnish))
SOURCE = DatabaseSource(database=SITE.database, host="mail.example.test")
DIRECTORY: IDirectory = Directory((SOURCE,), SITE.database.changes)

DOMAINS = st.sampled_from(
    ["", "@example.test", "@alias.test", "@relay.test", "@far.test", "@mail.example.test", "@[::1]"]
)
GROWING = st.sampled_from(
    [chr(at) for at in range(0x80, 0xD800) if len(chr(at).casefold().encode()) > len(chr(at).encode())]
)
LOCALS = st.one_of(
    st.text(max_size=70),
    st.text(GROWING, max_size=40),
    st.lists(st.sampled_from(["ŉ", "İ", "ß", "ΐ", "a", "+", ".", "-", "*", "bob", "postmaster", "abuse", "é"])).map(
        "".join
    ),
)


def ask_all(address: Address) -> None:
    """Every question that the directory can be asked about an address."""
    settle(DIRECTORY.resolve(address))
    settle(DIRECTORY.account(address))
    own = settle(DIRECTORY.own_form(address))
    assert own.key == settle(DIRECTORY.own_form(own)).key
    assert settle(DIRECTORY.owns(BOB, address)) in (True, False)
    for base, _ in (address.split_subaddress("+-"), address.split_subaddress("+")):
        assert Address.parse(str(base)) == base


@given(LOCALS, st.booleans(), DOMAINS)
@example(GROWS, False, "@example.test")
@example(GROWS, False, "")
@example(GROWS, True, "@alias.test")
@example("a+" + "ŉ" * 31, False, "@relay.test")
def test_any_recipient_is_found_or_is_not(local: str, quoted: bool, domain: str) -> None:
    text = '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"' if quoted else local
    try:
        address = parse_rcpt(f"TO:<{text}{domain}>".encode("utf-8", "surrogatepass")).address
    except Refusal as refused:
        assert 500 <= refused.reply_code < 600
        return
    ask_all(address)


@pytest.mark.parametrize(
    ("domain", "code"),
    [
        ("example.test", "550 5.1.1"),
        ("alias.test", "550 5.1.1"),
        ("relay.test", "550 5.1.1"),
        ("far.test", "550 5.7.1"),
    ],
)
def test_a_name_that_grows_when_it_is_folded_is_refused_by_a_session_and_by_nothing_worse(
    domain: str, code: str
) -> None:
    scene = SmtpScene(prepare=lambda world: setattr(world, "world", world.replace(directory=DIRECTORY)))
    talk = scene.play(f"EHLO a\r\nMAIL FROM:<{GROWS}@{domain}> SMTPUTF8\r\nRCPT TO:<{GROWS}@{domain}>\r\n".encode())
    assert talk.codes[2:] == ["250 2.1.0", code]


@pytest.mark.parametrize("login", [f"{GROWS}@example.test", GROWS])
def test_nobody_signs_in_under_such_a_name(login: str) -> None:
    own = settle(DIRECTORY.own_form(Address.parse(login)))
    assert own == Address(GROWS, "example.test")
    assert settle(DIRECTORY.account(own)) is None


def test_there_is_no_account_and_no_alias_of_such_a_name() -> None:
    name = Address(GROWS, "example.test")
    with pytest.raises(BadValue, match="octets"):
        settle(SITE.database.read(lambda cursor: accounts.check_new(cursor, name)))
    with pytest.raises(BadValue, match="octets"):
        settle(SITE.database.write(lambda cursor: aliases.set_alias(cursor, name, (Address("bob", "example.test"),))))
    fits = evolve(name, local="ŉ" * 21)
    settle(SITE.database.read(lambda cursor: accounts.check_new(cursor, fits)))
    settle(SITE.database.write(lambda cursor: aliases.set_alias(cursor, fits, (Address("bob", "example.test"),))))
    assert [str(alias) for alias, _ in settle(SITE.database.read(lambda c: aliases.list_aliases(c, None)))] == [
        f"{unicodedata.normalize('NFC', 'ʼn' * 21)}@example.test"
    ]
    (end,) = settle(DIRECTORY.resolve(fits)).destinations
    assert isinstance(end, LocalAccount)
