"""ESMTP."""

from worldmail.plugin import ProtocolPlugin

smtp = ProtocolPlugin(
    name="smtp",
    settings="worldmail.protocols.smtp.settings:SmtpSettings",
    service="worldmail.protocols.smtp.service:smtp_service",
)
