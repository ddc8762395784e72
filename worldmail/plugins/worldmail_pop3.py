"""POP3."""

from worldmail.plugin import ProtocolPlugin

pop3 = ProtocolPlugin(
    name="pop3",
    settings="worldmail.protocols.pop3.settings:Pop3Settings",
    service="worldmail.protocols.pop3.service:pop3_service",
)
