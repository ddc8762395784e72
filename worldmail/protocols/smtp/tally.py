"""How much of a session went nowhere: errors, refused recipients, commands that do no work."""

from __future__ import annotations

from worldmail.errors import TooManyRequests
from worldmail.protocols.smtp.settings import SmtpSettings

_OF_MAIL = frozenset((b"MAIL", b"RCPT", b"DATA", b"BDAT"))


class Tally:
    """Counts for one session; nothing is held against an exempt peer.

    Args:
        invited: we asked the peer for its mail: what of that is refused is not held against it.
    """

    __slots__ = ("_errors", "_exempt", "_idle", "_invited", "_refused_recipients", "_settings")

    def __init__(self, settings: SmtpSettings, *, exempt: bool, invited: bool = False) -> None:
        self._settings = settings
        self._invited = invited
        self._exempt = exempt
        self._errors = 0
        self._refused_recipients = 0
        self._idle = 0

    def count_error(self, word: bytes) -> bool:
        """One more permanent error, of this command; True if there were too many."""
        if self._invited and word in _OF_MAIL:
            return False
        if word == b"RCPT":
            self._refused_recipients += 1
        else:
            self._errors += 1
        if self._exempt:
            return False
        return self._errors > self._settings.errors or self._refused_recipients > self._settings.refused_recipients

    def count_idle(self) -> None:
        """One more command that does no work. Raises `TooManyRequests` after too many of them since the last mail."""
        self._idle += 1
        if self._idle > self._settings.idle_commands and not (self._exempt or self._invited):
            raise TooManyRequests("Too many commands without mail")

    def message_accepted(self) -> None:
        """Work was done."""
        self._idle = 0
