"""Finger."""

from worldmail.plugin import ProtocolPlugin

finger = ProtocolPlugin(
    name="finger",
    settings="worldmail.protocols.finger.settings:FingerSettings",
    service="worldmail.protocols.finger.service:finger_service",
)
