"""Connections on which every wait for the server ends.

A server that vanished is noticed by TCP. One that stands still, or waits for a standby that is gone, is not: its
machine goes on answering. `statement_timeout` does not help there, and on a COMMIT that waits for a standby it would
make the server say "done" although it is not.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from worldmail.interfaces.database import Row


class BoundedConnection(psycopg.Connection[Row]):
    """A connection that is given up when a statement takes too long.

    Attributes:
        warning: the last WARNING of the server.
    """

    warning: str | None = None
    _longest: float | None = None

    def bound(self, longest: float | None) -> None:
        """Let every statement from now on take so many seconds at most; None: as long as it takes."""
        self._longest = longest
        if self._note not in self._notice_handlers:
            self.add_notice_handler(self._note)

    def wait(self, gen: Any, *arguments: Any, **named: Any) -> Any:
        try:
            return super().wait(gen, *arguments, **{"timeout": self._longest, **named})
        except psycopg.OperationalError as error:
            if error.sqlstate is None and self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()
                raise psycopg.OperationalError("the server did not answer in time") from None
            raise

    def _note(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        if diagnostic.severity_nonlocalized == "WARNING":
            self.warning = diagnostic.message_primary
