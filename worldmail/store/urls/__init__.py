"""IMAP URLs: who may follow them, and the octets at their end."""

from __future__ import annotations

from worldmail.store.urls.octets import Finder
from worldmail.store.urls.urls import Urls

__all__ = ["Finder", "Urls"]
