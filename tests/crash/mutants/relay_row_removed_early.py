"""A relay that takes a recipient's row out of the database while it sends, and puts it back before it settles."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from launch import serve
from relay_launch import bend

from worldmail.interfaces.database import Cursor, Row
from worldmail.queue.destinations import Destination
from worldmail.queue.jobs import Job

_ROW = (
    "id, queued_id, destination_id, address, wishes, state, due, attempts, expires, look, warned, runner_id, wish,"
    " reply"
)


def _take(ids: list[int], cursor: Cursor) -> list[Row]:
    rows = [row for id_ in ids for row in cursor.all(f"SELECT {_ROW} FROM recipient WHERE id = ?", (id_,))]
    for id_ in ids:
        cursor.run("DELETE FROM recipient WHERE id = ?", (id_,))
    return rows


def _put(rows: list[Row], cursor: Cursor) -> None:
    for row in rows:
        cursor.run(f"INSERT INTO recipient ({_ROW}) VALUES ({', '.join('?' * len(row))})", row)


def inject() -> None:
    async def around(runner: Any, destination: Destination, job: Job, send: Callable[[], Awaitable[Any]]) -> Any:
        rows = await runner.database.write(partial(_take, [leased.id for leased in job.recipients]))
        try:
            return await send()
        finally:
            await runner.database.write(partial(_put, rows))

    bend(around)


if __name__ == "__main__":
    serve(inject)
