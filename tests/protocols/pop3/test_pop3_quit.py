"""QUIT and whoever comes next."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from zope.interface import implementer
from zope.interface.verify import verifyObject

from worldmail.errors import TemporaryFailure
from worldmail.interfaces.store import IMaildropLock


@pytest.mark.parametrize(("error", "reply"), [(None, b"+OK Goodbye"), (TemporaryFailure(), b"-ERR [SYS/TEMP] Some")])
def test_QUIT_is_answered_once_every_process_finds_the_maildrop_free(serve, error, reply: bytes) -> None:
    server = serve(b"Subject: x\r\n\r\n")
    client = server.connect().login()
    freed: Deferred[None] = Deferred()

    @implementer(IMaildropLock)
    class Slow:
        """Of another machine's concern."""

        def held(self) -> bool:
            return True

        def release(self) -> Deferred[None]:
            return freed

    verifyObject(IMaildropLock, Slow())
    client.session.maildrop.lock = Slow()
    client.say(b"DELE 1")
    server.memory.mailboxes.fail = error
    before = len(client.conductor.held.output)
    Deferred.fromCoroutine(client.conductor.feed(b"QUIT\r\n"))
    assert len(client.conductor.held.output) == before
    freed.callback(None)
    assert client.conductor.held.output[before:].startswith(reply)
    assert client.closed == "quit"
