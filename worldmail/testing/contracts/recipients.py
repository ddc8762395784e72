"""What every source of recipients does, whatever it gets its knowledge from.

class TestMine(RecipientSourceContract):
    def furnish(self, directory: Path) -> IRecipientSource: ...
"""

from __future__ import annotations

from pathlib import Path

import pytest
from zope.interface.verify import verifyObject

from worldmail.config.settings import Settings
from worldmail.errors import TemporaryFailure
from worldmail.interfaces.queue import IRecipientSource
from worldmail.mail.address import Address
from worldmail.testing.feeding import settle


class RecipientSourceContract:
    """`furnish` gives a source that never waits and knows that the relay domain branch.test has bob, "john doe",
    josé and news+daily; `furnish_broken` one that cannot tell now who is in branch.test.
    """

    def furnish(self, directory: Path) -> IRecipientSource:
        """The source to be tested."""
        raise AssertionError("the inheriting test gives it")

    def furnish_broken(self, directory: Path) -> IRecipientSource:
        """One in trouble."""
        raise AssertionError("the inheriting test gives it")

    def test_it_provides_the_interface(self, tmp_path: Path) -> None:
        source = self.furnish(tmp_path)
        assert verifyObject(IRecipientSource, source)
        assert isinstance(source.name, str)

    def test_a_recipient_is_known_in_every_spelling(self, tmp_path: Path) -> None:
        source = self.furnish(tmp_path)
        for text in ("bob", "BoB", '"bob"', '"John Doe"', "JOSÉ", "jose\u0301", "news+daily"):
            assert settle(source.exists(Address.parse(f"{text}@branch.test"))) is True, text

    def test_another_is_not(self, tmp_path: Path) -> None:
        source = self.furnish(tmp_path)
        for text in ("eve", "bo", "bobb", "bob+tag", "john", "jose", "news", '"*"', '"%"', "postmaster"):
            assert settle(source.exists(Address.parse(f"{text}@branch.test"))) is False, text

    def test_of_another_domain_it_says_nothing(self, tmp_path: Path) -> None:
        source = self.furnish(tmp_path)
        for text in ("bob@far.example", "bob@sub.branch.test", "bob@[192.0.2.1]"):
            assert settle(source.exists(Address.parse(text))) is None, text

    def test_a_configuration_read_again_with_nothing_new_changes_nothing(self, tmp_path: Path) -> None:
        source = self.furnish(tmp_path)
        source.reload(self.settings(tmp_path))
        assert settle(source.exists(Address.parse("bob@branch.test"))) is True
        assert settle(source.exists(Address.parse("eve@branch.test"))) is False

    def test_in_trouble_it_says_neither_yes_nor_no(self, tmp_path: Path) -> None:
        source = self.furnish_broken(tmp_path)
        with pytest.raises(TemporaryFailure):
            settle(source.exists(Address.parse("bob@branch.test")))
        assert settle(source.exists(Address.parse("bob@far.example"))) is None

    def settings(self, directory: Path) -> Settings:
        """The configuration that `furnish` went by."""
        return Settings()
