"""Changing the directory: every change is one unit, and says what it cannot do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from tests.directory.conftest import BOB, AdminCase, address
from worldmail.directory.account_keys import ACCOUNT_KEYS, parse_changes
from worldmail.errors import AlreadyThere, BadValue, NoSuchThing, TemporaryFailure
from worldmail.interfaces.directory import IDirectoryAdmin
from worldmail.mail.address import Address


class AdminTests(AdminCase):
    async def test_it_provides_the_interface(self):
        assert verifyObject(IDirectoryAdmin, self.admin)

    # --- domains ---

    async def test_a_domain_is_kept_in_its_normal_form(self):
        made = await self.admin.add_domain("Bücher.Example.")
        assert made.name == "xn--bcher-kva.example" and made.kind == "local" and made.alias_of is None
        assert [each.name for each in await self.admin.domains()] == ["example.test", "xn--bcher-kva.example"]
        await self.refused(AlreadyThere, self.admin.add_domain("XN--BCHER-KVA.example"))

    async def test_what_is_no_domain_is_refused(self):
        for name in ("", "[192.0.2.1]", "a b.test", "-a.test", "a..test", "x" * 64 + ".test", "a_b.test", "a\n.test"):
            await self.refused(BadValue, self.admin.add_domain(name))
        await self.refused(BadValue, self.admin.add_domain("a.test", kind="odd"))

    async def test_another_name_of_a_domain_names_the_domain_itself(self):
        made = await self.admin.add_domain("alias.test", alias_of="EXAMPLE.test")
        assert made.alias_of == "example.test"
        await self.refused(NoSuchThing, self.admin.add_domain("b.test", alias_of="no.test"))
        await self.refused(BadValue, self.admin.add_domain("b.test", alias_of="alias.test"))

    async def test_a_domain_goes_with_its_aliases_but_not_with_accounts_or_other_names(self):
        await self.admin.add_domain("other.test")
        await self.admin.add_domain("alias.test", alias_of="other.test")
        await self.admin.set_alias(address("a@other.test"), (BOB,))
        await self.site.add("eve@other.test")
        assert "account" in await self.refused(BadValue, self.admin.remove_domain("other.test"))
        await self.admin.remove_account(address("eve@other.test"))
        assert "alias.test" in await self.refused(BadValue, self.admin.remove_domain("other.test"))
        await self.admin.remove_domain("alias.test")
        self.noticed()
        await self.admin.remove_domain("Other.TEST")
        assert {topic for topic, _ in self.noticed()} == {"domain"}
        assert await self.rows("SELECT * FROM address") == []
        await self.refused(NoSuchThing, self.admin.remove_domain("other.test"))

    # --- accounts ---

    async def test_an_account_is_made_with_all_that_belongs_to_it(self):
        made = await self.admin.add_account(address("Bob@EXAMPLE.test"), "secret", "Bob B.")
        assert made.address == BOB and made.name == "Bob B." and made.enabled and made.generation == 1
        assert made.quota is None and made.max_message is None and not made.legacy_auth and not made.settings
        assert self.ledger.events == [("added", made.id)]
        assert ("account", made.id) in self.noticed()
        ((hashed, created),) = await self.rows("SELECT password, created FROM account")
        assert hashed.startswith("$argon2id$") and "secret" not in hashed
        assert created == int(self.site.clock.now())
        assert await self.rows("SELECT hash, iterations, LENGTH(salt) FROM scram_key ORDER BY hash") == [
            ("SHA-1", 4096, 16),
            ("SHA-256", 4096, 16),
        ]

    async def test_a_quoted_local_part_is_an_account_like_any_other(self):
        made = await self.admin.add_account(address('"John @ Doe"@example.test'), "secret")
        assert str(made.address) == '"john @ doe"@example.test'
        found = await self.site.directory.account(address('"JOHN @ DOE"@example.test'))
        assert found == made

    async def test_an_account_that_cannot_be_is_refused(self):
        await self.admin.add_domain("alias.test", alias_of="example.test")
        await self.site.add("bob@example.test")
        await self.admin.set_alias(address("list@example.test"), (BOB,))
        for kind, text in (
            (AlreadyThere, "BOB@example.test"),
            (AlreadyThere, "list@example.test"),
            (NoSuchThing, "eve@no.test"),
            (NoSuchThing, "eve@[192.0.2.1]"),
            (BadValue, "eve@alias.test"),
            (BadValue, "eve"),
            (BadValue, "*@example.test"),
        ):
            await self.refused(kind, self.admin.add_account(address(text), "secret"))
        await self.refused(BadValue, self.admin.add_account(address("eve@example.test"), "secret", "a\nb"))
        assert len(await self.admin.accounts()) == 1

    async def test_a_password_that_not_every_mechanism_can_send_is_refused(self):
        for password in ("", "a\x07b", "x" * 1025, "\u0627\u0031", "\u00ad", "\U0001fae0"):
            await self.refused(BadValue, self.admin.add_account(BOB, password))
        assert await self.admin.accounts() == []

    async def test_if_a_participant_fails_nothing_of_the_account_is_kept(self):
        self.ledger.error = TemporaryFailure()
        await self.refused(TemporaryFailure, self.admin.add_account(BOB, "secret"))
        assert await self.rows("SELECT * FROM account") == await self.rows("SELECT * FROM scram_key") == []
        self.ledger.error = None
        await self.admin.add_account(BOB, "secret")
        self.ledger.error = TemporaryFailure()
        await self.refused(TemporaryFailure, self.admin.remove_account(BOB))
        assert len(await self.admin.accounts()) == 1

    async def test_accounts_are_listed_by_address_and_domain(self):
        await self.admin.add_domain("other.test")
        for text in ("b@example.test", "a@other.test", "a@example.test"):
            await self.site.add(text)
        listed = [str(each.address) for each in await self.admin.accounts()]
        assert listed == ["a@example.test", "a@other.test", "b@example.test"]
        assert [str(each.address) for each in await self.admin.accounts("OTHER.test")] == ["a@other.test"]
        await self.refused(NoSuchThing, self.admin.accounts("no.test"))

    async def test_a_new_password_replaces_all_that_was_kept_of_the_old(self):
        made = await self.site.add("bob@example.test")
        before = await self.rows("SELECT password FROM account"), await self.rows("SELECT * FROM scram_key")
        self.noticed()
        await self.admin.set_password(BOB, "other")
        after = await self.rows("SELECT password FROM account"), await self.rows("SELECT * FROM scram_key")
        assert before[0] != after[0] and not set(before[1]) & set(after[1]) and len(after[1]) == 2
        assert self.noticed() == {("account", made.id)}
        assert (await self.site.directory.account(BOB)).generation == made.generation + 1
        await self.refused(NoSuchThing, self.admin.set_password(address("no@example.test"), "other"))
        await self.refused(BadValue, self.admin.set_password(BOB, ""))

    async def test_keys_of_an_account_are_set(self):
        made = await self.site.add("bob@example.test")
        self.noticed()
        found = await self.admin.set_account(
            BOB,
            {"quota": "2GiB", "max-message": "25MB", "name": " Bob ", "enabled": "off", "imap-create": "OFF"},
        )
        assert (found.quota, found.max_message, found.name, found.enabled) == (2 << 30, 25_000_000, "Bob", False)
        assert found.settings == {"imap-create": "off"}
        assert found.generation == made.generation + 1 and self.noticed() == {("account", made.id)}
        found = await self.admin.set_account(BOB, {"quota": "none", "enabled": "on", "imap-delete": "on"})
        assert found.quota is None and found.enabled
        assert found.settings == {"imap-create": "off", "imap-delete": "on"}
        await self.refused(NoSuchThing, self.admin.set_account(address("no@example.test"), {"quota": "1"}))

    async def test_name_and_sizes_are_noticed_and_end_no_session(self):
        made = await self.site.add("bob@example.test")
        for key, value in (("quota", "1MiB"), ("max-message", "1MiB"), ("name", "Bob")):
            self.noticed()
            found = await self.admin.set_account(BOB, {key: value})
            assert found.generation == made.generation and self.noticed() == {("account", made.id)}
        assert (await self.site.directory.account(BOB)).name == "Bob"

    async def test_state_rights_and_credentials_end_the_sessions(self):
        generation = (await self.site.add("bob@example.test")).generation
        for changes in ({"enabled": "on"}, {"imap-delete": "off", "name": "Bob"}, {"legacy-auth": "off"}):
            generation += 1
            assert (await self.admin.set_account(BOB, changes)).generation == generation

    async def test_a_wrong_key_or_value_changes_nothing_and_says_what_is_expected(self):
        await self.site.add("bob@example.test")
        assert "quota" in await self.refused(BadValue, self.admin.set_account(BOB, {"qouta": "1"}))
        for key in ACCOUNT_KEYS:
            if key != "name":
                said = await self.refused(BadValue, self.admin.set_account(BOB, {"name": "X", key: "odd"}))
                assert said.startswith(f"{key} takes ")
        assert (await self.site.directory.account(BOB)).name == ""

    async def test_legacy_logins_are_allowed_by_making_a_secret_and_forgotten_by_off(self):
        made = await self.site.add("bob@example.test")
        await self.refused(BadValue, self.admin.set_account(BOB, {"legacy-auth": "on"}))
        shown = await self.admin.make_legacy_secret(BOB)
        assert len(shown) >= 20 and shown.isascii()
        ((sealed,),) = await self.rows("SELECT legacy_secret FROM account")
        assert shown.encode() not in bytes(sealed)
        found = await self.admin.set_account(BOB, {"legacy-auth": "on"})
        assert found.legacy_auth and found.generation == made.generation + 2
        assert not (await self.admin.set_account(BOB, {"legacy-auth": "off"})).legacy_auth
        assert await self.admin.make_legacy_secret(BOB, "a-secret-of-ones-own") == "a-secret-of-ones-own"
        for secret in ("short", "with space in it", "ünvisible-characters", "x" * 129):
            await self.refused(BadValue, self.admin.make_legacy_secret(BOB, secret))
        await self.refused(NoSuchThing, self.admin.make_legacy_secret(address("no@example.test")))

    # --- aliases ---

    async def test_aliases_are_set_replaced_listed_and_removed(self):
        await self.admin.add_domain("other.test")
        await self.admin.set_alias(address("B@example.test"), (address("bob"), address("X@Far.example")))
        await self.admin.set_alias(address("*@other.test"), (BOB,))
        assert {topic for topic, _ in self.noticed()} == {"domain", "address"}
        listed = await self.admin.aliases()
        assert listed == [
            (address("b@example.test"), (address("X@Far.example"), BOB)),
            (address("*@other.test"), (BOB,)),
        ]
        assert await self.admin.aliases("other.test") == listed[1:]
        await self.admin.set_alias(address("b@example.test"), (address("y@far.example"),))
        assert (await self.admin.aliases("example.test"))[0][1] == (address("y@far.example"),)
        await self.admin.remove_alias(address("b@example.test"))
        await self.refused(NoSuchThing, self.admin.remove_alias(address("b@example.test")))
        await self.refused(NoSuchThing, self.admin.aliases("no.test"))

    async def test_an_alias_in_another_name_of_a_domain_is_one_of_the_domain(self):
        await self.admin.add_domain("alias.test", alias_of="example.test")
        await self.admin.set_alias(address("a@alias.test"), (address("x@far.example"),))
        assert [str(name) for name, _ in await self.admin.aliases()] == ["a@example.test"]

    async def test_an_alias_that_cannot_be_is_refused(self):
        many = tuple(address(f"a{number}@far.example") for number in range(1001))
        for kind, name, targets in (
            (NoSuchThing, "a@no.test", (BOB,)),
            (BadValue, "a", (BOB,)),
            (BadValue, "a@example.test", ()),
            (BadValue, "a@example.test", many),
            (BadValue, "a@example.test", (address("A@example.test"),)),
            (BadValue, "*@example.test", (address("*@example.test"),)),
        ):
            await self.refused(kind, self.admin.set_alias(address(name), targets))


ALIAS = st.builds(
    lambda local, domain: Address(local, domain),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=20),
    st.sampled_from(["far.example", "example.test", "xn--bcher-kva.example", "[192.0.2.1]"]),
)


@given(target=ALIAS)
def test_any_target_is_read_back_as_it_was_given(target):
    assert Address.parse(str(target)) == target


@pytest.mark.parametrize(
    ("text", "octets"), [("0", 0), ("500", 500), ("64KiB", 65536), ("1.5GB", 1_500_000_000), ("none", None)]
)
def test_a_size_is_read(text, octets):
    assert parse_changes({"quota": text})[0][1] == octets


@given(text=st.text(max_size=20))
def test_any_value_of_a_key_is_taken_or_refused_as_a_bad_value(text):
    for key in ACCOUNT_KEYS:
        try:
            parse_changes({key: text})
        except BadValue as error:
            assert text == "" or key in str(error)
