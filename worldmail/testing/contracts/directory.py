"""What every directory does, whatever it gets its knowledge from.

class TestMine(DirectoryContract, unittest.TestCase):
    async def furnish(self) -> IDirectory: ...
"""

from __future__ import annotations

from typing import Any

from zope.interface.verify import verifyObject

from worldmail.interfaces.directory import (
    Elsewhere,
    IDirectory,
    IDirectorySource,
    LocalAccount,
    NoSuchAddress,
    Resolution,
)
from worldmail.mail.address import Address

address = Address.parse


def ends(resolution: Resolution) -> list[str]:
    """What an address leads to, in words: "bob@example.test", "elsewhere x@far.example", "nowhere y@example.test"."""
    return [_word(each) for each in resolution.destinations]


def _word(destination: Any) -> str:
    if isinstance(destination, LocalAccount):
        return str(destination.account.address)
    if isinstance(destination, Elsewhere):
        return f"elsewhere {destination.address}"
    assert isinstance(destination, NoSuchAddress)
    return f"{'disabled' if destination.disabled else 'nowhere'} {destination.address}"


class DirectoryContract:
    """`furnish` gives a directory of the domain example.test with the accounts postmaster and bob, and the alias
    both@example.test to bob and to x@far.example.
    """

    async def furnish(self) -> IDirectory:
        """The directory to be tested."""
        raise AssertionError("the inheriting test gives it")

    async def test_it_provides_the_interface(self) -> None:
        assert verifyObject(IDirectory, await self.furnish())

    async def test_an_account_is_found_however_its_address_is_written(self) -> None:
        directory = await self.furnish()
        for text in ("bob@example.test", "BOB@Example.TEST", '"bob"@example.test'):
            assert ends(await directory.resolve(address(text))) == ["bob@example.test"]

    async def test_the_answer_names_the_address_that_was_asked_for(self) -> None:
        directory = await self.furnish()
        asked = address("Bob@Example.test")
        assert (await directory.resolve(asked)).address == asked
        assert (await directory.resolve(asked)).address == asked

    async def test_an_unknown_name_in_our_domain_leads_nowhere(self) -> None:
        directory = await self.furnish()
        assert ends(await directory.resolve(address("no@example.test"))) == ["nowhere no@example.test"]

    async def test_another_domain_is_elsewhere(self) -> None:
        directory = await self.furnish()
        assert ends(await directory.resolve(address("bob@far.example"))) == ["elsewhere bob@far.example"]

    async def test_an_address_literal_is_elsewhere(self) -> None:
        directory = await self.furnish()
        assert ends(await directory.resolve(address("bob@[192.0.2.1]"))) == ["elsewhere bob@[192.0.2.1]"]

    async def test_an_alias_leads_to_each_of_its_targets(self) -> None:
        directory = await self.furnish()
        found = ends(await directory.resolve(address("both@example.test")))
        assert sorted(found) == ["bob@example.test", "elsewhere x@far.example"]

    async def test_a_detail_leads_to_the_user(self) -> None:
        directory = await self.furnish()
        assert ends(await directory.resolve(address("bob+lists@example.test"))) == ["bob@example.test"]

    async def test_an_unqualified_postmaster_is_the_first_domains(self) -> None:
        directory = await self.furnish()
        assert ends(await directory.resolve(address("Postmaster"))) == ["postmaster@example.test"]

    async def test_an_account_is_found_by_its_own_address_alone(self) -> None:
        directory = await self.furnish()
        found = await directory.account(address("BOB@example.test"))
        assert found is not None and str(found.address) == "bob@example.test"
        for text in ("both@example.test", "no@example.test", "bob+x@example.test", "bob@far.example"):
            assert await directory.account(address(text)) is None, text

    async def test_an_account_owns_what_leads_to_it(self) -> None:
        directory = await self.furnish()
        bob = await directory.account(address("bob@example.test"))
        assert bob is not None
        for text, owned in (
            ("bob@example.test", True),
            ("Bob+tag@EXAMPLE.test", True),
            ("both@example.test", True),
            ("postmaster@example.test", False),
            ("no@example.test", False),
            ("bob@far.example", False),
        ):
            assert await directory.owns(bob, address(text)) is owned, text


class DirectorySourceContract:
    """`furnish_source` gives a source that knows the same as `DirectoryContract.furnish`'s directory."""

    async def furnish_source(self) -> IDirectorySource:
        """The source to be tested."""
        raise AssertionError("the inheriting test gives it")

    async def test_the_source_provides_the_interface(self) -> None:
        source = await self.furnish_source()
        assert verifyObject(IDirectorySource, source)
        assert isinstance(source.name, str)

    async def test_an_unknown_domain_is_not_answered_for(self) -> None:
        source = await self.furnish_source()
        assert await source.resolve(address("bob@far.example")) is None
        assert await source.account(address("bob@far.example")) is None

    async def test_a_known_domain_is_answered_for(self) -> None:
        source = await self.furnish_source()
        found = await source.resolve(address("no@example.test"))
        assert found is not None and [_word(each) for each in found] == ["nowhere no@example.test"]

    async def test_the_targets_of_an_alias_are_one_step_away(self) -> None:
        source = await self.furnish_source()
        found = await source.resolve(address("both@example.test"))
        assert found is not None
        assert sorted(_word(each) for each in found) == ["elsewhere bob@example.test", "elsewhere x@far.example"]
