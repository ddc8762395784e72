"""The keys of agents that ask by a message, or by a question to a finger server."""

from __future__ import annotations

from worldmail.config.keys import Key, switch
from worldmail.interfaces.ondemand import AgentKind
from worldmail.mail.address import Address

_WAKE = frozenset({AgentKind.WAKE.value})


def _address(text: str) -> Address:
    address = Address.parse(text)
    if not address.domain:
        raise ValueError
    return address


WAKE_KEYS = (
    Key(
        key="address",
        meaning="The address to which the message goes; its server has it as the wake address of our hold.",
        takes="an address",
        parse=_address,
        of=_WAKE,
    ),
    Key(
        key="sender",
        meaning="From whom the message is; who is told if it cannot be delivered.",
        takes="an address of this server",
        parse=_address,
        of=_WAKE,
    ),
    Key(
        key="plain",
        meaning="Whether the message has the secret itself, for servers that know no tokens; whoever reads it on its"
        " way can use it then.",
        takes="on or off",
        parse=switch,
        default=False,
        of=_WAKE,
    ),
)
