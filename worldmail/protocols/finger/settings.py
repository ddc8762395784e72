"""The settings of the finger server: the section `[finger]`."""

from __future__ import annotations

from attrs import NOTHING, frozen

from worldmail.config.fields import Duration, Listen, duration, listen, setting


@frozen(kw_only=True)
class FingerListener:
    """One place where finger is spoken. There is no TLS in it."""

    name: str = setting(NOTHING, "Its name in the log.")
    listen: tuple[Listen, ...] = setting(NOTHING, 'The addresses and ports; the standard one is "*:79".')

    @property
    def tls(self) -> str:
        """The protocol has none."""
        return "off"


@frozen(kw_only=True)
class FingerSettings:
    """The finger server: who asks it for the word that a hold names (its key finger) releases the hold (RFC 1288).
    It tells nothing of anybody."""

    listeners: tuple[FingerListener, ...] = setting(
        (),
        "Where finger is spoken; an empty list, as it is at first, turns it off.",
        example=(FingerListener(name="finger", listen=(listen("*:79"),)),),
    )
    timeout: Duration = setting(
        duration("30s"), "How long a client may take for its question. The connection is closed then.", minimum=1
    )
    wrong_words: int = setting(
        10,
        """After so many wrong words in a minute every word from the same address, or IPv6 network of 64 bits, is
        wrong until the minute is over. 0: never.""",
        minimum=0,
    )
