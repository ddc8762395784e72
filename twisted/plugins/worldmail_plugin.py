"""`twistd worldmail`."""

from __future__ import annotations

from twisted.application.service import ServiceMaker

worldmail = ServiceMaker(  # type: ignore[no-untyped-call]  # Twisted's is untyped
    "WorldMail", "worldmail.app.tap", "A complete mail and directory server for a site.", "worldmail"
)
