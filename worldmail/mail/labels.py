"""MIME labels for 8-bit text that came without any (RFC 2045 §4, §5, §6; RFC 1428 §3).

Old programs send raw 8-bit text with no word about its charset. Where it can be
told, we say what it is; where it cannot, "unknown-8bit" (RFC 1428) says that nobody
knows. The text itself is never changed, and nothing is said of a message that is
signed, or says anything about itself.
"""

from __future__ import annotations

import codecs

import cchardet

from worldmail.mail.header import Header

UNKNOWN = "unknown-8bit"
SAMPLE = 1 << 16
"""How many octets a guess is made from at most, and in how many a signature is looked for."""

_LABELS = (b"mime-version", b"content-type", b"content-transfer-encoding")
_SIGNATURES = (b"dkim-signature", b"arc-message-signature", b"domainkey-signature")
_INLINE_SIGNATURES = (b"-----BEGIN PGP ", b"-----BEGIN PKCS7")
_EDGE = max(len(mark) for mark in _INLINE_SIGNATURES) - 1  # octets that may be the start of one
_LEAST_CONFIDENCE = 0.5

# What the guess may be, by the name that the detector and Python know, and its name in mail (IANA).
_CHARSETS = {
    "big5": "big5",
    "euc-jp": "euc-jp",
    "euc-kr": "euc-kr",
    "gb18030": "gb18030",
    "gb2312": "gb18030",
    "koi8-r": "koi8-r",
    "koi8-u": "koi8-u",
    "shift_jis": "shift_jis",
    "tis-620": "tis-620",
    "uhc": "euc-kr",
}


def may_be_labelled(header: Header) -> bool:
    """True if the message says nothing about its content and carries no signature over its header."""
    return not any(name in header for name in _LABELS) and not any(name in header for name in _SIGNATURES)


class CharsetSense:
    """Watches a body stream by, and tells what its charset is.

    A body of ASCII alone costs one look a chunk.
    """

    __slots__ = ("_decoder", "_edge", "_sample", "_signed", "_unsearched", "_utf8", "eight_bit")

    def __init__(self) -> None:
        self.eight_bit = False
        self._utf8 = True
        self._signed = False
        self._unsearched = SAMPLE
        self._edge = b""
        self._sample = b""
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def feed(self, octets: bytes) -> None:
        """The next octets of the body, cut anywhere."""
        if self._unsearched > 0:
            self._look_for_signature(octets)
        if not self.eight_bit:
            if octets.isascii():
                return
            self.eight_bit = True
        if len(self._sample) < SAMPLE:
            self._sample += octets[: SAMPLE - len(self._sample)]
        if self._utf8:
            self._decode(octets, False)

    def _look_for_signature(self, octets: bytes) -> None:
        text = self._edge + octets if self._edge else octets
        if any(mark in text for mark in _INLINE_SIGNATURES):
            self._signed = True
            self._unsearched = 0
        else:
            self._edge = text[-_EDGE:]
            self._unsearched -= len(octets)

    def charset(self) -> str | None:
        """The charset to declare; None if there is nothing to declare (ASCII, or signed)."""
        if not self.eight_bit or self._signed:
            return None
        if self._utf8:
            self._decode(b"", True)
        return "utf-8" if self._utf8 else guess(self._sample)

    def _decode(self, octets: bytes, final: bool) -> None:
        try:
            self._decoder.decode(octets, final)
        except UnicodeDecodeError:
            self._utf8 = False


def guess(sample: bytes) -> str:
    """The charset of text that is not UTF-8, or `UNKNOWN`."""
    found = cchardet.detect(sample)
    name, confidence = (found.get("encoding") or "").lower(), found.get("confidence") or 0.0
    if name.startswith(("windows-125", "iso-8859-")):
        charset = name
    else:
        charset = _CHARSETS.get(name, UNKNOWN)
    if charset == UNKNOWN or confidence < _LEAST_CONFIDENCE or not _decodes(sample, charset):
        return UNKNOWN
    return charset


def label_fields(charset: str) -> bytes:
    """The three fields, each with its CRLF."""
    return (
        f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: 8bit\r\n"
    ).encode("ascii")


def _decodes(sample: bytes, charset: str) -> bool:
    """True if the text can be read so (a character cut by the sample's end is no matter)."""
    try:
        codecs.getincrementaldecoder(charset)().decode(sample)
    except (UnicodeDecodeError, LookupError):
        return False
    return True
