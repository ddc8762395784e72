"""The messages of SCRAM.

    client-first-message  = gs2-header client-first-message-bare             RFC 5802 §7
    gs2-header            = gs2-cbind-flag "," [ "a=" saslname ] ","
    gs2-cbind-flag        = ("p=" cb-name) / "n" / "y"
    client-first-message-bare = [reserved-mext ","] "n=" saslname "," "r=" c-nonce ["," extensions]
    client-final-message  = "c=" base64 "," "r=" nonce ["," extensions] "," "p=" base64

Each reader takes a whole message and raises `AuthenticationFailed` with code 501 for anything else.
"""

from __future__ import annotations

import base64
import binascii
import re

from attrs import frozen

from worldmail.auth.sasl.exchange import bounded, malformed, text_of

_FIRST = re.compile(
    r"(?P<gs2>(?:p=(?P<binding>[A-Za-z0-9.-]{1,64})|(?P<flag>[ny])),(?:a=(?P<authzid>[^,]+))?,)"
    r"(?P<bare>n=(?P<name>[^,]+),r=(?P<nonce>[\x21-\x2b\x2d-\x7e]{1,512})(?:,[A-Za-z]=[^,]+)*)"
)
_FINAL = re.compile(
    r"(?P<unproven>c=(?P<channel>[A-Za-z0-9+/=]+),r=(?P<nonce>[\x21-\x2b\x2d-\x7e]{1,1024})(?:,[A-Za-z]=[^,]+)*)"
    r",p=(?P<proof>[A-Za-z0-9+/=]+)"
)
_NAME = re.compile(r"(?:[^=]|=2C|=3D)+")


@frozen(kw_only=True)
class ClientFirst:
    """`gs2` is the header as it came; `flag` is "n", "y" or "p", `binding` the name that goes with "p"."""

    gs2: str
    flag: str
    binding: str | None
    authzid: str
    name: str
    nonce: str
    bare: str


@frozen(kw_only=True)
class ClientFinal:
    """`channel` and `proof` are decoded; `unproven` is the message up to the proof."""

    channel: bytes
    nonce: str
    proof: bytes
    unproven: str


def read_client_first(message: bytes) -> ClientFirst:
    """The first message. A mandatory extension ("m=") is refused, none is known (RFC 5802 §5.1)."""
    match = _FIRST.fullmatch(text_of(bounded(message)))
    if match is None:
        raise malformed("not a SCRAM client-first-message")
    return ClientFirst(
        gs2=match["gs2"],
        flag=match["flag"] or "p",
        binding=match["binding"],
        authzid=_saslname(match["authzid"] or ""),
        name=_saslname(match["name"]),
        nonce=match["nonce"],
        bare=match["bare"],
    )


def read_client_final(message: bytes) -> ClientFinal:
    """The second message."""
    match = _FINAL.fullmatch(text_of(bounded(message)))
    if match is None:
        raise malformed("not a SCRAM client-final-message")
    return ClientFinal(
        channel=_decoded(match["channel"]),
        nonce=match["nonce"],
        proof=_decoded(match["proof"]),
        unproven=match["unproven"],
    )


def encode(octets: bytes) -> str:
    """Base64 as the messages carry it."""
    return base64.b64encode(octets).decode("ascii")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise malformed("bad base64 in a SCRAM message") from None


def _saslname(text: str) -> str:
    """A name with "=2C" for a comma and "=3D" for an equals sign; any other "=" is an error (RFC 5802 §5.1)."""
    if text and _NAME.fullmatch(text) is None:
        raise malformed("bad escape in a SCRAM name")
    return text.replace("=2C", ",").replace("=3D", "=")
