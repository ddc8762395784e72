"""Messages on the embedded engine: who is told, what is read, what is left of content and of history."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from worldmail.errors import OverQuota, StorageFull
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.messages import FlagChange
from worldmail.store import provision
from worldmail.store.messages import forgetting, looking, marks, news, removing
from worldmail.store.messages.asked import among, clipped, common, ranges, span, without
from worldmail.store.messages.forgetting import Forgetting
from worldmail.store.quota import recount_domains
from worldmail.testing.real_store import RealStoreWorld, settle

ALL = [(1, 1 << 32)]


@pytest.fixture
def site() -> Iterator[RealStoreWorld]:
    made = RealStoreWorld.make(inline_limit=100)
    yield made
    settle(made.database.stop())


def test_those_who_watch_a_mailbox_are_told_of_every_change(site: RealStoreWorld) -> None:
    account = site.add_account("bob@example.test")
    box, trash = site.status(account).id, site.status(account, "Trash").id
    told: list[int] = []
    site.database.changes.subscribe("mailbox", lambda notice: told.append(notice.key))
    store = site.store.messages
    for change, expected in (
        (lambda: store.append(box, [site.appending(b"x"), site.appending(b"y")]), [box]),
        (lambda: store.change_flags(box, ALL, FlagChange(how="add", flags=1)), [box]),
        (lambda: store.change_flags(box, ALL, FlagChange(how="add", flags=1)), []),
        (lambda: store.copy(box, ALL, trash), [trash]),
        (lambda: store.move(box, [(1, 1)], trash), [box, trash]),
        (lambda: store.expunge(box, ALL, deleted_only=False), [box]),
        (lambda: store.expunge(box, ALL, deleted_only=False), []),
        (lambda: store.take_recent(trash), []),
    ):
        told.clear()
        settle(change())
        assert sorted(told) == expected


def test_only_the_part_that_is_asked_for_is_read_from_the_content_store(site: RealStoreWorld) -> None:
    account = site.add_account("bob@example.test")
    site.add(account, b"0123456789" * 100_000)
    box = site.status(account).id

    async def part() -> bytes:
        return b"".join([chunk async for chunk in site.store.messages.read(box, 1, 500_003, 4)])

    assert settle(part()) == b"3456"
    assert [(offset, length) for _, offset, length in site.contents.reads] == [(500_003, 4)]


def test_large_content_that_is_refused_or_was_there_before_leaves_no_place_behind(site: RealStoreWorld) -> None:
    account = site.add_account("bob@example.test", quota=1000)
    site.add(account, b"a" * 600)
    assert len(site.contents.kept) == 1
    with pytest.raises(OverQuota):
        site.add(account, b"b" * 600)
    assert len(site.contents.kept) == 1
    settle(site.store.messages.expunge(site.status(account).id, ALL, deleted_only=False))
    site.add(account, b"a" * 600)
    assert len(site.contents.kept) == 1


def test_nothing_is_added_while_the_disk_is_full(site: RealStoreWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    account = site.add_account("bob@example.test")
    message = site.appending(b"a" * 600)
    site.store.messages._space.minimum_free = 1 << 62
    with pytest.raises(StorageFull):
        settle(site.store.messages.append(site.status(account).id, [message]))
    assert site.contents.kept == {}


def test_a_mailbox_remembers_only_so_many_expunged_messages(
    site: RealStoreWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "SLICE", 3)
    account, other = site.add_account("bob@example.test"), site.add_account("eve@example.test")
    for each in (account, other):
        site.add(each, *[b"x"] * 20)
    box, quiet = site.status(account).id, site.status(other).id
    for uid in range(1, 19):
        settle(site.store.messages.expunge(box, [(uid, uid)], deleted_only=False))
    settle(site.store.messages.expunge(quiet, [(1, 5)], deleted_only=False))
    assert settle(Forgetting(database=site.database, kept=5).forget()) == 13
    left = settle(
        site.database.read(lambda cursor: cursor.all("SELECT uid FROM expunged WHERE mailbox_id = ?", (box,)))
    )
    assert left == [(uid,) for uid in range(14, 19)]
    assert settle(Forgetting(database=site.database, kept=5).forget()) == 0
    assert settle(site.store.messages.vanished(quiet, modseq=1, uids=ALL)) == [(1, 5)]


def test_what_an_account_has_read_elsewhere_goes_with_it_in_slices(
    site: RealStoreWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provision, "SLICE", 2)
    owner, reader = site.add_account("owner@example.test"), site.add_account("reader@example.test")
    site.add(owner, *[b"x"] * 5)
    box = site.status(owner).id
    settle(site.store.messages.change_flags(box, ALL, FlagChange(how="add", flags=1, reader=reader.id)))

    def remove(cursor: Cursor) -> tuple[bool, int]:
        done = site.store.mailboxes.account_removed(cursor, reader.id)
        (left,) = cursor.one("SELECT count(*) FROM seen") or (0,)
        return done, left

    assert [settle(site.database.write(remove)) for _ in range(3)] == [(False, 3), (False, 1), (True, 0)]


def test_sets_of_UIDs_stay_ranges() -> None:
    assert ranges([]) == []
    assert ranges([1, 2, 3, 7, 9, 10]) == [(1, 3), (7, 7), (9, 10)]
    assert span([(1, 3), (7, 7)]) == 4
    assert among([1, 4, 7, 8], [(1, 3), (7, 7)]) == [1, 7]
    assert clipped([(1, 3), (7, 9), (12, 14)], 8) == [(1, 3), (7, 7)]
    assert common([(1, 4), (6, 9)], [(2, 2), (4, 7), (9, 12)]) == [(2, 2), (4, 4), (6, 7), (9, 9)]
    assert common([(1, 9)], [(11, 12)]) == common([], [(1, 2)]) == []
    assert without([(1, 10), (20, 30)], [(1, 2), (4, 4), (9, 22), (30, 40)]) == [(3, 3), (5, 8), (23, 29)]
    assert without([(1, 3)], []) == [(1, 3)]
    assert without([(5, 6), (8, 9)], [(1, 7)]) == [(8, 9)]


def test_wide_and_narrow_ranges_give_the_first_so_many(site: RealStoreWorld) -> None:
    account = site.add_account("bob@example.test")
    site.add(account, *[b"x"] * 60)
    box = site.status(account).id
    asked = [(1, 1), (3, 4), (6, 6), (8, 8), (10, 30), (33, 33), (35, 1 << 32)]
    there = [uid for low, high in asked for uid in range(low, min(high, 60) + 1)]
    for limit in (1, 2, 3, 5, 10, 24, 25, 26, 27, 40, 99):
        assert [row.uid for row in settle(site.store.messages.stored(box, asked, limit=limit))] == there[:limit]


def test_looking_for_deleted_messages_and_for_changes_takes_an_index(site: RealStoreWorld) -> None:
    def plan(cursor: Cursor) -> list[str]:
        questions = (
            *((removing._DELETED, 3), (looking._FEW_CHANGED, 4), (looking._CHANGED, 7), (news._CHANGED, 7)),
            *((marks._OVER, 4), (looking._SEEN, 3)),
        )
        table = "WITH asked (low, high) AS (VALUES (?, ?)) "
        rows = []
        for sql, parameters in questions:
            whole = f"EXPLAIN QUERY PLAN {table if 'asked' in sql else ''}{sql}"
            rows += [row[3] for row in cursor.all(whole, (1,) * parameters)]
        return [detail for detail in rows if detail.startswith(("SEARCH k ", "SEARCH p ", "SEARCH mark "))]

    assert settle(site.database.read(plan)) == [
        "SEARCH k USING COVERING INDEX mark_deleted (mailbox_id=? AND first<?)",
        "SEARCH k USING INDEX mark_modseq (mailbox_id=? AND modseq>?)",
        "SEARCH k USING PRIMARY KEY (mailbox_id=? AND first>? AND first<?)",
        "SEARCH p USING PRIMARY KEY (mailbox_id=? AND first<?)",
        "SEARCH k USING INDEX mark_modseq (mailbox_id=? AND modseq>? AND modseq<?)",
        "SEARCH k USING PRIMARY KEY (mailbox_id=? AND first>? AND first<?)",
        "SEARCH p USING PRIMARY KEY (mailbox_id=? AND first<?)",
        "SEARCH mark USING PRIMARY KEY (mailbox_id=? AND first>?)",
    ]


def test_a_domain_with_a_quota_counts_what_goes_with_an_account_and_what_was_miscounted(site: RealStoreWorld) -> None:
    gone, stays = site.add_account("bob@example.test"), site.add_account("eve@example.test")
    for account in (gone, stays):
        site.add(account, *[b"12345"] * 3, flags=9)

    def domain(cursor: Cursor) -> int:
        (octets,) = cursor.one("SELECT octets FROM domain") or (0,)
        return int(octets)

    assert settle(site.database.read(domain)) == 0, "nothing is counted without a quota"
    settle(site.database.write(lambda cursor: cursor.run("UPDATE domain SET quota = 1000")))
    settle(site.database.write(recount_domains))
    assert settle(site.database.read(domain)) == 30
    settle(site.database.write(lambda cursor: site.store.mailboxes.account_closed(cursor, gone.id)))
    assert settle(site.database.write(lambda cursor: site.store.mailboxes.account_removed(cursor, gone.id)))
    assert settle(site.database.read(domain)) == 15
    settle(site.database.write(lambda cursor: cursor.run("UPDATE domain SET octets = 7")))
    settle(site.database.write(recount_domains))
    assert settle(site.database.read(domain)) == 15
