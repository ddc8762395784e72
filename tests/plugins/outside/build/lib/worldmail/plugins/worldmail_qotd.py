"""The dropin: names only."""

from worldmail.plugin import ProtocolPlugin

qotd = ProtocolPlugin(
    name="qotd",
    settings="worldmail_qotd_server.settings:QotdSettings",
    service="worldmail_qotd_server.service:qotd_service",
)
