"""Whoever follows the renames that NOTIFY tells one by one ends with the right names (RFC 5465 §5.4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.imap.conftest import ImapSite
from worldmail.interfaces.folders import Folder
from worldmail.protocols.imap.notify import renames
from worldmail.testing.imap import ImapClient

LEVELS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)
NAMES = st.one_of(LEVELS, st.just("INBOX"), LEVELS.map("INBOX/".__add__), LEVELS.map(lambda name: name + "~"))


def folders(names: dict[int, str]) -> dict[int, Folder]:
    return {number: Folder(id=number, owner=1, name=name) for number, name in names.items()}


def follow(client: dict[str, int], old: str, new: str) -> dict[str, int]:
    """A rename by a client that knows nothing else: what is there takes the place of what was there."""
    moved = {name for name in client if name == old or (name.startswith(old + "/") and old != "INBOX")}
    after = {name: number for name, number in client.items() if name not in moved}
    return after | {new + name[len(old) :]: client[name] for name in moved}


@st.composite
def listings(draw: st.DrawFn) -> tuple[dict[int, str], dict[int, str]]:
    """By id the names of mailboxes before, and of some of these and others now; nothing takes the place of INBOX."""
    before = dict(enumerate(draw(st.lists(NAMES, unique=True, max_size=8)), 1))
    outside = [name for name in draw(st.lists(NAMES, unique=True, max_size=8)) if name != "INBOX"]
    names = draw(st.permutations(list(dict.fromkeys([*outside, *(set(before.values()) - {"INBOX"})]))))
    numbers = draw(st.permutations([*before, *range(100, 103)]))
    return before, dict(zip(numbers, names, strict=False))


@given(listings())
def test_whatever_was_renamed_each_is_where_it_is_in_truth(listing: tuple[dict[int, str], dict[int, str]]) -> None:
    before, now = listing
    told = renames.of_which_to_tell(folders(before), folders(now), own=set(), asked=lambda old, new: True)
    client = {name: number for number, name in before.items() if number in now}
    steps = list(renames.steps(told, [*before.values(), *now.values()]))
    for old, folder in steps:
        assert old in client
        client = follow(client, old, folder.name)
    assert client == {name: number for number, name in now.items() if number in before}
    assert len(steps) < 2 * len(told) or not told


def test_a_chain_is_told_without_a_name_in_between() -> None:
    before = {number: f"n{number}" for number in range(1000)}
    now = {number: f"n{number + 1}" for number in before}
    told = renames.of_which_to_tell(folders(before), folders(now), own=set(), asked=lambda old, new: True)
    steps = [(old, folder.name) for old, folder in renames.steps(told, [])]
    assert steps == [(f"n{number}", f"n{number + 1}") for number in reversed(before)]


@pytest.fixture
def other(site: ImapSite) -> ImapClient:
    """Bob at another place."""
    return site.client()


def without_attributes(lines: list[bytes]) -> list[bytes]:
    return [line.partition(b'"/" ')[2] for line in lines]


@pytest.mark.parametrize(
    ("at_first", "done", "told"),
    [
        (
            ["a/c", "b/d"],
            ["a t", "b a", "t b"],
            [b'b~ ("OLDNAME" (b))', b'b ("OLDNAME" (a))', b'a ("OLDNAME" (b~))'],
        ),
        (
            ["a", "b", "b~", "c"],
            ["a t", "c a", "b c", "t b"],
            [b'c~ ("OLDNAME" (c))', b'c ("OLDNAME" (b))', b'b ("OLDNAME" (a))', b'a ("OLDNAME" (c~))'],
        ),
        (
            ["a/c", "x"],  # a level and what is below it change names
            ["a/c t", "a u", "u t/c", "t a"],
            [b'a~ ("OLDNAME" (a/c))', b'a/c ("OLDNAME" (a))', b'a ("OLDNAME" (a~))'],
        ),
        (
            ["a/c/d"],  # one stays where it is, though the level above goes
            ["a/c t", "a b", "t a/c"],
            [b'a~ ("OLDNAME" (a/c))', b'b ("OLDNAME" (a))', b'a/c ("OLDNAME" (a~))'],
        ),
        (["a", "b/c"], ["b/c x", "a b/c"], [b'x ("OLDNAME" (b/c))', b'b/c ("OLDNAME" (a))']),
        (["a/c", "b"], ["a/c x", "a y"], [b'x ("OLDNAME" (a/c))', b'y ("OLDNAME" (a))']),
    ],
)
def test_renames_that_come_together_are_told_as_they_can_be_followed(
    bob: ImapClient,
    other: ImapClient,
    monkeypatch: pytest.MonkeyPatch,
    at_first: list[str],
    done: list[str],
    told: list[bytes],
) -> None:
    for name in at_first:
        other.say(b"CREATE " + name.encode())
    assert bob.say(b"NOTIFY SET (PERSONAL (MailboxName))").status == b"OK"
    bob.told()
    monkeypatch.setattr(bob.conductor.peer, "wake", lambda: None)  # the driver has no time
    for names in done:
        assert other.say(b"RENAME " + names.encode()).status == b"OK"
    lines = without_attributes(bob.say(b"NOOP").untagged)
    assert [line for line in lines if b"OLDNAME" in line] == told
