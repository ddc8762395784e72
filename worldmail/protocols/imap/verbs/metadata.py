"""Annotations of mailboxes and of the server: GETMETADATA, SETMETADATA (RFC 5464 §4.2, §4.3)."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from worldmail.errors import NoRight, UseNotOffered
from worldmail.interfaces.folders import SPECIAL_USES
from worldmail.protocols.imap import metadata
from worldmail.protocols.imap.access import existing
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.metadata import Wanted
from worldmail.protocols.imap.notify.watch import caused
from worldmail.protocols.imap.replies import BadCommand
from worldmail.protocols.imap.rows import SIGNED_IN, Command, Done
from worldmail.protocols.imap.session import Session
from worldmail.wire.effects import Effects

SPECIAL_USE_NAMES = {use.lower().encode("ascii"): use for use in SPECIAL_USES}


@frozen
class Question:
    """A mailbox, "" for the server, and what is asked about it."""

    mailbox: str
    wanted: Wanted


@frozen
class Assignment:
    """A mailbox, "" for the server, and the values of its entries."""

    mailbox: str
    values: Mapping[str, bytes | None]


def parse_get(reader: Reader) -> Question:
    """[SP options] SP mailbox [SP options] SP entries

    The grammar has the options before the mailbox, the examples behind it (§4.2.1, §5): clients do either.
    """
    options: Mapping[bytes, bytes] | None = None
    reader.space()
    if reader.peek() == b"(":
        options, _ = metadata.read_list(reader)
        if options is None:
            raise BadCommand("Options are expected")
        reader.space()
    mailbox = reader.mailbox()
    reader.space()
    more, entries = metadata.read_list(reader)
    if more is not None:
        if options is not None:
            raise BadCommand("An entry is expected")
        options = more
        reader.space()
        _, entries = metadata.read_list(reader)
    if not entries:
        raise BadCommand("An entry is expected")
    reader.end()
    return Question(mailbox, metadata.wanted(options or {}, entries))


def parse_set(reader: Reader) -> Assignment:
    """SP mailbox SP "(" entry SP value *(SP entry SP value) ")" """
    reader.space()
    mailbox = reader.mailbox()
    reader.space()
    values = metadata.read_values(reader)
    reader.end()
    return Assignment(mailbox, values)


async def get(session: Session, question: Question) -> Effects | Done:
    """The values, and the size of the largest that is left out for its size."""
    wanted, store, user = question.wanted, session.world.folders, session.user
    found: Mapping[str, bytes] = await store.annotations(
        user, question.mailbox, tuple(wanted.entries), depth=wanted.depth
    )
    if question.mailbox and (folder := await store.folder(user, question.mailbox)) is not None:
        found = metadata.with_special_use(found, wanted, folder.special_use)
    name = session.wire_name(question.mailbox) if question.mailbox else b'""'
    effects = (metadata.response(name, wanted, found),)
    longest = metadata.longest(wanted, found)
    return Done(effects, code=metadata.long_entries(longest)) if longest else effects


async def set_values(session: Session, assignment: Assignment) -> Effects:
    """All of them or none."""
    caused(session, assignment.mailbox)
    store, user, mailbox = session.world.folders, session.user, assignment.mailbox
    values = dict(assignment.values)
    sets_use = bool(mailbox) and metadata.SPECIAL_USE in values
    use = special_use(values.pop(metadata.SPECIAL_USE)) if sets_use else None
    if sets_use and (await existing(session, mailbox, any_of="l")).owner != user.id:
        raise NoRight("Only its owner says what a mailbox is for")
    if values:
        await store.annotate(user, mailbox, values)
    if sets_use:
        await store.set_special_use(user, mailbox, use)
    return ()


def special_use(value: bytes | None) -> str | None:
    """What a mailbox is to be for (RFC 6154 §4). Raises `UseNotOffered`."""
    if not value:
        return None
    found = SPECIAL_USE_NAMES.get(value.lower())
    if found is None:
        raise UseNotOffered
    return found


GETMETADATA = Command(
    word=b"GETMETADATA", states=SIGNED_IN, parse=parse_get, run=get, capability="METADATA", rfc="RFC 5464 §4.2"
)
SETMETADATA = Command(word=b"SETMETADATA", states=SIGNED_IN, parse=parse_set, run=set_values, rfc="RFC 5464 §4.3")
