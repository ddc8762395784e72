"""Every POP3 command: one row each. A new one is a module here and a line in `ROWS`."""

from __future__ import annotations

from worldmail.protocols.pop3.session import Session
from worldmail.protocols.pop3.verbs.apop import APOP
from worldmail.protocols.pop3.verbs.auth import AUTH
from worldmail.protocols.pop3.verbs.capa import CAPA
from worldmail.protocols.pop3.verbs.dele import DELE
from worldmail.protocols.pop3.verbs.lang import LANG
from worldmail.protocols.pop3.verbs.list import LIST
from worldmail.protocols.pop3.verbs.noop import NOOP
from worldmail.protocols.pop3.verbs.quit import QUIT
from worldmail.protocols.pop3.verbs.retr import RETR
from worldmail.protocols.pop3.verbs.rset import RSET
from worldmail.protocols.pop3.verbs.stat import STAT
from worldmail.protocols.pop3.verbs.stls import STLS
from worldmail.protocols.pop3.verbs.top import TOP
from worldmail.protocols.pop3.verbs.uidl import UIDL
from worldmail.protocols.pop3.verbs.user import PASS, USER
from worldmail.protocols.pop3.verbs.utf8 import UTF8
from worldmail.wire.commands import Command, command_table

ROWS: tuple[Command[Session], ...] = (
    CAPA,
    TOP,
    UIDL,
    USER,
    PASS,
    APOP,
    AUTH,
    STLS,
    STAT,
    LIST,
    RETR,
    DELE,
    RSET,
    NOOP,
    QUIT,
    UTF8,
    LANG,
)

COMMANDS = command_table(ROWS)
