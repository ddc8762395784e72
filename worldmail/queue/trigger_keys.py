"""The keys of a hold that say by what else than ETRN it may be released, and how the secrets among them are kept.

A secret is kept sealed: the row that has it is of no use without the server's key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from worldmail.config.keys import Key, switch
from worldmail.config.units import duration
from worldmail.errors import ConfigurationError
from worldmail.interfaces.holds import Release
from worldmail.mail.address import Address

SECRETS = ("finger", "wake-secret")
"""The keys whose texts are kept sealed."""

NEW = "new"
"""The text for which a command makes a secret."""

HIDDEN = "*" * 16
"""What stands for a secret where it is not opened."""

_LEAST, _MOST = 12, 128
_YEAR = 366 * 86400
_SENT = frozenset({Release.HOST.value, Release.MX.value})

Seal = Callable[[str, bytes], bytes]


def _word(text: str) -> str:
    """A query of RFC 1288 §2.3: one with @ in it asks to be passed on, one with / says how to answer."""
    if not 1 <= len(text) <= _MOST or not text.isascii() or not text.isprintable() or set(text) & set(" @/"):
        raise ValueError
    return text


def _secret(text: str) -> str:
    if len(text) < _LEAST:
        raise ValueError
    return _word(text)


def _address(text: str) -> str:
    address = Address.parse(text)
    if not address.domain:
        raise ValueError
    return address.key


def _every(text: str) -> float:
    seconds = duration(text)
    if not 60 <= seconds <= _YEAR:
        raise ValueError
    return seconds


_SIGNS = "letters, digits and signs of ASCII, without space, @ and /; new makes one and prints it"

TRIGGER_KEYS = (
    Key(
        key="wake",
        meaning="The address to which a message releases it, if it has the wake-secret or one of the accounts sent it.",
        takes="an address of a local domain",
        parse=_address,
        default="",
        of=_SENT,
    ),
    Key(
        key="wake-secret",
        meaning="What a wake-up message proves to know, or names.",
        takes=f"{_LEAST} to {_MOST} {_SIGNS}",
        parse=_secret,
        default="",
        of=_SENT,
    ),
    Key(
        key="finger",
        meaning="The word that releases it when it is asked of the finger server.",
        takes=f"1 to {_MOST} {_SIGNS}",
        parse=_word,
        default="",
        of=_SENT,
    ),
    Key(
        key="every",
        meaning="How often it is released by itself; else never.",
        takes='a time such as "15m", from a minute to a year',
        parse=_every,
        default=0.0,
        of=_SENT,
    ),
    Key(
        key="at-login",
        meaning="Whether it is released when one of its accounts signs in, by whatever protocol.",
        takes="on or off",
        parse=switch,
        default=False,
        of=_SENT,
    ),
)


def sealed(name: str, texts: Mapping[str, str], changed: Iterable[str], seal: Seal) -> dict[str, str]:
    """The texts of a hold with those secrets sealed that were changed."""
    made = dict(texts)
    for key in changed:
        if key in SECRETS and key in made:
            made[key] = seal(_purpose(name, key), made[key].encode()).hex()
    return made


def hidden(texts: Mapping[str, str]) -> dict[str, str]:
    """The texts without their secrets."""
    return {key: HIDDEN if key in SECRETS else text for key, text in texts.items()}


def opened(name: str, texts: Mapping[str, str], unseal: Seal) -> dict[str, str]:
    """The texts with their secrets. Raises `ConfigurationError` if one cannot be read."""
    made = dict(texts)
    for key in SECRETS:
        if key in made:
            try:
                made[key] = unseal(_purpose(name, key), bytes.fromhex(made[key])).decode()
            except ValueError:
                raise ConfigurationError(f"{key} of the hold {name} cannot be read: set it again") from None
    return made


def _purpose(name: str, key: str) -> str:
    return f"hold {name} {key}"
