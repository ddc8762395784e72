"""ENABLE: what changes the protocol, only for those who ask for it (RFC 5161, RFC 9051 §6.3.1)."""

from __future__ import annotations

from worldmail.protocols.imap.condstore import highest_modseq
from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.rows import SIGNED_IN, Command
from worldmail.protocols.imap.session import Session
from worldmail.protocols.imap.targets import selected_of
from worldmail.wire.effects import Effects


def parse(reader: Reader) -> list[str]:
    """enable = "ENABLE" 1*(SP capability)."""
    names: list[str] = []
    while not names or not reader.at_end():
        reader.space()
        if names and reader.at_end():
            break
        names.append(reader.word().decode("ascii"))
    return names


async def run(session: Session, names: list[str]) -> Effects:
    """Enable what there is; what is unknown is passed over, and what was on already is not named (RFC 5161 §3.1)."""
    before, enabled = session.enabled, list[str]()
    for name in dict.fromkeys(names):
        if name in session.site.enabling and name not in before:
            announced, begin = session.site.enabling[name]
            session.enable(name)
            begin(session)
            enabled.append(announced)
    told = " ".join(("* ENABLED", *enabled)).encode("ascii") + b"\r\n"
    if session.selected is None or "CONDSTORE" in before or "CONDSTORE" not in session.enabled:
        return (told,)
    return (told, highest_modseq(selected_of(session).view.modseq))  # RFC 7162 §3.1


ENABLE = Command(
    word=b"ENABLE",
    states=SIGNED_IN,
    parse=parse,
    run=run,
    capability="ENABLE",
    before_login=True,  # Python's imaplib asks only then
    rfc="RFC 5161 §3.1, RFC 9051 §6.3.1",
)
