"""A row of marks is about a range of messages: which rows there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from worldmail.database.immediate import ImmediateDatabase
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.messages import FlagChange, There, Uids
from worldmail.store import provision
from worldmail.store.messages import looking
from worldmail.testing.real_store import RealStoreWorld, settle

SEEN, FLAGGED, DELETED = 1, 4, 8
ALL = [(1, 1 << 32)]


class Site:
    """A mailbox with twenty messages, and one with none."""

    def __init__(self) -> None:
        self.world = RealStoreWorld.make()
        self.account = self.world.add_account("bob@example.test")
        self.box = self.world.status(self.account).id
        self.trash = self.world.status(self.account, "Trash").id
        self.store = self.world.store.messages
        self.world.add(self.account, *[b"x"] * 20)

    def change(self, uids: Uids, flags: int, how: Any = "add", **more: Any) -> Any:
        return settle(self.store.change_flags(self.box, uids, FlagChange(how=how, flags=flags, **more)))

    def rows(self, box: int | None = None) -> list[tuple[int, int, int]]:
        sql = "SELECT first, last, flags FROM mark WHERE mailbox_id = ? ORDER BY first"
        return self.all(sql, self.box if box is None else box)

    def all(self, sql: str, *parameters: int) -> list[Any]:
        return settle(self.world.database.read(lambda cursor: cursor.all(sql, parameters)))

    def expunge(self, uids: Uids) -> None:
        settle(self.store.expunge(self.box, uids, deleted_only=False))


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    settle(made.world.database.stop())


def test_a_change_of_all_messages_is_one_row_whatever_rows_there_were(site: Site) -> None:
    site.change(ALL, SEEN)
    assert site.rows() == [(1, 20, SEEN)]
    site.change([(5, 7), (9, 9), (20, 20)], FLAGGED)
    both = SEEN | FLAGGED
    assert site.rows() == [(1, 4, 1), (5, 7, both), (8, 8, 1), (9, 9, both), (10, 19, 1), (20, 20, both)]
    site.change(ALL, SEEN | FLAGGED, "remove")
    assert site.rows() == [(1, 20, 0)]


def test_what_does_not_change_keeps_its_row(site: Site) -> None:
    site.change([(3, 8)], SEEN)
    (before,) = site.all("SELECT modseq FROM mark")[0]
    site.change([(1, 10)], SEEN)
    rows = site.all("SELECT first, last, modseq FROM mark ORDER BY first")
    assert rows == [(1, 2, before + 1), (3, 8, before), (9, 10, before + 1)]


def test_ranges_that_touch_are_one_row_if_they_were_changed_at_once(site: Site) -> None:
    site.change([(1, 4), (5, 8)], SEEN)
    assert site.rows() == [(1, 8, SEEN)]
    site.change([(9, 12)], SEEN)
    assert site.rows() == [(1, 8, SEEN), (9, 12, SEEN)]


def test_all_messages_that_are_known_are_changed_on_the_reactor_if_that_takes_few_rows(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.world.add(site.account, *[b"x"] * 600)
    uids, long = [*range(1, 621)], list[object]()

    def write_long(self: ImmediateDatabase, unit: Any) -> Any:
        long.append(unit)
        return self.write(unit)

    monkeypatch.setattr(ImmediateDatabase, "write_long", write_long)

    def all_of_them() -> There:
        ((modseq,),) = site.all("SELECT highestmodseq FROM mailbox WHERE id = ?", site.box)
        return There(modseq=modseq, uids=uids)

    change = FlagChange(how="add", flags=SEEN)
    done = settle(site.store.change_flags(site.box, [(1, 620)], change, all_of_them()))
    assert (done.uids, site.rows(), long) == (uids, [(1, 620, SEEN)], [])
    site.change([(uid, uid) for uid in uids[::2]], FLAGGED)
    assert len(site.rows()) == 620
    long.clear()
    change = FlagChange(how="add", flags=SEEN | FLAGGED)
    settle(site.store.change_flags(site.box, [(1, 620)], change, all_of_them()))
    assert {flags for _, _, flags in site.rows()} == {SEEN | FLAGGED}
    assert len(long) == 1


def test_UIDs_that_are_not_there_do_not_part_a_row_and_have_none(site: Site) -> None:
    site.expunge([(1, 2), (8, 12), (20, 20)])
    site.change([(1, 2), (9, 10)], SEEN)
    assert site.rows() == []
    site.change(ALL, SEEN)
    assert site.rows() == [(3, 19, SEEN)]
    site.change([(8, 12)], FLAGGED)
    site.change([(1, 6)], FLAGGED)
    assert site.rows() == [(3, 6, SEEN | FLAGGED), (7, 19, SEEN)]
    site.change([(7, 10)], DELETED)
    assert site.rows() == [(3, 6, SEEN | FLAGGED), (7, 10, SEEN | DELETED), (11, 19, SEEN)]
    site.change([(13, 18)], DELETED)  # 11 and 12 are not there
    assert [row[:2] for row in site.rows()] == [(3, 6), (7, 10), (13, 18), (19, 19)]


def test_messages_that_come_later_have_no_flags(site: Site) -> None:
    site.change(ALL, SEEN)
    site.world.add(site.account, b"x")
    assert [mark.flags for mark in settle(site.store.tail(site.box, below=99, count=2))] == [SEEN, 0]


def test_a_row_goes_with_its_last_message(site: Site) -> None:
    site.change([(1, 10)], SEEN)
    site.change([(12, 12), (14, 14)], FLAGGED)
    site.expunge([(2, 9), (12, 12)])
    assert site.rows() == [(1, 10, SEEN), (14, 14, FLAGGED)]
    site.expunge([(1, 1)])
    site.expunge([(10, 10), (13, 20)])
    assert site.rows() == []


def test_copies_of_messages_that_are_alike_share_a_row(site: Site) -> None:
    site.change([(1, 15)], SEEN)
    site.change([(4, 5)], FLAGGED)
    site.expunge([(6, 6), (8, 8)])
    settle(site.store.copy(site.box, [(1, 3), (7, 20)], site.trash))
    assert site.rows(site.trash) == [(1, 11, SEEN)]
    settle(site.store.move(site.box, [(3, 7), (16, 16)], site.trash))
    assert site.rows(site.trash) == [(1, 11, SEEN), (17, 17, SEEN), (18, 19, SEEN | FLAGGED), (20, 20, SEEN)]
    assert site.rows() == [(1, 3, SEEN), (6, 15, SEEN)]


def test_appended_messages_that_are_alike_share_a_row(site: Site) -> None:
    one, other = site.world.appending(b"x", flags=SEEN), site.world.appending(b"y")
    settle(site.store.append(site.trash, [one, one, other, one]))
    assert site.rows(site.trash) == [(1, 2, SEEN), (4, 4, SEEN)]


def test_messages_without_a_row_fail_UNCHANGEDSINCE_by_their_arrival(site: Site) -> None:
    (modseq,) = site.all("SELECT highestmodseq FROM mailbox WHERE id = ?", site.box)[0]
    site.world.add(site.account, b"x", b"y")
    site.change([(3, 4)], FLAGGED)
    done = site.change([(2, 30)], SEEN, unchanged_since=modseq)
    assert done.modified == [3, 4, 21, 22]
    assert site.rows() == [(2, 2, SEEN), (3, 4, FLAGGED), (5, 20, SEEN)]


def test_every_message_may_have_flags_of_its_own(site: Site) -> None:
    for uid in range(1, 21):
        site.change([(uid, uid)], 0, keywords=(f"k{uid}",))
    site.change([(2, 19)], SEEN)
    assert len(site.rows()) == 20
    looks = [(mark.uid, mark.flags, mark.keywords) for mark in settle(site.store.tail(site.box, below=99))]
    assert looks == [(uid, SEEN * (1 < uid < 20), f"k{uid}") for uid in range(1, 21)]
    site.change(ALL, SEEN, "replace")
    assert site.rows() == [(1, 20, SEEN)]


@pytest.mark.parametrize("last", [0, 1, 15, 16, 17, 19, 20])
@pytest.mark.parametrize("is_one_row", [True, False])
def test_the_first_unseen_message_is_behind_the_rows_of_those_that_are_seen(
    site: Site, last: int, is_one_row: bool
) -> None:
    for uids in [(1, last)] if is_one_row else [(uid, uid) for uid in range(1, last + 1)]:
        site.change([uids], SEEN)
    assert settle(site.store.first_unseen(site.box)) == (None if last == 20 else (last + 1, last + 1))


def test_the_first_unseen_message_is_found_between_rows_with_holes(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "_STEPS", (1, 1, 1, 1))
    for low, high in ((1, 3), (6, 9), (11, 20)):
        site.change([(low, high)], SEEN)
    site.expunge([(4, 5)])
    assert settle(site.store.first_unseen(site.box)) == (8, 10)


def test_a_mailbox_is_removed_in_slices_with_its_marks(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.change(ALL, SEEN)
    site.change([(9, 20)], DELETED)
    site.expunge([(5, 5), (20, 20)])
    counts = "SELECT messages, seen, deleted, deleted_octets FROM mailbox WHERE id = ?"

    def remove(cursor: Cursor) -> int:
        return provision.remove_mailbox(cursor, site.box, 0, 10)

    assert settle(site.world.database.write(remove)) == 10
    assert site.all(counts, site.box) == [(8, 8, 8, 8)]
    assert site.rows() == [(9, 20, SEEN | DELETED)]
    assert [settle(site.world.database.write(remove)) for _ in range(2)] == [10, 0]
    assert site.rows() == site.all(counts, site.box) == []
