"""`worldmail unclaimed`, where there is nothing; with mail: tests/real/test_collection.py."""

from __future__ import annotations

from tests.cli.conftest import Commands


def test_where_nothing_is_unclaimed_nothing_is_listed_given_or_removed(worldmail: Commands) -> None:
    assert worldmail.ok("unclaimed", "list", "--json").json == []
    assert worldmail.ok("unclaimed", "list").out.split() == ["ID", "RECEIVED", "SIZE", "FROM", "TO", "SUBJECT"]
    for words in (("show", "x"), ("export", "x"), ("remove", "x"), ("assign", "x", "postmaster@example.test")):
        assert worldmail.refused("unclaimed", *words) == "worldmail: there is no unclaimed message x"
    assert "not an address" in worldmail.refused("unclaimed", "assign", "x", "a b")
