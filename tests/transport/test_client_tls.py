"""TLS on connections that we open, with real handshakes."""

from __future__ import annotations

import datetime as dt
import ssl
import warnings
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL
from twisted.internet.threads import deferToThread

from worldmail.config.sections import CertificateSettings, TlsSettings
from worldmail.errors import ConfigurationError
from worldmail.interfaces.outbound import HopFailed, Security, Shown
from worldmail.mail.envelope import TlsFacts
from worldmail.testing.authority import Authority
from worldmail.testing.calling import NAME, Calls, TlsCalls
from worldmail.testing.fakes import make_tls
from worldmail.transport.certificates import pin_of, read_certificate
from worldmail.transport.client_tls import SESSIONS, ClientTls, Sessions, server_name
from worldmail.transport.tls import Tls

VERIFIED = {"security": Security.VERIFIED}
UNKNOWN = "the certificate is of an unknown authority"


class PinnedTests(TlsCalls):
    """Servers that prove who they are by their key."""

    def test_whoever_has_one_of_the_keys_is_good_whatever_else_the_certificate_says(self) -> Any:
        async def test() -> None:
            given = self.authority.issue("other.test", ends=-dt.timedelta(hours=1))
            self.both(Tls(TlsSettings(certificates=(given,))), trust=Authority(self.directory / "elsewhere").file)
            pin = pin_of(read_certificate(given.certificate, given.key).leaf)
            for _ in range(2):  # the second goes on with the session of the first
                dialogue = await self.secured(security=Security.PINNED, pins=frozenset({"0" * 64, pin}))
                facts: TlsFacts = dialogue.secured_tls
                assert (facts.version, facts.verified) == ("TLSv1.3", True)
                dialogue.say(b"QUIT\r\n")
                await self.until(lambda dialogue=dialogue: dialogue.endings)

        return self.run_async(test())

    def test_whoever_has_another_is_not_though_every_authority_vouches_for_it(self) -> Any:
        async def test() -> None:
            self.both(self.authority.serve(NAME))
            words = f"the certificate of {NAME} is not the one that was pinned"
            assert await self.failing(security=Security.PINNED, pins=frozenset({"0" * 64})) == words
            assert await self.failing(security=Security.PINNED, pins=frozenset()) == words

        return self.run_async(test())

    def test_a_session_that_was_begun_without_pins_is_not_gone_on_with(self) -> Any:
        async def test() -> None:
            self.both(self.authority.serve(NAME))
            for security in (Security.ENCRYPTED, Security.VERIFIED):
                dialogue = await self.secured(security=security)
                dialogue.say(b"QUIT\r\n")
                await self.until(lambda dialogue=dialogue: dialogue.endings)
            assert "not the one" in await self.failing(security=Security.PINNED, pins=frozenset({"0" * 64}))

        return self.run_async(test())

    def test_where_the_server_may_renew_it_a_key_is_good_whose_certificate_verifies_for_the_name(self) -> Any:
        async def test() -> None:
            given = self.authority.issue(NAME)
            pin, told = pin_of(read_certificate(given.certificate, given.key).leaf), []
            self.both(Tls(TlsSettings(certificates=(given,))))
            self.connector.shown = lambda hop, shown: told.append(shown)
            for _ in range(3):  # none goes on with the session of another: that would say nothing of the issuer
                dialogue = await self.secured(security=Security.PINNED, pins=frozenset({"0" * 64}), renews=True)
                assert dialogue.secured_tls.verified and dialogue.peer.pin() == pin
                dialogue.say(b"QUIT\r\n")
                await self.until(lambda dialogue=dialogue: dialogue.endings)
            assert told == [Shown(pin=pin, pinned=False, distrust=None)] * 3
            dialogue = await self.secured(security=Security.PINNED, pins=frozenset({pin}))
            assert told[3] == Shown(pin=pin, pinned=True, distrust=None)

        return self.run_async(test())

    def test_that_is_no_way_in_for_anybody_with_a_certificate_of_another_name_or_of_nobody(self) -> Any:
        async def test() -> None:
            day = dt.timedelta(days=1)
            words = f"the certificate of {NAME} is not the one that was pinned, and nobody else vouches for it: "
            renewing = {"security": Security.PINNED, "pins": frozenset({"0" * 64}), "renews": True}
            for tls, why in (
                (self.authority.serve("other.test"), "the certificate is for other names: other.test"),
                (self.authority.serve(f"sub.{NAME}"), f"the certificate is for other names: sub.{NAME}"),
                (self.authority.serve(NAME, begins=-2 * day, ends=-day), "the certificate has expired"),
                (
                    self.authority.serve(NAME, usage=ExtendedKeyUsageOID.CLIENT_AUTH),
                    "the certificate is not for servers",
                ),
                (Authority(self.directory / "elsewhere", "Another").serve(NAME), UNKNOWN),
                (make_tls(self.directory, NAME), "the certificate is self-signed"),
            ):
                self.both(tls)
                for _ in range(2):
                    assert await self.failing(**renewing) == words + why

        return self.run_async(test())


class VerifiedTests(TlsCalls):
    """Servers that must prove who they are."""

    def test_a_certificate_for_the_name_by_a_trusted_authority_is_good(self) -> Any:
        async def test() -> None:
            self.both(self.authority.serve("other.test", NAME))
            dialogue = await self.secured(**VERIFIED)
            facts: TlsFacts = dialogue.secured_tls
            assert (facts.version, facts.server_name, facts.verified) == ("TLSv1.3", NAME, True)
            assert dialogue.peer.channel_binding("tls-exporter") is not None
            dialogue.say(b"TLS tls-exporter\r\n")
            await self.until(lambda: len(dialogue.heard) > 4)
            binding = dialogue.peer.channel_binding("tls-exporter").hex()
            assert dialogue.heard[2:] == [b"secured", b"secured", f"TLSv1.3 {NAME} {binding}".encode()]
            dialogue.say(b"QUIT\r\n")
            await self.until(lambda dialogue=dialogue: dialogue.endings)
            assert dialogue.endings == ["closed by peer"]
            assert dialogue.peer.tls_failure is None
            [record] = self.journal.named("connection")
            assert (record["tls"], record["server"], record["listener"]) == ("TLSv1.3", NAME, "outbound")

        return self.run_async(test())

    def test_so_is_one_for_a_wildcard_an_address_or_a_name_in_other_letters(self) -> Any:
        async def test() -> None:
            self.both(self.authority.serve("*.example.test", "127.0.0.1", "::1", "xn--bcher-kva.test"))
            for host, name in (
                (NAME, NAME),
                ("MX.Example.TEST", NAME),
                ("mx.example.test.", NAME),
                ("bücher.test", "xn--bcher-kva.test"),
                ("127.0.0.1", None),
                ("[127.0.0.1]", None),
                ("::1", None),
                ("[IPv6:::1]", None),
            ):
                dialogue = await self.secured(host=host, **VERIFIED)
                assert dialogue.peer.tls is not None, (host, dialogue.endings)
                assert dialogue.peer.tls.server_name == name

        return self.run_async(test())

    def test_one_for_other_names_is_not(self) -> Any:
        async def test() -> None:
            self.both(self.authority.serve("a.test", "b.test", "c.test", "d.test"))
            words = "the certificate is for other names"
            assert await self.failing() == f"{words}: a.test, b.test, c.test, ..."
            assert await self.failing(host="127.0.0.1") == f"{words}: a.test, b.test, c.test, ..."
            assert await self.failing(host="sub.a.test") == f"{words}: a.test, b.test, c.test, ..."

        return self.run_async(test())

    def test_one_without_names_is_not(self) -> Any:
        async def test() -> None:
            self.both(self.authority.serve())
            assert await self.failing(host="server") == "the certificate has no names that can be used"

        return self.run_async(test())

    def test_nor_is_one_out_of_its_time_or_for_another_use(self) -> Any:
        async def test() -> None:
            day = dt.timedelta(days=1)
            for changes, words in (
                ({"begins": -2 * day, "ends": -day}, "the certificate has expired"),
                ({"begins": day, "ends": 2 * day}, "the certificate is not valid yet"),
                ({"usage": ExtendedKeyUsageOID.CLIENT_AUTH}, "the certificate is not for servers"),
            ):
                self.both(self.authority.serve(NAME, **changes))
                assert await self.failing() == words

        return self.run_async(test())

    def test_nor_is_one_of_an_unknown_authority_or_of_none(self) -> Any:
        async def test() -> None:
            self.both(Authority(self.directory, "Stranger").serve(NAME))
            assert await self.failing() == UNKNOWN
            self.both(Authority(self.directory, "Test authority").serve(NAME), trust=self.authority.file)
            self.both(make_tls(self.directory, NAME))
            assert await self.failing() == "the certificate is self-signed"

        return self.run_async(test())

    def test_the_system_trusts_no_test_authority(self) -> Any:
        async def test() -> None:
            self.meet(tls=self.authority.serve(NAME))
            self.connecting()
            assert await self.failing() == UNKNOWN

        return self.run_async(test())

    def test_a_servers_own_certificate_may_be_trusted_by_itself(self) -> Any:
        async def test() -> None:
            self.both(make_tls(self.directory, NAME), trust=self.directory / f"{NAME}.pem")
            assert (await self.secured(**VERIFIED)).peer.tls.verified
            issued = self.authority.issue(NAME)
            self.both(self.authority.serve(NAME), trust=issued.certificate)
            assert await self.failing() == UNKNOWN

        return self.run_async(test())

    def test_authorities_are_read_anew_when_asked_for(self) -> Any:
        async def test() -> None:
            stranger = Authority(self.directory, "Stranger")
            trust = self.directory / "trust.pem"
            trust.write_bytes(self.authority.file.read_bytes())
            self.both(stranger.serve(NAME), trust=trust)
            assert await self.failing() == UNKNOWN
            trust.write_bytes(stranger.file.read_bytes())
            self.connector.tls.reload()
            assert (await self.secured(**VERIFIED)).peer.tls.verified
            trust.write_bytes(b"nothing")
            with pytest.raises(ConfigurationError, match=r"trust\.pem"):
                self.connector.tls.reload()
            assert (await self.secured(**VERIFIED)).peer.tls.verified

        return self.run_async(test())


class OpportunisticTests(TlsCalls):
    """Servers that need not."""

    def test_any_certificate_will_do_and_what_was_negotiated_is_known(self) -> Any:
        async def test() -> None:
            day = dt.timedelta(days=1)
            for served in (
                make_tls(self.directory, "other.test"),
                self.authority.serve("other.test", begins=-2 * day, ends=-day),
            ):
                self.both(served)
                for security in (Security.OPPORTUNISTIC, Security.ENCRYPTED):
                    dialogue = await self.secured(security=security)
                    facts = dialogue.peer.tls
                    assert (facts.version, facts.bits, facts.verified) == ("TLSv1.3", 256, False)

        return self.run_async(test())

    def test_old_ciphers_will_do_for_them_alone(self) -> Any:
        async def test() -> None:
            self.both(self.authority.serve(NAME))
            made = self.authority.issue(NAME)
            settings = CertificateSettings(certificate=made.certificate, key=made.key)
            served = Tls(TlsSettings(certificates=(settings,), ciphers="ECDHE-ECDSA-AES128-SHA"))
            served.options().getContext().set_options(SSL.OP_NO_TLSv1_3)
            self.both(served)
            dialogue = await self.secured(security=Security.OPPORTUNISTIC)
            assert (dialogue.peer.tls.version, dialogue.peer.tls.cipher) == ("TLSv1.2", "ECDHE-ECDSA-AES128-SHA")
            assert await self.failing() == "the server found no common cipher, or wants a certificate"

        return self.run_async(test())

    def test_old_versions_of_TLS_are_not_spoken(self) -> Any:
        async def test() -> None:
            self.connecting()
            listening = self.listening()
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            made = self.authority.issue(NAME)
            context.load_cert_chain(made.certificate, made.key)
            context.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = ssl.TLSVersion.TLSv1
                context.maximum_version = ssl.TLSVersion.TLSv1_1

            def serve() -> None:
                connection = listening.accept()[0]
                try:
                    context.wrap_socket(connection, server_side=True)
                except OSError:
                    connection.close()

            serving = deferToThread(serve)
            with pytest.raises(HopFailed) as failed:
                await self.call(implicit_tls=True)
            await serving
            assert failed.value.trouble.reason == "TLS handshake failed: there is no common version of TLS"

        return self.run_async(test())

    def test_sessions_are_gone_on_with(self) -> Any:
        async def test() -> None:
            self.both(self.authority.serve(NAME))
            reused = []
            for security in (Security.VERIFIED, Security.VERIFIED, Security.OPPORTUNISTIC, Security.VERIFIED):
                dialogue = await self.secured(security=security)
                [connection] = self.connector.connections
                handle = connection.transport.getHandle()
                reused.append(_session_reused(handle))
                assert dialogue.peer.tls.verified == (security is Security.VERIFIED)
                dialogue.say(b"QUIT\r\n")
                await self.until(lambda dialogue=dialogue: dialogue.endings)
            assert reused == [False, True, False, True]

        return self.run_async(test())


def _session_reused(handle: Any) -> bool:
    library: Any = SSL
    return bool(library._lib.SSL_session_reused(handle._ssl))


def test_settings_that_are_of_no_use_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        ClientTls(trust=tmp_path / "nowhere.pem")
    (tmp_path / "text.pem").write_text("text")
    with pytest.raises(ConfigurationError, match="no certificates in PEM"):
        ClientTls(trust=tmp_path / "text.pem")
    with pytest.raises(ConfigurationError, match="none of 'NONSENSE' can be used"):
        ClientTls(ciphers="NONSENSE")


def test_contexts_are_made_once() -> None:
    tls = ClientTls()
    calls = Calls()
    calls.place = ("127.0.0.1", 25)
    strict = [tls.handshake(calls.hop(security=Security.VERIFIED)).context for _ in range(2)]
    others = [tls.handshake(calls.hop(security=security)).context for security in Security if not security.proves]
    assert strict[0] is strict[1]
    assert len({id(context) for context in others}) == 1
    assert others[0] is not strict[0]


def test_only_names_are_told_to_servers() -> None:
    assert server_name("mx.example.test") == b"mx.example.test"
    for host in ("192.0.2.1", "2001:db8::1", "", "ü.test", "a" * 256, "a\0b"):
        assert server_name(host) is None


def test_sessions_are_given_once_and_the_oldest_goes() -> None:
    sessions = Sessions()
    for number in range(SESSIONS + 1):
        sessions.keep(number, f"session {number}")
    assert sessions.take(0) is None
    assert sessions.take(1) == "session 1"
    assert sessions.take(1) is None
