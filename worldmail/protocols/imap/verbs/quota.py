"""How much there is and how much there may be: GETQUOTA, GETQUOTAROOT (RFC 9208 §4.1).

SETQUOTA is an administrator's (`worldmail user set`); nobody is one in IMAP, so QUOTASET is not announced.
"""

from __future__ import annotations

from collections.abc import Sequence

from worldmail.errors import NoSuchMailbox
from worldmail.interfaces.folders import OTHERS, PUBLIC, QuotaRoot
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.replies import No, astring
from worldmail.protocols.imap.rows import SIGNED_IN, Command
from worldmail.protocols.imap.session import Session
from worldmail.protocols.imap.verbs.subscribe import parse as parse_mailbox
from worldmail.wire.effects import Effects

UNIT = 1024
"""STORAGE is told in these (RFC 9208 §5.1)."""


def parse_root(reader: Reader) -> str:
    """SP quota-root-name"""
    reader.space()
    root = reader.text()
    reader.end()
    return root


async def get_quota(session: Session, root: str) -> Effects:
    """Used and limit of each resource that is limited."""
    found = await session.world.folders.quota_root(session.user, root)
    if found is None:
        raise No("There is no such quota root", b"NONEXISTENT")
    return (quota(session, found),)


async def get_quota_root(session: Session, mailbox: str) -> Effects:
    """The roots that the mailbox counts in, or would if it were there (§4.1.2)."""
    roots = await _roots(session, mailbox)
    names = [session.wire_name(mailbox), *(_name(session, root) for root in roots)]
    line = b"* QUOTAROOT " + b" ".join(names) + b"\r\n"
    return (line, *(quota(session, root) for root in roots))


async def _roots(session: Session, mailbox: str) -> Sequence[QuotaRoot]:
    store, user = session.world.folders, session.user
    try:
        found: Sequence[QuotaRoot] = await store.quota_roots(user, mailbox)
    except NoSuchMailbox:
        if mailbox.startswith((OTHERS, PUBLIC)):
            raise
        found = await store.quota_roots(user, "INBOX")
    return found


def quota(session: Session, root: QuotaRoot) -> bytes:
    """A QUOTA response (§4.2.1): what is not limited is not told."""
    told = []
    for resource, limit in root.limits.items():
        used = root.used.get(resource, 0)
        if resource == "STORAGE":
            used, limit = -(-used // UNIT), limit // UNIT
        told.append(b"%b %d %d" % (resource.encode("ascii"), used, limit))
    return b"* QUOTA %b (%b)\r\n" % (_name(session, root), b" ".join(told))


def _name(session: Session, root: QuotaRoot) -> bytes:
    return astring(root.name.encode("utf-8"), utf8=session.utf8)


GETQUOTA = Command(word=b"GETQUOTA", states=SIGNED_IN, parse=parse_root, run=get_quota, rfc="RFC 9208 §4.1.1")
GETQUOTAROOT = Command(
    word=b"GETQUOTAROOT", states=SIGNED_IN, parse=parse_mailbox, run=get_quota_root, rfc="RFC 9208 §4.1.2"
)
