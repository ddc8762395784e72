"""The contract of what is derived of contents: summaries, and the search index."""

from __future__ import annotations

import base64
import random
from collections.abc import Sequence

import pytest
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from worldmail.errors import SearchTooLong
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.derived import ISearchIndex, ISummaries, Needle
from worldmail.interfaces.store import IContentStore
from worldmail.mail.text.casemap import fold
from worldmail.store.derived import Derived

LONG = 60.0

_TEXT = """
the of and cat category concatenate Straße STRASSE Ünder über naïve 日本語 日本 東京都 本 привет ПРИВЕТ x xy xyz
foo@example.test 1-2-3 re: [list] don't 100% under_score back\\slash
"""
_WORDS = _TEXT.split()
_ADD = "INSERT INTO content (digest, size, flags, place, inline) VALUES (?, ?, 2, ?, ?) RETURNING id"


def message(subject: str, body: str) -> bytes:
    """A message with this subject and this body, both encoded."""
    encoded = base64.b64encode(subject.encode()).decode()
    text = base64.encodebytes(body.encode()).decode().replace("\n", "\r\n")
    return (
        "From: Ann <ann@example.test>\r\nTo: bob@example.test\r\nDate: Mon, 02 Nov 2026 23:30:00 -0500\r\n"
        f"Message-ID: <1@example.test>\r\nReferences: <a@example.test> <b@example.test>\r\n"
        f"Subject: =?utf-8?b?{encoded}?=\r\nX-Note: {len(body)}\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{text}"
    ).encode()


class DerivedContract(TestCase):
    """Set `database`, `contents` (what is large goes there) and `derived` in `setUp`."""

    database: IDatabase
    contents: IContentStore
    derived: Derived

    def again(self) -> Derived:
        """What is derived as another process, or this one after a restart, has it."""
        raise AssertionError("each provider has its own")

    async def add(self, *contents: bytes) -> list[int]:
        """Contents in the database; their ids."""

        def unit(cursor: Cursor) -> list[int]:
            rows = [cursor.one(_ADD, (random.randbytes(32), len(octets), None, octets)) for octets in contents]
            return [row[0] for row in rows if row is not None]

        return await self.database.write(unit)

    async def add_large(self, octets: bytes) -> int:
        """A content in the content store; its id."""
        writer = self.contents.create()
        await writer.write(octets)
        place = await writer.finish()
        row = await self.database.write(
            lambda cursor: cursor.one(_ADD, (random.randbytes(32), len(octets), place, None))
        )
        assert row is not None
        return int(row[0])

    async def remove(self, content_ids: Sequence[int]) -> None:
        """Take contents from the database."""

        def unit(cursor: Cursor) -> None:
            for content_id in content_ids:
                cursor.run("DELETE FROM content WHERE id = ?", (content_id,))

        await self.database.write(unit)

    async def found(self, where: str, text: str, asked: Sequence[int], field: str | None = None) -> set[int]:
        """Which of these hold the needle."""
        needle = Needle(where=where, text=text, field=field)
        return set(await self.derived.search.holding(needle, asked, limit=LONG))

    async def test_it_provides_its_interfaces(self) -> None:
        assert verifyObject(ISummaries, self.derived.summaries)
        assert verifyObject(ISearchIndex, self.derived.search)

    async def test_a_summary_says_what_the_message_says(self) -> None:
        (content_id,) = await self.add(message("Grüße", "first words"))
        (summary,) = (await self.derived.summaries.summaries([content_id])).values()
        assert b'"Ann" NIL "ann" "example.test"' in summary.envelope
        assert summary.structure.startswith(b'("text" "plain"')
        assert (summary.message_id, summary.references) == ("1@example.test", ("a@example.test", "b@example.test"))
        assert summary.sent is not None
        assert summary.sent_day is not None
        assert summary.sent // 86400 == summary.sent_day + 1, "it was the day after in Greenwich"
        assert summary.preview == "first words"

    async def test_a_summary_is_the_same_made_kept_or_remembered(self) -> None:
        ids = await self.add(*(message(f"{number}", "x" * number) for number in range(150)))
        assert self.derived.summaries.kept(ids[0]) is None
        made = await self.derived.summaries.summaries(ids)
        assert sorted(made) == ids
        assert self.derived.summaries.kept(ids[0]) == made[ids[0]]
        assert await self.derived.summaries.summaries(ids) == made
        await self.derived.filler.catch_up()
        assert await self.derived.shelf.kept(ids) == made
        assert await self.again().summaries.summaries(ids) == made

    async def test_what_came_is_summarised_before_somebody_asks(self) -> None:
        ids = await self.add(*(message("a", "b") for _ in range(150)))
        assert await self.derived.fresh.make() == 150
        assert None not in [self.derived.summaries.kept(content_id) for content_id in ids]
        assert sorted(await self.derived.shelf.kept(ids)) == ids
        assert await self.derived.shelf.summarised(ids[10:20]) == set(ids[10:20])
        assert await self.derived.fresh.make() == 0

    async def test_content_that_is_gone_is_left_out(self) -> None:
        ids = await self.add(message("a", "b"), message("c", "d"))
        await self.remove(ids[:1])
        assert sorted(await self.derived.summaries.summaries(ids)) == ids[1:]
        assert await self.found("body", "b", ids) == set()

    async def test_large_content_is_summarised_and_searched_wherever_it_is(self) -> None:
        large = [message("large", f"{'filling ' * size}end{size}") for size in (10_000, 300_000)]
        ids = [await self.add_large(octets) for octets in large]
        assert await self.found("body", "end300000", ids) == {ids[1]}
        assert sorted(await self.derived.summaries.summaries(ids)) == ids
        assert await self.derived.filler.catch_up() == 2
        assert await self.found("body", "nd300000", ids) == {ids[1]}
        assert await self.found("body", "filling end", ids) == set(ids)

    async def test_content_whose_place_cannot_be_read_is_left_out(self) -> None:
        content_id = await self.add_large(message("large", "text"))
        row = await self.database.read(lambda cursor: cursor.one("SELECT place FROM content"))
        assert row is not None
        await self.contents.remove(row[0])
        assert await self.derived.summaries.summaries([content_id]) == {}
        assert await self.found("body", "text", [content_id]) == set()
        await self.derived.filler.catch_up()
        assert await self.found("body", "text", [content_id]) == set()

    async def test_the_answers_are_the_same_however_far_the_index_is(self) -> None:
        chance = random.Random(5)
        texts = [
            (" ".join(chance.choices(_WORDS, k=4)), " ".join(chance.choices(_WORDS, k=chance.randrange(12))))
            for _ in range(60)
        ]
        half = len(texts) // 2
        ids = await self.add(*(message(*text) for text in texts[:half]))
        await self.derived.filler.catch_up()
        ids += await self.add(*(message(*text) for text in texts[half:]))
        for _ in range(2):
            for needle in [*_WORDS, *(_piece(chance, chance.choice(texts)[1]) for _ in range(60))]:
                folded = fold(needle)
                in_body = {number for number, (_, body) in zip(ids, texts, strict=True) if folded in fold(body)}
                in_subject = {number for number, (text, _) in zip(ids, texts, strict=True) if folded in fold(text)}
                assert await self.found("body", needle, ids) == in_body, needle
                assert await self.found("field", needle, ids, "subject") == in_subject, needle
                assert await self.found("text", needle, ids) >= in_body | in_subject, needle
            await self.derived.filler.catch_up()
            assert await self.derived.search.behind() == 0

    async def test_fields_are_searched_by_themselves(self) -> None:
        ids = await self.add(*(message(f"number {number}", "ann") for number in range(20)))
        for _ in range(2):
            assert await self.found("field", "ann@", ids, "from") == set(ids)
            assert await self.found("field", "ann", ids, "to") == set()
            assert await self.found("field", "number 7", ids, "subject") == {ids[7]}
            assert await self.found("field", "3", ids, "x-note") == set(ids)
            assert await self.found("field", "", ids, "x-note") == set(ids)
            assert await self.found("field", "", ids, "x-not") == set()
            assert await self.found("header", "x-note: 3", ids) == set(ids)
            await self.derived.filler.catch_up()

    async def test_only_what_was_asked_for_is_found(self) -> None:
        ids = await self.add(*(message("subject", "word") for _ in range(30)))
        await self.derived.filler.catch_up()
        assert await self.found("body", "word", ids[3:20]) == set(ids[3:20])
        assert await self.found("body", "word", []) == set()
        assert await self.found("body", "", ids) == set(ids)

    async def test_a_search_ends_in_time(self) -> None:
        ids = await self.add(*(message("subject", "word") for _ in range(30)))
        with pytest.raises(SearchTooLong):
            await self.derived.search.holding(Needle(where="body", text="word"), ids, limit=1e-9)

    async def test_removed_content_leaves_the_index(self) -> None:
        ids = await self.add(*(message("subject", "word") for _ in range(30)))
        await self.derived.filler.catch_up()
        await self.remove(ids[:10])
        await self.derived.removed(ids[:10])
        assert await self.derived.shelf.known(0, 100) == ids[10:]
        assert await self.found("body", "word", ids) == set(ids[10:])

    async def test_content_that_was_removed_unnoticed_is_swept(self) -> None:
        ids = await self.add(*(message("subject", "word") for _ in range(30)))
        await self.derived.filler.catch_up()
        await self.remove(ids[:10])
        assert await self.derived.sweep() == 10
        assert await self.derived.sweep() == 0
        assert await self.derived.shelf.known(0, 100) == ids[10:]

    async def test_filling_goes_on_where_it_ended(self) -> None:
        await self.add(*(message("subject", "word") for _ in range(100)))
        assert await self.derived.search.behind() == 100
        assert await self.derived.filler.catch_up() == 100
        await self.add(*(message("subject", "word") for _ in range(5)))
        assert await self.derived.search.behind() == 5
        assert await self.derived.filler.catch_up() == 5
        assert await self.derived.filler.catch_up() == 0

    async def test_filling_ends_when_it_is_told_to(self) -> None:
        await self.add(*(message("subject", "word") for _ in range(200)))
        rounds = iter((True, True, False))
        assert 0 < await self.derived.filler.catch_up(lambda: next(rounds)) < 200


def _piece(chance: random.Random, text: str) -> str:
    start = chance.randrange(len(text) + 1)
    return text[start : start + chance.randrange(1, 10)] or "a"
