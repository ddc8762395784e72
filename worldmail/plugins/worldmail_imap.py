"""IMAP."""

from worldmail.plugin import ProtocolPlugin

imap = ProtocolPlugin(
    name="imap",
    settings="worldmail.protocols.imap.settings:ImapSettings",
    service="worldmail.protocols.imap.service:imap_service",
)
