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


@frozen
class Looked:
    """What lies there, in order, as far as it was looked at; `rest` is how many were not."""

    mails: list[Mail]
    rest: int


async def named(
    drop: IRemoteDrop,
    listed: Sequence[Listed],
    memory: Mapping[str, int],
    pause: Pause,
    *,
    most: int,
    wanted: Callable[[Mail], bool],
    came: Callable[[int], None] = lambda octets: None,
) -> Looked:
    """What was listed, by names that last. Raises `RemoteLost`, `RemoteRefused`.

    A server that gives no names: they are made of the headers, which have to be read for that each time, until there
    are enough new ones. A name that several have is not enough either: whoever went by it would delete one for having
    fetched another. Copies that are the same in all fields may have the same name (RFC 1939 §7), and are one message.

    Args:
        most: new messages, `wanted`, behind which no further header is read.
        came: told of octets of headers. What it raises is raised.
    """
    times = Counter(one.unique for one in listed)
    before = frozenset(name[: -len(name_by_header(b""))] for name in memory if name.startswith(SHARED))
    mails: list[Mail] = []
    unsure: dict[int, Listed] = {}
    for at, one in enumerate(listed, 1):
        alone = times[one.unique] == 1 and not (before and shared(one.unique) in before)
        if one.unique and alone:
            mails.append(Mail(one.number, one.octets, kept_name(one.unique)))
        else:
            unsure[one.number] = one
        if at % AT_A_TIME == 0:
            await pause()
    if times[""] and any(not name.startswith(BY_HEADER) for name in memory):
        # Whoever went by headers now would fetch all of it a second time.
        raise RemoteRefused("the server gives its messages no names (UIDL) any more, as it did before")
    new = {mail.name for mail in mails if mail.name not in memory and wanted(mail)}
    sure = len(mails)
    if len(new) < most:
        async for number, header in headers(drop, list(unsure)):
            came(len(header))
            one = unsure[number]
            name = name_by_both(one.unique, header) if one.unique else name_by_header(header)
            mail = Mail(number, one.octets, name)
            mails.append(mail)
            if name not in memory and wanted(mail):
                new.add(name)
            if len(new) >= most:
                break
    rest = sure + len(unsure) - len(mails)
    return Looked(sorted(mails, key=lambda mail: mail.number), rest)


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
