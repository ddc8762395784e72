"""A conversation with a mailbox elsewhere that does not come to its beginning in time is closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from worldmail.protocols.imap.client.drops import Drops as ImapDrops
from worldmail.protocols.pop3.client.drops import Drops as Pop3Drops
from worldmail.testing import scripted_imap, scripted_pop3
from worldmail.testing.feeding import loopback_peer
from worldmail.testing.smtp_client import HOP


class Connecting:
    """A connector whose servers say nothing."""

    def __init__(self) -> None:
        self.aborted: list[str] = []

    async def connect(self, make_dialogue: Callable[[], Any], hop: Any) -> Any:
        dialogue = make_dialogue()
        peer = loopback_peer()
        peer.abort = self.aborted.append
        dialogue.opened(peer)
        return dialogue


@pytest.mark.parametrize("kind", ["pop3", "imap"])
def test_it_is_dropped_when_nobody_waits_for_it_any_more(kind: str) -> None:
    connecting = Connecting()
    drops: Any = (
        Pop3Drops(connecting, scripted_pop3.make_means())
        if kind == "pop3"
        else ImapDrops(connecting, scripted_imap.make_means(), "INBOX")
    )
    opening = Deferred.fromCoroutine(drops.connect(HOP))
    assert not opening.called
    opening.cancel()
    ended: list[Any] = []
    opening.addErrback(lambda failure: ended.append(failure.type))
    assert ended == [CancelledError]
    assert connecting.aborted == ["aborted"]
