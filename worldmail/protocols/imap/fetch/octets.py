"""The octets of messages on their way into answers: a bounded part of a batch at a time, each copied once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator, Callable

from worldmail.errors import MessageGone, Refusal
from worldmail.mail.numbers import without
from worldmail.protocols.imap.fetch.batch import Batch
from worldmail.protocols.imap.fetch.large import TornAnswer, large_answer
from worldmail.protocols.imap.fetch.plan import Plan
from worldmail.protocols.imap.view.selected import Selected

AT_ONCE = 256 * 1024
"""Octets of messages that one piece of an answer is made of.

More would not be faster, less costs: each piece is one write, and each batch a look into the store.
"""


async def with_octets(selected: Selected, batch: Batch) -> AsyncIterator[Batch]:
    """The messages of a batch with their octets, as many in each part as the store reads at once.

    Those that are gone are left out.
    """
    while len(batch):
        rows = await selected.messages.octets(selected.id, batch.ranges, limit=len(batch))
        if not rows:
            return
        last = rows[-1][0]
        end = bisect_right(batch.uids, last)
        part, batch = batch.part(0, end), batch.part(end, len(batch))
        if len(batch):
            batch.ranges = without(batch.ranges, [(1, last)])
        if len(rows) < end:
            there = {row[0] for row in rows}
            part = part.only([at for at, uid in enumerate(part.uids) if uid in there])
        part.raws = [octets for _, _, octets, _ in rows]
        part.is_binary = any(row[3] for row in rows)
        part.large = [(size, binary) for _, size, _, binary in rows] if None in part.raws else ()
        yield part


def held(batch: Batch) -> int:
    """How many octets of messages are in memory for it."""
    return sum(map(len, filter(None, batch.raws)))


async def answers(
    plan: Plan, batch: Batch, selected: Selected, amid: Callable[[bool], None], gone: Callable[[], None]
) -> AsyncIterator[bytes]:
    """Answers for a batch that has octets: what is at hand in few pieces, large messages as they are read.

    Args:
        amid: is told when what was given last ends within a line, and when it does no more.
        gone: is told of each message that cannot be read because it went meanwhile.
    """
    most = AT_ONCE // plan.copies
    start = size = 0
    for at, raw in enumerate(batch.raws) if batch.large or held(batch) > most else ():
        size += 0 if raw is None else len(raw)
        if at > start and (raw is None or size > most):
            yield plan.render(batch.part(start, at))
            start, size = at, 0 if raw is None else len(raw)
        if raw is not None:
            continue
        amid(True)
        async for chunk in _large(plan, batch.part(at, at + 1), selected, gone):
            yield chunk
        amid(False)
        start = at + 1
    if start < len(batch):
        yield plan.render(batch.part(start, len(batch)))


async def _large(plan: Plan, batch: Batch, selected: Selected, gone: Callable[[], None]) -> AsyncIterator[bytes]:
    begun = False
    try:
        async for chunk in large_answer(plan, batch, selected):
            begun = True
            yield chunk
    except Refusal as refusal:
        if begun:
            raise TornAnswer(str(refusal)) from refusal
        if not isinstance(refusal, MessageGone):
            raise
        gone()
