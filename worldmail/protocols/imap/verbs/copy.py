"""COPY, MOVE and their UID forms (RFC 9051 §6.4.7, §6.4.8; RFC 4315 §3; RFC 6851)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from attrs import define

from worldmail.errors import NoSuchMailbox
from worldmail.interfaces.folders import Folder
from worldmail.interfaces.messages import Copied, FlagChange
from worldmail.mail.numbers import Numbers, render
from worldmail.protocols.imap.access import existing
from worldmail.protocols.imap.completion import news_of_done
from worldmail.protocols.imap.fetch.answers import Gone
from worldmail.protocols.imap.flag_rights import changeable
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.message_limit import last_of
from worldmail.protocols.imap.replies import No, untagged
from worldmail.protocols.imap.rights import ANY_MYRIGHTS
from worldmail.protocols.imap.rows import SELECTED, Answer, Command, Done
from worldmail.protocols.imap.session import Session
from worldmail.protocols.imap.targets import need, selected_of, targets
from worldmail.wire.effects import Effects

Run = Callable[[Session, "Asked"], Awaitable[Answer]]


@define
class Asked:
    """The arguments."""

    numbers: Numbers
    name: str
    uid: bool


def parse(reader: Reader, *, uid: bool) -> Asked:
    """SP sequence-set SP mailbox"""
    reader.space()
    numbers = reader.numbers()
    reader.space()
    asked = Asked(numbers, reader.mailbox(), uid)
    reader.end()
    return asked


async def copy(session: Session, asked: Asked) -> Effects | Done:
    """Copy, all or none; COPYUID tells the new UIDs."""
    selected = selected_of(session)
    slices = await targets(session, asked.numbers, uid=asked.uid)
    target = await receiving(session, asked.name)
    uids = selected.view.uid_ranges(slices)
    if not uids:
        return ()
    _, reached = last_of(selected.view, slices, session.settings.save_limit)
    if reached is not None:
        raise reached.refusal()
    done = await selected.messages.copy(selected.id, uids, target.id, flags=flags_at(session, target))
    if not asked.uid and not done.source:
        raise Gone
    if target.id == selected.id:
        selected.touch()
    return Done(code=copyuid(done, target)) if done.source else ()


async def move(session: Session, asked: Asked) -> Answer:
    """Copy and remove in one unit.

    COPYUID comes before what is told of the removal (RFC 6851 §4.3), and HIGHESTMODSEQ behind it (§4.4).
    """
    selected = selected_of(session)
    need(selected, "e")
    need(selected, "t")  # RFC 6851 §4.1: as COPY, STORE \Deleted and EXPUNGE would
    slices = await targets(session, asked.numbers, uid=asked.uid)
    target = await receiving(session, asked.name)
    # Nobody is misled by what stays where it was: the limit is that which is announced, and bounds the unit.
    slices, reached = last_of(selected.view, slices, session.settings.message_limit)
    uids = selected.view.uid_ranges(slices)
    if not uids:
        return ()
    done = await selected.messages.move(selected.id, uids, target.id, flags=flags_at(session, target))
    if not asked.uid and not done.source:
        raise Gone
    selected.touch()
    told: tuple[bytes, ...] = ()
    if done.source and (code := copyuid(done, target)) is not None:
        told = (untagged(b"OK", "Moved", code),)
    told += tuple(await news_of_done(session, expunges=True))
    resynchronises = reached is None or "QRESYNC" in session.enabled
    answer = Done(told)
    if done.source and resynchronises:
        answer = Done(told, code=selected.highest)
    return answer if reached is None else reached.told_with(answer)


async def receiving(session: Session, name: str) -> Folder:
    """The mailbox that messages are put into, for which it takes the right i (RFC 4314 §4).

    Raises: `No` with TRYCREATE if there is none (RFC 9051 §6.4.7); `NoRight`.
    """
    try:
        return await existing(session, name, any_of="i")
    except NoSuchMailbox as error:
        if await may_be_made(session, name):
            raise No(error.reply_text, b"TRYCREATE") from None
        raise


async def may_be_made(session: Session, name: str) -> bool:
    """Is there really no mailbox of this name, as far as the account may know?"""
    folder = await session.world.folders.folder(session.user, name)
    return folder is None or not folder.exists or ANY_MYRIGHTS.isdisjoint(folder.rights)


def flags_at(session: Session, target: Folder) -> FlagChange:
    """Which flags the copies may have there (RFC 4314 §4: those that STORE could set, the rest is left out)."""
    allowed, keywords = changeable(target.rights)
    return FlagChange(how="replace", allowed=allowed, keywords_allowed=keywords, reader=session.user.id)


def copyuid(done: Copied, target: Folder) -> bytes | None:
    """RFC 4315 §3; not told to one who may not read there, who could learn of the mailbox by it."""
    if "r" not in target.rights:
        return None
    return b"COPYUID %d %b %b" % (done.uidvalidity, render(done.source), render(done.target))


def _row(word: bytes, run: Run, capability: str | None, rfc: str) -> Command:
    uid = word.startswith(b"UID ")
    return Command(
        word=word,
        states=SELECTED,
        parse=partial(parse, uid=uid),
        run=run,
        capability=capability,
        rfc=rfc,
    )


COPY = _row(b"COPY", copy, None, "RFC 9051 §6.4.7")
UID_COPY = _row(b"UID COPY", copy, None, "RFC 9051 §6.4.9")
MOVE = _row(b"MOVE", move, "MOVE", "RFC 6851 §3.1, RFC 9051 §6.4.8")
UID_MOVE = _row(b"UID MOVE", move, None, "RFC 6851 §3.2, RFC 9051 §6.4.9")
