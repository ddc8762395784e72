"""What a next hop carries, and the error for what cannot be made so (RFC 6152 §3, RFC 3030 §3)."""

from __future__ import annotations

import enum

from attrs import frozen

from worldmail.errors import WorldMailError
from worldmail.mail.mime.flaws import Flaws


class CannotConvert(WorldMailError):
    """The message holds what the next hop does not carry and what may not be encoded; the text says what.

    A permanent failure (RFC 3030 §3). `status` is of RFC 3463 §3.7: conversion required but not supported.
    """

    status = "5.6.3"


class Treatment(enum.IntEnum):
    """What becomes of an entity."""

    KEEP = 0
    RELABEL = 1  # its octets are fit as they are, its transfer encoding says less
    QUOTED = 2
    BASE64 = 3


@frozen
class Carriage:
    """What a hop carries.

    Attributes:
        label: the identity encoding that says so.
        above: identity encodings that promise less than that.
        high: octets above 127 are carried.
    """

    label: bytes
    above: frozenset[bytes]
    high: bool

    def flaw(self, flaws: Flaws) -> str | None:
        """What is not carried of these octets, in words; None if all is."""
        if flaws.high and not self.high:
            return "8-bit octets"
        if flaws.nul:
            return "NUL"
        if flaws.bare:
            return "a CR or LF alone"
        return "a line of more than 998 octets" if flaws.long else None


SEVEN = Carriage(b"7bit", frozenset({b"8bit", b"binary"}), False)
EIGHT = Carriage(b"8bit", frozenset({b"binary"}), True)
