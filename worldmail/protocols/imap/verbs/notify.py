"""NOTIFY: what the client wants to be told of, where (RFC 5465 §3.1)."""

from __future__ import annotations

from worldmail.protocols.imap.notify.request import Request, parse
from worldmail.protocols.imap.notify.watch import Watch
from worldmail.protocols.imap.piecemeal import all_of
from worldmail.protocols.imap.rows import SIGNED_IN, Command
from worldmail.protocols.imap.session import Session
from worldmail.wire.effects import Effects


async def run(session: Session, request: Request) -> Effects:
    """From now on that; what happened in the selected mailbox until now is told first."""
    news = await all_of(session, session.changes, expunges=True)
    watch = Watch(request=request)
    try:
        lines = await watch.begin(session)
    except BaseException:
        watch.release()
        raise
    session.watch(watch)
    return (*news, *lines)


NOTIFY = Command(word=b"NOTIFY", states=SIGNED_IN, parse=parse, run=run, capability="NOTIFY", rfc="RFC 5465 §3.1")
