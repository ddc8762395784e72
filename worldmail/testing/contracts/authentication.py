"""What every way in does.

class TestMine(AuthenticationContract, unittest.TestCase):
    async def furnish(self) -> IAuthentication: ...
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from zope.interface.verify import verifyObject

from worldmail.errors import AuthenticationFailed
from worldmail.interfaces.auth import Challenge, IAuthentication, ISaslExchange, LoginContext, SignedIn

LEGACY_SECRET = "tanstaaftanstaaf"


def login_context(**changes: Any) -> LoginContext:
    """A login from 192.0.2.1, in TLS."""
    facts: dict[str, Any] = {
        "service": "smtp",
        "session": "s1",
        "client": "192.0.2.1",
        "secure": True,
        "tls": True,
        **changes,
    }
    return LoginContext(**facts)


class AuthenticationContract:
    """`furnish` gives a way in for bob@example.test with the password "secret" and, legacy logins being on for the
    site and for him, with the secret that `legacy_secret` names.
    """

    legacy_secret = LEGACY_SECRET

    async def furnish(self) -> IAuthentication:
        """The way in to be tested."""
        raise AssertionError("the inheriting test gives it")

    async def _refused(self, ask: Callable[[], Awaitable[Any]], code: int = 535) -> str:
        refusal = None
        try:
            await ask()
        except AuthenticationFailed as error:
            refusal = error
        assert refusal is not None, "it was let in"
        assert refusal.reply_code == code
        return str(refusal)

    async def test_it_provides_the_interface(self) -> None:
        assert verifyObject(IAuthentication, await self.furnish())

    async def test_a_right_password_gives_the_account(self) -> None:
        authentication = await self.furnish()
        account = await authentication.password("bob@example.test", "secret", login_context())
        assert str(account.address) == "bob@example.test"

    async def test_a_wrong_password_and_an_unknown_name_are_refused_alike(self) -> None:
        authentication = await self.furnish()
        ask, context = authentication.password, login_context()
        wrong = await self._refused(lambda: ask("bob@example.test", "other", context))
        unknown = await self._refused(lambda: ask("no@example.test", "secret", context))
        assert wrong == unknown

    async def test_a_password_is_offered_to_be_sent_only_where_it_is_safe(self) -> None:
        authentication = await self.furnish()
        for secure in (True, False):
            offered = authentication.mechanisms(login_context(secure=secure, tls=secure))
            assert ("PLAIN" in offered, "LOGIN" in offered) == (secure, secure)
            started = authentication.begin("PLAIN", login_context(secure=secure, tls=secure))
            assert (started is not None) is secure

    async def test_every_mechanism_that_is_offered_can_be_begun(self) -> None:
        authentication = await self.furnish()
        for name in authentication.mechanisms(login_context()):
            exchange = authentication.begin(name, login_context())
            assert exchange is not None and verifyObject(ISaslExchange, exchange)
        assert authentication.begin("NO-SUCH", login_context()) is None

    async def test_plain_lets_in_and_refuses(self) -> None:
        authentication = await self.furnish()
        exchange = authentication.begin("PLAIN", login_context())
        assert exchange is not None
        assert await exchange.respond(None) == Challenge(b"")
        answer = await exchange.respond(b"\0bob@example.test\0secret")
        assert isinstance(answer, SignedIn) and str(answer.account.address) == "bob@example.test"
        for message, code in ((b"\0bob@example.test\0other", 535), (b"bob", 501)):
            exchange = authentication.begin("PLAIN", login_context())
            assert exchange is not None
            await self._refused(partial(exchange.respond, message), code)

    async def test_cram_lets_in_and_refuses(self) -> None:
        authentication = await self.furnish()
        for secret, right in ((self.legacy_secret, True), ("other", False)):
            exchange = authentication.begin("CRAM-MD5", login_context(secure=False, tls=False))
            assert exchange is not None
            challenge = await exchange.respond(None)
            assert isinstance(challenge, Challenge)
            digest = hmac.new(secret.encode(), challenge.data, "md5").hexdigest()
            response = partial(exchange.respond, f"bob@example.test {digest}".encode())
            if right:
                assert isinstance(await response(), SignedIn)
            else:
                await self._refused(response)

    async def test_apop_lets_in_and_refuses(self) -> None:
        authentication = await self.furnish()
        stamp, context = b"<1896.697170952@example.test>", login_context(service="pop3")
        right = hashlib.md5(stamp + self.legacy_secret.encode()).hexdigest().encode()
        account = await authentication.apop("bob@example.test", right, stamp, context)
        assert str(account.address) == "bob@example.test"
        await self._refused(lambda: authentication.apop("bob@example.test", b"0" * 32, stamp, context))
        await self._refused(lambda: authentication.apop("no@example.test", right, stamp, context))
