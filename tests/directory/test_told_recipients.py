"""Recipients of relay domains whose site told of them."""

from __future__ import annotations

from tests.directory.conftest import address
from tests.directory.test_relay_domains import RelayCase
from worldmail.directory.source import ADDED
from worldmail.errors import BadValue
from worldmail.interfaces.pairs import Known


class ToldTests(RelayCase):
    async def test_what_a_site_tells_takes_the_place_of_what_was_there(self):
        await self.add("old@relay.test", "kept@relay.test", "others@other.test")
        count = await self.recipients.replace(
            ("relay.test",), [Known("kept", "relay.test", 1000), Known("new", "relay.test")]
        )
        assert count == 3
        assert await self.recipients.listed("relay.test") == [
            Known("kept", "relay.test", 1000),
            Known("new", "relay.test"),
            Known("postmaster", "relay.test"),
        ]
        assert await self.listed("other.test") == ["others"]
        names = ["kept@relay.test", "new@relay.test"]
        assert await self.taken(*names, "old@relay.test") == names
        assert await self.recipients.replace(("relay.test",), []) == 1
        assert await self.taken(*names) == []

    async def test_bounds_go_with_a_recipient_with_and_without_its_detail(self):
        await self.recipients.replace(
            ("relay.test",), [Known("bob", "relay.test", 9000, 7), Known("a+b", "relay.test")]
        )
        most = 9000 - ADDED
        for name, bounds in (
            ("bob", (most, 7)),
            ("bob+x", (most, 7)),
            ("a+b", (None, None)),
            ("postmaster", (None, None)),
        ):
            for domain in ("relay.test", "alias.test"):
                (end,) = (await self.directory.resolve(address(f"{name}@{domain}"))).destinations
                assert (end.listed, end.most, end.room) == (True, *bounds), name

    async def test_a_star_takes_everybody(self):
        await self.recipients.replace(("relay.test",), [Known("bob", "relay.test")])
        told = [Known("*", "relay.test"), Known("bob", "relay.test")]
        assert await self.recipients.replace(("relay.test",), told) == 0
        assert await self.taken("x@relay.test") == ["x@relay.test"]

    async def test_a_bound_may_be_told_of_everybody(self):
        assert await self.recipients.replace(("relay.test",), [Known("*", "relay.test", 100)]) == 0
        (end,) = (await self.directory.resolve(address("x@relay.test"))).destinations
        assert (end.listed, end.most, end.room) == (None, 50, None)
        assert await self.recipients.counts() == {"other.test": None, "relay.test": None}
        assert await self.recipients.listed("relay.test") == []
        await self.recipients.replace(("relay.test",), [Known("bob", "relay.test")])
        assert await self.taken("x@relay.test") == []

    async def test_what_is_told_of_a_name_is_of_its_domain(self):
        told = [Known("one", "relay.test"), Known("two", "alias.test")]
        assert await self.recipients.replace(("relay.test", "alias.test"), told) == 3
        assert await self.listed() == ["one", "postmaster", "two"]

    async def test_what_is_no_relay_domain_is_passed_over(self):
        names = ("relay.test", "example.test", "nowhere.test")
        told = [Known("a", "relay.test"), Known("b", "example.test"), Known("c", "nowhere.test")]
        assert await self.recipients.replace(names, told) == 2
        assert await self.listed() == ["a", "postmaster"]

    async def test_nothing_is_changed_where_one_line_is_of_others(self):
        await self.add("old@relay.test")
        try:
            await self.recipients.replace(("relay.test",), [Known("a", "relay.test"), Known("b", "other.test")])
        except BadValue as error:
            assert "other.test" in str(error)
        else:
            raise AssertionError
        assert await self.listed() == ["old"]
