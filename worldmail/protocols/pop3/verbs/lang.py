"""LANG: the language of the texts behind +OK and -ERR (RFC 6856 §3)."""

from __future__ import annotations

from collections.abc import Iterable

from worldmail.protocols.pop3 import grammar
from worldmail.protocols.pop3.language import LANGUAGES, lookup, translated
from worldmail.protocols.pop3.replies import CommandRefused, multi_line, ok
from worldmail.protocols.pop3.session import BOTH, Session
from worldmail.wire.commands import Command
from worldmail.wire.effects import Effects


def capability(session: Session) -> Iterable[str]:
    """Always announced."""
    return ("LANG",)


async def run(session: Session, language_range: str | None) -> Effects:
    """List the languages, or choose one."""
    if language_range is None:
        return (multi_line("Languages follow", (f"{tag} {name}".encode() for tag, name in LANGUAGES.items())),)
    tag = lookup(language_range)
    if tag is None:
        raise CommandRefused("This language is not known here")
    session.language = tag
    return (ok(f"{tag} {translated('Language chosen', tag)}"),)


LANG = Command(
    word=b"LANG", states=BOTH, parse=grammar.language_range, run=run, capability=capability, rfc="RFC 6856 §3"
)
