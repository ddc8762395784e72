"""What commands want a running server to do with a thing of a name, and what came of it: keys of its status.

A command asks, is told by the change feed that a server took it up, and then what came of it. A wish that nobody took
up within `FRESH` seconds is void: the command said so long ago that no server was there. Of several servers on one
database one at a time does what is wished: what another took up before, and did not answer, is lost with that.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from functools import partial

from attrs import frozen

from worldmail.database.statuses import Statuses
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.world import IClock

FRESH = 5
"""Seconds in which a server takes a wish up."""

LOOK = 0.1
"""Seconds between two looks for an answer."""

ASKED, TAKEN, ANSWER = "asked", "taken", "answer"
"""The keys."""


@frozen(kw_only=True)
class Wish:
    """One wish. `id` tells it from all others; `at`: when it was asked, epoch seconds."""

    name: str
    id: str
    what: str
    at: int


@frozen(kw_only=True)
class Answer:
    """What came of a wish. `words`: in a sentence for people."""

    ok: bool
    words: str


@frozen
class Wishes:
    """The wishes of things of one kind."""

    statuses: Statuses

    def ask(self, cursor: Cursor, wish: Wish) -> None:
        """Ask a server; another wish for the same thing that nobody took up is void."""
        text = json.dumps({"id": wish.id, "what": wish.what, "at": wish.at})
        self.statuses.change(cursor, wish.name, {ASKED: text})

    def take(self, cursor: Cursor, now: float, mine: Collection[str]) -> list[Wish]:
        """All that are fresh and nobody took up: they are this server's now. What another took up is answered.

        Args:
            mine: the ids of those that this server is at.
        """
        taken = []
        for name, texts in self.statuses.all(cursor).items():
            wish = _wish(name, texts)
            if wish is None or not is_open(texts, mine):
                continue
            if texts.get(TAKEN) == wish.id:
                self.answer(cursor, wish, LOST)
                continue
            self.statuses.change(cursor, name, {TAKEN: wish.id})
            if abs(now - wish.at) <= FRESH:
                taken.append(wish)
        return taken

    def answer(self, cursor: Cursor, wish: Wish, answer: Answer) -> None:
        """Tell what came of it."""
        text = json.dumps({"id": wish.id, "ok": answer.ok, "words": answer.words})
        self.statuses.change(cursor, wish.name, {ANSWER: text})

    def look(self, cursor: Cursor, wish: Wish) -> tuple[bool, Answer | None]:
        """Whether a server took it up, and what came of it."""
        texts = self.statuses.find(cursor, wish.name)
        read = _read(texts.get(ANSWER, ""))
        if read.get("id") == wish.id:
            return True, Answer(ok=read.get("ok") is True, words=str(read.get("words", "")))
        return texts.get(TAKEN) == wish.id, None


LOST = Answer(ok=False, words="the server that was at it stopped, or hangs; what came of it is not known")


def is_open(texts: Mapping[str, str], mine: Collection[str]) -> bool:
    """Is there a wish in this status that has no answer, and is none of these?"""
    id_ = _read(texts.get(ASKED, "")).get("id")
    return id_ is not None and id_ not in mine and _read(texts.get(ANSWER, "")).get("id") != id_


async def wait_for(wishes: Wishes, wish: Wish, wait: float, database: IDatabase, clock: IClock) -> Answer:
    """What comes of a wish that was asked, within so many seconds."""
    begun = clock.seconds()
    while True:
        taken, answer = await database.read(partial(wishes.look, wish=wish))
        if answer is not None:
            return answer
        waited = clock.seconds() - begun
        if not taken and waited >= FRESH:
            return Answer(ok=False, words="no server is running that looks after it, or it is busy with another wish")
        if waited >= wait:
            return Answer(ok=False, words=f"nothing came of it in {wait:g} s; the server goes on with it")
        await clock.sleep(LOOK)


async def is_taken(wishes: Wishes, wish: Wish, database: IDatabase, clock: IClock) -> bool:
    """Does a running server take up a wish that was asked?"""
    begun = clock.seconds()
    while not (await database.read(partial(wishes.look, wish=wish)))[0]:
        if clock.seconds() - begun >= FRESH:
            return False
        await clock.sleep(LOOK)
    return True


def _wish(name: str, texts: Mapping[str, str]) -> Wish | None:
    read = _read(texts.get(ASKED, ""))
    id_, what, at = read.get("id"), read.get("what"), read.get("at")
    if not (isinstance(id_, str) and isinstance(what, str) and isinstance(at, int)):
        return None
    return Wish(name=name, id=id_, what=what, at=at)


def _read(text: str) -> Mapping[str, object]:
    try:
        read = json.loads(text)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}
