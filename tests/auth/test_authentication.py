"""The way in as a whole: portal, checkers, memory of verified logins."""

from __future__ import annotations

import base64
import hashlib
import hmac

from attrs import evolve
from twisted.cred.credentials import IUsernameHashedPassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet import reactor
from twisted.trial import unittest

from worldmail.auth.credential_maker import secret_purpose
from worldmail.auth.credentials import PasswordLogin
from worldmail.auth.invented import NOBODY
from worldmail.config.settings import Settings
from worldmail.errors import AuthenticationFailed, Refusal, TemporaryFailure
from worldmail.interfaces.auth import IAccountAvatar, SignedIn
from worldmail.mail.address import Address
from worldmail.testing.accounts import CHEAP, AccountSite, context
from worldmail.testing.contracts.authentication import LEGACY_SECRET
from worldmail.wire.ready import Ready

BOB = Address.parse("bob@example.test")


async def furnished(test, **parts):
    site = AccountSite.make(reactor, **parts)
    test.addCleanup(site.stop)
    await site.admin.add_domain("example.test")
    await site.add("bob@example.test", "secret")
    await site.admin.make_legacy_secret(BOB, LEGACY_SECRET)
    return site


class LoginCase(unittest.TestCase):
    async def setUp(self):
        self.site = await furnished(self)
        self.authentication, self.admin = self.site.authentication, self.site.admin

    async def password(self, login, password, client="192.0.2.1", **changes):
        return await self.authentication.password(login, password, context(client, **changes))

    async def error(self, awaitable):
        try:
            await awaitable
        except Refusal as error:
            return error
        raise AssertionError("it was let in")

    async def cram(self, login, secret, client="192.0.2.1"):
        exchange = self.authentication.begin("CRAM-MD5", context(client))
        challenge = await exchange.respond(None)
        digest = hmac.new(secret.encode(), challenge.data, "md5").hexdigest()
        return await exchange.respond(f"{login} {digest}".encode())

    async def scram(
        self, login, password, client="192.0.2.1", gs2="n,,", mechanism="SCRAM-SHA-256", cost=None, **facts
    ):
        exchange = self.authentication.begin(mechanism, context(client, **facts))
        bare = f"n={login},r=nonce"
        first = (await exchange.respond(f"{gs2}{bare}".encode())).data.decode()
        parts = dict(part.split("=", 1) for part in first.split(","))
        algorithm = "sha256" if "256" in mechanism else "sha1"
        salted = hashlib.pbkdf2_hmac(algorithm, password.encode(), base64.b64decode(parts["s"]), int(parts["i"]))
        channel = gs2.encode() + (facts["channel_binding"]("tls-exporter") if gs2[0] == "p" else b"")
        unproven = f"c={base64.b64encode(channel).decode()},r={parts['r']}"
        client_key = hmac.digest(salted, b"Client Key", algorithm)
        message = f"{bare},{first},{unproven}".encode()
        signature = hmac.digest(hashlib.new(algorithm, client_key).digest(), message, algorithm)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        await exchange.respond(f"{unproven},p={base64.b64encode(proof).decode()}".encode())
        return await exchange.respond(b"")


class NamesTests(LoginCase):
    async def test_a_login_is_the_address_in_any_spelling_or_the_name_in_the_first_domain(self):
        await self.admin.add_domain("other.test")
        await self.admin.add_domain("alias.test", alias_of="example.test")
        for login in ("bob@example.test", "BOB@Example.TEST", "bob", "Bob", "bob@alias.test", '"bob"@example.test'):
            assert (await self.password(login, "secret")).address == BOB
            assert isinstance(await self.cram(login, LEGACY_SECRET), SignedIn)

    async def test_an_alias_a_subaddress_and_another_domain_are_no_logins(self):
        await self.admin.add_domain("other.test")
        await self.admin.set_alias(Address.parse("robert@example.test"), (BOB,))
        for login in (
            "robert@example.test",
            "bob+x@example.test",
            "bob@other.test",
            "bob@far.example",
            "",
            "@",
            "b\0b",
        ):
            assert type(await self.error(self.password(login, "secret"))) is AuthenticationFailed

    async def test_one_may_act_as_oneself_and_as_nobody_else(self):
        await self.site.add("eve@example.test", "secret")
        for authzid, right in (("", True), ("bob", True), ("BOB@example.test", True), ("eve", False), ("no", False)):
            plain = self.authentication.begin("PLAIN", context())
            plain_done = plain.respond(f"{authzid}\0bob\0secret".encode())
            scram_done = self.scram("bob", "secret", gs2=f"n,{f'a={authzid}' if authzid else ''},")
            for done in (plain_done, scram_done):
                if right:
                    assert (await done).account.address == BOB
                else:
                    assert type(await self.error(done)) is AuthenticationFailed

    async def test_passwords_are_compared_in_their_normal_form(self):
        await self.admin.set_password(BOB, "pässwörd x")
        assert (await self.password("bob", "pa\u0308sswo\u0308rd\u00a0x")).address == BOB
        assert (await self.scram("bob", "pässwörd x")).account.address == BOB


class SamenessTests(LoginCase):
    """Whatever is wrong: the same text, the same work, the same delay."""

    async def cost(self, attempt):
        """Text, hashes verified, units read and seconds waited, for a failing login from a fresh address."""
        self.number = getattr(self, "number", 0) + 1
        client = f"198.51.{self.number}.1"
        self.site.passwords.verified.clear()
        reads = self.site.database.reads
        error = await self.error(attempt(client))
        verified, reads = len(self.site.passwords.verified), self.site.database.reads - reads
        (delay,) = [seconds for seconds in self.site.clock.slept if seconds != 1.0][-1:] or [1.0]
        self.site.clock.slept.clear()
        return str(error), verified, reads, delay

    async def furnish_people(self):
        for name in ("off", "bare"):
            await self.site.add(f"{name}@example.test", "secret")
        await self.admin.make_legacy_secret(Address.parse("off@example.test"), LEGACY_SECRET)
        await self.admin.set_account(Address.parse("off@example.test"), {"enabled": "off"})
        for login in ("bob", "off", "bare", "nobody"):  # the directory remembers them all
            await self.site.directory.account(Address.parse(f"{login}@example.test"))

    async def test_with_passwords(self):
        await self.furnish_people()
        costs = [
            await self.cost(lambda client, login=login, password=password: self.password(login, password, client))
            for login, password in (("bob", "wrong"), ("nobody", "secret"), ("off", "secret"), ("bob", "x" * 5000))
        ]
        assert len(set(costs)) == 1 and costs[0][1] == 1, costs
        assert costs[0][0] == "535 5.7.8 Authentication credentials invalid"

    async def test_the_dummy_is_verified_where_there_is_no_hash(self):
        await self.furnish_people()
        self.site.passwords.verified.clear()
        for login in ("bob", "nobody", "off"):
            await self.error(self.password(login, "wrong"))
        assert self.site.passwords.verified == ["kept", "dummy", "dummy"]

    async def test_with_digests(self):
        await self.furnish_people()
        costs = [
            await self.cost(lambda client, login=login, secret=secret: self.cram(login, secret, client))
            for login, secret in (
                ("bob", "wrong"),
                ("bare", "secret"),
                ("nobody", LEGACY_SECRET),
                ("off", LEGACY_SECRET),
                ("nobody", "x" * 24),
            )
        ]
        assert len(set(costs)) == 1, costs

    async def test_with_scram(self):
        await self.furnish_people()
        costs = [
            await self.cost(lambda client, login=login, password=password: self.scram(login, password, client))
            for login, password in (("bob", "wrong"), ("nobody", "secret"), ("off", "secret"))
        ]
        assert len(set(costs)) == 1, costs

    async def test_an_invented_salt_is_the_same_under_every_name_that_an_account_would_have(self):
        await self.admin.add_domain("other.test", alias_of="example.test")
        for local in ("bob", "nobody"):
            names = (local, f"{local}@example.test", f"{local.upper()}@other.test")
            salts = {(await self.first_of(name)).split(",")[1] for name in names}
            assert len(salts) == 1, local

    async def first_of(self, login):
        """The server-first-message of SCRAM for this login."""
        exchange = self.authentication.begin("SCRAM-SHA-256", context("192.0.2.1"))
        return (await exchange.respond(f"n,,n={login},r=abc".encode())).data.decode()

    async def test_an_invented_salt_stays_the_same_and_belongs_to_its_name(self):
        async def first(login, mechanism="SCRAM-SHA-256"):
            exchange = self.authentication.begin(mechanism, context())
            said = (await exchange.respond(f"n,,n={login},r=a".encode())).data.decode()
            return said.split(",")[1:]

        again = AccountSite.make(reactor, database=self.site.database)
        assert await first("nobody") == await first("nobody") == await first("NoBody")
        assert await first("nobody") != await first("nobody2")
        assert await first("nobody") != await first("nobody", "SCRAM-SHA-1")
        assert [len(part) for part in await first("nobody")] == [len(part) for part in await first("bob")]
        known = await first("nobody")
        self.authentication = again.authentication
        assert await first("nobody") == known

    async def test_nothing_secret_reaches_the_journal_or_the_database(self):
        await self.password("bob", "secret")
        await self.error(self.password("bob", "marker-one"))
        await self.error(self.password("nobody@example.test", "marker-two"))
        connection = self.site.database.memory._connection
        kept = []
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            kept.append(repr(connection.execute(f"SELECT * FROM {table}").fetchall()))
        for text in (*kept, repr(self.site.journal), repr(self.authentication), repr(self.site.key)):
            for secret in ("marker-one", "marker-two", "'secret'", LEGACY_SECRET):
                assert secret not in text
        assert "nobody" not in "".join(kept)


class MemoryOfLoginsTests(LoginCase):
    async def test_a_login_verified_lately_costs_neither_database_nor_hash_and_is_ready(self):
        await self.password("bob", "secret")
        reads, writes = self.site.database.reads, self.site.database.writes
        self.site.passwords.verified.clear()
        for _ in range(5):
            answer = self.authentication.password("bob", "secret", context())
            assert isinstance(answer, Ready) and answer.value.address == BOB
        plain = self.authentication.begin("PLAIN", context())
        assert (await plain.respond(b"\0bob\0secret")).account.address == BOB
        assert (self.site.database.reads, self.site.database.writes) == (reads, writes)
        assert self.site.passwords.verified == []

    async def test_each_service_login_and_spelling_is_verified_for_itself(self):
        await self.password("bob", "secret")
        self.site.passwords.verified.clear()
        for login, service in (("bob@example.test", "pop3"), ("bob", "smtp")):
            await self.password(login, "secret", service=service)
        assert self.site.passwords.verified == ["kept"] * 2

    async def test_it_ends_with_its_time(self):
        await self.password("bob", "secret")
        self.site.passwords.verified.clear()
        self.site.clock.advance(CHEAP.cache_time - 1)
        await self.password("bob", "secret")
        assert self.site.passwords.verified == []
        self.site.clock.advance(2)
        await self.password("bob", "secret")
        assert self.site.passwords.verified == ["kept"]

    async def test_it_can_be_turned_off(self):
        site = await furnished(self, settings=Settings(auth=evolve(CHEAP, cache_time=0)))
        for _ in range(2):
            await site.authentication.password("bob", "secret", context())
        assert site.passwords.verified == ["kept"] * 2

    async def test_a_changed_password_ends_it_at_once_in_every_process(self):
        other = AccountSite.make(reactor, database=self.site.database)
        self.addCleanup(other.stop)
        await self.password("bob", "secret")
        await other.authentication.password("bob", "secret", context())
        await self.admin.set_password(BOB, "another")
        for site in (self.site, other):
            assert (
                type(await self.error(site.authentication.password("bob", "secret", context()))) is AuthenticationFailed
            )
            account = await site.authentication.password("bob", "another", context())
            assert account.generation == (await site.directory.account(BOB)).generation

    async def test_switching_off_or_removing_the_account_ends_it(self):
        await self.password("bob", "secret")
        await self.admin.set_account(BOB, {"enabled": "off"})
        assert type(await self.error(self.password("bob", "secret"))) is AuthenticationFailed
        await self.admin.set_account(BOB, {"enabled": "on"})
        await self.password("bob", "secret")
        await self.admin.remove_account(BOB)
        assert type(await self.error(self.password("bob", "secret"))) is AuthenticationFailed

    async def test_a_password_changed_while_the_old_one_is_verified_lets_only_the_new_one_in(self):
        passwords = self.site.passwords
        verify, changed = passwords.verify, []

        def verify_slowly(kept, password, *, preferred):
            async def run():
                right = await verify(kept, password, preferred=preferred)
                if not changed:
                    changed.append(True)
                    await self.admin.set_password(BOB, "another")
                return right

            return run()

        passwords.verify = verify_slowly
        assert type(await self.error(self.password("bob", "secret"))) is AuthenticationFailed
        changed.clear()
        await self.password("bob", "another")  # set to the same again meanwhile
        self.site.passwords.verified.clear()
        await self.password("bob", "another")
        assert self.site.passwords.verified == ["kept"]  # what came in between was not remembered

    async def test_a_wrong_guess_is_never_remembered_as_right(self):
        await self.error(self.password("bob", "wrong"))
        await self.error(self.password("bob", "wrong"))
        await self.password("bob", "secret")
        assert type(await self.error(self.password("bob", "wrong"))) is AuthenticationFailed


class MechanismsTests(LoginCase):
    async def test_what_is_offered_depends_on_the_connection(self):
        scram, plus = ("SCRAM-SHA-256", "SCRAM-SHA-1"), ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS")
        offered = self.authentication.mechanisms
        assert offered(context(secure=False, tls=False)) == (*scram, "CRAM-MD5")
        assert offered(context(secure=True, tls=False)) == (*scram, "PLAIN", "LOGIN", "CRAM-MD5")
        assert offered(context()) == (*scram, "PLAIN", "LOGIN")
        bound = context(channel_binding={"tls-exporter": b"x"}.get)
        assert offered(bound) == (*plus, *scram, "PLAIN", "LOGIN")

    async def test_a_site_may_offer_no_channel_binding(self):
        site = await furnished(self, settings=Settings(auth=evolve(CHEAP, scram_plus=False)))
        bound = context(channel_binding={"tls-exporter": b"x"}.get)
        offered = site.authentication.mechanisms(bound)
        assert offered == ("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN")
        assert site.authentication.begin("SCRAM-SHA-256-PLUS", bound) is None
        # A client that could have bound says so, and nobody hid an offer from it (RFC 5802 §6).
        self.authentication = site.authentication
        signed = await self.scram("bob", "secret", gs2="y,,", channel_binding={"tls-exporter": b"x"}.get)
        assert signed.account.address == BOB

    async def test_every_scram_form_lets_in(self):
        binding = {"tls-exporter": b"exported"}.get
        for hash_name in ("SHA-256", "SHA-1"):
            signed = await self.scram("bob", "secret", mechanism=f"SCRAM-{hash_name}")
            assert signed.account.address == BOB
            signed = await self.scram(
                "bob", "secret", gs2="p=tls-exporter,,", mechanism=f"SCRAM-{hash_name}-PLUS", channel_binding=binding
            )
            assert signed.account.address == BOB

    async def test_a_malformed_apop_digest_is_501(self):
        error = await self.error(self.authentication.apop("bob", b"odd", b"<a@b>", context()))
        assert (error.reply_code, error.reply_enhanced) == (501, "5.5.2")

    async def test_challenges_never_repeat(self):
        said = set()
        for _ in range(50):
            exchange = self.authentication.begin("CRAM-MD5", context())
            said.add((await exchange.respond(None)).data)
        assert len(said) == 50 and all(each.endswith(b"@mail.example.test>") for each in said)

    async def test_a_secret_moved_to_another_account_does_not_open(self):
        await self.site.add("eve@example.test", "secret")
        await self.site.database.write(
            lambda cursor: cursor.run(
                "UPDATE account SET legacy_secret = (SELECT legacy_secret FROM account WHERE id = 1)"
            )
        )
        assert isinstance(await self.cram("bob", LEGACY_SECRET), SignedIn)
        assert type(await self.error(self.cram("eve", LEGACY_SECRET))) is AuthenticationFailed


class PortalTests(LoginCase):
    async def test_the_secret_that_stands_in_for_none_lets_nobody_in(self):
        await self.site.add("bare@example.test", "secret")
        checker = self.authentication.portal.checkers[IUsernameHashedPassword]
        checker._dummy = self.site.key.seal(secret_purpose(NOBODY), b"known")
        for login in ("bare@example.test", "nobody@example.test"):
            assert type(await self.error(self.cram(login, "known"))) is AuthenticationFailed

    async def test_the_portal_gives_the_account_as_avatar(self):
        account = await self.site.directory.account(BOB)
        login = PasswordLogin(username=b"bob", password=b"secret", account=account)
        interface, avatar, logout = await self.authentication.portal.login(login, None, IAccountAvatar)
        assert interface is IAccountAvatar and IAccountAvatar.providedBy(avatar)
        assert avatar == account and logout() is None
        login = PasswordLogin(username=b"bob", password=b"wrong", account=account)
        with self.assertRaises(UnauthorizedLogin):
            await self.authentication.portal.login(login, None, IAccountAvatar)

    async def test_a_database_that_is_away_is_a_temporary_failure_and_no_guess(self):
        self.site.database.error = TemporaryFailure()
        for attempt in (self.password("bob", "secret"), self.cram("bob", LEGACY_SECRET), self.scram("bob", "secret")):
            assert type(await self.error(attempt)) is TemporaryFailure
        self.site.database.error = None
        assert await self.site.database.read(lambda cursor: cursor.all("SELECT * FROM login_failure")) == []
        await self.password("bob", "secret")

    async def test_a_login_and_a_refusal_leave_one_record_each(self):
        await self.password("bob", "secret")
        await self.error(self.password("nobody", "secret"))
        (login,), (refused,) = self.site.journal.named("login"), self.site.journal.named("login.refused")
        assert login["account"] == "bob@example.test" and login["mechanism"] == "password"
        assert refused["login"] == "nobody" and refused["client"] == "192.0.2.1"
