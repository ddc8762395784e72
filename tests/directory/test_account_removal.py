"""Removing an account: at once for everybody, its rows in slices."""

from __future__ import annotations

import pytest

from tests.directory.conftest import BOB, AdminCase, address
from worldmail.errors import AuthenticationFailed, BadValue, NoSuchThing, TemporaryFailure
from worldmail.interfaces.directory import NoSuchAddress
from worldmail.testing.accounts import context


class RemovalTests(AdminCase):
    async def test_removing_an_account_removes_all_of_it_and_names_the_aliases_it_leaves(self):
        made = await self.site.add("bob@example.test")
        await self.admin.add_domain("other.test")
        for name, targets in (
            ("only@other.test", ("Bob@example.test",)),
            ("two@example.test", ("bob@example.test", "x@far.example")),
            ("else@example.test", ("x@far.example",)),
        ):
            await self.admin.set_alias(address(name), tuple(map(address, targets)))
        await self.site.database.write(
            lambda cursor: cursor.run("INSERT INTO known_network VALUES (?, '192.0.2.0/24', 1)", (made.id,))
        )
        self.noticed()
        assert await self.admin.remove_account(BOB) == (address("only@other.test"),)
        assert self.noticed() == {("account", made.id)}
        assert self.ledger.events[-1] == ("removed", made.id)
        for table in ("account", "scram_key", "known_network"):
            assert await self.rows(f"SELECT * FROM {table}") == []
        await self.refused(NoSuchThing, self.admin.remove_account(BOB))

    async def cut_off(self):
        """bob is being removed, and the process that does it dies after the first unit."""
        made = await self.site.add("bob@example.test")
        await self.site.database.write(
            lambda cursor: cursor.run("INSERT INTO known_network VALUES (?, '192.0.2.0/24', 1)", (made.id,))
        )
        self.ledger.slices = 3
        self.noticed()

        def die(seconds):
            raise SystemExit("killed")

        self.admin._sleep = die
        await self.refused(SystemExit, self.admin.remove_account(BOB))
        self.admin._sleep = self.site.clock.sleep
        return made

    async def test_an_account_is_gone_for_everybody_from_the_first_unit_of_its_removal_on(self):
        made = await self.cut_off()
        assert self.noticed() == {("account", made.id)}
        assert await self.site.directory.account(BOB) is None and await self.admin.accounts() == []
        assert await self.admin.accounts("example.test") == []
        (end,) = (await self.site.directory.resolve(BOB)).destinations
        assert isinstance(end, NoSuchAddress) and not end.disabled
        await self.refused(NoSuchThing, self.admin.set_account(BOB, {"enabled": "on"}))
        await self.refused(NoSuchThing, self.admin.remove_account(BOB))
        for login in (BOB, address(f"#{made.id}@example.test")):
            with pytest.raises(AuthenticationFailed):
                await self.site.authentication.password(str(login), "secret", context())
        again = await self.site.add("bob@example.test")
        assert again.id > made.id

    async def test_a_removal_that_was_cut_off_is_finished_slice_by_slice(self):
        made = await self.cut_off()
        assert "still being removed" in await self.refused(BadValue, self.admin.remove_domain("example.test"))
        before = len(self.ledger.events)
        await self.admin.finish_removals(lambda: True)
        assert self.ledger.events[before:] == [("removed", made.id)] * 3
        for table in ("account", "scram_key", "known_network"):
            assert await self.rows(f"SELECT * FROM {table}") == []
        before = len(self.ledger.events)
        await self.admin.finish_removals(lambda: True)
        assert len(self.ledger.events) == before
        await self.admin.remove_domain("example.test")
        await self.admin.add_domain("example.test")
        assert (await self.site.add("bob@example.test")).id > made.id

    async def test_a_database_that_cannot_go_on_does_not_make_a_removal_that_failed(self):
        await self.site.add("bob@example.test")
        await self.admin.set_alias(address("robert@example.test"), (BOB,))
        self.ledger.slices = 3

        def fail(seconds):
            self.ledger.error = TemporaryFailure(reason="the database is busy")
            return self.site.clock.sleep(seconds)

        self.admin._sleep = fail
        assert await self.admin.remove_account(BOB) == (address("robert@example.test"),)
        assert await self.admin.accounts() == [] and len(await self.rows("SELECT * FROM account")) == 1
        self.ledger.error, self.admin._sleep = None, self.site.clock.sleep
        await self.admin.finish_removals(lambda: True)
        assert await self.rows("SELECT * FROM account") == []

    async def test_finishing_stops_between_two_slices_when_it_is_told_to(self):
        made = await self.cut_off()
        before = len(self.ledger.events)
        await self.admin.finish_removals(lambda: len(self.ledger.events) == before)
        assert self.ledger.events[before:] == [("removed", made.id)]
        await self.admin.finish_removals(lambda: True)
        assert await self.rows("SELECT * FROM account") == []

    async def test_others_have_their_turn_between_two_slices(self):
        await self.site.add("bob@example.test")
        self.ledger.slices = 3
        slept = len(self.site.clock.slept)
        await self.admin.remove_account(BOB)
        assert self.site.clock.slept[slept:] == [0.1] * 3 and await self.rows("SELECT * FROM account") == []
