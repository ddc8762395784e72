"""Who may do what with a mailbox: GETACL, SETACL, DELETEACL, LISTRIGHTS, MYRIGHTS (RFC 4314 §3)."""

from __future__ import annotations

from attrs import frozen

from worldmail.protocols.imap.access import existing
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.identifiers import NoSuchIdentifier, find, read_identifier
from worldmail.protocols.imap.replies import astring
from worldmail.protocols.imap.rights import ANY_MYRIGHTS, grantable, on_wire, read_change
from worldmail.protocols.imap.rows import SIGNED_IN, Command
from worldmail.protocols.imap.session import Session
from worldmail.protocols.imap.verbs.subscribe import parse as parse_mailbox
from worldmail.wire.effects import Effects


@frozen
class Entry:
    """A mailbox and an identifier; for SETACL what is done with its rights."""

    mailbox: str
    identifier: str
    how: str = "="
    rights: str = ""


def parse_entry(reader: Reader) -> Entry:
    """SP mailbox SP identifier"""
    entry = _mailbox_and_identifier(reader)
    reader.end()
    return entry


def parse_change(reader: Reader) -> Entry:
    """SP mailbox SP identifier SP mod-rights"""
    entry = _mailbox_and_identifier(reader)
    reader.space()
    how, rights = read_change(reader.astring())
    reader.end()
    return Entry(entry.mailbox, entry.identifier, how, rights)


def _mailbox_and_identifier(reader: Reader) -> Entry:
    reader.space()
    mailbox = reader.mailbox()
    reader.space()
    return Entry(mailbox, read_identifier(reader))


async def get_acl(session: Session, mailbox: str) -> Effects:
    """All identifiers with their rights, the owner's first."""
    found = await session.world.folders.rights_of(session.user, mailbox)
    line = [b"* ACL " + session.wire_name(mailbox)]
    for identifier, rights in found.items():
        line.append(b"%b %b" % (_written(session, identifier), on_wire(rights)))
    return (b" ".join(line) + b"\r\n",)


async def set_acl(session: Session, entry: Entry) -> Effects:
    """Give rights, or take them."""
    await existing(session, entry.mailbox, any_of="a")  # who may not do it learns of no account by it
    identifier = await find(session, entry.identifier)
    await session.world.folders.set_rights(session.user, entry.mailbox, identifier.text, entry.rights, entry.how)
    return ()


async def delete_acl(session: Session, entry: Entry) -> Effects:
    """Take all rights of an identifier; that of an account that is gone may still stand there."""
    await existing(session, entry.mailbox, any_of="a")
    try:
        identifier = (await find(session, entry.identifier)).text
    except NoSuchIdentifier:
        identifier = entry.identifier
    await session.world.folders.set_rights(session.user, entry.mailbox, identifier, "", "=")
    return ()


async def list_rights(session: Session, entry: Entry) -> Effects:
    """Which rights could be given; under the identifier as the client wrote it (§3.4)."""
    folder = await existing(session, entry.mailbox, any_of="a")
    account = (await find(session, entry.identifier)).account
    owner = account is not None and account.id == folder.owner
    names = session.wire_name(entry.mailbox), _written(session, entry.identifier)
    return (b"* LISTRIGHTS %b %b %b\r\n" % (*names, grantable(owner=owner)),)


async def my_rights(session: Session, mailbox: str) -> Effects:
    """What the account itself may do."""
    folder = await existing(session, mailbox, any_of="".join(ANY_MYRIGHTS))
    return (b"* MYRIGHTS %b %b\r\n" % (session.wire_name(mailbox), on_wire(folder.rights)),)


def _written(session: Session, identifier: str) -> bytes:
    return astring(identifier.encode("utf-8"), utf8=session.utf8)


GETACL = Command(word=b"GETACL", states=SIGNED_IN, parse=parse_mailbox, run=get_acl, rfc="RFC 4314 §3.3")
SETACL = Command(word=b"SETACL", states=SIGNED_IN, parse=parse_change, run=set_acl, rfc="RFC 4314 §3.1")
DELETEACL = Command(word=b"DELETEACL", states=SIGNED_IN, parse=parse_entry, run=delete_acl, rfc="RFC 4314 §3.2")
LISTRIGHTS = Command(word=b"LISTRIGHTS", states=SIGNED_IN, parse=parse_entry, run=list_rights, rfc="RFC 4314 §3.4")
MYRIGHTS = Command(word=b"MYRIGHTS", states=SIGNED_IN, parse=parse_mailbox, run=my_rights, rfc="RFC 4314 §3.5")
