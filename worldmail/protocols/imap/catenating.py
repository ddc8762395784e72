"""Parts of messages that are copied from others by their URLs (RFC 4469 §3; "URL-PARTIAL" is of RFC 5550).

A URL is taken as seen from the selected mailbox, or from the server if none is selected. It may name nothing but this
server and who is signed in, or carry an authorisation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import define

from worldmail.errors import (
    LimitReached,
    MessageTooLarge,
    NotAUrl,
    TemporaryFailure,
    UrlNotAuthorised,
    UrlNotResolved,
    UrlOfAnother,
)
from worldmail.interfaces.urls import Bearer, UrlOctets
from worldmail.mail.imap_url import ImapUrl, absolute
from worldmail.protocols.imap.message_sink import Sink, Text, check_utf8
from worldmail.protocols.imap.replies import No

if TYPE_CHECKING:
    from worldmail.protocols.imap.session import Session

MOST_PARTS = 1000
"""Parts of one command's messages."""

MOST_COPIED = 256 * 1024 * 1024
"""Octets that one command may have copied, and looked through for what is to be copied; or one message, if that may
have more."""

_IN_A_ROW = 16
"""URLs that are followed before others have their turn."""

_UNFIT = re.compile(rb'[^!-~]|["\\\]]')
_BAD = (NotAUrl, UrlNotAuthorised, UrlNotResolved, UrlOfAnother)


class BadUrl(No):
    """RFC 4469 §4.1: nothing of the command is done."""

    def __init__(self, url: bytes) -> None:
        shown = _UNFIT.sub(lambda found: b"%%%02X" % found[0][0], url[:1000])
        super().__init__("There is nothing at a URL", b'BADURL "%b"' % shown)


@define(eq=False)
class Copying:
    """What one command has had copied."""

    _parts: int = 0
    _octets: int = 0

    def count(self) -> None:
        """One more part. Raises: `LimitReached`."""
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise LimitReached("These are too many parts for one command")

    async def put(self, session: Session, sink: Sink, parts: Sequence[bytes | Text | None]) -> None:
        """Copy those parts into the message that are not in it yet."""
        while sink.taken < len(parts):
            part = parts[sink.taken]
            assert part is not None, "announced texts are in it as soon as they came"
            self.count()
            if self._parts % _IN_A_ROW == 0:
                await session.world.clock.sleep(0)
            if isinstance(part, Text):
                _take(session, sink, part)
            else:
                await self._follow(session, sink, part)
            sink.taken += 1

    async def _follow(self, session: Session, sink: Sink, url: bytes) -> None:
        try:
            await self._copy(session, sink, url)
        except _BAD as error:
            raise BadUrl(url) from error

    async def _copy(self, session: Session, sink: Sink, url: bytes) -> None:
        octets = await _open(session, url)
        if sink.size + octets.size > sink.limit:
            raise MessageTooLarge
        self._octets += octets.size + octets.cost
        if self._octets > max(MOST_COPIED, 2 * sink.limit):
            raise LimitReached("This is too much for one command")
        session.world.acceptance.check_room(octets.size)
        sink.begin(whole=True)
        async for chunk in octets.read():
            if session.gone:
                raise TemporaryFailure(reason="the client left meanwhile")
            sink.write(chunk)
            if sink.behind():
                await sink.caught_up()


def _take(session: Session, sink: Sink, text: Text) -> None:
    if text.utf8:
        check_utf8(session.enabled, text.binary)
    if sink.size + len(text.octets) > sink.limit:
        raise MessageTooLarge
    sink.take(text)


async def _open(session: Session, reference: bytes) -> UrlOctets:
    account, world = session.user, session.world
    mailbox = None if session.selected is None else session.selected.folder.name
    try:
        text = absolute(reference.decode("ascii"), user=str(account.address), host=world.hostname, mailbox=mailbox)
        url = ImapUrl.parse(text)
    except ValueError:
        raise NotAUrl from None
    opened: UrlOctets = await world.urls.open(url, Bearer(account=account))
    return opened
