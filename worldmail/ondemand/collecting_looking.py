"""What lies in a remote mailbox, by names that last, and the headers of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, FirstError, gatherResults

from worldmail.interfaces.collection import IRemoteDrop, Listed, RemoteRefused
from worldmail.ondemand.collecting_memory import BY_HEADER, SHARED, kept_name, name_by_both, name_by_header, shared

TOGETHER = 32
"""Messages under way at once, at most."""

AT_A_TIME = 1000
"""Messages that are looked at before others have their turn."""

Pause = Callable[[], Awaitable[None]]
"""Lets others have their turn."""

_HEADERS = 8
"""Headers that are asked for at once: each may be large."""


@frozen
class Mail:
    """One message there, by the name that is kept of it."""

    number: int
    octets: int
    name: str


async def named(drop: IRemoteDrop, memory: Mapping[str, int], pause: Pause) -> list[Mail]:
    """What lies there. Raises `RemoteLost`, `RemoteRefused`.

    A server that gives no names: they are made of the headers, which have to be read for that each time. A name that
    several have is not enough either: whoever went by it would delete one for having fetched another. Copies that are
    the same in all fields may have the same name (RFC 1939 §7), and are one message.
    """
    listed: list[Listed] = await drop.messages()
    times = Counter(one.unique for one in listed)
    before = frozenset(name[: -len(name_by_header(b""))] for name in memory if name.startswith(SHARED))
    mails: list[Mail] = []
    unsure: dict[int, Listed] = {}
    for at, one in enumerate(listed, 1):
        sure = times[one.unique] == 1 and not (before and shared(one.unique) in before)
        if one.unique and sure:
            mails.append(Mail(one.number, one.octets, kept_name(one.unique)))
        else:
            unsure[one.number] = one
        if at % AT_A_TIME == 0:
            await pause()
    if times[""] and any(not name.startswith(BY_HEADER) for name in memory):
        # Whoever went by headers now would fetch all of it a second time.
        raise RemoteRefused("the server gives its messages no names (UIDL) any more, as it did before")
    async for number, header in headers(drop, list(unsure)):
        one = unsure[number]
        name = name_by_both(one.unique, header) if one.unique else name_by_header(header)
        mails.append(Mail(number, one.octets, name))
    return sorted(mails, key=lambda mail: mail.number)


async def headers(drop: IRemoteDrop, numbers: Sequence[int]) -> AsyncIterator[tuple[int, bytes]]:
    """The headers of these, a few at once, in their order. Raises `RemoteLost`, `RemoteRefused`."""
    for at in range(0, len(numbers), _HEADERS):
        some = numbers[at : at + _HEADERS]
        asked: list[Deferred[Any]] = [Deferred.fromCoroutine(_header(drop, number)) for number in some]
        try:
            found = await gatherResults(asked, consumeErrors=True)
        except FirstError as error:
            raise error.subFailure.value or error from None
        for number, header in zip(some, found, strict=True):
            yield number, header


async def _header(drop: IRemoteDrop, number: int) -> bytes:
    header: bytes = await drop.header(number)
    return header
