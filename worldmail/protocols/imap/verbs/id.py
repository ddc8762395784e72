"""ID: who the client is, and who we are (RFC 2971)."""

from __future__ import annotations

from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.replies import BadCommand
from worldmail.protocols.imap.rows import ANY_STATE, Command
from worldmail.protocols.imap.session import Session
from worldmail.wire.effects import Effects

_ANSWER = b'* ID ("name" "WorldMail")\r\n'  # no version: it would tell strangers which faults to try
_LOGGED = ("name", "version", "vendor", "os", "os-version")
_MOST_FIELDS = 30  # RFC 2971 §3.3
_LONGEST_LOGGED = 64


def parse(reader: Reader) -> dict[str, str]:
    """id = "ID" SP ("(" [string SP nstring *(SP string SP nstring)] ")" / nil)."""
    reader.space()
    if reader.peek() != b"(":
        if reader.nstring() is not None:
            raise BadCommand("A list or NIL is expected")
        reader.end()
        return {}

    def pair() -> tuple[bytes, bytes | None]:
        name = reader.string()
        reader.space()
        return name, reader.nstring()

    pairs = reader.parenthesised(pair)
    reader.end()
    if len(pairs) > _MOST_FIELDS:
        raise BadCommand("There are too many fields")
    return {_text(name).lower(): _text(value) for name, value in pairs if value is not None}


def _text(octets: bytes) -> str:
    return octets[:_LONGEST_LOGGED].decode("utf-8", "replace")


async def run(session: Session, fields: dict[str, str]) -> Effects:
    """Note what the client says of itself, as far as anybody would look for it."""
    told = {"client_" + name.replace("-", "_"): fields[name] for name in _LOGGED if name in fields}
    if told and not session.identified:
        session.identified = True  # once: a stranger could fill the log
        session.world.journal.record("imap.client", session=session.peer.session, **told)
    return (_ANSWER,)


ID = Command(word=b"ID", states=ANY_STATE, parse=parse, run=run, capability="ID", rfc="RFC 2971 §3.1")
