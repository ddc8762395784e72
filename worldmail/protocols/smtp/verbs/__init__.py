"""The commands of ESMTP. A new one is a module here and a line in `ROWS`."""

from __future__ import annotations

from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.verbs.atrn import ATRN
from worldmail.protocols.smtp.verbs.auth import AUTH
from worldmail.protocols.smtp.verbs.bdat import BDAT
from worldmail.protocols.smtp.verbs.burl import BURL
from worldmail.protocols.smtp.verbs.data import DATA
from worldmail.protocols.smtp.verbs.ehlo import EHLO, HELO
from worldmail.protocols.smtp.verbs.etrn import ETRN
from worldmail.protocols.smtp.verbs.expn import EXPN
from worldmail.protocols.smtp.verbs.help import HELP
from worldmail.protocols.smtp.verbs.mail import MAIL
from worldmail.protocols.smtp.verbs.noop import NOOP
from worldmail.protocols.smtp.verbs.quit import QUIT
from worldmail.protocols.smtp.verbs.rcpt import RCPT
from worldmail.protocols.smtp.verbs.rset import RSET
from worldmail.protocols.smtp.verbs.starttls import STARTTLS
from worldmail.protocols.smtp.verbs.vrfy import VRFY
from worldmail.protocols.smtp.verbs.xforward import XFORWARD
from worldmail.protocols.smtp.verbs.xjoin import XJOIN
from worldmail.protocols.smtp.verbs.xrecipients import XRECIPIENTS
from worldmail.wire.commands import Command

ROWS: tuple[Command[Session], ...] = (
    EHLO,
    HELO,
    STARTTLS,
    AUTH,
    MAIL,
    RCPT,
    DATA,
    BDAT,
    BURL,
    RSET,
    NOOP,
    VRFY,
    EXPN,
    ETRN,
    ATRN,
    XFORWARD,
    XJOIN,
    XRECIPIENTS,
    HELP,
    QUIT,
)
"""In the order in which EHLO announces what they can do."""
