"""A unit of work with an acceptance in it: what its part is told of how that went."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from worldmail.interfaces.database import Cursor
from worldmail.interfaces.store import IAcceptancePart

T = TypeVar("T")


async def write_with(
    write: Callable[[Callable[[Cursor], Any]], Awaitable[Any]],
    unit: Callable[[Cursor], T],
    part: IAcceptancePart | None,
    *,
    refused: Callable[[BaseException], bool],
) -> T:
    """Write a unit and its part, which comes first: it may refer to content that the unit removes.

    Args:
        write: writes what it is given, and raises what comes in the way.
        refused: says of that whether the unit gave up by itself, so that nothing of it can be on the disk.
    """

    def both(cursor: Cursor) -> tuple[Any, T]:
        came = None if part is None else part.write(cursor)
        return came, unit(cursor)

    try:
        came, result = await write(both)
    except BaseException as error:
        if part is not None:
            await part.dropped(refused=refused(error))
        raise
    if part is not None:
        part.accepted(came)
    done: T = result
    return done
